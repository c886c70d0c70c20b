"""What was sealed of the log, as its readers see it: a folder of segments, or nothing."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from papertrader.shared.log.segments import (
    CATALOGUE,
    FOLDER,
    Catalogue,
    Entry,
    Latest,
    Segment,
    chained,
    load_catalogue,
    matches,
    read,
)


class Sealed:
    """The segments below a data directory; empty without one, or where nothing is sealed yet.

    The catalogue is read again when it has changed: who writes it is another process.
    """

    def __init__(self, data_dir: Path | None = None) -> None:
        self._folder = None if data_dir is None else data_dir / FOLDER
        self._seen: tuple[int, int] = (0, 0)
        self._catalogue = Catalogue()

    @property
    def catalogue(self) -> Catalogue:
        """What is there now; raises SegmentError if that cannot be read."""
        if self._folder is None:
            return self._catalogue
        try:
            found = (self._folder / CATALOGUE).stat()
        except OSError:
            return self._catalogue
        if (found.st_mtime_ns, found.st_ino) != self._seen:
            self._catalogue = load_catalogue(self._folder)
            self._seen = found.st_mtime_ns, found.st_ino
        return self._catalogue

    @property
    def last(self) -> int:
        """The sequence up to which the log is sealed, 0 if nothing is."""
        segments = self.catalogue.segments
        return segments[-1].last if segments else 0

    def first(self, held: int) -> int:
        """The first sequence from which on nothing is missing, if the broker holds the log from `held` on."""
        for segment in reversed(self.catalogue.segments):
            if segment.last + 1 < held or segment.last - segment.first + 1 != segment.messages:
                break
            held = min(held, segment.first)
            if segment.missing:
                break
        return held

    def newest(self, pattern: str) -> Latest | None:
        """The last message that was sealed of the subjects that match, None if there is none."""
        latest = self.catalogue.latest
        if "*" not in pattern and ">" not in pattern:
            return latest.get(pattern)
        found = (latest[name] for name in latest if matches(pattern, name))
        return max(found, key=lambda item: item.sequence, default=None)

    def said(self, subject: str, service: str) -> Latest | None:
        """The last message that was sealed of what a service said on a subject, without its payload."""
        return self.catalogue.said.get(subject, {}).get(service)

    def at(self, sequence: int) -> Entry | None:
        """The message at a sequence; None if it is not sealed."""
        for segment in self.catalogue.segments:
            if segment.first <= sequence <= segment.last:
                return next((entry for entry in self.read(segment) if entry.sequence == sequence), None)
        return None

    def after(self, sequence: int) -> list[Segment]:
        """The segments that hold anything after a sequence, each following the one before; raises SegmentError."""
        return [segment for segment in chained(self.catalogue.segments) if segment.last > sequence]

    def read(self, segment: Segment, patterns: Sequence[str] = (">",)) -> list[Entry]:
        """The messages of a segment on subjects that match, in the order of the log; raises SegmentError."""
        assert self._folder is not None
        return read(self._folder, segment, patterns)

    def entries(self, after: int = 0) -> Iterator[Entry]:
        """Everything that is sealed after a sequence; raises SegmentError."""
        for segment in self.after(after):
            yield from (entry for entry in self.read(segment) if entry.sequence > after)
