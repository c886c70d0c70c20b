"""Markets whose price grid, depth or price moves as venues move them: the right numbers, by hand, in every way to fold.

Tapes are written here; an order's life is told by the services' own folds.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from papertrader.replay.order import Answered, Trial
from papertrader.replay.replay import composed, replay
from papertrader.replay.session import sessions
from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.sources import sources
from papertrader.shared.market.events import RULES
from papertrader.shared.market.records import code
from papertrader.shared.market.tape import TapeError, instrument_frame
from papertrader.shared.messages import Bbo, Book, Instrument, Place, Reason, Trades
from papertrader.shared.service.config import Settings

T0 = 1_763_370_000_000
MS = 1_000_000
Level = tuple[str, str]


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


def asked(path: Path, ms: int, side: str, price: float, size: float, **fill_sim: Any) -> Answered:
    order: Any = {"side": side, "price": price, "size": size, "time_in_force": "post_only"}
    place = Place(ts=(T0 + ms) * MS, order_id=1, **order)
    return Trial(source_of(path), Settings({"fill_sim": {"initial_cash": 1e6, **fill_sim}}), [place]).run()


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


@pytest.mark.parametrize("ticks", [0, 200, 10_000])
def test_differences_tell_the_queue_however_far_the_market_has_moved(tmp_path: Path, ticks: int) -> None:
    frames = drifting(ticks)
    path = written(tmp_path / "tape.txt", frames)
    price = (999_999 - ticks - 3) / 10
    answered = asked(path, frames[-1][0] - 1_500, "buy", price, 0.5)
    (life,) = answered.orders
    assert (life.queue_ahead, life.status, life.filled_size) == (2.0, "filled", 0.5)
    assert life.fills[0].price == price


def test_level_between_what_books_tell_is_unknown_and_never_empty(tmp_path: Path) -> None:
    """The first book tells 95, the others end at 99: an order at 95 or 97 has no known queue, and 99.5 none ahead."""
    near = ([("100.0", "5"), ("99.0", "4")], [("101.0", "5")])
    frames: list[tuple[int, Any]] = [(0, l2_book("ABC", 0, [*near[0], ("95.0", "3")], near[1]))]
    frames += [(500 * n, l2_book("ABC", 500 * n, *near)) for n in range(1, 12)]
    path = written(tmp_path / "tape.txt", frames)
    ahead = {price: asked(path, 2_100, "buy", price, 1.0).orders[0].queue_ahead for price in (99.5, 99.0, 97.0, 95.0)}
    assert ahead == {99.5: 0.0, 99.0: 4.0, 97.0: None, 95.0: None}


def test_print_far_below_that_the_book_shows_fills_the_order_on_its_way(tmp_path: Path) -> None:
    """The book holds 5 at 99.9 and nothing more down to 74: a sale at 74 has met an order at 85."""
    calm = ([("99.9", "5"), ("74.0", "50")], [("100.1", "5")])
    crash = ([("74.0", "30"), ("73.9", "5")], [("74.2", "5")])
    frames: list[tuple[int, Any]] = [(500 * n, l2_book("xyz:THIN", 500 * n, *calm)) for n in range(10)]
    frames += [(4_900, prints("xyz:THIN", 4_900, 1, "A", "74.0", "25"))]
    frames += [(5_000 + 500 * n, l2_book("xyz:THIN", 5_000 + 500 * n, *crash)) for n in range(10)]
    answered = asked(written(tmp_path / "tape.txt", frames), 2_000, "buy", 85.0, 1.0)
    (life,) = answered.orders
    assert (life.status, [fill.price for fill in life.fills]) == ("filled", [85.0])
    assert answered.data["refused"] == {}
    assert answered.account.mark_price == pytest.approx(74.1), "the loss is there at once"


@pytest.mark.parametrize("price", ["214.7483648", "99999999", "0.00000000001"])
def test_level_that_no_grid_can_hold_is_left_out_and_counted(tmp_path: Path, price: str) -> None:
    bids, asks = [("0.005195", "400"), ("0.005190", "400")], [("0.005205", "400"), ("0.005210", "400")]
    far = [*asks, (price, "1")] if float(price) > 1 else asks
    deep = [*bids, (price, "1")] if float(price) < 1 else bids
    frames = [(500 * n, l2_book("@210", 500 * n, deep, far)) for n in range(6)]
    source = source_of(written(tmp_path / "tape.txt", frames))
    books = [message for round_ in source.rounds() for message in round_.messages if isinstance(message, Book)]
    assert [(book.bid_prices, book.ask_prices) for book in books] == [([0.005195, 0.00519], [0.005205, 0.00521])] * 6
    assert sum(source.bad.values()) == 6
    assert set(source.bad) <= {"beyond_grid", "off_grid"}


def test_prices_of_seven_decimals_have_a_tick_of_seven_decimals(tmp_path: Path) -> None:
    frames = []
    for n in range(20):
        touch = {"b": f"0.00003{n:02d}", "B": "5", "a": f"0.00003{n + 1:02d}", "A": "5"}
        frames.append((100 * n, event("SATS", "bookTicker", 100 * n, u=n + 1, **touch)))
    source = source_of(written(tmp_path / "tape.txt", frames))
    assert source.instrument.tick_size == 1e-7
    touches = [message for round_ in source.rounds() for message in round_.messages if isinstance(message, Bbo)]
    assert len(touches) == 20
    assert source.bad == {}


def falling(start: float, end: float) -> list[tuple[int, Any]]:
    """A Hyperliquid coin that goes to another power of ten, 5 % at a time, and rests there; it trades all along."""
    frames: list[tuple[int, Any]] = []

    def block(mid: float, count: int) -> None:
        decimals = 4 if mid >= 1 else 5
        step = 10.0**-decimals
        for number in range(count):
            ms = 500 * len(frames) // 2 * 2 // 2
            bids = [(f"{mid - step * (1 + n):.{decimals}f}", "500") for n in range(20)]
            asks = [(f"{mid + step * n:.{decimals}f}", "500") for n in range(20)]
            side = "A" if number % 2 else "B"
            price = (bids if side == "A" else asks)[0][0]
            frames.append((ms, l2_book("WLD", ms, bids, asks)))
            frames.append((ms + 5, prints("WLD", ms + 5, len(frames), side, price, "900")))

    block(start, 1_600)
    price = start
    factor = 0.95 if end < start else 1 / 0.95
    while abs(price / end - 1) > 0.05:
        price *= factor
        block(round(price, 4 if price >= 1 else 5), 12)
    block(end, 400)
    return frames


@pytest.mark.parametrize(("start", "end", "ticks"), [(1.34, 0.60013, [1e-4, 1e-5]), (0.9, 2.5, [1e-5, 1e-4])])
def test_grid_follows_the_figures_and_the_loop_says_what_the_services_say(
    tmp_path: Path, start: float, end: float, ticks: list[float]
) -> None:
    path = written(tmp_path / "tape.txt", falling(start, end))
    (session,) = sessions(FeedConfig(source="tape", tapes=(path,)), tmp_path / "cache")
    assert [item.tick_size for item in (session.instrument, *session.changes)] == ticks
    assert session.bad == {}
    settings = Settings({"quoter": {"max_loss": 1.0, "max_drawdown": 1.0}})  # a price that runs away costs a lot
    by_loop, by_services = replay(session, settings), composed(session, settings)
    for kind in ("orders", "acks", "fills", "account", "markouts", "estimate"):
        assert by_loop.records(kind).tobytes() == by_services.records(kind).tobytes(), kind
    changed = int(session.events["ts"][session.events["kind"] == RULES][0])
    orders, acks = by_loop.records("orders"), by_loop.records("acks")
    assert (orders["ts"] > changed).any(), "quoting goes on"
    assert not (acks["reason"][acks["ts"] > changed] == code(Reason, "off_tick")).any(), "on the grid that is in force"


def test_order_that_rests_through_a_change_of_the_grid_fills_at_its_price(tmp_path: Path) -> None:
    path = written(tmp_path / "tape.txt", falling(1.34, 0.60013))
    (life,) = asked(path, 2_000, "buy", 0.9, 100.0, max_distance=0.9).orders
    assert (life.status, [fill.price for fill in life.fills]) == ("filled", [0.9])
    assert life.fills[0].through


def test_tick_that_the_venue_makes_finer_is_followed_and_told_rules_are_believed(tmp_path: Path) -> None:
    told = Instrument(ts=1, tick_size=0.1, lot_size=0.001, min_notional=100.0)
    frames: list[tuple[int, Any]] = [(0, instrument_frame("BTCUSDT", told))]
    for n in range(40):
        bid = 50_000.0 if n < 20 else 50_000.03
        touch = {"b": f"{bid:.2f}", "B": "1", "a": f"{bid + (0.1 if n < 20 else 0.01):.2f}", "A": "2"}
        frames.append((100 * n, event("BTCUSDT", "bookTicker", 100 * n, u=n + 1, **touch)))
    source = source_of(written(tmp_path / "tape.txt", frames))
    messages = [message for round_ in source.rounds() for message in round_.messages]
    rules = [message for message in messages if isinstance(message, Instrument)]
    assert [(item.tick_size, item.min_notional, item.inferred) for item in rules] == [
        (0.1, 100.0, ()),
        (0.01, 100.0, ("tick_size",)),
    ]
    assert source.bad == {}


def test_settings_and_the_file_beside_a_tape_tell_its_instrument(tmp_path: Path) -> None:
    path = written(tmp_path / "tape.txt", [(0, l2_book("ABC", 0, [("1.0", "1")], [("1.1", "1")]))])
    assert source_of(path).instrument.inferred == ("tick_size", "lot_size")
    (tmp_path / "tape.instrument.json").write_text('{"instrument": {"lot_size": 0.25, "min_notional": 7}}')
    beside = source_of(path).instrument
    assert (beside.lot_size, beside.min_notional, beside.inferred) == (0.25, 7.0, ("tick_size",))
    told = Settings({"feed": {"instruments": {"ABC": {"lot_size": 0.5}}}}).section("feed", FeedConfig).instruments
    assert source_of(path, instruments=told).instrument.lot_size == 0.5


def test_prices_with_the_noise_of_floats_are_those_of_the_grid(tmp_path: Path) -> None:
    noisy = [("1000.1000000000001", "1"), ("1000.0", "1")]
    frames = [(500 * n, l2_book("ABC", 500 * n, noisy, [("1000.2000000000002", "1")])) for n in range(3)]
    frames.append((1_600, prints("ABC", 1_600, 1, "A", "1000.0999755859375", "1")))
    source = source_of(written(tmp_path / "tape.txt", frames))
    messages = [message for round_ in source.rounds() for message in round_.messages]
    assert {price for item in messages if isinstance(item, Book) for price in item.bid_prices} == {1000.1, 1000.0}
    assert [item.prices for item in messages if isinstance(item, Trades)] == [[1000.1]]


def test_levels_of_a_coarser_ticks_past_are_removed_without_bringing_the_old_tick_back(tmp_path: Path) -> None:
    """The venue goes from 0.1 to 0.5; the levels between are removed after it, and nobody may place there any more."""
    before, after = (Instrument(ts=1, tick_size=tick, lot_size=0.001) for tick in (0.1, 0.5))
    frames: list[tuple[int, Any]] = [(0, instrument_frame("BTCUSDT", before))]
    bids = [(f"{49_999.9 - n / 10:.1f}", "2.000") for n in range(9)]
    snapshot = {"symbol": "BTCUSDT", "lastUpdateId": 1, "T": T0 + 100, "bids": bids, "asks": [("50000.0", "2.000")]}
    frames.append((100, snapshot))
    frames.append((1_000, instrument_frame("BTCUSDT", after)))
    for n in range(20):
        gone = [(price, "0.000") for price, _ in bids if float(price) != 49_999.5]
        changes = {"U": 2 + n, "u": 2 + n, "pu": 1 + n, "b": [*gone, ("49999.5", f"{3 + n % 2}")], "a": []}
        frames.append((1_100 + 100 * n, event("BTCUSDT", "depthUpdate", 1_100 + 100 * n, **changes)))
    path = written(tmp_path / "tape.txt", frames)
    kept, between = (asked(path, 2_000, "buy", price, 1.0) for price in (49_999.5, 49_999.6))
    assert (kept.instrument.tick_size, kept.instrument.inferred, kept.data["refused"]) == (0.5, (), {})
    assert (kept.orders[0].status, kept.orders[0].queue_ahead) == ("accepted", 4.0)
    assert (between.orders[0].status, between.orders[0].reason) == ("rejected", "off_tick")


def test_decimals_of_sizes_are_believed_as_the_venue_writes_them(tmp_path: Path) -> None:
    """One size, written 2.000: the lot is 0.001; JSON with spaces is not the venue's, and its sizes are numbers."""
    touch = event("ABC", "bookTicker", 100, u=2, b="9.9", B="2.000", a="10.0", A="2.000")
    dense = json.dumps(touch, separators=(",", ":")).encode()
    lots = [source_of(written(tmp_path / "tape.txt", [(100, frame)])).instrument for frame in (dense, touch)]
    assert [(rules.lot_size, "lot_size" in rules.doubtful) for rules in lots] == [(0.001, False), (1.0, True)]


