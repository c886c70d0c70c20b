"""Checkpoints: a fold's arrays and the place in the log up to which they are folded, in one file per market.

A file is replaced only by a whole one, and the one before is kept: a crash or a full disk while writing loses nothing,
and a corrupt file is recognised by its checksum.
"""

import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote

import msgspec
import numpy as np

from papertrader.shared.log.subjects import Market
from papertrader.shared.messages.accounts import Terms
from papertrader.shared.service.adopting import LayoutError, adopt, dtype_of, layout_of
from papertrader.shared.service.fold import State
from papertrader.shared.whole_file import settle

MAGIC: Final = b"paper-checkpoint-2\n"
CHECKSUM_BYTES: Final = 9
"""CRC-32 of all that follows, in hexadecimal, and a line feed."""


class CheckpointError(Exception):
    """A checkpoint that cannot be written, read or used; the text says why."""


class ForeignCheckpointError(CheckpointError):
    """A whole checkpoint that must not be used here: of another log, or of a state of another meaning."""


class LogPosition(msgspec.Struct, frozen=True, kw_only=True):
    """Up to where the log is folded: the last stream sequence, the round and the event time."""

    sequence: int
    round: int
    ts: int


class _ArrayLayout(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int


class _Header(msgspec.Struct, frozen=True, kw_only=True):
    service: str
    market: str
    position: LogPosition
    arrays: list[_ArrayLayout]
    log: str = ""
    version: int = 1
    accounts: list[str] = []
    terms: dict[str, Terms] = {}


StateFor = Callable[[Mapping[str, Terms]], tuple[State, Sequence[str]]]
"""The state to fill, and its accounts, of a fold that knows these terms."""


class CheckpointStore:
    """The checkpoints of one service in a directory. `log` names the log that they belong to, once it is known.

    `version` is that of the state: it changes whenever what a number means does.
    """

    def __init__(self, directory: Path, service: str, version: int = 1) -> None:
        self._directory = directory / service
        self._service = service
        self._version = version
        self.log = ""
        self.base: Path | None = None
        """Where this service's checkpoints lie as they were when the epoch began, once that is known."""

    def path(self, market: Market) -> Path:
        """Where a market's newest checkpoint lies."""
        return self._directory / f"{quote(str(market), safe='')}.checkpoint"

    def markets(self) -> list[Market]:
        """The markets that have a checkpoint here."""
        names = sorted(unquote(path.stem) for path in self._directory.glob("*.checkpoint"))
        return [Market(*name.split(".")) for name in names if name.count(".") == 1]

    def save(
        self,
        market: Market,
        position: LogPosition,
        state: State,
        accounts: Sequence[str] = (),
        terms: Mapping[str, Terms] | None = None,
    ) -> None:
        """Write a checkpoint and keep the one before; raises CheckpointError and leaves the old ones as they were."""
        body = b"".join(_bytes(name, array) for name, array in state.items())
        header = _Header(
            service=self._service,
            market=str(market),
            position=position,
            log=self.log,
            version=self._version,
            accounts=list(accounts),
            terms=dict(terms or {}),
            arrays=[
                _ArrayLayout(name=name, dtype=layout_of(array), shape=array.shape, bytes=array.nbytes)
                for name, array in state.items()
            ],
        )
        content = msgspec.json.encode(header) + b"\n" + body
        try:
            self._replace(self.path(market), MAGIC + _checksum(content) + content)
        except OSError as error:
            raise CheckpointError(f"the checkpoint of {market} cannot be written: {error.strerror}") from error

    def _replace(self, path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".writing")
        try:
            temporary.write_bytes(content)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        if path.exists():
            path.replace(self._previous(path))
        settle(temporary, path)

    @staticmethod
    def _previous(path: Path) -> Path:
        return path.with_suffix(".previous")

    def restore(
        self, market: Market, state: State, accounts: Sequence[str] = ()
    ) -> tuple[LogPosition | None, list[str]]:
        """Write the newest checkpoint that can be read into `state`, account by account.

        As `restore_as`, of a fold whose accounts are those of its settings."""
        return self.restore_as(market, lambda _: (state, accounts))

    def restore_as(self, market: Market, state_for: StateFor) -> tuple[LogPosition | None, list[str]]:
        """Write the newest checkpoint that can be read into the state that is made for its terms.

        Nothing older than the epoch is gone on from: other settings, or another program, made what lies before.
        Returns its position (None: fold from the beginning of the log) and what was wrong with any newer one. Raises
        ForeignCheckpointError for one that can be read and must not be used, and where the epoch's own beginning is
        all that could be and cannot.
        """
        complaints: list[str] = []
        newest = self.path(market)
        base = None if self.base is None else self.base / newest.name
        for path in (newest, self._previous(newest), *([base] if base else [])):
            if not path.exists() or (path == self._previous(newest) and self._is_older(path, base)):
                continue
            try:
                return self._load(path, market, state_for), complaints
            except ForeignCheckpointError:
                raise
            except CheckpointError as error:
                complaints.append(str(error))
        if base is not None and base.exists():
            raise ForeignCheckpointError(
                f"neither {newest} nor {base}, where its epoch began, can be read: put one of them back, or begin anew "
                "in another data directory"
            )
        return None, complaints

    @staticmethod
    def _is_older(path: Path, base: Path | None) -> bool:
        """Whether a checkpoint was written before the epoch began, or may have been."""
        if base is None or not base.exists():
            return False
        try:
            return _read(path)[0].position.sequence < _read(base)[0].position.sequence
        except CheckpointError:
            return True

    def newest(self, market: Market) -> LogPosition:
        """The position of the newest checkpoint, read back and verified; raises CheckpointError."""
        header, _ = _read(self.path(market))
        return header.position

    def _load(self, path: Path, market: Market, state_for: StateFor) -> LogPosition:
        header, body = _read(path)
        if (header.service, header.market) != (self._service, str(market)):
            raise CheckpointError(f"{path.name} belongs to {header.service} of {header.market}")
        if header.log and self.log and header.log != self.log:
            raise ForeignCheckpointError(
                f"{path} was made on another log ({header.log}, this one is {self.log}): put back the log that it "
                "belongs to, or take it away and begin anew in another data directory"
            )
        if header.version != self._version:
            raise ForeignCheckpointError(
                f"{path} holds the state in version {header.version}, this program's is {self._version}: run it with "
                "the program that wrote it, or begin anew in another data directory"
            )
        state, accounts = state_for(header.terms)
        try:
            adopt(state, _arrays(header, body), accounts, header.accounts or list(accounts))
        except LayoutError as error:
            raise ForeignCheckpointError(
                f"{path} was written by another version or for other accounts and does not fit: {error}; run it with "
                "the program that wrote it, or begin anew in another data directory"
            ) from error
        return header.position


def _arrays(header: _Header, body: bytes) -> dict[str, Any]:
    """What was saved, by name; raises LayoutError."""
    found, offset = {}, 0
    for item in header.arrays:
        rows = np.frombuffer(body[offset : offset + item.bytes], dtype_of(item.dtype))
        found[item.name] = rows.reshape(item.shape)
        offset += item.bytes
    return found


def _bytes(name: str, array: Any) -> bytes:
    if array.dtype.hasobject:
        raise TypeError(f"the state {name!r} holds Python objects: its bytes mean nothing to another process")
    return bytes(array.tobytes())


def _checksum(content: bytes) -> bytes:
    return b"%08x\n" % zlib.crc32(content)


def _read(path: Path) -> tuple[_Header, bytes]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path.name} cannot be read: {error.strerror}") from error
    if not content.startswith(MAGIC):
        raise CheckpointError(f"{path.name} is not a checkpoint")
    checksum, content = content[len(MAGIC) :][:CHECKSUM_BYTES], content[len(MAGIC) + CHECKSUM_BYTES :]
    if checksum != _checksum(content):
        raise CheckpointError(f"{path.name} is corrupt: its checksum does not match")
    line, _, body = content.partition(b"\n")
    try:
        header = msgspec.json.decode(line, type=_Header)
    except msgspec.DecodeError as error:
        raise CheckpointError(f"{path.name} is corrupt: {error}") from error
    return header, body
