"""What is to be seen first: nothing is believed without evidence and skill, and what is missing is named."""

import math
import re
from typing import Any

import msgspec
import numpy as np
import pytest

from papertrader.services.monitor.config import MonitorConfig
from papertrader.services.monitor.report.assumptions import SYNTHETIC_SAYS, assumptions, currency
from papertrader.services.monitor.report.earnings import PARTS, block_interval, earnings, since_reset
from papertrader.services.monitor.report.summary import summary
from papertrader.services.monitor.report.verdict import Evidence, believed_by, evidence_of, verdict_of
from papertrader.services.monitor.service import Monitor
from papertrader.shared.log.subjects import Market
from tests.messages import calibration, estimate
from tests.unit.monitoring import ACCOUNT, MARKET, Session

MINUTE = 60 * 10**9
SKILLED = {
    "own_fill_skill": 0.2,
    "own_fill_skill_low": 0.1,
    "own_fill_skill_high": 0.3,
    "own_orders_judged": 900,
    "toxicity_skill": 0.1,
    "toxicity_skill_low": 0.05,
    "toxicity_skill_high": 0.2,
    "toxicity_auc": 0.7,
    "toxicity_auc_low": 0.6,
    "toxicity_auc_high": 0.8,
    "toxicity_moments": 2_000,
}


@pytest.fixture
def monitor() -> Monitor:
    """Four minutes of a market that traded with the account's orders."""
    found = Monitor(MARKET, {ACCOUNT: MonitorConfig()})
    for round_ in Session().rounds(240):
        found.fold(round_)
    return found


def series(totals: list[float], step: int = MINUTE) -> Any:
    rows = np.zeros(len(totals), dtype=[("ts", "i8"), *((name, "f8") for name in PARTS)])
    rows["ts"] = np.arange(len(totals)) * step
    rows["total"] = rows["spread"] = totals
    return rows


def test_interval_per_hour_is_that_of_the_minutes() -> None:
    steady = block_interval(series([1.0 * minute for minute in range(12)]))
    assert steady is not None
    assert steady.value == pytest.approx(60.0)
    assert (steady.low, steady.high) == (pytest.approx(60.0), pytest.approx(60.0))
    assert block_interval(series([0.0])) is None
    short = block_interval(series([0.0, 1.0, 2.0]))
    assert short is not None
    assert short.low is None


def test_half_of_the_minutes_losing_cannot_be_told_from_chance() -> None:
    swinging = block_interval(series([float(minute % 2) for minute in range(40)]))
    assert swinging is not None
    assert swinging.low is not None
    assert swinging.high is not None
    assert swinging.low < 0 < swinging.high


def test_money_before_a_reset_does_not_count() -> None:
    rows = since_reset(series([0.0, 5.0, 9.0, 0.0, 1.0]))
    assert rows["total"].tolist() == [0.0, 1.0]
    assert len(since_reset(series([0.0, 0.0, 3.0]))) == 3


def test_earnings_are_those_of_the_account(monitor: Monitor) -> None:
    earned, account = earnings(monitor, ACCOUNT), monitor.facts.accounts[ACCOUNT].account
    assert account is not None
    assert earned.total == account.total
    assert earned.bps == pytest.approx(account.total / account.turnover * 1e4)
    assert earned.per_hour == pytest.approx(account.total / earned.hours)


def test_believed_only_if_everything_speaks_for_it() -> None:
    good, weak, bad = (Evidence("x", standing, "") for standing in ("good", "weak", "bad"))  # type: ignore[arg-type]
    assert believed_by([good, good]) == "yes"
    assert believed_by([good, weak]) == "not yet"
    assert believed_by([good, weak, bad]) == "no"


def test_young_run_is_not_believed_and_says_what_is_missing(monitor: Monitor) -> None:
    verdict = verdict_of(monitor, ACCOUNT)
    assert verdict["believed"] == "not yet"
    assert "too early to believe" in verdict["headline"]
    assert "moments" in verdict["headline"]
    assert any("moments with fills" in step for step in verdict["next"])


def test_loss_has_one_sign(monitor: Monitor) -> None:
    account = monitor.facts.accounts[ACCOUNT].account
    assert account is not None
    monitor.facts.accounts[ACCOUNT].account = msgspec.structs.replace(account, total=-5.0)
    assert re.match(r"So far it loses [0-9.,]+ quote currency per hour", verdict_of(monitor, ACCOUNT)["headline"])