def test_prints_of_a_tape_that_tells_touches_alone_are_heard(tmp_path: Path) -> None:
    """5 ahead at the touch, and a sale of 20 there: filled; the print from before the first touch is an old one."""

    def touch(ms: int) -> dict[str, Any]:
        sides = [{"px": price, "sz": "5", "n": 1} for price in ("100.0", "100.1")]
        return {"channel": "bbo", "data": {"coin": "ABC", "time": T0 + ms, "bbo": sides}}

    frames = [(200 * n, touch(200 * n)) for n in range(1, 20)]
    frames.insert(1, (210, prints("ABC", 100, 1, "A", "100.0", "20")))
    frames.append((3_900, prints("ABC", 3_900, 2, "A", "100.0", "20")))
    answered = asked(written(tmp_path / "tape.txt", frames), 1_000, "buy", 100.0, 1.0)
    assert (answered.data["prints"], answered.orders[0].status, answered.orders[0].queue_ahead) == (1, "filled", 5.0)


def test_tape_of_which_no_frame_can_be_read_says_what_is_wrong_with_them(tmp_path: Path) -> None:
    """A venue's times are in ms; these are in µs."""
    frame = l2_book("ABC", 0, [("1.0", "1")], [("1.1", "1")])
    frame["data"]["time"] *= 1_000
    with pytest.raises(TapeError, match="3 malformed_message of hyperliquid"):
        source_of(written(tmp_path / "tape.txt", [(500 * n, frame) for n in range(3)]))
