"""The report is one file that needs nothing else, and its charts map numbers to the right places."""

import math
import re

import pytest

from papertrader.services.monitor.config import MonitorConfig
from papertrader.services.monitor.facts.history import kept_fills, kept_series
from papertrader.services.monitor.page.view import ladder
from papertrader.services.monitor.report import svg
from papertrader.services.monitor.report.charts import reliability
from papertrader.services.monitor.report.html import table
from papertrader.services.monitor.report.report import report_html
from papertrader.services.monitor.report.summary import forecasts, summary
from papertrader.services.monitor.report.tables import _days, drawdown
from papertrader.services.monitor.service import Monitor
from papertrader.shared.log.subjects import Market
from tests.messages import calibration, estimate
from tests.unit.monitoring import ACCOUNT, MARKET, S, Session


def report_of(*monitors: Monitor) -> str:
    return report_html(summary(monitors), monitors, {"quoter": {"levels": 2, "note": "<b>"}})


def session_monitor(seconds: float, asset: str = "BTC") -> Monitor:
    monitor = Monitor(Market("test", asset), {ACCOUNT: MonitorConfig()})
    for round_ in Session().rounds(seconds):
        monitor.fold(round_)
    return monitor


@pytest.fixture(scope="module")
def report() -> str:
    return report_of(session_monitor(200), session_monitor(50, "ETH"))


def test_report_loads_nothing_and_runs_nothing(report: str) -> None:
    assert not re.search(r"<script|<link|<img|src=|href=|url\(|@import", report)


def test_report_has_every_part_for_every_market(report: str) -> None:
    for part in ("Profit and loss", "Fills on the mid", "Markout", "cal_gamma", "reliability", "checklist", "Settings"):
        assert part in report
    assert report.count("<h2>test ") == 2
    assert report.count('aria-label="fills on the mid"') == 2
    assert "What paper cannot tell" in report


def test_report_draws_one_triangle_per_fill(report: str) -> None:
    fills = sum(entry["fills"] for entry in summary([session_monitor(200), session_monitor(50, "ETH")])["markets"])
    assert len(re.findall(r'<polygon class="(?:buy|sell)"', report)) == fills


def test_report_is_deterministic(report: str) -> None:
    assert report_of(session_monitor(200), session_monitor(50, "ETH")) == report


def test_report_escapes_what_comes_from_outside(report: str) -> None:
    assert "<b>" not in report
    assert "&lt;b&gt;" in report
    assert table(("<i>",), [("<i>",)]).count("&lt;i&gt;") == 2


def test_report_without_market_data_says_so() -> None:
    assert "No market data yet" in report_of()
    empty = report_of(Monitor(MARKET, {ACCOUNT: MonitorConfig()}))
    for sentence in ("No account yet", "No estimate yet", "No fill is old enough", "No order has ended unfilled"):
        assert sentence in empty


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 10, [0, 2, 4, 6, 8, 10]), (-1, 1, [-1, -0.5, 0, 0.5, 1]), (99.61, 99.99, [99.7, 99.8, 99.9])],
)
def test_ticks_are_round_numbers_inside_the_range(low: float, high: float, expected: list[float]) -> None:
    assert svg.nice_ticks(low, high) == pytest.approx(expected)


def test_frame_maps_corners_and_puts_larger_values_higher() -> None:
    area = svg.Frame(0.0, 1.0, 0.0, 1.0)
    assert (area.x(0), area.x(1)) == (svg.LEFT, svg.WIDTH - svg.RIGHT)
    assert (area.y(0), area.y(1)) == (svg.HEIGHT - svg.BOTTOM, svg.TOP)


def test_line_breaks_where_nothing_is_known() -> None:
    drawn = svg.line(svg.Frame(0.0, 3.0, 0.0, 1.0), [0, 1, 2, 3], [0.0, math.nan, 1.0, 1.0], "c0")
    assert drawn.count("M") == 2
    assert drawn.count("L") == 1


