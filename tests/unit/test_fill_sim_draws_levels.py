"""The queue as draws, kernel by kernel, by hand: what messages show, who joined and who left, draw by draw."""

import numpy as np
import pytest

from papertrader.services.fill_sim import changes
from papertrader.services.fill_sim import draws as kernels
from papertrader.services.fill_sim import recent as market
from papertrader.services.fill_sim.recent import PRINTS, RECENT
from papertrader.services.fill_sim.state import DECIDE_HALF, LINES
from papertrader.shared.market.book import new_book
from papertrader.shared.market.events import EVENT, LEVEL, TOUCH
from papertrader.shared.market.orders_told import UNTOLD
from papertrader.shared.market.records import Record, Records
from tests.unit.drawing import REACHED, UNKNOWN, ahead, draws_of, message, order_with, settings_with


def recent_of(*prints: tuple[int, int, float, int], **fields: int) -> Record:
    """The last prints: (ts, tick, size, side)."""
    recent = np.zeros(1, dtype=RECENT)[0]
    for print_ in prints:
        event = np.zeros(1, dtype=EVENT)[0]
        event["ts"], event["tick"], event["size"], event["side"] = print_
        market.note_print(recent, event)
    for name, value in fields.items():
        recent[name] = value
    return recent


def book_with(bid: int, ask: int, sizes: dict[int, float] | None = None) -> Record:
    """A book with this touch and these sizes of bids."""
    book = new_book()[0]
    book["best_bid"], book["best_ask"] = bid, ask
    for tick, size in (sizes or {}).items():
        book["bid"][tick] = size
    return book


def test_freshness_is_that_of_the_newest_message_of_its_kind() -> None:
    recent = recent_of(full=1)
    for ts, kind in ((30, LEVEL), (20, LEVEL), (50, TOUCH), (40, TOUCH)):
        market.note_message(recent, message(ts, kind))
    assert (recent["shown_ts"], recent["touch_ts"], recent["full"]) == (30, 50, 0)


@pytest.mark.parametrize(
    ("side", "tick", "shown_ts"),
    [(1, 49, 30), (1, 50, 40), (1, 51, 40), (-1, 61, 30), (-1, 60, 40), (-1, 59, 40)],
)
def test_touch_shows_its_level_and_better_ones(side: int, tick: int, shown_ts: int) -> None:
    recent = recent_of(shown_ts=30, touch_ts=40)
    assert market.last_shown(recent, book_with(50, 60), side, tick) == shown_ts
    recent["shown_ts"] = 45
    assert market.last_shown(recent, book_with(50, 60), side, tick) == 45


def test_prints_since_are_those_that_met_the_side_at_the_level_after_the_time() -> None:
    recent = recent_of((10, 50, 1.0, -1), (11, 50, 2.0, -1), (12, 50, 4.0, 1), (13, 51, 8.0, -1), (14, 50, 16.0, -1))
    assert market.printed_since(recent, 1, 50, 10) == 18
    assert market.printed_since(recent, -1, 50, 10) == 4


def test_prints_since_go_back_as_far_as_is_remembered() -> None:
    recent = recent_of(*((number, 50, 1.0, -1) for number in range(1, PRINTS + 3)))
    assert market.printed_since(recent, 1, 50, 0) == PRINTS
    assert market.printed_since(recent_of((5, 50, 1.0, -1)), 1, 50, 0) == 1


@pytest.mark.parametrize(
    ("prints", "bid_crosses_from", "ask_crosses_to"),
    [
        ((), 60, 50),
        (((31, 57, 1.0, 1),), 57, 50),  # a buyer found an ask at 57
        (((31, 49, 1.0, 1),), 49, 48),  # and then no bid is above 48
        (((31, 53, 1.0, -1),), 60, 53),
        (((31, 61, 1.0, -1),), 62, 61),
        (((30, 57, 1.0, 1), (29, 53, 1.0, -1)), 60, 50),  # not newer than the book
        (((20, 57, 1.0, 1), (31, 58, 1.0, 1)), 58, 50),
        (((31, 57, 1.0, 1), (32, 59, 1.0, 1)), 59, 50),
    ],
)
def test_order_crosses_what_the_freshest_source_has(
    prints: tuple[tuple[int, int, float, int], ...], bid_crosses_from: int, ask_crosses_to: int
) -> None:
    recent, book = recent_of(*prints, shown_ts=25, touch_ts=30), book_with(50, 60)
    bids = [tick for tick in range(40, 70) if market.crosses_freshest(recent, book, 1, tick)]
    asks = [tick for tick in range(40, 70) if market.crosses_freshest(recent, book, -1, tick)]
    assert (min(bids), max(asks)) == (bid_crosses_from, ask_crosses_to)


