"""Markets whose price grid, depth or price moves as venues move them: the right numbers, by hand, in every way to fold.

An order's life is told by the services' own folds.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from papertrader.replay.order import Answered, Trial
from papertrader.replay.replay import composed, replay
from papertrader.replay.session import sessions
from papertrader.services.feed.config import FeedConfig
from papertrader.shared.market.events import RULES
from papertrader.shared.market.records import code
from papertrader.shared.market.tape import TapeError, instrument_frame
from papertrader.shared.messages import Bbo, Book, Instrument, Place, Reason, Trades
from papertrader.shared.service.config import Settings
from tests.case_tapes import MS, T0, crashing, drifting, event, l2_book, prints, source_of, written


def asked(path: Path, ms: int, side: str, price: float, size: float, **fill_sim: Any) -> Answered:
    order: Any = {"side": side, "price": price, "size": size, "time_in_force": "post_only"}
    place = Place(ts=(T0 + ms) * MS, order_id=1, **order)
    return Trial(source_of(path), Settings({"fill_sim": {"initial_cash": 1e6, **fill_sim}}), [place]).run()


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
    answered = asked(written(tmp_path / "tape.txt", crashing()), 2_000, "buy", 85.0, 1.0)
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
    assert sum(source.bad.values()) == 1, "six books show one level"
    assert set(source.bad) <= {"beyond_grid", "off_grid"}


def test_message_of_which_no_grid_holds_anything_counts_each_time(tmp_path: Path) -> None:
    """Two books without an ask that can be held, and three such touches, after one of each level."""
    bids, far = [("0.00001", "5")], [("40000.0", "1"), ("50000.0", "1")]
    frames: list[tuple[int, Any]] = [(0, l2_book("TINY", 0, bids, [("0.00002", "5"), *far]))]
    frames += [(100 * n, l2_book("TINY", 100 * n, bids, far)) for n in (1, 2)]
    for n in range(3):
        sides = [{"px": "0.00001", "sz": "5", "n": 1}, {"px": f"{n + 6}0000.0", "sz": "1", "n": 1}]
        frames.append((400 + n, {"channel": "bbo", "data": {"coin": "TINY", "time": T0 + 400 + n, "bbo": sides}}))
    source = source_of(written(tmp_path / "tape.txt", frames))
    assert len(list(source.rounds())) > 0
    assert source.bad == {"beyond_grid": 2 + 2 + 3}


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
