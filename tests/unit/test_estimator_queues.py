"""What levels tell of queues, worked by hand: arrivals, cancels and their places, the odds, and the share of joins."""

import numpy as np
import pytest

from papertrader.services.estimator import arrivals, joins, odds, queues
from papertrader.shared.market.book import apply, new_book
from papertrader.shared.market.events import EVENT, LEVEL, PRINT, SNAPSHOT, TOUCH
from papertrader.shared.market.hashing import splitmix64
from papertrader.shared.market.records import record_dtype
from papertrader.shared.messages import Estimate

S, MS = 1_000_000_000, 1_000_000
BID, ASK = 1, -1
TICK = 1000
PRIOR_LOW, PRIOR_HIGH = 0.15 * np.exp(-1.96), 0.15 * np.exp(1.96)


def rows(ts, *said):
    """A message of (kind, side, tick, size)."""
    events = np.zeros(len(said), dtype=EVENT)
    for event, (kind, side, tick, size) in zip(events, said, strict=True):
        event["ts"], event["kind"], event["side"], event["tick"], event["size"] = ts, kind, side, tick, size
    events[-1]["last"] = 1
    return events


def levels(ts, *said):
    return rows(ts, *((LEVEL, *level) for level in said))


def full(ts, bids=(), asks=(), worst_bid=0, worst_ask=0):
    begin = ((SNAPSHOT, BID, worst_bid, 0.0), (SNAPSHOT, ASK, worst_ask, 0.0))
    return rows(ts, *begin, *((LEVEL, BID, *level) for level in bids), *((LEVEL, ASK, *level) for level in asks))


def touch(ts, bid, bid_size, ask=1100, ask_size=1.0):
    return rows(ts, (TOUCH, BID, bid, bid_size), (TOUCH, ASK, ask, ask_size))


def trade(ts, taker, tick, size):
    return rows(ts, (PRINT, taker, tick, size))


def fold(state, book, events):
    begins = True
    for row in range(len(events)):
        event = events[row]
        if event["kind"] == PRINT:
            queues.on_print(state, event)
        elif begins:
            queues.on_message(state, book, events, np.uint64(row))
        begins = event["last"] == 1
        apply(book, event)


class Market:
    """A market that begins with an empty book, of which everything is known."""

    def __init__(self) -> None:
        self.state = np.zeros(1, dtype=queues.QUEUES)[0]
        self.book = new_book()
        self.book["tick_size"] = 0.1
        queues.start(self.state)
        self.state["lines"]["measured_ts"] = -S  # the clock of a market is never so near to 0
        self.hear(full(1))

    def hear(self, *messages):
        fold(self.state, self.book[0], np.concatenate(messages))

    def line(self, side=BID, tick=TICK):
        """What stands in front, and the known orders."""
        row = self.state["lines"]["rows"][arrivals.place_of(self.state["lines"], side, tick)]
        return float(row["before"]), row["sizes"][: row["count"]].tolist()

    def followed(self, side=BID, tick=TICK):
        return arrivals.place_of(self.state["lines"], side, tick) != arrivals.NONE

    @property
    def odds(self):
        return self.state["odds"]

    @property
    def seen(self):
        """Shares ahead that were seen, to the bin."""
        return [float(odds.SHARES[place]) for place in np.flatnonzero(self.odds["seen"])]

    def estimate(self):
        out = np.zeros(1, dtype=record_dtype(Estimate))[0]
        queues.write(self.state, out)
        return out


def three_orders():
    """Orders of 1, 2 and 3, in this order."""
    market = Market()
    market.hear(*(levels(2 + n, (BID, TICK, size)) for n, size in enumerate((1.0, 3.0, 6.0))))
    return market


def test_growths_are_orders_that_stand_in_line():
    assert three_orders().line() == (0.0, [1.0, 2.0, 3.0])


