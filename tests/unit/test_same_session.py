"""One session in four forms - Hyperliquid frames, Binance frames, ccxt messages, an event array - has the same fills.

A seeded market of 15 ticks a side: books twice a second, prints between them. Orders of every kind wait, take and are
cancelled in it; what becomes of them, when, at what price and fee, and the money afterwards do not depend on the form.
"""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest

from papertrader.replay.order import Answered, Trial
from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.files.hftbacktest import BUY, CLEAR, DEPTH, EXCHANGE, LOCAL, SELL, SNAPSHOT, TRADE
from papertrader.services.feed.instrument import infer_instrument
from papertrader.services.feed.market_source import MarketSource
from papertrader.services.feed.sources import sources
from papertrader.services.feed.venues.ccxt.frames import CcxtAdapter
from papertrader.shared.log.subjects import Market
from papertrader.shared.messages import Cancel, Command, Place
from papertrader.shared.service.config import Settings

T0 = 1_763_370_000_000
"""Of the session, ms."""
MS = 1_000_000
HEARD_MS = 5
"""How much later than it happened everything is heard."""
TICK, FLOOR, CEILING = 0.1, 9_985, 10_015
STEPS = 240
Side = dict[int, float]


class Book(NamedTuple):
    """The whole book at a moment: sizes by tick."""

    ms: int
    bids: Side
    asks: Side


class Print(NamedTuple):
    """A print: which of the taker's sides, at which tick, how much."""

    ms: int
    buys: bool
    tick: int
    size: float
    number: int


def price(tick: int) -> float:
    return round(tick * TICK, 1)


def session(seed: int) -> list[Book | Print]:
    """A book every half second; between two of them up to three prints at the touch, which the next one has in."""
    random = np.random.Generator(np.random.PCG64(seed))
    best, found, number = 10_000, list[Book | Print](), 0
    sizes = {tick: float(random.integers(1, 9)) for tick in range(FLOOR, CEILING + 1)}
    for step in range(STEPS):
        for tick in random.integers(FLOOR, CEILING + 1, size=6).tolist():
            sizes[tick] = float(random.integers(1, 9))
        book = Book(
            500 * step,
            {tick: sizes[tick] for tick in range(best, FLOOR - 1, -1)},
            {tick: sizes[tick] for tick in range(best + 1, CEILING + 1)},
        )
        found.append(book)
        for place in range(int(random.integers(0, 4)) if step else 0):
            buys, number = bool(random.random() < 0.5), number + 1
            tick = best + 1 if buys else best
            size = min(float(random.integers(1, 7)), sizes[tick])
            found.append(Print(500 * step + 120 * (place + 1), buys, tick, size, number))
            sizes[tick] -= size
            if sizes[tick] == 0:
                best += 1 if buys else -1
                sizes[tick] = float(random.integers(1, 9))
                break
        best = min(max(best, 9_993), 10_006)
    return found


def orders(seed: int) -> list[Command]:
    """Orders around the touch of the time, of every kind, every third one cancelled."""
    random = np.random.Generator(np.random.PCG64(seed + 1))
    books = [item for item in session(seed) if isinstance(item, Book)]
    found: list[Command] = []
    for number in range(1, 31):
        book = books[int(random.integers(4, STEPS - 60))]
        buys, depth = bool(random.random() < 0.5), int(random.integers(-1, 3))
        tick = max(book.bids) - depth if buys else min(book.asks) + depth
        tif = ("post_only", "post_only", "gtc", "ioc")[number % 4]
        ts = (T0 + book.ms + 30) * MS
        found.append(
            Place(
                ts=ts,
                order_id=number,
                side="buy" if buys else "sell",
                price=price(tick),
                size=float(random.integers(1, 4)),
                time_in_force=tif,  # type: ignore[arg-type]
            )
        )
        if number % 3 == 0:
            found.append(Cancel(ts=ts + int(random.integers(1, 20)) * 1_000 * MS, order_id=number))
    return found


# --- the four forms ----------------------------------------------------------------------------------------------


def line(ms: int, content: Any) -> str:
    return f"{(T0 + ms + HEARD_MS) * MS} {json.dumps(content)}\n"


def as_hyperliquid(items: list[Book | Print], folder: Path) -> MarketSource:
    lines = []
    for item in items:
        if isinstance(item, Book):
            sides = [[{"px": str(price(t)), "sz": str(s), "n": 1} for t, s in side.items()] for side in item[1:]]
            lines.append(
                line(item.ms, {"channel": "l2Book", "data": {"coin": "ABC", "time": T0 + item.ms, "levels": sides}})
            )
        else:
            one = {"coin": "ABC", "side": "B" if item.buys else "A", "px": str(price(item.tick)), "sz": str(item.size)}
            one |= {"time": T0 + item.ms, "tid": item.number}
            lines.append(line(item.ms, {"channel": "trades", "data": [one]}))
    return tape(folder / "hyperliquid.txt", lines)


def changes(items: list[Book | Print]) -> Iterator[tuple[Book, list[tuple[int, int, float]]] | Print]:
    """Books as what they changed: (side, tick, size); the first one is all of it."""
    known: dict[tuple[int, int], float] = {}
    for item in items:
        if isinstance(item, Print):
            yield item
            continue
        now = {
            (side, tick): size for side, levels in ((1, item.bids), (-1, item.asks)) for tick, size in levels.items()
        }
        changed = [(*key, 0.0) for key in known if key not in now]
        changed += [(*key, size) for key, size in now.items() if known.get(key) != size]
        known = now
        yield item, changed


