"""What the broker refused, counted in its log: nowhere else does it tell."""

from collections import Counter
from pathlib import Path
from typing import Final

REASONS: Final[dict[str, bytes]] = {
    "publish": b"publish violation",
    "subscribe": b"subscription violation",
    "login": b"authentication error",
    "connections": b"connections exceeded",
    "subscriptions": b"maximum subscriptions exceeded",
    "payload": b"maximum payload exceeded",
}
"""What a line holds that tells of a refusal, in lower case."""


class Refusals:
    """Follows a log file of nats-server, over its rotations too, from where it ends when this begins."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._counts = Counter(dict.fromkeys(REASONS, 0))
        self._inode, self._offset = _place(path)

    def counted(self) -> dict[str, int]:
        """How often the broker has refused something, by reason."""
        inode, _ = _place(self._path)
        if inode != self._inode:
            for old in self._path.parent.iterdir():  # the file was renamed: it may hold lines that were not read
                if _place(old)[0] == self._inode:
                    self._read(old)
            self._inode, self._offset = inode, 0
        self._read(self._path)
        return dict(self._counts)

    def _read(self, path: Path) -> None:
        """Count in the whole lines that are new."""
        try:
            with path.open("rb") as file:
                file.seek(self._offset)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    self._offset += len(line)
                    lowered = line.lower()
                    self._counts.update(reason for reason, text in REASONS.items() if text in lowered)
        except OSError:
            return


def _place(path: Path) -> tuple[int, int]:
    """A file's inode and length, 0 where there is none."""
    try:
        there = path.stat()
    except OSError:
        return 0, 0
    return there.st_ino, there.st_size