@pytest.mark.parametrize(("gone", "left"), [(1.0, [2.0, 3.0]), (2.0, [1.0, 3.0]), (3.0, [1.0, 2.0])])
def test_shrink_as_large_as_one_order_is_its_cancel_and_tells_where_it_stood(gone, left):
    """An own order stands behind the first or the second of three, by the hash of the cancel's number."""
    market = three_orders()
    market.hear(levels(9, (BID, TICK, 6.0 - gone)))
    assert market.odds["cancels"] == 0, "a print may still explain it"
    market.hear(levels(10, (BID, TICK, 6.0 - gone)))
    assert market.line() == (0.0, left)
    assert (market.odds["tested"], market.odds["matched"], market.odds["cancels"]) == (1, 1, 1)
    front = int(splitmix64(1) % np.uint64(2)) + 1
    share = [1 / 6, 3 / 6][front - 1]
    assert market.seen == [pytest.approx(share, rel=0.15)]
    assert market.odds["ahead"] == ([1.0, 2.0, 3.0].index(gone) < front)


@pytest.mark.parametrize("first", ["print", "shrink"])
def test_what_prints_explain_came_off_the_front_whichever_came_first(first):
    market, shrink = three_orders(), levels(9, (BID, TICK, 4.0))
    printed = trade(9, ASK, TICK, 2.0)
    market.hear(*((printed, shrink) if first == "print" else (shrink, printed)))
    market.hear(levels(10, (BID, TICK, 4.0)))
    assert market.line() == (0.0, [1.0, 3.0])
    assert market.odds["tested"] == 0


def test_of_a_shrink_that_a_print_explains_in_part_the_rest_is_a_cancel():
    """1 was traded: what is left of 1, 2, 3 is 2, 3, and 3 of that is gone."""
    market = three_orders()
    market.hear(levels(9, (BID, TICK, 2.0)), trade(9, ASK, TICK, 1.0), levels(10, (BID, TICK, 2.0)))
    assert market.line() == (0.0, [2.0])
    assert (market.odds["matched"], market.odds["cancels"], market.odds["ahead"]) == (1, 1, 0)


def test_of_several_orders_of_one_size_the_youngest_goes_and_nothing_is_learned():
    market = Market()
    market.hear(*(levels(2 + n, (BID, TICK, size)) for n, size in enumerate((2.0, 3.0, 5.0))))
    market.hear(levels(9, (BID, TICK, 3.0)), levels(10, (BID, TICK, 3.0)))
    assert market.line() == (0.0, [2.0, 1.0])
    assert (market.odds["matched"], market.odds["cancels"]) == (1, 0)


def test_shrink_as_large_as_no_known_order_was_of_those_before_them():
    """5 are shown at first, of whom nobody knows; 2 arrive; 1.5 leave: they were ahead of an own order behind the 5."""
    market = Market()
    market.hear(full(2, bids=[(TICK, 5.0)], worst_bid=TICK), full(3, bids=[(TICK, 7.0)], worst_bid=TICK))
    assert market.line() == (0.0, [5.0, 2.0]), "a level that was known to be empty"
    market = Market()
    queues.forget(market.state)
    market.hear(levels(3, (BID, TICK + 1, 1.0)), levels(3, (BID, TICK, 5.0)), levels(4, (BID, TICK, 5.0)))
    market.state["lines"]["era"] += 1
    market.hear(levels(5, (BID, TICK, 7.0)))
    assert market.line() == (5.0, [2.0])
    market.hear(levels(6, (BID, TICK, 5.5)), levels(7, (BID, TICK, 5.5)))
    assert market.line() == (3.5, [2.0])
    assert (market.odds["tested"], market.odds["cancels"], market.odds["ahead"]) == (0, 1, 1)
    assert market.seen == [pytest.approx(5 / 7, rel=0.1)]


def test_line_that_lost_what_it_cannot_have_lost_is_not_known_any_more():
    market = three_orders()
    market.hear(levels(9, (BID, TICK, 3.5)), levels(10, (BID, TICK, 4.5)))
    assert market.line() == (3.5, [1.0])
    assert (market.odds["tested"], market.odds["matched"], market.odds["cancels"]) == (1, 0, 0)


def test_level_that_a_full_book_lacks_is_empty_or_out_of_sight():
    market = Market()
    shown = [(TICK, 2.0), (TICK - 1, 3.0), (TICK - 2, 4.0)]
    market.hear(full(2, shown, worst_bid=TICK - 2), full(3, [shown[0]], worst_bid=TICK - 1))
    assert market.line(tick=TICK) == (0.0, [2.0])
    market.hear(full(4, [shown[0]], worst_bid=TICK - 1))
    assert market.line(tick=TICK - 1) == (0.0, [])
    assert not market.followed(tick=TICK - 2)


