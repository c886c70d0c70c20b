"""Live against paper, by hand: who was filled, what it was worth, why they differ, and the scores of it."""

import numpy as np
import pytest

from papertrader.replay.twin.comparison import Compared, compare, log_loss, score
from papertrader.replay.twin.mids import MidPath, MidRecorder
from papertrader.replay.twin.record import LiveFill, LiveOrder
from papertrader.replay.twin.stage import PaperOrder
from papertrader.shared.messages import FEATURES, Ack, Fill, Reason

S = 1_000_000_000


def mids(*points: tuple[int, float], gap: tuple[int, int] | None = None) -> MidPath:
    recorder = MidRecorder()
    for second, mid in points:
        recorder.end_round(second * S, mid)
    if gap:
        recorder.gap(gap[0] * S, gap[1] * S)
    return recorder.path()


def live(live_id: str = "1", placed_s: int = 10, ended_s: int = 0, *fills: LiveFill, side: str = "buy") -> LiveOrder:
    return LiveOrder(
        live_id=live_id,
        symbol="A",
        side="buy" if side == "buy" else "sell",
        price=100.0,
        size=2.0,
        time_in_force="post_only",
        placed_ts=placed_s * S,
        ended_ts=ended_s * S,
        status="cancelled" if ended_s else "filled",
        fills=fills,
    )


def paper(reason: Reason = "none", *fills: Fill) -> PaperOrder:
    ack = Ack(
        ts=20 * S,
        order_id=1,
        status="filled" if fills else "cancelled",
        reason=reason,
        side="buy",
        price=100.0,
        size=2.0,
        filled_size=sum(fill.size for fill in fills),
        live_ts=10 * S,
        first_fill_ts=fills[0].ts if fills else 0,
        mid_at_placement=None,
        queue_ahead=1.0,
        p_fill=None,
        p_adverse=None,
    )
    return PaperOrder(ack, fills)


def fill(second: int, size: float, fee: float = 0.0, through: bool = False) -> Fill:
    return Fill(
        ts=second * S,
        fill_id=1,
        order_id=1,
        trade_id=1,
        side="buy",
        price=100.0,
        size=size,
        maker=True,
        fee=fee,
        mid_at_placement=100.0,
        mid_at_fill=100.0,
        half_spread_bps=0.0,
        through=through,
        queue_ahead_at_join=1.0,
        live_ts=10 * S,
        toxicity=None,
        p_fill=None,
        p_adverse=None,
        features=(0.0,) * FEATURES,
        position_after=size,
    )


def one(order: LiveOrder, simulated: PaperOrder, path: MidPath, p: float = 0.5) -> Compared:
    (row,) = compare([order], [simulated], path, lambda _: p)
    return row


PATH = mids((5, 100.0), (10, 100.0), (15, 100.1), (16, 100.2), (30, 100.4))


def test_markout_is_the_last_mid_five_seconds_later() -> None:
    assert PATH.markout_bps(1, 100.0, 10 * S) == pytest.approx(10.0)
    assert PATH.markout_bps(-1, 100.0, 11 * S) == pytest.approx(-20.0)
    assert np.isnan(PATH.markout_bps(1, 100.0, 26 * S))


def test_a_fill_earns_its_markout_less_its_fee() -> None:
    row = one(live("1", 10, 0, LiveFill(10 * S, 100.0, 2.0, fee=0.03)), paper("none", fill(11, 1.0, 0.01)), PATH)
    assert (row.live_markout_bps, row.paper_markout_bps) == (pytest.approx(10.0), pytest.approx(20.0))
    assert row.live_pnl == pytest.approx(0.1 * 2 - 0.03)
    assert row.paper_pnl == pytest.approx(0.2 * 1 - 0.01)
    assert row.cause == ""


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("never_touched", "missing_data"),
        ("touched_before_live", "latency"),
        ("post_only_would_cross", "latency"),
        ("queue_not_reached", "queue"),
        ("off_tick", "rules"),
    ],
)
def test_what_paper_says_explains_a_fill_that_it_lacks(reason: Reason, cause: str) -> None:
    assert one(live("1", 10, 0, LiveFill(12 * S, 100.0, 2.0)), paper(reason), PATH).cause == cause


def test_a_fill_that_only_paper_has_is_a_crossing_or_the_queue() -> None:
    order = live("1", 10, 20)
    assert one(order, paper("none", fill(12, 2.0, through=True)), PATH).cause == "crossing"
    assert one(order, paper("none", fill(12, 2.0)), PATH).cause == "queue"


def test_a_gap_while_it_stood_explains_any_difference() -> None:
    path = mids((5, 100.0), (40, 100.0), gap=(12, 14))
    assert one(live("1", 10, 20), paper("none", fill(15, 2.0)), path).cause == "missing_data"


def test_what_has_no_end_on_paper_or_was_rejected_live_is_not_compared() -> None:
    rejected = live("1", 10, 20)._replace(status="rejected")
    assert compare([rejected, live()], [paper(), PaperOrder(None, ())], PATH, lambda _: 0.5) == []


def test_scores_by_hand() -> None:
    rows = [
        one(live("1", 10, 0, LiveFill(12 * S, 100.0, 2.0)), paper("none", fill(13, 2.0)), PATH, 0.9),
        one(live("2", 10, 20), paper("none", fill(13, 2.0)), PATH, 0.6),
        one(live("3", 10, 0, LiveFill(12 * S, 100.0, 2.0)), paper("queue_not_reached"), PATH, 0.3),
        one(live("4", 10, 20), paper("queue_not_reached"), PATH, 0.2),
    ]
    scores = score(rows)
    assert (scores.both, scores.only_live, scores.only_paper, scores.neither) == (1, 1, 1, 1)
    assert scores.expected_fills == pytest.approx(2.0)
    assert scores.fills_ratio is not None
    assert scores.fills_ratio.value == pytest.approx(1.0)
    assert scores.brier == pytest.approx((0.01 + 0.36 + 0.49 + 0.04) / 4)
    assert scores.skill == pytest.approx(1 - 0.225 / 0.25)
    assert scores.fill_time_error_s == pytest.approx(1.0)
    assert scores.causes == {"queue": 2}


def test_log_loss_keeps_off_certainty() -> None:
    assert log_loss(np.array([1.0, 0.0]), np.array([1.0, 0.0])) == pytest.approx(-np.log(0.995))
    assert log_loss(np.array([0.0]), np.array([1.0])) == pytest.approx(-np.log(0.005))


def test_nothing_to_compare_is_an_error() -> None:
    with pytest.raises(ValueError, match="no live order"):
        score([])