def standing_of(monitor: Monitor, name: str) -> str:
    found = {item.name: item.standing for item in evidence_of(monitor, ACCOUNT, earnings(monitor, ACCOUNT))}
    return found[name]


def test_evidence_and_skill_are_both_needed(monitor: Monitor) -> None:
    facts = monitor.facts.accounts[ACCOUNT]
    facts.calibration = msgspec.structs.replace(calibration(1), moments=99)
    assert standing_of(monitor, "moments") == "weak"
    facts.calibration = msgspec.structs.replace(calibration(1), moments=100)
    assert standing_of(monitor, "moments") == "good"
    facts.estimate = estimate(1, **SKILLED)
    assert standing_of(monitor, "fill forecast") == standing_of(monitor, "toxicity forecast") == "good"
    facts.estimate = estimate(1, **{**SKILLED, "own_fill_skill_low": -0.01, "toxicity_auc_low": 0.49})
    assert standing_of(monitor, "fill forecast") == standing_of(monitor, "toxicity forecast") == "weak"


def test_draws_that_disagree_with_the_fills_speak_against_it(monitor: Monitor) -> None:
    worlds = monitor.facts.accounts[ACCOUNT].worlds
    worlds.orders, worlds.filled, worlds.expected, worlds.variance = 500, 90, 60.0, 25.0
    assert standing_of(monitor, "draws of the queue") == "bad"
    worlds.expected = 80.0
    assert standing_of(monitor, "draws of the queue") == "good"


def test_bad_data_comes_before_every_number(monitor: Monitor) -> None:
    market = monitor.facts.market
    market.locked_books = market.books // 2
    verdict = verdict_of(monitor, ACCOUNT)
    assert verdict["believed"] == "no"
    assert verdict["headline"].startswith("Do not believe it: ")
    assert "locked or crossed" in verdict["headline"]
    assert "tick" in verdict["next"][0]


def test_synthetic_market_says_so_in_capitals() -> None:
    synthetic = Monitor(Market("synthetic", "SYN1"), {ACCOUNT: MonitorConfig()})
    verdict = verdict_of(synthetic, ACCOUNT)
    assert verdict["banner"] == SYNTHETIC_SAYS
    assert "SYNTHETIC MARKET" in verdict["banner"]
    assert verdict["assumptions"]["source"] == "SYNTHETIC MARKET"
    assert verdict["headline"] == "Nothing was filled yet, so it has earned nothing."


def test_assumptions_are_those_of_the_account(monitor: Monitor) -> None:
    settings = {
        "feed": {"source": "tape", "tapes": ["/tapes/a.gz", "/tapes/b.gz"]},
        "fill_sim": {"fill_model": "draws", "placement_latency_ms": 200.0, "cancel_latency_ms": 100.0},
        "accounts": {ACCOUNT: {"fill_sim": {"fill_model": "fifo", "cancels": "behind"}}},
    }
    found = assumptions(monitor, ACCOUNT, settings)
    assert found["source"] == "tape a.gz and 1 more"
    assert found["fill model"] == "fifo, cancels behind"
    assert found["latency"] == "place 200 ms, cancel 100 ms"
    quantiles = {"fill_sim": {"placement_latency_ms": [[0.5, 80.0], [0.9, 200.0]]}}
    assert assumptions(monitor, ACCOUNT, quantiles)["latency"].startswith("place 80 ms at 50% … 200 ms at 90%")
    hyperliquid = assumptions(Monitor(Market("hyperliquid", "BTC"), {ACCOUNT: MonitorConfig()}), ACCOUNT, {})["latency"]
    assert hyperliquid.startswith("public api: 657 ms from what is known to a live order (medians)")


@pytest.mark.parametrize(
    ("venue", "asset", "expected"),
    [
        ("hyperliquid", "BTC", "USDC"),
        ("binance", "BTCUSDT", "USDT"),
        ("synthetic", "SYN1", "quote currency"),
        ("okx", "BTC-USDC", "USDC"),
    ],
)
def test_currency_is_what_the_market_settles_in(venue: str, asset: str, expected: str) -> None:
    assert currency(Market(venue, asset), None) == expected


def test_summary_begins_with_the_verdict_and_is_finite(monitor: Monitor) -> None:
    entry = summary([monitor])["markets"][0]
    assert list(entry)[3] == "verdict"
    earns = entry["verdict"]["earns"]
    assert all(value is None or isinstance(value, str) or math.isfinite(value) for value in earns.values())
