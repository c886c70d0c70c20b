"""Settings later by so much, and what 100 ms are worth by a straight line."""

import pytest

from papertrader.replay.latency import Point, delayed, later, worth
from papertrader.services.fill_sim.config import PRESETS, FillSimConfig, check_latency


def test_every_quantile_is_later():
    assert later(100.0, 50.0) == 150.0
    assert later(((0.5, 80.0), (0.9, 200.0)), 50.0) == [[0.5, 130.0], [0.9, 250.0]]


def test_every_account_is_delayed_from_its_own_latency():
    tables = {
        "fill_sim": {"placement_latency_ms": 20.0},
        "accounts": {"main": {}, "slow": {"fill_sim": {"placement_latency_ms": 300.0, "seed": 2}}},
    }
    none = {"latency_preset": "none"}
    changed = delayed(tables, 100.0)
    own = changed["accounts"]
    assert own["main"]["fill_sim"] == none | {"placement_latency_ms": 120.0, "cancel_latency_ms": 150.0}
    assert own["slow"]["fill_sim"] == none | {"placement_latency_ms": 400.0, "cancel_latency_ms": 150.0, "seed": 2}
    assert delayed({}, 100.0)["fill_sim"] == none | {"placement_latency_ms": 200.0, "cancel_latency_ms": 150.0}


def test_worth_of_100_ms_is_the_slope():
    points = [Point(ms, 0, 60.0 - ms / 10, 5.0 - ms / 100, None) for ms in (0.0, 100.0, 400.0)]
    assert worth(points) == (pytest.approx(10.0), pytest.approx(1.0))
    assert worth(points[:1]) == (0.0, 0.0)


def test_preset_is_later_as_a_whole_and_fast_cancels_land_a_block_sooner():
    changed = delayed({"fill_sim": {"latency_preset": "public_api", "fast_cancels": True}}, 100.0)["fill_sim"]
    assert changed["latency_preset"] == "none"
    assert changed["placement_latency_ms"][1] == [0.5, 700.0]
    assert changed["cancel_latency_ms"][1] == [0.5, 630.0]
    for preset in ("public_api", "own_node", "gossip_slot"):
        config = FillSimConfig(latency_preset=preset)  # type: ignore[arg-type]
        assert config.placement_latency() == config.cancel_latency() == PRESETS[preset]
        check_latency(preset, config.cancel_latency())