def test_deep_levels_teach_nothing():
    for better, learned in ((arrivals.NEAR - 1, 1), (arrivals.NEAR, 0)):
        market = three_orders()
        market.hear(*(levels(8, (BID, TICK + 1 + n, 1.0)) for n in range(better)))
        market.hear(levels(9, (BID, TICK, 4.0)), levels(10, (BID, TICK, 4.0)))
        assert market.odds["cancels"] == learned


def test_what_changes_too_far_away_is_not_followed_and_known_no_more():
    """20 levels, so 40 ticks are followed; 41 away 5 become 7 unseen, and 8 when the best level is gone."""
    market, far = Market(), TICK + 19 - 41
    market.hear(*(levels(2, (BID, TICK + n, 1.0)) for n in range(20)), levels(3, (BID, far, 5.0)))
    assert market.line(tick=far) == (0.0, [5.0]), "before that was measured"
    market.hear(levels(2 * S, (BID, far, 7.0)), levels(4 * S, (BID, TICK + 19, 0.0)))
    assert market.line(tick=far) == (0.0, [5.0])
    market.hear(levels(6 * S, (BID, far, 8.0)))
    assert market.line(tick=far) == (7.0, [1.0])


def test_looking_rests_as_soon_as_it_is_clear_that_evidence_does_not_count():
    state = np.zeros(1, dtype=odds.ODDS)[0]
    for number in range(100):
        assert not odds.rests(state, 61 * S)
        odds.examine(state, number % 2 == 0, False, 61 * S)
    assert [odds.rests(state, minute * 60 * S) for minute in (1, 2, 29, 30, 31)] == [True, True, True, False, True]


def test_after_a_gap_no_line_is_known():
    market = three_orders()
    queues.forget(market.state)
    assert not market.followed()


def test_more_orders_than_are_known_leave_the_first_in_front():
    market = Market()
    market.hear(*(levels(2 + n, (BID, TICK, 2.0**n)) for n in range(arrivals.KNOWN + 1)))
    before, known = market.line()
    assert (before, len(known)) == (1.0, arrivals.KNOWN)


def test_prior_is_what_is_known_at_first():
    estimate = Market().estimate()
    assert (estimate["cancel_odds_known"], estimate["join_share_known"]) == (0, 0)
    assert estimate["cancel_odds"] == pytest.approx(0.15, rel=0.01)
    assert estimate["cancel_odds_low"] == pytest.approx(PRIOR_LOW, rel=0.03)
    assert estimate["cancel_odds_high"] == pytest.approx(PRIOR_HIGH, rel=0.03)
    assert np.isnan(estimate["cancels_single_share"])
    assert estimate["join_share"] == 0.45
    assert estimate["join_share_low"] == pytest.approx(0.45 - 1.96 * 0.08)