def test_only_the_prints_remembered_say_what_crosses() -> None:
    """The first of PRINTS + 1 buyers met 57, the others 58."""
    recent = recent_of((31, 57, 1.0, 1), *((32 + number, 58, 1.0, 1) for number in range(PRINTS)))
    recent["ts"][:] = 40
    assert market.crosses_freshest(recent, book_with(50, 60), 1, 58)
    assert not market.crosses_freshest(recent, book_with(50, 60), 1, 57)


def test_new_order_has_its_own_numbers_and_expects_nothing() -> None:
    stale = {"changes": 3, "expected": 2.0, "variance": 2.0}
    order, other = order_with(**stale), order_with(**(stale | {"order_id": 8}))
    kernels.begin(order, settings_with(seed=3))
    kernels.begin(other, settings_with(seed=3))
    assert order["stream"] != other["stream"]
    assert 0 <= order["decision"] < 1
    assert order["decision"] != other["decision"]
    assert (order["changes"], order["expected"], order["variance"]) == (0, 0, 0)
    half = settings_with(decide="half")
    assert half["decide"] == DECIDE_HALF
    kernels.begin(order, half)
    assert order["decision"] == 0.5
    kernels.begin(order, settings_with(cancel_odds=0.3, join_share=0.4))
    assert (order["cancel_odds"], order["join_share"]) == (0.3, 0.4)


@pytest.mark.parametrize(("shown", "displayed"), [(5.0, 5.0), (UNKNOWN, 0.0)])
def test_order_starts_behind_all_that_was_shown(shown: float, displayed: float) -> None:
    order, draws = order_with(pending_ts=9, traded=1.0, credit=1.0, in_front=1, reached=1.0), draws_of(1.0, taken=2.0)
    kernels.start(order, draws, shown, 3, 100)
    assert draws[0].tolist() == pytest.approx([shown] * LINES, nan_ok=True)
    assert draws[1].tolist() == [0] * LINES
    assert order["displayed"] == displayed
    assert [order["ahead"], order["ahead_at_join"]] == pytest.approx([shown, shown], nan_ok=True)
    times = [order[name] for name in ("joined_ts", "seen_ts", "traded_ts", "credit_ts", "pending_ts")]
    assert times == [100, 99, 99, 99, 0], "a message of that very time is news"
    rest = [order[name] for name in ("traded", "credit", "joining", "in_front", "reached")]
    assert rest == [0, 0, 1, 0, 0]


def test_numbers_of_a_draw_differ_by_change_and_by_draw() -> None:
    numbers = {changes.unit(5, change, draw) for change in range(1, 9) for draw in range(LINES)}
    assert len(numbers) == 8 * LINES
    assert 0 <= min(numbers) < 0.05
    assert 0.95 < max(numbers) < 1
    assert np.mean(list(numbers)) == pytest.approx(0.5, abs=0.06)


LEVEL_SIZES = {50: 4.0}


@pytest.mark.parametrize(
    ("ts", "kind", "full", "pending_ts", "pending_full"),
    [
        (20, LEVEL, True, 20, 1),
        (20, LEVEL, False, 20, 0),
        (20, TOUCH, False, 20, 1),
        (10, LEVEL, True, 10, 1),  # of the time of what was taken in, which is not older
        (9, LEVEL, True, 0, 0),
    ],
)
def test_message_that_is_not_older_waits(ts: int, kind: int, full: bool, pending_ts: int, pending_full: int) -> None:
    order, book = order_with(seen_ts=10, traded_ts=5), book_with(50, 60, LEVEL_SIZES)
    kernels.on_level(order, draws_of(), book, settings_with(), message(ts, kind), full, 0)
    assert (order["pending_ts"], order["pending_full"]) == (pending_ts, pending_full)
    assert order["pending"] == (4.0 if pending_ts else 0.0)
    order["traded_ts"], order["pending"] = 25, 9.0
    kernels.on_level(order, draws_of(), book, settings_with(), message(24, kind), full, 0)
    assert order["pending"] == 9, "a print of 25 is counted already"
    kernels.on_level(order, draws_of(), book, settings_with(), message(25, kind), full, 0)
    assert order["pending"] == 4


