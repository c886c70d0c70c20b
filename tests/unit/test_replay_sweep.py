"""Sweeps: which variants there are, what each came to, and when a strategy is robust."""

from array import array
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import papertrader
from papertrader.replay.sweep.bands import BAND, Band, band_variants, bands, same_orders_band
from papertrader.replay.sweep.outcomes import Blocks, Outcome, block_pnl, drawdown, outcome, ranked
from papertrader.replay.sweep.variants import Range, axes_of, variants_of, with_variant
from papertrader.replay.sweep.workers import Pool
from papertrader.services.monitor.report.statistics import Interval
from papertrader.shared.market.events import EVENT
from papertrader.shared.market.records import record_dtype
from papertrader.shared.messages import Account
from papertrader.shared.service.config import SettingsError

SECOND = 1_000_000_000
ASSET = {"name": "SYN", "price": 60_000.0, "tick_size": 1.0, "lot_size": 1e-5}
TABLES: dict[str, Any] = {"feed": {"synthetic": {"duration_s": 400.0, "assets": [ASSET]}}}


def test_axes_read_numbers_and_words() -> None:
    assert axes_of(["fill_sim.fill_model=fifo,through", "quoter.levels=1, 2", "quoter.min_edge_bps=0.5"]) == {
        "fill_sim.fill_model": ["fifo", "through"],
        "quoter.levels": [1, 2],
        "quoter.min_edge_bps": [0.5],
    }


@pytest.mark.parametrize("option", ["quoter.levels", "quoter=1", "nothing.levels=1", "quoter.levels="])
def test_axes_of_another_form_are_refused(option: str) -> None:
    with pytest.raises(SettingsError, match="--set"):
        axes_of([option])


def test_variants_are_the_whole_grid_in_order() -> None:
    variants = variants_of({"a.x": [1, 2], "a.y": ["u", "v"]})
    assert variants == [
        {"a.x": 1, "a.y": "u"},
        {"a.x": 1, "a.y": "v"},
        {"a.x": 2, "a.y": "u"},
        {"a.x": 2, "a.y": "v"},
    ]
    assert variants_of({}) == [{}]


def test_variants_drawn_at_random_differ_and_are_the_same_for_the_same_seed() -> None:
    axes = {"a.x": list(range(50)), "a.y": list(range(50)), "a.z": list(range(100))}
    drawn = variants_of(axes, 40, seed=3)
    assert drawn == variants_of(axes, 40, seed=3)
    assert drawn != variants_of(axes, 40, seed=4)
    assert len({tuple(variant.values()) for variant in drawn}) == 40
    with pytest.raises(SettingsError, match="250000 variants"):
        variants_of(axes)


def test_range_is_read_whole_and_logarithmic_by_what_is_written() -> None:
    axes = axes_of(["quoter.levels=1..5", "quoter.min_edge_bps=0.5..8.0:log", "quoter.half_spread_bps=2..4.5"])
    assert axes == {
        "quoter.levels": Range(1, 5, False, True),
        "quoter.min_edge_bps": Range(0.5, 8.0, True, False),
        "quoter.half_spread_bps": Range(2, 4.5, False, False),
    }


@pytest.mark.parametrize("values", ["5..1", "a..b", "0..1:log", "2..2"])
def test_range_that_is_none_is_refused(values: str) -> None:
    with pytest.raises(SettingsError, match=r"LOW\.\.HIGH are two numbers"):
        axes_of([f"quoter.levels={values}"])


def test_variants_of_ranges_are_drawn_within_them_and_the_same_for_the_same_seed() -> None:
    axes = {"a.x": Range(1, 3, False, True), "a.y": Range(0.1, 10.0, True, False), "a.z": ["u", "v"]}
    drawn = variants_of(axes, 300, seed=3)
    assert drawn == variants_of(axes, 300, seed=3) != variants_of(axes, 300, seed=4)
    assert {variant["a.x"] for variant in drawn} == {1, 2, 3}
    assert all(0.1 <= variant["a.y"] <= 10.0 for variant in drawn)
    below = sum(variant["a.y"] < 1.0 for variant in drawn)
    assert 110 < below < 190, "half of them below the geometric middle"
    assert len(variants_of({"a.x": Range(1, 3, False, True)}, 10)) == 3, "no more than there are"
    with pytest.raises(SettingsError, match="--random or search with --trials"):
        variants_of(axes)


def test_variant_wins_over_an_accounts_own_settings() -> None:
    tables = {"quoter": {"levels": 2}, "accounts": {"one": {"quoter": {"levels": 3, "min_edge_bps": 1.0}}}}
    changed = with_variant(tables, {"quoter.levels": 4, "feed.synthetic.kappa": 900.0})
    assert changed["quoter"] == {"levels": 4}
    assert changed["accounts"]["one"]["quoter"] == {"min_edge_bps": 1.0}
    assert changed["feed"]["synthetic"] == {"kappa": 900.0}
    assert tables["accounts"]["one"]["quoter"]["levels"] == 3  # type: ignore[index]


