"""What a file of a foreign format has no place for: its market's name and trading rules, in a JSON file beside it.

`BTCUSDT.instrument.json` holds `{"venue": "binance", "asset": "BTCUSDT", "instrument": {"tick_size": 0.1, ...}}`, every
part of it optional; the fields of the instrument are those of the message.
"""

from pathlib import Path
from typing import Any, Final

import msgspec

from papertrader.services.feed.files.names import bare, named_after, stem_of
from papertrader.shared.log.subjects import Market
from papertrader.shared.market.tape import TapeError
from papertrader.shared.messages import Instrument

ENDING: Final = ".instrument.json"
OF_INFERENCE: Final = ("inferred", "doubtful")


class Sidecar(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is told of a market. An empty name is that of the file."""

    venue: str = ""
    asset: str = ""
    instrument: dict[str, Any] = {}


NOTHING: Final = Sidecar()


def sidecar_of(path: Path, market: Market | None = None) -> Sidecar:
    """The sidecar of a file: the first that there is of those named after the file, its market and its symbol."""
    names = [bare(path)]
    if market is not None:
        names += [stem_of(market), market.asset]
    names.append(named_after(path)[1])
    found = (path.with_name(f"{name.replace('/', '%2F')}{ENDING}") for name in names)
    beside = next((candidate for candidate in found if candidate.exists()), None)
    return NOTHING if beside is None else parsed(beside.read_bytes(), beside)


def parsed(content: bytes, path: Path) -> Sidecar:
    """A sidecar's content; raises TapeError naming what is wrong with it."""
    try:
        found = msgspec.json.decode(content, type=Sidecar)
        told(Instrument(ts=0, tick_size=1.0, lot_size=1.0), found)
    except (msgspec.MsgspecError, ValueError) as error:
        raise TapeError(f"{path}: tells no instrument: {error}") from None
    return found


def told(inferred: Instrument, sidecar: Sidecar) -> Instrument:
    """An instrument with what the sidecar tells in place of what was inferred; raises ValueError for a wrong field."""
    unknown = sorted(sidecar.instrument.keys() - set(Instrument.__struct_fields__))
    if unknown:
        raise ValueError(f"an instrument has no field {', '.join(unknown)}")
    values = msgspec.to_builtins(inferred) | sidecar.instrument
    for name in OF_INFERENCE:
        values[name] = [field for field in getattr(inferred, name) if field not in sidecar.instrument]
        if name in sidecar.instrument:
            values[name] = sidecar.instrument[name]
    found = msgspec.convert(values, Instrument)
    if not (found.tick_size > 0 and found.lot_size > 0):
        raise ValueError("tick_size and lot_size must be above 0")
    return found


def encoded(market: Market, symbol: str, instrument: Instrument) -> bytes:
    """The sidecar that tells everything of a market."""
    fields = msgspec.to_builtins(instrument)
    fields.pop("ts")
    return msgspec.json.format(msgspec.json.encode(Sidecar(market.venue, symbol, fields)), indent=1) + b"\n"


def write(directory: Path, market: Market, symbol: str, instrument: Instrument) -> Path:
    """Write the sidecar of a market's files in a directory; returns its path."""
    path = directory / f"{stem_of(market, symbol)}{ENDING}"
    path.write_bytes(encoded(market, symbol, instrument))
    return path
