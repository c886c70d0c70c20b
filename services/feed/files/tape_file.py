"""Writing a tape: a gzip file that holds all that was flushed to it, whatever happens next."""

import contextlib
import os
import struct
import zlib
from collections import Counter
from pathlib import Path
from typing import Final

from papertrader.shared.market.tape import TapeError, read_tape

PART: Final = ".part"
TORN: Final = ".torn"
_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_EMPTY_LAST_BLOCK: Final = b"\x03\x00"


class TapeFile:
    """One tape while it is written, `<path>.part`, and `<path>` once it is whole.

    Every `append` ends at a point from which the stream can be closed, so that a kill loses nothing that was appended
    and a full disk leaves a sound file of what fitted.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self.frames = 0
        self.first_ns = 0
        self.last_ns = 0
        self._deflate = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._crc = 0
        self._length = 0
        part = path.with_name(path.name + PART)
        self._file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            self._write(_HEADER)
        except OSError:
            os.close(self._file)
            part.unlink()
            raise

    def append(self, lines: list[tuple[int, bytes]]) -> None:
        """Write frames and flush them to the operating system; raises OSError if they do not fit."""
        data = b"".join(b"%d %s\n" % line for line in lines)
        self._write(self._deflate.compress(data) + self._deflate.flush(zlib.Z_SYNC_FLUSH))
        self._crc = zlib.crc32(data, self._crc)
        self._length += len(data)
        self.frames += len(lines)
        self.first_ns = self.first_ns or lines[0][0]
        self.last_ns = lines[-1][0]

    def close(self) -> None:
        """End the stream and give the file its name, at once and for good; without a frame there is no file."""
        part = self.path.with_name(self.path.name + PART)
        try:
            if self.frames:
                self._write(_EMPTY_LAST_BLOCK + struct.pack("<II", self._crc, self._length & 0xFFFFFFFF))
                os.fsync(self._file)
        finally:
            os.close(self._file)
        if self.frames:
            part.replace(self.path)
        else:
            part.unlink()

    def _write(self, data: bytes) -> None:
        written = 0
        try:
            while written < len(data):
                written += os.write(self._file, data[written:])
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self.size)
                os.lseek(self._file, self.size, os.SEEK_SET)
            raise
        self.size += len(data)


def repair(part: Path) -> TapeFile | None:
    """Make a whole tape of what a killed recorder has left; None if that holds no frame."""
    path = part.with_name(part.name.removesuffix(PART))
    torn = part.with_name(part.name + TORN)
    part.replace(torn)
    repaired = TapeFile(path)
    lines: list[tuple[int, bytes]] = []
    with contextlib.suppress(TapeError):
        for recv_ns, frame in read_tape(torn, Counter()):
            lines.append((recv_ns, frame.rstrip(b"\n")))
            if len(lines) == 1_000:
                repaired.append(lines)
                lines = []
    if lines:
        repaired.append(lines)
    repaired.close()
    torn.unlink()
    return repaired if repaired.frames else None