def test_frame_needs_two_moments() -> None:
    assert svg.frame([1.0], [2.0]) is None
    assert svg.frame([1.0, 2.0], [math.nan]) is None


def test_reliability_draws_only_bins_with_forecasts() -> None:
    drawn = reliability((3.0, 0.0, 5.0), (0.05, 0.0, 0.25), (0.0, 0.0, 0.4), "fills")
    assert drawn.count("<circle") == drawn.count("whisker") == 2


def test_ladder_puts_own_size_on_its_level_and_shows_quotes_outside_the_book() -> None:
    monitor = session_monitor(60)
    facts = monitor.facts.accounts[ACCOUNT]
    facts.working.clear()
    bids, asks = monitor.book_levels(10)
    from papertrader.services.monitor.facts.facts import WorkingOrder

    facts.working = {
        1: WorkingOrder("buy", bids[2][0], 0.5, 0, live_ts=1),
        2: WorkingOrder("sell", asks[-1][0] + 1, 0.7, 0, live_ts=1),
        3: WorkingOrder("buy", bids[0][0], 9.0, 1),
    }
    shown = ladder(monitor, facts)
    assert shown["bids"][2] == [*bids[2], 0.5]
    assert shown["asks"][-1] == [asks[-1][0] + 1, 0.0, 0.7]
    assert [row[0] for row in shown["bids"]] == sorted((row[0] for row in shown["bids"]), reverse=True)
    assert shown["bids"][0][2] == 0.0  # not live yet


def test_report_begins_with_the_verdict(report: str) -> None:
    """Before any number of the run: what is earned, whether to believe it, what to do, what it rests on."""
    first = report.index("Markets and accounts"), report.index('class="verdict'), report.index('class="strip"')
    assert first == tuple(sorted(first))
    assert first[-1] < report.index("Can it be believed? Too early to believe") < report.index("What to do next")
    assert report.index("What to do next") < report.index("The run and its data")


def test_report_has_inventory_drawdown_days_fills_and_settings(report: str) -> None:
    for title in ("Drawdown", "Inventory over time", "By day", "<h3>Fills</h3>", "Settings in force"):
        assert title in report
    assert "<td>2023-11-14</td>" in report
    assert "<summary>[quoter]</summary>" in report


def test_synthetic_market_is_told_before_everything() -> None:
    synthetic = Monitor(Market("synthetic", "SYN1"), {ACCOUNT: MonitorConfig()})
    assert report_of(synthetic).index("SYNTHETIC MARKET: made by a program") < report_of(synthetic).index("<section>")


def test_days_add_up_and_drawdown_is_the_largest_fall() -> None:
    monitor = session_monitor(200)
    series = kept_series(monitor.history(ACCOUNT), monitor.facts.accounts[ACCOUNT]).copy()
    half = len(series) // 2
    series["ts"][half:] += 86_400 * S
    rows = list(_days(series, kept_fills(monitor.history(ACCOUNT), monitor.facts.accounts[ACCOUNT])))
    assert [row[0] for row in rows] == ["2023-11-14", "2023-11-15"]
    assert sum(float(row[1]) for row in rows) == pytest.approx(float(series["total"][-1]), abs=0.02)
    series["total"] = 0.0
    series["total"][3], series["total"][5], series["total"][8] = 10.0, 4.0, 12.0
    assert drawdown(series) == 12.0


def test_skill_of_toxicity_on_own_fills_stands_beside_that_on_market_sweeps() -> None:
    judged = calibration(0, toxicity_forecasts=40, toxicity_skill=-0.02)
    found = forecasts(estimate(0, toxicity_moments=900, toxicity_skill=0.1), judged)["toxicity"]
    assert (found["judged"], found["skill"], found["own_judged"], found["own_skill"]) == (900, 0.1, 40, -0.02)
    assert forecasts(estimate(0), None)["toxicity"]["own_skill"] is None
