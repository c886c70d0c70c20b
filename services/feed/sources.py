"""The feed's sources: each market of a synthetic or recorded session as a lazy sequence of rounds."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from operator import itemgetter
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from papertrader.services.feed.adapter import NO_ASSET, NS_PER_MS
from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.files import foreign
from papertrader.services.feed.files.sidecar import Sidecar, sidecar_of, told
from papertrader.services.feed.instrument import InstrumentSettings, infer_instrument
from papertrader.services.feed.kernel import Break, Frames
from papertrader.services.feed.market_source import MarketSource
from papertrader.services.feed.synthetic import SyntheticMarket
from papertrader.services.feed.venues.registry import recorded
from papertrader.services.feed.venues.venue import Venue
from papertrader.shared.log.subjects import Market, token
from papertrader.shared.market.tape import DISCONNECTED, INSTRUMENT, TapeError, read_tape, told_instrument
from papertrader.shared.messages import Bbo, Book, Instrument, Message, Trades

DISCOVERY_FRAMES: Final = 3_000
"""Frames of a tape from which its venue, assets and instruments are read."""
SYNTHETIC_VENUE: Final = "synthetic"


def sources(config: FeedConfig) -> list[MarketSource]:
    """The markets that the settings ask for.

    Raises TapeError for a tape that holds no market and ValueError for settings that name nothing that exists.
    """
    found = _synthetic_sources(config) if config.source == "synthetic" else _tape_sources(config)
    wanted = {token(asset) for asset in config.assets}
    held_assets = {source.market.asset for source in found}
    missing = wanted - held_assets
    if missing:
        held = ", ".join(sorted(held_assets))
        raise ValueError(f"feed.assets: {', '.join(sorted(missing))} not in the source, which holds {held}")
    return [source for source in found if not wanted or source.market.asset in wanted]


def _synthetic_sources(config: FeedConfig) -> list[MarketSource]:
    found = []
    for asset in config.synthetic.assets:
        market = SyntheticMarket(config.synthetic, asset, config.seed)
        session = _session(config, repr((config.synthetic, config.seed)).encode(), asset.name)
        name = Market(SYNTHETIC_VENUE, token(asset.name))
        found.append(MarketSource(name, market.instrument, session, market.frames, config))
    return found


def _tape_sources(config: FeedConfig) -> list[MarketSource]:
    """The markets of the tapes. What several tapes hold of one market is one session, in order of time.

    Each market streams its tapes on its own, so that no market waits for another.
    """
    paths = [path for named in config.tapes for path in _files(named)]
    if not paths:
        raise ValueError("feed.tapes: the source is 'tape' but no tape is named")
    found: dict[Market, list[_Part]] = {}
    others = [path for path in paths if path.exists() and foreign.is_foreign(path)]
    for path in (path for path in paths if path not in others):
        tape = discover(path, config.instruments)
        for asset, instrument in tape.instruments.items():
            part = _Part(tape.first_ns, path, tape.venue, frozenset(tape.instruments), asset, instrument)
            found.setdefault(Market(tape.venue.name, token(asset)), []).append(part)
    tapes = [_tape_source(market, sorted(parts, key=itemgetter(0)), config) for market, parts in found.items()]
    sessions = [_foreign_source(session, config) for session in foreign.sessions(others)]
    if twice := sorted(str(source.market) for source in sessions if source.market in found):
        raise ValueError(f"feed.tapes: {', '.join(twice)} is on a tape and in a file of another tool: name one of them")
    return tapes + sessions


def _foreign_source(found: foreign.Foreign, config: FeedConfig) -> MarketSource:
    content = b"".join(_beginning(path) for path in found.paths) + repr(found.instrument).encode()
    session = _session(config, content, found.symbol)
    return MarketSource(found.market, found.instrument, session, found.frames, config, found.symbol)


def _files(named: Path) -> list[Path]:
    """A file, or the tapes and files of other tools that a directory holds."""
    if not named.is_dir():
        return [named]
    return sorted(path for ending in ("*.gz", "*.npz", "*.npy", "*.csv") for path in named.glob(ending))


class _Part(NamedTuple):
    first_ns: int
    path: Path
    venue: Venue
    assets: frozenset[str]
    asset: str
    instrument: Instrument


def _tape_source(market: Market, parts: list[_Part], config: FeedConfig) -> MarketSource:
    """The session of a market's tapes. It begins with the rules that were told, or the finest of those inferred."""
    finest = min((part.instrument for part in parts), key=lambda instrument: instrument.tick_size)
    instrument = finest if parts[0].instrument.inferred else parts[0].instrument
    by_hand = _by_hand(market, parts[0].asset, parts[0].path, config.instruments)
    frames = partial(_tape_frames, parts, config.gap_after_ms * NS_PER_MS, by_hand)
    content = b"".join(_beginning(part.path) for part in parts) + repr(by_hand).encode()
    return MarketSource(market, instrument, _session(config, content, parts[0].asset), frames, config, parts[0].asset)


