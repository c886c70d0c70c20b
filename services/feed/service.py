"""The feed's sources: each market of a synthetic or recorded session as a lazy sequence of rounds."""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from services.feed import binance, hyperliquid
from services.feed.adapter import CONNECTION, NS_PER_MS, Adapter
from services.feed.config import FeedConfig
from services.feed.instrument import infer_instrument
from services.feed.kernel import MarketRound, RoundBuilder
from services.feed.synthetic import SyntheticMarket
from services.feed.tally import Tally
from shared.messages import Bbo, Book, Instrument, Message, Trades
from shared.subjects import Market, token
from shared.tape import TapeError, read_tape

DISCOVERY_FRAMES: Final = 3_000
"""Frames of a tape from which its venue, assets and instruments are read."""
SYNTHETIC_VENUE: Final = "synthetic"

Frames: TypeAlias = Iterator[tuple[int, list[Message]]]
"""Per venue frame: receive time in ns and this market's messages."""


class Venue(NamedTuple):
    """A venue whose frames can be read."""

    name: str
    adapter: Callable[[Collection[str] | None], Adapter]
    significant_figures: int
    min_notional: float


VENUES: Final = (
    Venue(hyperliquid.VENUE, hyperliquid.HyperliquidAdapter, hyperliquid.SIGNIFICANT_FIGURES, hyperliquid.MIN_NOTIONAL),
    Venue(binance.VENUE, binance.BinanceAdapter, binance.SIGNIFICANT_FIGURES, binance.MIN_NOTIONAL),
)


class MarketSource(Tally):
    """One market of a session. `session` is the same whenever the same data is cut in the same way.

    `rounds()` starts from the beginning each time and is read lazily; the counters describe the last such reading.
    """

    def __init__(
        self,
        market: Market,
        instrument: Instrument,
        session: str,
        frames: Callable[[Counter[str]], Frames],
        config: FeedConfig,
    ) -> None:
        self.market = market
        self.instrument = instrument
        self.session = session
        self._frames = frames
        self._round_ns = config.round_ms * NS_PER_MS
        self._gap_after_ns = config.gap_after_ms * NS_PER_MS
        super().__init__()

    def rounds(self) -> Iterator[MarketRound]:
        """The rounds of the session; the last one is marked final. A tape that breaks off ends with a gap."""
        self.clear()
        builder = RoundBuilder(self.instrument, self.session, self._round_ns, self._gap_after_ns)
        reason = ""
        number = 0
        try:
            for number, (recv_ns, messages) in enumerate(self._frames(self.bad), start=1):
                yield from self._counted(builder.add(recv_ns, number, messages))
        except TapeError:
            self.bad["tape_truncated"] += 1
            reason = "tape_truncated"
        yield from self._counted(builder.end(reason))

    def _counted(self, rounds: list[MarketRound]) -> Iterator[MarketRound]:
        for round_ in rounds:
            self.count(round_)
            yield round_


def sources(config: FeedConfig) -> list[MarketSource]:
    """The markets that the settings ask for.

    Raises TapeError for a tape that holds no market and ValueError for settings that name nothing that exists.
    """
    found = _synthetic_sources(config) if config.source == "synthetic" else _tape_sources(config)
    names = Counter(source.market for source in found)
    twice = [str(market) for market, count in names.items() if count > 1]
    if twice:
        raise ValueError(f"feed.tapes: more than one tape holds {', '.join(twice)}")
    wanted = {token(asset) for asset in config.assets}
    missing = wanted - {market.asset for market in names}
    if missing:
        held = ", ".join(sorted(market.asset for market in names))
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
    if not config.tapes:
        raise ValueError("feed.tapes: the source is 'tape' but no tape is named")
    return [source for path in config.tapes for source in _markets_of(path, config)]


def _markets_of(path: Path, config: FeedConfig) -> list[MarketSource]:
    """The markets of one tape. Each streams the tape on its own, so that no market waits for another."""
    venue, instruments, _ = discover(path)
    with path.open("rb") as file:
        content = f"{path.name} {path.stat().st_size} ".encode() + file.read(65_536)
    found = []
    for asset, instrument in instruments.items():
        frames = partial(_tape_frames, path, venue, frozenset(instruments), asset, config.gap_after_ms * NS_PER_MS)
        market = Market(venue.name, token(asset))
        found.append(MarketSource(market, instrument, _session(config, content, asset), frames, config))
    return found


class Discovery(NamedTuple):
    """What the beginning of a tape tells: its venue, and per asset the trading rules and a first price."""

    venue: Venue
    instruments: dict[str, Instrument]
    prices: dict[str, float]


def discover(path: Path) -> Discovery:
    """Read the beginning of a tape; raises TapeError if it holds no market."""
    prefix = _prefix(path)
    for venue in VENUES:
        adapter = venue.adapter(None)
        messages: dict[str, list[Message]] = {}
        for recv_ns, data in prefix:
            for asset, message in adapter.frame(recv_ns, data):
                messages.setdefault(asset, []).append(message)
        instruments = {
            asset: infer_instrument(seen, venue.significant_figures, venue.min_notional)
            for asset, seen in messages.items()
            if any(isinstance(message, (Book, Bbo, Trades)) for message in seen)
        }
        if instruments:
            return Discovery(venue, instruments, {asset: _price(messages[asset]) for asset in instruments})
    raise TapeError(f"{path}: its first {len(prefix)} frames hold no market of {' or '.join(v.name for v in VENUES)}")


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


def _tape_frames(
    path: Path, venue: Venue, assets: frozenset[str], asset: str, gap_after_ns: int, bad: Counter[str]
) -> Frames:
    adapter = venue.adapter(assets)
    adapter.bad[asset] = adapter.bad[CONNECTION] = bad
    last_recv_ns = 0
    for recv_ns, data in read_tape(path, bad):
        if last_recv_ns and recv_ns - last_recv_ns > gap_after_ns:
            adapter.reconnected()
        last_recv_ns = recv_ns
        yield recv_ns, [message for name, message in adapter.frame(recv_ns, data) if name == asset]


def _session(config: FeedConfig, content: bytes, asset: str) -> str:
    settings = f"{asset} {config.round_ms} {config.gap_after_ms} ".encode()
    return hashlib.sha256(settings + content).hexdigest()[:16]