def test_touch_that_does_not_show_the_level_says_nothing() -> None:
    order = order_with(seen_ts=10, pending=9.0)
    kernels.on_level(order, draws_of(), book_with(51, 60, LEVEL_SIZES), settings_with(), message(20, TOUCH), False, 0)
    assert order["pending"] == 9
    kernels.on_level(order, draws_of(), book_with(51, 60, LEVEL_SIZES), settings_with(), message(20), False, 0)
    assert order["pending"] == 4, "what is no touch shows every level that is known"


@pytest.mark.parametrize(("pending_ts", "taken_in"), [(0, False), (1, True), (15, True), (20, False)])
def test_message_is_taken_in_when_a_later_one_comes(pending_ts: int, taken_in: bool) -> None:
    """5 displayed, 3 in the message that waits: taken in, no more than 3 are ahead."""
    order = order_with(seen_ts=0, pending_ts=pending_ts, pending=3.0, displayed=5.0, ahead_at_join=5.0)
    draws, book = draws_of(5.0), book_with(50, 60, LEVEL_SIZES)
    kernels.on_level(order, draws, book, settings_with(), message(20), False, 0)
    assert ahead(draws, 1) == [3.0 if taken_in else 5.0]
    assert order["pending"] == 4


def taken_in(draws: Records, settings: Record, **fields: float) -> Record:
    """An order at which the message of 4e9 waited for 1 s after the last, taken in."""
    in_force = {"cancel_odds": settings["cancel_odds"], "join_share": settings["join_share"]}
    waiting = {"pending_ts": 4_000_000_000, "seen_ts": 3_000_000_000, "ahead_at_join": 8.0}
    order = order_with(**{**in_force, **waiting, **fields})
    kernels.take_in(order, draws, settings)
    return order


def test_message_taken_in_is_the_last_seen_and_nothing_waits() -> None:
    order = taken_in(
        draws_of(2.0, 4.0), settings_with(), pending=9.0, displayed=9.0, credit=5.0, joining=1, pending_full=1
    )
    assert (order["seen_ts"], order["pending_ts"], order["displayed"], order["traded"]) == (4_000_000_000, 0, 9, 0)
    assert (order["credit"], order["ahead"], order["changes"]) == (0, 3, 0), "nothing joined around it, nothing left"


def test_first_message_of_an_unknown_level_is_all_ahead() -> None:
    draws = draws_of(*[UNKNOWN] * LINES)
    order = taken_in(draws, settings_with(), pending=6.0, ahead_at_join=UNKNOWN, joining=1, pending_full=1)
    assert draws[0].tolist() == [6.0] * LINES
    assert (order["ahead_at_join"], order["ahead"], order["joining"], order["changes"]) == (6, 6, 0, 0)


@pytest.mark.parametrize(("full", "joining", "ahead_at_most"), [(1, 1, 12.0), (0, 1, 8.0), (1, 0, 8.0)])
def test_of_what_joined_around_the_join_a_share_is_ahead_where_whole_levels_come(
    full: int, joining: int, ahead_at_most: float
) -> None:
    """8 displayed, 2 traded, 10 shown: 4 joined, each draw has its own share of them ahead."""
    draws = draws_of(*[8.0] * LINES)
    taken_in(draws, settings_with(), pending=10.0, displayed=8.0, traded=2.0, joining=joining, pending_full=full)
    assert 8 <= draws[0].min() <= draws[0].max() <= ahead_at_most
    assert (len(set(draws[0].tolist())) > 1) == (ahead_at_most > 8)


