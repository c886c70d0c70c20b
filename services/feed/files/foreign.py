"""Sessions in files of other tools: which files they are, which markets they hold, and what is told of these."""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from papertrader.services.feed.files import array_file, hftbacktest, tardis_reader
from papertrader.services.feed.files.sidecar import Sidecar, sidecar_of, told
from papertrader.services.feed.instrument import infer_instrument
from papertrader.services.feed.kernel import Frames
from papertrader.services.feed.venues import registry
from papertrader.shared.log.subjects import Market, token
from papertrader.shared.market.tape import TapeError
from papertrader.shared.messages import Instrument, Message

DISCOVERY_FRAMES: Final = 3_000
"""Frames of a session from which its rules are inferred."""
SPOT: Final = ("binance", "binance-us", "bitstamp", "bybit-spot", "coinbase", "gemini", "kraken", "kucoin", "okex")
"""Exchanges of Tardis that trade spot alone."""


class Foreign(NamedTuple):
    """One market's session in such files, in order of time. `symbol` is the market as its venue spells it."""

    market: Market
    symbol: str
    paths: tuple[Path, ...]
    instrument: Instrument
    frames: Callable[[Counter[str]], Frames]


def is_foreign(path: Path) -> bool:
    """Whether a file is one of another tool."""
    return hftbacktest.is_array(path) or tardis_reader.is_csv(path)


def sessions(paths: Iterable[Path]) -> list[Foreign]:
    """The sessions of such files, by market; raises TapeError for a file that cannot be read."""
    arrays = [path for path in paths if hftbacktest.is_array(path)]
    tables = [path for path in paths if not hftbacktest.is_array(path)]
    return [*_of_arrays(arrays), *_of_tables(tables)]


def _of_arrays(paths: list[Path]) -> list[Foreign]:
    found: dict[Market, list[array_file.ArrayFile]] = {}
    for path in paths:
        file = array_file.opened(path)
        found.setdefault(file.market, []).append(file)
    return [_array(market, sorted(files, key=lambda file: file.first_ns)) for market, files in found.items()]


def _array(market: Market, files: list[array_file.ArrayFile]) -> Foreign:
    paths = tuple(file.path for file in files)
    frames = partial(array_file.frames, paths)
    return Foreign(market, files[0].symbol, paths, _rules(market, frames, files[0].told, paths[0]), frames)


def _of_tables(paths: list[Path]) -> list[Foreign]:
    found: dict[tuple[str, str], list[tardis_reader.CsvFile]] = {}
    for path in paths:
        file = tardis_reader.opened(path)
        for name in file.markets:
            found.setdefault(name, []).append(file)
    if paths and not found:
        raise TapeError(f"{paths[0]}: holds no row")
    return [_table(name, sorted(files, key=lambda file: file.first_ns)) for name, files in found.items()]


def _table(name: tuple[str, str], files: list[tardis_reader.CsvFile]) -> Foreign:
    exchange, symbol = name
    paths = tuple(file.path for file in files)
    frames = partial(tardis_reader.frames, files, name)
    market = Market(token(tardis_reader.venue_of(exchange)), token(symbol))
    sidecar = sidecar_of(paths[0], market)
    if exchange in SPOT:
        sidecar = Sidecar(sidecar.venue, sidecar.asset, {"kind": "spot"} | sidecar.instrument)
    market = Market(token(sidecar.venue or market.venue), token(sidecar.asset or symbol))
    return Foreign(market, sidecar.asset or symbol, paths, _rules(market, frames, sidecar, paths[0]), frames)


def _rules(market: Market, frames: Callable[[Counter[str]], Frames], sidecar: Sidecar, path: Path) -> Instrument:
    """A market's rules: what is told of them, and the rest as its first frames show."""
    seen: list[Message] = []
    with contextlib.suppress(TapeError):  # what can be read is enough
        for _, messages in islice(frames(Counter()), DISCOVERY_FRAMES):
            seen += messages if isinstance(messages, list) else []
    venue = registry.venue(market.venue) if market.venue in registry.names() else None
    figures, notional = (venue.significant_figures, venue.min_notional) if venue else (0, 0.0)
    known = venue.known(sidecar.asset or market.asset) if venue else {}
    try:
        return told(infer_instrument(seen, figures, notional, **known), sidecar)
    except ValueError as error:
        raise TapeError(f"{path}: {error}") from None
