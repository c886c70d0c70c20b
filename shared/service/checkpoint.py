"""Checkpoints: a fold's arrays and the place in the log up to which they are folded, in one file per market.

A file is replaced only by a whole one, and the one before is kept: a crash or a full disk while writing loses nothing,
and a corrupt file is recognised by its checksum.
"""

import os
import zlib
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import msgspec
import numpy as np

from papertrader.shared.log.subjects import Market
from papertrader.shared.service.fold import State

MAGIC: Final = b"paper-checkpoint-2\n"
CHECKSUM_BYTES: Final = 9
"""CRC-32 of all that follows, in hexadecimal, and a line feed."""


class CheckpointError(Exception):
    """A checkpoint that cannot be written, read or used; the text says why."""


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


class CheckpointStore:
    """The checkpoints of one service in a directory."""

    def __init__(self, directory: Path, service: str) -> None:
        self._directory = directory / service
        self._service = service

    def path(self, market: Market) -> Path:
        """Where a market's newest checkpoint lies."""
        return self._directory / f"{quote(str(market), safe='')}.checkpoint"

    def save(self, market: Market, position: LogPosition, state: State) -> None:
        """Write a checkpoint and keep the one before; raises CheckpointError and leaves the old ones as they were."""
        body = b"".join(_bytes(name, array) for name, array in state.items())
        header = _Header(
            service=self._service,
            market=str(market),
            position=position,
            arrays=[
                _ArrayLayout(name=name, dtype=_layout(array), shape=array.shape, bytes=array.nbytes)
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
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        if path.exists():
            path.replace(self._previous(path))
        temporary.replace(path)

    @staticmethod
    def _previous(path: Path) -> Path:
        return path.with_suffix(".previous")

    def restore(self, market: Market, state: State) -> tuple[LogPosition | None, list[str]]:
        """Write the newest checkpoint that can be used into `state`.

        Returns its position (None: fold from the beginning of the log) and what was wrong with any newer one.
        """
        complaints: list[str] = []
        for path in (self.path(market), self._previous(self.path(market))):
            if not path.exists():
                continue
            try:
                return self._load(path, market, state), complaints
            except CheckpointError as error:
                complaints.append(str(error))
        return None, complaints

    def newest(self, market: Market) -> LogPosition:
        """The position of the newest checkpoint, read back and verified; raises CheckpointError."""
        header, _ = _read(self.path(market))
        return header.position

    def _load(self, path: Path, market: Market, state: State) -> LogPosition:
        header, body = _read(path)
        if (header.service, header.market) != (self._service, str(market)):
            raise CheckpointError(f"{path.name} belongs to {header.service} of {header.market}")
        layout = {item.name: (item.dtype, item.shape) for item in header.arrays}
        wanted = {name: (_layout(array), array.shape) for name, array in state.items()}
        if layout != wanted:
            raise CheckpointError(f"{path.name} was written by another version or for other accounts")
        offset = 0
        for item in header.arrays:
            target: Any = state[item.name]
            target[...] = np.frombuffer(body, target.dtype, target.size, offset).reshape(target.shape)
            offset += item.bytes
        return header.position


def _bytes(name: str, array: Any) -> bytes:
    if array.dtype.hasobject:
        raise TypeError(f"the state {name!r} holds Python objects: its bytes mean nothing to another process")
    return bytes(array.tobytes())


def _checksum(content: bytes) -> bytes:
    return b"%08x\n" % zlib.crc32(content)


def _layout(array: Any) -> str:
    return str(array.dtype.descr) if array.dtype.names else str(array.dtype.str)


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