def replayed(duration_s: float, totals: dict[float, float]) -> Any:
    """A replay of one account whose profit was said at these seconds."""
    events = np.zeros(2, dtype=EVENT)
    events["ts"] = 1000 * SECOND, int((1000 + duration_s) * SECOND)
    accounts = np.zeros(len(totals), dtype=record_dtype(Account))
    accounts["ts"] = [int((1000 + second) * SECOND) for second in totals]
    accounts["total"] = list(totals.values())
    return SimpleNamespace(
        session=SimpleNamespace(events=events), accounts=("main",), records=lambda kind, account=None: accounts
    )


def test_block_pnl_is_what_each_minute_earned() -> None:
    blocks = block_pnl(replayed(150.0, {10.0: 1.0, 59.0: 4.0, 60.5: 3.0, 130.0: 5.0}))
    assert blocks.pnl.tolist() == [4.0, -1.0, 2.0]
    assert blocks.seconds.tolist() == [60, 60, 30]
    assert blocks.start_ts.tolist() == [1000 * SECOND, 1060 * SECOND, 1120 * SECOND]


def test_block_pnl_without_any_message_is_zero() -> None:
    blocks = block_pnl(replayed(60.0, {}))
    assert (blocks.pnl.tolist(), blocks.seconds.tolist()) == ([0.0], [60])


def test_drawdown_is_the_largest_fall_below_the_peak_zero_included() -> None:
    assert drawdown(replayed(60.0, {1.0: -2.0, 2.0: 5.0, 3.0: 1.0, 4.0: 6.0})) == 4.0
    assert drawdown(replayed(60.0, {1.0: -2.0, 2.0: -1.0})) == 2.0


def one(pnl_per_hour: float) -> Outcome:
    blocks = Blocks(array("q"), array("q"), array("d"))
    return Outcome({}, 1.0, 0.0, Interval(pnl_per_hour, None, None), 0.0, 0.0, 0.0, 0, None, None, 0.0, blocks)


def test_ranking_puts_the_best_first() -> None:
    assert [item.pnl_per_hour.value for item in ranked([one(-1.0), one(3.0), one(2.0)])] == [3.0, 2.0, -1.0]


def with_interval(low: float | None, high: float | None) -> Outcome:
    middle = 0.0 if low is None or high is None else 0.5 * (low + high)
    return one(middle)._replace(pnl_per_hour=Interval(middle, low, high))


@pytest.mark.parametrize(
    ("intervals", "verdict"),
    [
        ([(1.0, 3.0), (2.0, 3.0), (2.0, 9.0), (0.1, 4.0)], "robust: earns"),
        ([(-0.1, 3.0), (2.0, 3.0), (2.0, 9.0), (1.0, 4.0)], "fragile"),
        ([(-3.0, -1.0), (2.0, 3.0), (2.0, 9.0), (1.0, 4.0)], "fragile"),
        ([(-5.0, -3.0), (-4.0, -2.0), (-3.0, -1.0), (-2.0, -0.1)], "robust: loses"),
        ([(-5.0, -3.0), (-4.0, -2.0), (-3.0, -1.0), (-2.0, 0.1)], "fragile"),
        ([(None, None), (2.0, 3.0), (2.0, 9.0), (1.0, 4.0)], "fragile"),
    ],
)
def test_band_is_robust_when_every_interval_lies_on_one_side_of_zero(
    intervals: list[tuple[float | None, float | None]], verdict: str
) -> None:
    band = Band({}, dict(zip(BAND, [with_interval(*interval) for interval in intervals], strict=True)))
    assert band.verdict == verdict


def test_band_reaches_from_the_worst_to_the_best_model() -> None:
    band = Band({}, dict(zip(BAND, map(one, (-1.0, 2.0, 3.0, 1.0)), strict=True)))
    assert (band.low, band.high) == (-1.0, 3.0)


def test_bands_belong_to_their_variants() -> None:
    found = bands([{"a": 1}, {"a": 2}], [one(value) for value in (1, 2, 3, 4, 5, 6, 7, 8)])
    assert [(band.variant, band.low, band.high) for band in found] == [({"a": 1}, 1, 4), ({"a": 2}, 5, 8)]


def test_sweep_in_processes_gives_what_one_replay_gives(tmp_path: Path) -> None:
    variants = [{"quoter.levels": 1}, *list(band_variants({"quoter.levels": 1}).values())[:1]]
    with Pool(1) as pool:
        found = dict(pool.each(partial(outcome, TABLES, cache=tmp_path), variants))
    expected = outcome(TABLES, variants[0], tmp_path)
    assert found[0] == expected
    assert expected.fills > 0
    assert found[1].pnl != expected.pnl  # the other is filled by prints through its price only
    assert expected.pnl == pytest.approx(expected.spread + expected.inventory - expected.fees, abs=0.1)
    low, high = expected.pnl_per_hour.low, expected.pnl_per_hour.high
    assert low is not None
    assert high is not None
    assert low < expected.pnl_per_hour.value < high
    assert expected.pnl_per_hour.value == pytest.approx(expected.pnl / expected.hours)


def test_search_puts_the_same_orders_of_its_best_variant_under_every_model(tmp_path: Path) -> None:
    found = papertrader.run_sweep({"quoter.levels": [1, 2]}, settings=TABLES, workers=1, same_orders=True)
    (band,) = found.bands
    assert band == same_orders_band(TABLES, found.outcomes[0].variant, tmp_path)
    assert band.outcomes["as set"].fills > 0
    assert set(found.models["fill_model"]) == set(band.outcomes)