def crowd(leaves, merged=1, seconds=3000, seed=5):
    """Orders of sizes of their own arrive at one level, and leave as `leaves` picks one of them by its place."""
    draw, market = np.random.default_rng(seed), Market()
    market.hear(levels(2, (ASK, TICK + 5, 1.0)))
    line, messages = [], []
    for second in range(seconds * merged):
        if len(line) < 5:
            line.append(round(draw.uniform(1, 9), 4))
        else:
            line.pop(leaves(draw, line))
        if second % merged == 0:
            messages.append(levels((second // merged + 1) * S, (BID, TICK, sum(line))))
    market.hear(*messages)
    return market.estimate()


def by_size(draw, line):
    return int(draw.choice(len(line), p=np.array(line) / sum(line)))


def mostly_the_last(draw, line):
    return len(line) - 1 if draw.random() < 0.8 else int(draw.integers(len(line)))


def test_where_every_part_of_the_queue_is_as_likely_to_leave_the_odds_are_one():
    estimate = crowd(by_size)
    assert estimate["cancel_odds_known"]
    assert estimate["cancels_single_share"] > 0.95
    assert estimate["cancel_odds_low"] < 1 < estimate["cancel_odds_high"] < 1.4


def test_where_the_young_leave_the_odds_are_small():
    estimate = crowd(mostly_the_last)
    assert estimate["cancel_odds_known"]
    assert 0.02 < estimate["cancel_odds_low"] < estimate["cancel_odds_high"] < 0.25


def test_changes_that_are_merged_tell_nothing_and_the_posterior_is_the_prior():
    estimate = crowd(by_size, merged=5)
    assert not estimate["cancel_odds_known"]
    assert estimate["cancels_single_share"] < 0.6
    assert estimate["cancel_odds"] == pytest.approx(0.15, rel=0.01)


def test_sizes_that_match_by_chance_are_no_evidence():
    state = np.zeros(1, dtype=odds.ODDS)[0]
    for _ in range(500):
        odds.examine(state, True, True, S)
    assert not odds.is_known(state)
    for _ in range(500):
        odds.examine(state, True, False, S)
    assert odds.single_share(state) == 1
    assert odds.is_known(state)


def test_evidence_of_one_minute_counts_less_the_more_it_hangs_together():
    """50 cancels a minute, all ahead or all behind, beside 50 that take turns."""

    def spread(together):
        state = np.zeros(1, dtype=odds.ODDS)[0]
        state["mean"] = 1.0
        for minute in range(100):
            for n in range(50):
                ahead = minute % 2 == 0 if together else n % 2 == 0
                state["matched"] = state["tested"] = 200
                odds.observe(state, 0.5, ahead, minute * 60 * S)
        return state["high"] / state["low"], odds.power_of(state)

    (wide, weak), (narrow, strong) = spread(True), spread(False)
    assert strong == 1
    assert weak < 0.1
    assert wide > narrow**2


def joined(*messages):
    market = Market()
    market.hear(*messages)
    return market.state["joins"]


def test_half_of_a_growth_was_there_before_half_of_the_moments():
    """10, and 14 from the middle on: on average 12, half of the 4 that joined."""
    state = joined(
        full(S, [(TICK, 10.0)], worst_bid=TICK),
        touch(S + 250 * MS, TICK, 14.0),
        full(S + 500 * MS, [(TICK, 14.0)], worst_bid=TICK),
    )
    assert (state["tested"], state["agreed"], state["joins"], state["sum"]) == (1, 1, 1, 0.5)


def test_what_was_printed_had_joined():
    """10, 2 of them traded, 4 join at three quarters of the time."""
    state = joined(
        full(S, [(TICK, 10.0)], worst_bid=TICK),
        trade(S + 100 * MS, ASK, TICK, 2.0),
        touch(S + 100 * MS, TICK, 8.0),
        touch(S + 375 * MS, TICK, 12.0),
        full(S + 500 * MS, [(TICK, 12.0)], worst_bid=TICK),
    )
    assert (state["joins"], state["sum"]) == (1, pytest.approx(0.25))


def test_only_levels_that_are_the_best_all_the_time_tell():
    state = joined(
        full(S, [(TICK, 10.0)], worst_bid=TICK),
        touch(S + 100 * MS, TICK + 1, 1.0),
        touch(S + 200 * MS, TICK, 14.0),
        full(S + 500 * MS, [(TICK, 14.0)], worst_bid=TICK),
    )
    assert state["tested"] == 0


def test_touches_that_lack_what_full_books_show_are_no_evidence():
    state = joined(full(S, [(TICK, 10.0)], worst_bid=TICK), full(S + 500 * MS, [(TICK, 14.0)], worst_bid=TICK))
    assert (state["tested"], state["agreed"], state["joins"]) == (1, 0, 0)


def test_posterior_of_the_share_weighs_prior_and_evidence_by_their_precision():
    """100 shares of 1/2: variance at least 1e-4, so 1/(1e-6 + 9e-4) = 1,109.9, beside the prior's 156.25."""
    state = np.zeros(1, dtype=joins.JOINS)[0]
    state["tested"] = state["agreed"] = state["joins"] = 100
    state["sum"], state["squares"] = 50.0, 25.0
    mean, sd = joins.posterior(state)
    assert mean == pytest.approx((156.25 * 0.45 + 1109.88 * 0.5) / 1266.13, rel=1e-5)
    assert sd == pytest.approx(1266.13**-0.5, rel=1e-5)
    state["agreed"] = 79
    assert joins.posterior(state) == (0.45, 0.08)