def _by_hand(market: Market, asset: str, path: Path, settings: Mapping[str, InstrumentSettings]) -> Sidecar:
    """What the file beside a tape and the settings tell of a market, the settings having the last word."""
    beside = sidecar_of(path, market).instrument
    return Sidecar(instrument=beside | settings.get(asset, settings.get(market.asset, InstrumentSettings())).told())


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return f"{path.name} {path.stat().st_size} ".encode() + file.read(65_536)


class Discovery(NamedTuple):
    """What the beginning of a tape tells: its venue, and per asset the trading rules and a first price."""

    venue: Venue
    instruments: dict[str, Instrument]
    prices: dict[str, float]
    first_ns: int


def discover(path: Path, settings: Mapping[str, InstrumentSettings] = MappingProxyType({})) -> Discovery:
    """Read the beginning of a tape. What nobody has told of its markets - the settings, the file beside the tape, the
    recorder within it - is inferred. Raises TapeError if it holds no market.
    """
    prefix = _prefix(path)
    venues = recorded()
    refused = Counter[str]()
    for venue in venues:
        adapter = venue.adapter(None)
        messages: dict[str, list[Message]] = {}
        told_rules: dict[str, Instrument] = {}
        for recv_ns, data in prefix:
            if rules := told_instrument(data):
                told_rules.setdefault(rules.asset, rules.data)
                continue
            for asset, message in adapter.frame(recv_ns, data):
                messages.setdefault(asset, []).append(message)
        markets = {
            asset: seen
            for asset, seen in messages.items()
            if any(isinstance(message, (Book, Bbo, Trades)) for message in seen)
        }
        if markets:
            instruments = {
                asset: _rules(
                    asset,
                    path,
                    told_rules.get(asset)
                    or infer_instrument(
                        seen,
                        venue.significant_figures,
                        venue.min_notional,
                        size_decimals=venue.size_decimals((data for _, data in prefix), asset),
                        **venue.known(asset),
                    ),
                    _by_hand(Market(venue.name, token(asset)), asset, path, settings),
                )
                for asset, seen in markets.items()
            }
            prices = {asset: _price(messages[asset]) for asset in instruments}
            return Discovery(venue, instruments, prices, prefix[0][0])
        for bad in adapter.bad.values():
            refused.update({f"{reason} of {venue.name}": count for reason, count in bad.items()})
    names = " or ".join(venue.name for venue in venues)
    refusals = ", ".join(f"{count} {reason}" for reason, count in refused.items())
    raise TapeError(
        f"{path}: its first {len(prefix)} frames hold no market of {names}: {refusals or 'nothing to read'}"
    )


def _rules(asset: str, path: Path, found: Instrument, by_hand: Sidecar) -> Instrument:
    """The rules of a tape's market with what was told by hand; raises TapeError for what cannot be."""
    try:
        return told(found, by_hand)
    except ValueError as error:
        raise TapeError(f"{path}: the instrument told for {asset}: {error}") from None


def _price(messages: Iterable[Message]) -> float:
    for message in messages:
        if isinstance(message, Bbo) and message.bid_price:
            return message.bid_price
        if isinstance(message, Book) and message.bid_prices:
            return message.bid_prices[0]
        if isinstance(message, Trades):
            return message.prices[0]
    return 0.0


def _prefix(path: Path) -> list[tuple[int, bytes]]:
    prefix: list[tuple[int, bytes]] = []
    try:
        for frame in islice(read_tape(path, Counter()), DISCOVERY_FRAMES):
            prefix.append(frame)  # noqa: PERF402 - what was read before a break is kept
    except TapeError:
        if not prefix:
            raise
    return prefix


def _tape_frames(parts: Sequence[_Part], gap_after_ns: int, by_hand: Sidecar, bad: Counter[str]) -> Frames:
    """The frames of a market's tapes, one after the other; a broken tape is a gap before the next one."""
    first = parts[0]
    adapter = first.venue.adapter(frozenset().union(*(part.assets for part in parts)))
    adapter.bad[first.asset] = adapter.bad[NO_ASSET] = bad
    last_recv_ns = 0
    for number, part in enumerate(parts, start=1):
        try:
            for recv_ns, data in read_tape(part.path, bad):
                if data.startswith(INSTRUMENT):
                    rules = told_instrument(data)
                    if rules is None:
                        bad["malformed_message"] += 1
                    elif rules.asset == first.asset:
                        yield recv_ns, told(rules.data, by_hand)
                    continue
                broken = data.startswith(DISCONNECTED)
                if broken or (last_recv_ns and recv_ns - last_recv_ns > gap_after_ns):
                    adapter.reconnected()
                last_recv_ns = recv_ns
                if broken:
                    yield recv_ns, Break("disconnected")
                else:
                    yield recv_ns, [item for name, item in adapter.frame(recv_ns, data) if name == first.asset]
        except TapeError:
            if number == len(parts):
                raise
            bad["tape_truncated"] += 1
            yield last_recv_ns, Break("tape_truncated")


def _session(config: FeedConfig, content: bytes, asset: str) -> str:
    settings = f"{asset} {config.round_ms} {config.gap_after_ms} ".encode()
    return hashlib.sha256(settings + content).hexdigest()[:16]
