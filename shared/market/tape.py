"""Recorded market data: one venue frame a line, `<local receive time> <frame as received>`, gzip or plain.

The time is Unix time in ns; in µs, ms or s, with decimals if need be, it is recognised by its first line.

The same form as hftbacktest's collector writes. A recorder says where its connection broke with the frame
`DISCONNECTED`, which every reader of such tapes skips as a message of no known kind.
"""

import gzip
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from papertrader.shared.messages import Instrument

GZIP_MAGIC = b"\x1f\x8b"
RECV_TIME_DIGITS = 19
LONGEST_LINE: Final = 16 * 2**20
"""Longer than any frame that a venue sends; more of a file is never held at once."""
UNITS = ((10**17, 1), (10**14, 1_000), (10**11, 1_000_000), (10**8, 1_000_000_000))
"""A Unix time from 1973 to 2286 that is at least this is in units of so many ns: ns, µs, ms, s."""
DISCONNECTED = b'{"stream":"connection","channel":"connection","data":{"e":"disconnected"}}'

INSTRUMENT: Final = b'{"stream":"instrument","channel":"instrument","asset":'
"""How a frame begins that tells the trading rules of an asset; readers that know it not skip it, as `DISCONNECTED`."""


class InstrumentFrame(msgspec.Struct):
    """The frame: the asset as the venue spells it, and its rules."""

    asset: str
    data: Instrument


_instruments: Final = msgspec.json.Decoder(InstrumentFrame)


def instrument_frame(asset: str, instrument: Instrument) -> bytes:
    """The frame that tells the trading rules of an asset."""
    return INSTRUMENT + msgspec.json.encode(asset) + b',"data":' + msgspec.json.encode(instrument) + b"}"


def told_instrument(frame: bytes) -> InstrumentFrame | None:
    """What a frame tells of an asset's rules; None if it is another frame, or not sound."""
    if not frame.startswith(INSTRUMENT):
        return None
    try:
        return _instruments.decode(frame)
    except msgspec.MsgspecError:
        return None


class TapeError(Exception):
    """A tape that cannot be read, or not to its end. The text names the file and the frame."""


def nanoseconds_in(time: int) -> int:
    """How many ns the unit of a Unix time has; 1 for what is no such time."""
    return next((unit for least, unit in UNITS if time >= least), 1)


def read_tape(path: Path, bad: Counter[str]) -> Iterator[tuple[int, bytes]]:
    """The frames of a tape in file order, as (receive time in ns, frame).

    A line of another form is skipped and counted in `bad["malformed_line"]`. A truncated or corrupt file yields
    every whole line that can be read and then raises TapeError; so does a missing or empty one.
    """
    frames, unit = 0, 0
    try:
        with _opened(path) as lines:
            while line := lines.readline(LONGEST_LINE + 1):
                if len(line) > LONGEST_LINE:
                    raise TapeError(f"{path}: a line after frame {frames} is longer than {LONGEST_LINE} bytes: no tape")
                head, _, frame = line.partition(b" ")
                whole, point, decimals = head.partition(b".")
                if not whole.isdigit() or len(whole) > RECV_TIME_DIGITS or not frame.strip():
                    bad["malformed_line"] += 1
                    continue
                unit = unit or nanoseconds_in(int(whole))
                if point and not (decimals.isdigit() and unit > 1):
                    bad["malformed_line"] += 1
                    continue
                frames += 1
                yield int(whole) * unit + (unit * int(decimals) // 10 ** len(decimals) if point else 0), frame
    except (EOFError, zlib.error, OSError) as error:
        raise TapeError(f"{path}: cannot be read beyond frame {frames}: {error}") from error
    if not frames:
        raise TapeError(f"{path}: holds no frame: a line of a tape is '<receive time, ns> <frame>'")


def _opened(path: Path) -> gzip.GzipFile | BinaryIO:
    with path.open("rb") as file:
        compressed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    return gzip.open(path, "rb") if compressed else path.open("rb")
