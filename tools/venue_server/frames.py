"""Frames to be played: of a tape as they are, or of the synthetic market in a venue's own form."""

import heapq
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from papertrader.services.feed.config import SyntheticAsset, SyntheticConfig
from papertrader.services.feed.sources import discover
from papertrader.services.feed.synthetic import SyntheticMarket
from papertrader.shared.market.tape import read_tape
from papertrader.shared.messages import Bbo, Book, Context, Instrument, Message, Trades

_key: Final = re.compile(rb'"(?:coin|s|symbol)"\s*:\s*"([^"]+)"')
_json: Final = msgspec.json.Encoder()

Encode: TypeAlias = Callable[[Message], Iterator[dict[str, Any]]]
"""A message in a venue's own form."""


class Frame(NamedTuple):
    """A venue frame that is due at `due_ns`."""

    due_ns: int
    asset: str
    data: bytes


class Programme(NamedTuple):
    """What a server plays: the venue, its assets' rules and prices, and the frames, from the start each time."""

    venue: str
    instruments: dict[str, Instrument]
    prices: dict[str, float]
    frames: Callable[[], Iterator[Frame]]


def of_tapes(paths: Sequence[Path]) -> Programme:
    """The frames of tapes of one venue, merged by receive time."""
    found = [discover(path) for path in paths]
    venues = {discovery.venue.name for discovery in found}
    if len(venues) != 1:
        raise ValueError(f"the tapes are of several venues: {', '.join(sorted(venues))}")
    instruments = {asset: rules for discovery in found for asset, rules in discovery.instruments.items()}
    prices = {asset: price for discovery in found for asset, price in discovery.prices.items()}
    tapes = [(path, list(discovery.instruments)) for path, discovery in zip(paths, found, strict=True)]
    return Programme(
        venues.pop(), instruments, prices, lambda: heapq.merge(*(_of_tape(*tape) for tape in tapes), key=_due)
    )


def _due(frame: Frame) -> int:
    return frame.due_ns


def _of_tape(path: Path, alone: list[str]) -> Iterator[Frame]:
    for recv_ns, data in read_tape(path, Counter()):
        found = _key.search(data)
        asset = found[1].decode() if found else alone[0] if len(alone) == 1 else ""
        yield Frame(recv_ns, asset, data.rstrip(b"\n"))


COINS: Final = (
    SyntheticAsset(name="BTC", price=60_000.0, tick_size=1.0, lot_size=1e-5),
    SyntheticAsset(name="ETH", price=2_500.0, tick_size=0.1, lot_size=1e-4),
    SyntheticAsset(name="SOL", price=150.0, tick_size=0.01, lot_size=0.01),
)
SYMBOLS: Final = (
    SyntheticAsset(name="BTCUSDT", price=60_000.0, tick_size=0.1, lot_size=1e-3),
    SyntheticAsset(name="ETHUSDT", price=2_500.0, tick_size=0.01, lot_size=1e-3),
)


def of_synthetic(
    venue: str, duration_s: float, seed: int = 1, assets: Sequence[SyntheticAsset] | None = None
) -> Programme:
    """The synthetic market in the form of a venue, on price grids that the venue would have."""
    assets = assets or (COINS if venue == "hyperliquid" else SYMBOLS)
    config = SyntheticConfig(assets=tuple(assets), duration_s=duration_s)
    markets = {asset.name: asset for asset in config.assets}
    encoder: Callable[[str], Encode] = _hyperliquid if venue == "hyperliquid" else _Binance

    def frames() -> Iterator[Frame]:
        played = (
            _encoded(SyntheticMarket(config, asset, seed), name, encoder(name)) for name, asset in markets.items()
        )
        return heapq.merge(*played, key=_due)

    return Programme(
        venue,
        {name: SyntheticMarket(config, asset, seed).instrument for name, asset in markets.items()},
        {name: asset.price for name, asset in markets.items()},
        frames,
    )


def _encoded(market: SyntheticMarket, name: str, encode: Encode) -> Iterator[Frame]:
    for recv_ns, messages in market.frames(Counter()):
        for message in messages:
            for content in encode(message):
                yield Frame(recv_ns, name, _json.encode(content))


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.8f}".rstrip("0").rstrip(".")


def _hyperliquid(coin: str) -> Encode:
    def level(price: float | None, size: float | None) -> dict[str, Any] | None:
        return None if price is None else {"px": _text(price), "sz": _text(size), "n": 1}

    def encode(message: Message) -> Iterator[dict[str, Any]]:
        time = message.ts // 1_000_000
        if isinstance(message, Book):
            bids = [level(*pair) for pair in zip(message.bid_prices, message.bid_sizes, strict=True)]
            asks = [level(*pair) for pair in zip(message.ask_prices, message.ask_sizes, strict=True)]
            yield {"channel": "l2Book", "data": {"coin": coin, "time": time, "levels": [bids, asks]}}
            yield {"channel": "bbo", "data": {"coin": coin, "time": time, "bbo": [bids[0], asks[0]]}}
        elif isinstance(message, Bbo):
            sides = [level(message.bid_price, message.bid_size), level(message.ask_price, message.ask_size)]
            yield {"channel": "bbo", "data": {"coin": coin, "time": time, "bbo": sides}}
        elif isinstance(message, Trades):
            yield {
                "channel": "trades",
                "data": [_print(coin, time, message, index) for index in range(len(message.times))],
            }
        elif isinstance(message, Context):
            context = {
                "funding": _text(message.funding_rate),
                "openInterest": "1000.0",
                "oraclePx": _text(message.oracle_price),
                "markPx": _text(message.mark_price),
            }
            yield {"channel": "activeAssetCtx", "data": {"coin": coin, "ctx": context}}

    return encode


