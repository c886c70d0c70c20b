"""Settings later by so much, and what 100 ms are worth by a straight line."""

import pytest

from papertrader.replay.latency import Point, delayed, later, worth
from papertrader.services.fill_sim.config import FillSimConfig
from papertrader.shared.market.latencies import ENTRY, RESPONSES, check_latency, median_ms


def test_every_quantile_is_later():
    assert later(100.0, 50.0) == 150.0
    assert later(((0.5, 80.0), (0.9, 200.0)), 50.0) == [[0.5, 130.0], [0.9, 250.0]]


def test_every_account_is_delayed_from_its_own_latency():
    tables = {
        "fill_sim": {"placement_latency_ms": 20.0},
        "accounts": {"main": {}, "slow": {"fill_sim": {"placement_latency_ms": 300.0, "seed": 2}}},
    }
    changed = delayed(tables, 100.0)
    own = changed["accounts"]

    def way(new: float, cancel: float) -> dict[str, object]:
        kinds = {"placement": new, "modify": new, "cancel": cancel, "fast_cancel": cancel, "response": 0.0}
        return {"latency_preset": "none"} | {f"{kind}_latency_ms": ms for kind, ms in kinds.items()}

    assert own["main"]["fill_sim"] == way(120.0, 150.0)
    assert own["slow"]["fill_sim"] == way(400.0, 150.0) | {"seed": 2}
    assert delayed({}, 100.0)["fill_sim"] == way(200.0, 150.0)


def test_worth_of_100_ms_is_the_slope():
    points = [Point(ms, 0, 60.0 - ms / 10, 5.0 - ms / 100, None) for ms in (0.0, 100.0, 400.0)]
    fills, pnl = worth(points)
    assert (fills.value, pnl.value) == (pytest.approx(10.0), pytest.approx(1.0))
    assert fills.within == pytest.approx(0.0, abs=1e-9), "on the line"
    assert worth(points[:1]) == ((0.0, None), (0.0, None))
    assert worth(points[:2])[0].within is None


def test_worth_is_as_sure_as_the_points_lie_on_a_line() -> None:
    """0, 3, 0 at 0, 100, 200 ms: slope 0 at height 1, squares 1 + 4 + 1, one degree of freedom, Σ(x − 100)² = 2e4."""
    points = [Point(ms, 0, fills, 0.0, None) for ms, fills in ((0.0, 0.0), (100.0, 3.0), (200.0, 0.0))]
    fills, _ = worth(points)
    assert fills.value == pytest.approx(0.0, abs=1e-9)
    assert fills.within == pytest.approx(12.706 * (6 / 2e4) ** 0.5 * 100)


NONE = (100.0, 100.0, 50.0, 0.0, 50.0)


def test_hyperliquid_is_slow_unless_it_is_set() -> None:
    """By default an order takes 0.6 to 0.7 s from what is known there, elsewhere 100 ms."""
    slow = FillSimConfig().latencies("hyperliquid")
    assert slow.new == slow.modify == slow.cancel == ENTRY
    assert median_ms(slow.new) + median_ms(slow.response) == pytest.approx(657)
    assert FillSimConfig().latencies("binance") == FillSimConfig().latencies() == NONE
    assert FillSimConfig(latency_preset="none").latencies("hyperliquid") == NONE
    placing = FillSimConfig(placement_latency_ms=20.0).latencies("hyperliquid")
    assert placing == (20.0, 20.0, ENTRY, 0.0, slow.fast_cancel)
    set_by_hand = FillSimConfig(placement_latency_ms=20.0, modify_latency_ms=30.0, response_latency_ms=5.0)
    assert set_by_hand.latencies() == (20.0, 30.0, 50.0, 5.0, 50.0)


def test_a_fast_cancel_is_a_block_sooner_than_a_cancel_on_hyperliquid_unless_it_is_set() -> None:
    slow = FillSimConfig().latencies("hyperliquid")
    assert median_ms(slow.cancel) - median_ms(slow.fast_cancel) == pytest.approx(70.0)
    set_by_hand = FillSimConfig(cancel_latency_ms=100.0)
    assert set_by_hand.latencies("hyperliquid").fast_cancel == 30.0
    assert set_by_hand.latencies("binance").fast_cancel == 100.0
    assert FillSimConfig(fast_cancel_latency_ms=5.0).latencies("hyperliquid").fast_cancel == 5.0


def test_preset_is_later_as_a_whole_and_fast_cancels_land_a_block_sooner() -> None:
    changed = delayed({"fill_sim": {"fast_cancels": True}}, 100.0, "hyperliquid")["fill_sim"]
    assert changed["latency_preset"] == "none"
    assert changed["placement_latency_ms"][1] == [0.5, 400.0]
    assert changed["cancel_latency_ms"][1] == [0.5, 400.0]
    assert changed["fast_cancel_latency_ms"][1] == [0.5, 330.0]
    assert changed["response_latency_ms"][1] == [0.5, 357.0]
    for preset, response in RESPONSES.items():
        used = FillSimConfig(latency_preset=preset, placement_latency_ms=1.0).latencies()  # type: ignore[arg-type]
        assert used.response == response, "a preset by its name replaces what is set"
        check_latency(preset, used.response)


def test_medians() -> None:
    assert median_ms(80.0) == 80.0
    assert median_ms(((0.25, 40.0), (0.75, 100.0))) == pytest.approx(70.0)
    assert median_ms(((0.8, 80.0),)) == pytest.approx(50.0)
    assert median_ms(((0.2, 10.0), (0.4, 30.0))) == 30.0
