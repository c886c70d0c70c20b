"""Whatever the market does: six markouts and exactly one label for every fill older than a minute."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from papertrader.services.outcome_tracker.config import OutcomeTrackerConfig
from papertrader.services.outcome_tracker.service import OutcomeTracker
from papertrader.shared.messages import HORIZONS_S
from tests.unit.learning import ACCOUNT, MARKET, MS, Log, S, fill, gap, said, touch

T = 1_000 * S
STEPS = st.lists(
    st.tuples(
        st.sampled_from([50, 50, 50, 400, 3_000, 25_000]),  # ms that the round takes
        st.sampled_from(["move", "still", "gap", "crossed"]),
        st.integers(-5, 5),  # ticks that the mid moves
        st.lists(st.tuples(st.integers(0, 1_500), st.sampled_from(["buy", "sell"])), max_size=3),  # fills, ms ago
    ),
    max_size=40,
)


def market_data(start, length_ms, what, mid):
    if what == "gap":
        return [gap(start + 1, start + length_ms * MS // 2), touch(start + length_ms * MS // 2, mid)]
    if what == "crossed":
        return [touch(start + 1, mid, half_spread=-0.01)]
    return [touch(start + 1, mid)] if what == "move" else []


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_fills_older_than_a_minute_have_six_markouts_and_one_label(steps):
    fold, log = OutcomeTracker(MARKET, {ACCOUNT: OutcomeTrackerConfig()}), Log(T)
    fold.fold(log.round(market_data=[touch(T + 1, 100.0)]))
    mid, fill_id, outputs, gaps, fills = 100.0, 0, [], [], {}
    for length_ms, what, ticks, ago in steps:
        mid += ticks * 0.01
        heard = []
        for age_ms, side in ago:
            fill_id += 1
            fills[fill_id] = fill(log.ts - age_ms * MS, fill_id=fill_id, side=side)
            heard.append(fills[fill_id])
        data = market_data(log.ts, length_ms, what, mid)
        gaps += [(m.from_ts, m.to_ts) for m in data if hasattr(m, "from_ts")]
        outputs += fold.fold(log.round(said("fills", *heard), data, until=log.ts + length_ms * MS))
        state = fold.trackers[0]
        assert state["fills"] == state["labels"] + state["fills_waiting"]
        assert state["labels"] == state["resolved"] + state["unresolved"]
    outputs += fold.fold(log.round(until=log.ts + 61 * S))

    markouts = [output.message for output in outputs]
    per_fill = Counter((m.fill_id, m.horizon_s) for m in markouts)
    assert per_fill == {(fill_id, horizon): 1 for fill_id in fills for horizon in HORIZONS_S}
    assert Counter(m.fill_id for m in markouts if m.label) == dict.fromkeys(fills, 1)
    for m in markouts:
        crossed = any(start <= m.fill_ts + m.horizon_s * S and end > m.fill_ts for start, end in gaps)
        assert not (crossed and m.resolved)
        assert m.resolved == (m.markout_bps is not None) == (m.mid is not None)