def _print(coin: str, time: int, trades: Trades, index: int) -> dict[str, Any]:
    return {
        "coin": coin,
        "side": "B" if trades.aggressors[index] == "buy" else "A",
        "px": _text(trades.prices[index]),
        "sz": _text(trades.sizes[index]),
        "time": time,
        "hash": "0x0",
        "tid": trades.trade_ids[index],
        "users": ["0x0", "0x0"],
    }


class _Binance:
    """Binance's form of one symbol: full books become their differences from the last one, and from touches since."""

    def __init__(self, symbol: str) -> None:
        self._symbol = symbol
        self._update = 1_000
        self._last_difference = 0
        self._sides: dict[str, dict[str, str]] = {"b": {}, "a": {}}
        self._moved: dict[str, dict[str, str]] = {"b": {}, "a": {}}  # as a client has them who hears touches as well

    def __call__(self, message: Message) -> Iterator[dict[str, Any]]:
        time = message.ts // 1_000_000
        if isinstance(message, Book):
            yield self._difference(message, time)
            touch = (message.bid_prices[0], message.bid_sizes[0], message.ask_prices[0], message.ask_sizes[0])
            yield self._ticker(time, *touch)
        elif isinstance(message, Bbo):
            yield self._ticker(time, message.bid_price, message.bid_size, message.ask_price, message.ask_size)
        elif isinstance(message, Trades):
            for index in range(len(message.times)):
                yield self._aggregate(time, message, index)
        elif isinstance(message, Context):
            data = {"p": _text(message.mark_price), "i": _text(message.oracle_price), "r": "0.0001"}
            yield self._event("markPrice@1s", {"e": "markPriceUpdate", "E": time, "s": self._symbol, **data})

    def _event(self, stream: str, data: dict[str, Any]) -> dict[str, Any]:
        return {"stream": f"{self._symbol.lower()}@{stream}", "data": data}

    def _ticker(self, time: int, *touch: float | None) -> dict[str, Any]:
        self._update += 1
        data = dict(zip(("b", "B", "a", "A"), map(_text, touch), strict=True))
        self._move("b", data["b"], data["B"], 1)
        self._move("a", data["a"], data["A"], -1)
        head = {"e": "bookTicker", "u": self._update, "s": self._symbol, "T": time, "E": time}
        return self._event("bookTicker", {**head, **data})

    def _move(self, name: str, best: str, size: str, side: int) -> None:
        """A client takes a touch for its best level: what it knew beyond it is gone."""
        if best:
            levels = self._moved[name].items()
            kept = {price: shown for price, shown in levels if side * float(price) < side * float(best)}
            self._moved[name] = {**kept, best: size}

    def _aggregate(self, time: int, trades: Trades, index: int) -> dict[str, Any]:
        trade_id = trades.trade_ids[index]
        data = {"a": trade_id, "p": _text(trades.prices[index]), "q": _text(trades.sizes[index]), "f": trade_id}
        head = {"e": "aggTrade", "E": time, "T": time, "s": self._symbol, "l": trade_id}
        return self._event("aggTrade", {**head, **data, "m": trades.aggressors[index] == "sell"})

    def _difference(self, book: Book, time: int) -> dict[str, Any]:
        shown = {
            "b": dict(zip(map(_text, book.bid_prices), map(_text, book.bid_sizes), strict=True)),
            "a": dict(zip(map(_text, book.ask_prices), map(_text, book.ask_sizes), strict=True)),
        }
        changes = {name: _changes((self._sides[name], self._moved[name]), levels) for name, levels in shown.items()}
        previous, self._sides, self._moved = self._last_difference, shown, dict(shown)
        self._update += 2
        self._last_difference = self._update
        head = {"e": "depthUpdate", "E": time, "T": time, "s": self._symbol}
        ids = {"U": previous + 1, "u": self._update, "pu": previous}
        return self._event("depth@100ms", {**head, **ids, **changes})


def _changes(before: Sequence[dict[str, str]], now: dict[str, str]) -> list[list[str]]:
    """What makes levels of any earlier state those of now."""
    gone = [[price, "0"] for price in {price: None for levels in before for price in levels} if price not in now]
    moved = [[price, size] for price, size in now.items() if any(levels.get(price) != size for levels in before)]
    return gone + moved