@pytest.mark.parametrize(("full", "share"), [(1, 1.0 / 2), (0, 1.0 / 4)])
def test_odds_of_a_cancel_grow_with_the_time_between_whole_levels(full: int, share: float) -> None:
    """Half is ahead; w = 1/3, and 1 s after τ = 1/2 s it is (1/6 + 1)/(3/2) = 7/9: ahead with 1/4, or with 7/16."""
    settings = settings_with(cancel_odds=1 / 3, unseen_s=0.5)
    counts = 0
    for stream in range(100):
        draws = draws_of(*[8.0] * LINES)
        taken_in(draws, settings, pending=12.0, displayed=16.0, pending_full=full, stream=stream * 10**9)
        assert set(draws[0].tolist()) <= {4.0, 8.0}
        counts += int((draws[0] == 4.0).sum())
    assert counts / (100 * LINES) == pytest.approx(7 / 16 if full else share, abs=0.03)


def test_mean_ahead_is_over_the_draws_that_wait() -> None:
    assert kernels.mean_ahead(draws_of(0.0, 0.5, 4.0)) == 1.5
    assert kernels.mean_ahead(draws_of(0.5)) == 0.5
    assert kernels.mean_ahead(draws_of()) == 0


@pytest.mark.parametrize("share", [0.5, 0.45, 0.34, 0.66])
def test_share_of_what_joined_is_between_none_and_all_and_has_the_mean_that_was_set(share: float) -> None:
    """u·(1 − c·(1 − u)), u uniform, c = 6·(1/2 − share): at c = 0 that is u itself."""
    joined = []
    for stream in range(60):
        order, draws = order_with(stream=stream * 10**9, changes=2), draws_of(*[0.0] * (LINES - 2), 0.5)
        draws[0, -1] = REACHED
        order["join_share"] = share
        changes.join_around(order, draws, 4.0, UNTOLD)
        u = np.array([changes.unit(stream * 10**9, 3, draw) for draw in range(LINES - 2)])
        c = 6 * (0.5 - share)
        assert draws[0, : LINES - 2] == pytest.approx(4 * u * (1 - c * (1 - u)), abs=1e-12)
        assert 0.5 <= draws[0, LINES - 2] <= 4.5
        assert (draws[0, -1], order["changes"]) == (REACHED, 3)
        joined.append(draws[0, : LINES - 2].mean() / 4)
    assert np.mean(joined) == pytest.approx(share, abs=0.03)


def test_odds_by_the_interval() -> None:
    assert [changes.odds_ahead(0.25, 2.0, interval_s) for interval_s in (0.0, 2.0)] == [0.25, 0.625]


@pytest.mark.parametrize(
    ("odds", "left"),
    [(1e12, [3.0, 0.0, 0.0, 0.0, 9.0, 11.0]), (1e-12, [8.0, 4.0, 0.5, 0.0, 11.0, 11.0])],
)
def test_cancel_leaves_as_a_whole_from_ahead_or_from_behind(odds: float, left: list[float]) -> None:
    """5 of 16 are cancelled: certainly from ahead, as far as there is so much, or from behind; 11 are shown."""
    before = [8.0, 4.0, 0.5, 0.0, 14.0, 20.0]
    draws, order = draws_of(*before, REACHED, 4.0, taken=7.0), order_with(changes=4, seen_ts=9)
    changes.lose(order, draws, odds, 5.0, 16.0, 11.0, UNTOLD)
    assert ahead(draws, 6) == left
    assert draws[1, :6].tolist() == [was - now for was, now in zip(before, left, strict=True)]
    assert (order["changes"], order["credit"], order["credit_ts"]) == (5, 5, 9)
    assert draws[0, 6:8].tolist() == [REACHED, left[1]], "one behind a reached one too"
    assert (set(draws[0, 8:]), set(draws[1, 8:]), draws[1, 6]) == ({REACHED}, {7.0}, 7.0)


def test_cancel_is_ahead_with_its_probability_draw_by_draw() -> None:
    """w·f/(w·f + 1 − f) at f = 1/4 and w = 3/2 is 1/3; the number of a draw decides."""
    draws = draws_of(*[4.0] * LINES)
    changes.lose(order_with(changes=4), draws, 1.5, 2.0, 16.0, 14.0, UNTOLD)
    chances = [changes.unit(12345, 5, draw) < 1 / 3 for draw in range(LINES)]
    assert (draws[0] == 2.0).tolist() == chances
    assert 0 < sum(chances) < LINES