def as_binance(items: list[Book | Print], folder: Path) -> MarketSource:
    lines, update = [], 1_000
    for item in changes(items):
        if isinstance(item, Print):
            data = {"e": "trade", "E": T0 + item.ms, "T": T0 + item.ms, "s": "ABC", "t": item.number, "X": "MARKET"}
            data |= {"p": str(price(item.tick)), "q": str(item.size), "m": not item.buys}
            lines.append(line(item.ms, {"stream": "abc@trade", "data": data}))
            continue
        book, changed = item
        bids, asks = ([[str(price(t)), str(s)] for side, t, s in changed if side == which] for which in (1, -1))
        ms = {"E": T0 + book.ms, "T": T0 + book.ms}
        if book.ms == 0:
            early = {"e": "depthUpdate", **ms, "s": "ABC", "U": 990, "u": 999, "pu": 989, "b": [], "a": []}
            lines.append(line(book.ms, {"stream": "abc@depth", "data": early}))
            lines.append(line(book.ms, {"symbol": "ABC", "lastUpdateId": update, **ms, "bids": bids, "asks": asks}))
            continue
        data = {
            "e": "depthUpdate",
            **ms,
            "s": "ABC",
            "U": update + 1,
            "u": update + 10,
            "pu": update,
            "b": bids,
            "a": asks,
        }
        lines.append(line(book.ms, {"stream": "abc@depth", "data": data}))
        update += 10
    return tape(folder / "binance.txt", lines)


def tape(path: Path, lines: list[str]) -> MarketSource:
    path.write_text("".join(lines))
    (source,) = sources(FeedConfig(source="tape", tapes=(path,)))
    return source


def as_array(items: list[Book | Print], folder: Path) -> MarketSource:
    rows: list[tuple[int, int, float, float, int]] = []
    for item in changes(items):
        if isinstance(item, Print):
            rows.append((TRADE | (BUY if item.buys else SELL), item.ms, price(item.tick), item.size, item.number))
            continue
        book, changed = item
        if book.ms == 0:
            rows += [(CLEAR | BUY, 0, price(FLOOR), 0.0, 0), (CLEAR | SELL, 0, price(CEILING), 0.0, 0)]
        kind = DEPTH if book.ms else SNAPSHOT
        rows += [(kind | (BUY if side > 0 else SELL), book.ms, price(tick), size, 0) for side, tick, size in changed]
    fields = [("ev", "u8"), ("exch_ts", "i8"), ("local_ts", "i8"), ("px", "f8"), ("qty", "f8"), ("order_id", "u8")]
    array = np.zeros(len(rows), dtype=fields)
    array["ev"] = [ev | EXCHANGE | LOCAL for ev, *_ in rows]
    array["exch_ts"] = [(T0 + ms) * MS for _, ms, *_ in rows]
    array["local_ts"] = array["exch_ts"] + HEARD_MS * MS
    array["px"], array["qty"] = [row[2] for row in rows], [row[3] for row in rows]
    array["order_id"] = [row[4] for row in rows]
    np.savez(folder / "ABC.npz", data=array)
    (source,) = sources(FeedConfig(source="tape", tapes=(folder / "ABC.npz",)))
    return source


def as_ccxt(items: list[Book | Print], _folder: Path) -> MarketSource:
    def heard(_bad: Counter[str]) -> Iterator[tuple[int, list[Any]]]:
        adapter = CcxtAdapter(None)
        for item in items:
            recv_ns, time = (T0 + item.ms + HEARD_MS) * MS, T0 + item.ms
            if isinstance(item, Book):
                bids, asks = ([[price(tick), size] for tick, size in side.items()] for side in item[1:])
                content: dict[str, Any] = {"kind": "book", "asset": "ABC", "time": time, "bids": bids, "asks": asks}
            else:
                side = "buy" if item.buys else "sell"
                one = {"id": str(item.number), "time": time, "price": price(item.tick), "size": item.size, "side": side}
                content = {"kind": "trades", "asset": "ABC", "prints": [one]}
            yield recv_ns, [message for _, message in adapter.frame(recv_ns, json.dumps(content).encode())]

    seen = [message for _, messages in heard(Counter()) for message in messages]
    instrument = infer_instrument(seen, 0, 0.0)
    return MarketSource(Market("okx", "ABC"), instrument, "ccxt", heard, FeedConfig())


FORMS = {"hyperliquid": as_hyperliquid, "binance": as_binance, "ccxt": as_ccxt, "array": as_array}


def essence(answered: Answered) -> tuple[list[Any], dict[str, Any]]:
    """What must be the same: every order's fate and fills but for ids that a form has of its own, and the money."""
    lives = []
    for life in answered.orders:
        fills = [(fill.ts, fill.price, fill.size, fill.fee, fill.maker, fill.markouts_bps) for fill in life.fills]
        lives.append((life.order_id, life.status, life.reason, life.live_ts, life.ended_ts, life.queue_ahead, fills))
    return lives, msgspec.to_builtins(answered.account)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("model", ["fifo", "flat", "through"])
def test_fills_and_money_do_not_depend_on_the_form_of_the_session(seed: int, model: str, tmp_path: Path) -> None:
    own = {"maker_fee_bps": 1.5, "taker_fee_bps": 4.5, "latency_preset": "none", "block_ms": 0.0}
    settings = Settings({"fill_sim": {"fill_model": model, "initial_cash": 1e6, **own}})  # else each venue has its own
    items, commands = session(seed), orders(seed)
    answers = {form: essence(Trial(make(items, tmp_path), settings, commands).run()) for form, make in FORMS.items()}
    lives, money = answers["hyperliquid"]
    for form in FORMS:
        for one, other in zip(answers[form][0], lives, strict=True):
            assert one == other, form
        assert answers[form][1] == pytest.approx(money, abs=1e-9), form
    filled = [life for life in lives if life[-1]]
    assert len(filled) > 5
    assert {fill[4] for life in filled for fill in life[-1]} == {True, False}
    assert money["fees"] > 0
