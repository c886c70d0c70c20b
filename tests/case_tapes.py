"""Small tapes, frame by frame: markets whose price grid, price or money moves as venues move them."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.sources import sources

T0 = 1_763_370_000_000
MS = 1_000_000
Level = tuple[str, str]
HOUR_MS = 3_600_000
EIGHT_HOURS_MS = 8 * HOUR_MS
HOUR_AT_MS = HOUR_MS - T0 % HOUR_MS
"""The first full hour, since T0."""


def written(path: Path, frames: Iterable[tuple[int, Any]]) -> Path:
    """A tape of (time in ms since T0, frame), received 100 ms later."""
    lines = []
    for ms, frame in frames:
        text = frame if isinstance(frame, bytes) else json.dumps(frame).encode()
        lines.append(b"%d %s\n" % ((T0 + ms + 100) * MS, text))
    path.write_bytes(b"".join(lines))
    return path


def l2_book(coin: str, ms: int, bids: list[Level], asks: list[Level]) -> dict[str, Any]:
    sides = [[{"px": price, "sz": size, "n": 1} for price, size in side] for side in (bids, asks)]
    return {"channel": "l2Book", "data": {"coin": coin, "time": T0 + ms, "levels": sides}}


def prints(coin: str, ms: int, number: int, side: str, price: str, size: str) -> dict[str, Any]:
    item = {"coin": coin, "side": side, "px": price, "sz": size, "time": T0 + ms, "hash": "0x0", "tid": number}
    return {"channel": "trades", "data": [item]}


def event(symbol: str, kind: str, ms: int, **fields: Any) -> dict[str, Any]:
    data = {"e": kind, "s": symbol, "T": T0 + ms, "E": T0 + ms, **fields}
    return {"stream": f"{symbol.lower()}@{kind}", "data": data}


def source_of(path: Path, **settings: Any) -> Any:
    (found,) = sources(FeedConfig(source="tape", tapes=(path,), **settings))
    return found


def drifting(ticks: int) -> list[tuple[int, Any]]:
    """A Binance book that moves down by so many ticks, 50 a difference; every level told holds 2.0. Then a sale of 2.5
    three ticks below the touch.
    """

    def levels(first: int, step: int) -> list[Level]:
        return [(f"{(first + step * n) / 10:.1f}", "2.000") for n in range(60)]

    best = 999_999
    snapshot = {"symbol": "BTCUSDT", "lastUpdateId": 1000, "E": T0 + 1, "T": T0, "bids": levels(best, -1)}
    frames: list[tuple[int, Any]] = [(0, {**snapshot, "asks": levels(best + 1, 1)})]
    update, ms = 1000, 0
    for _ in range(ticks // 50):
        update, ms, best = update + 1, ms + 500, best - 50
        gone = [(f"{(best + 1 + n) / 10:.1f}", "0") for n in range(50)]
        changes = {"U": update, "u": update, "pu": update - 1, "b": [*gone, *levels(best, -1)]}
        frames.append((ms, event("BTCUSDT", "depthUpdate", ms, a=levels(best + 1, 1), **changes)))
        touch = {"b": f"{best / 10:.1f}", "B": "2.000", "a": f"{(best + 1) / 10:.1f}", "A": "2.000"}
        frames.append((ms, event("BTCUSDT", "bookTicker", ms, u=update, **touch)))
    for _ in range(4):
        update, ms = update + 1, ms + 500
        changes = {"U": update, "u": update, "pu": update - 1, "b": [(f"{(best - 40) / 10:.1f}", f"{2 + update % 3}")]}
        frames.append((ms, event("BTCUSDT", "depthUpdate", ms, a=[], **changes)))
    sale = {"t": 7, "p": f"{(best - 3) / 10:.1f}", "q": "2.500", "m": True, "X": "MARKET"}
    return [*frames, (ms + 1, event("BTCUSDT", "trade", ms + 1, **sale))]


def crashing() -> list[tuple[int, Any]]:
    """A book that holds 5 at 99.9 and nothing more down to 74, and a sale at 74 that has met what stood between."""
    calm = ([("99.9", "5"), ("74.0", "50")], [("100.1", "5")])
    crash = ([("74.0", "30"), ("73.9", "5")], [("74.2", "5")])
    frames: list[tuple[int, Any]] = [(500 * n, l2_book("xyz:THIN", 500 * n, *calm)) for n in range(10)]
    frames += [(4_900, prints("xyz:THIN", 4_900, 1, "A", "74.0", "25"))]
    frames += [(5_000 + 500 * n, l2_book("xyz:THIN", 5_000 + 500 * n, *crash)) for n in range(10)]
    return frames


def around(settlement_ms: int) -> list[int]:
    """Every five seconds from a minute before a settlement until one after, since T0."""
    return [settlement_ms - 60_000 + 5_000 * step for step in range(24)]


def binance(path: Path, middle_ms: int, next_ms: int) -> Path:
    """A book that stands and a mark of 100 010, from a minute before until one after; `next_ms` is what `T` says."""
    frames: list[tuple[int, Any]] = []
    best = {"bids": [["99999.9", "2.000"]], "asks": [["100000.0", "2.000"]]}
    first, *later = around(middle_ms)
    touch = {"u": 1000, "b": "99999.9", "B": "2.000", "a": "100000.0", "A": "2.000"}
    frames.append((first - 100, event("BTCUSDT", "bookTicker", first - 100, **touch)))
    snapshot = {"symbol": "BTCUSDT", "lastUpdateId": 1000, "E": T0 + first, "T": T0 + first, **best}
    frames.append((first, snapshot))
    for number, ms in enumerate(later, 1001):
        size = f"2.{number % 3}00"
        changes = {"U": number, "u": number, "pu": number - 1, "b": [["99999.9", size]], "a": []}
        frames.append((ms, event("BTCUSDT", "depthUpdate", ms, **changes)))
        paid_ms = next_ms if ms < next_ms else next_ms + EIGHT_HOURS_MS
        mark = {"p": "100010.0", "P": "100010.0", "i": "100020.0", "r": "0.00080000", "T": T0 + paid_ms}
        frames.append((ms + 1, event("BTCUSDT", "markPriceUpdate", ms + 1, **mark)))
    return written(path, frames)


def over_the_hour() -> list[tuple[int, Any]]:
    """A Hyperliquid book that stands, its oracle at 99 000 and its mark at 100 000, around a settlement."""
    frames: list[tuple[int, Any]] = []
    prices = {"funding": "0.0001", "oraclePx": "99000.0", "markPx": "100000.0", "openInterest": "1000"}
    for ms in around(HOUR_AT_MS):
        frames.append((ms, l2_book("BTC", ms, [("99999", "2")], [("100000", f"2.{ms // 5000 % 9}")])))
        frames.append((ms + 1, {"channel": "activeAssetCtx", "data": {"coin": "BTC", "ctx": prices}}))
    return frames


def spot(coin: str) -> list[tuple[int, Any]]:
    """A spot book that stands for five seconds."""
    bids, asks = [("0.190", "5000"), ("0.189", "5000")], [("0.191", "5000.0"), ("0.192", "5000.0")]
    return [(ms, l2_book(coin, ms, bids, asks)) for ms in range(0, 5_000, 500)]
