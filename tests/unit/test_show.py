"""The terminal: verdict first, whole at 80 columns and in a pipe, and what a strategy raised."""

import copy
import io
import re
from functools import cache
from typing import Any

import pytest
from rich.console import Console

from papertrader.cli import show
from papertrader.services.monitor.config import MonitorConfig
from papertrader.services.monitor.report.summary import summary
from papertrader.services.monitor.service import Monitor
from papertrader.shared.log.subjects import Market
from tests.unit.monitoring import ACCOUNT, Session


@cache
def told() -> dict[str, Any]:
    monitors = [Monitor(Market("hyperliquid", asset), {ACCOUNT: MonitorConfig()}) for asset in ("BTC", "ETH")]
    for monitor in monitors:
        for round_ in Session().rounds(120):
            monitor.fold(round_)
    return summary(monitors, {"fill_sim": {"fill_model": "draws", "decide": "chance"}})


def shown(found: dict[str, Any], width: int = 80) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width)
    console.print(show.overview(found))
    console.print(show.learned(found))
    return out.getvalue()


def test_every_word_is_whole_at_80_columns() -> None:
    text = shown(told())
    assert max(map(len, text.splitlines())) <= 80
    assert not re.search(r"[^0-9\s]…", text), "a word was cut"
    for word in (
        "position",
        "bid",
        "mid",
        "ask",
        "data age",
        "PnL",
        "per hour",
        "fills",
        "adverse",
        "checks",
        "inventory",
    ):
        assert word in text
    for market in told()["markets"]:
        assert f"{market['pnl']['total']:+,.2f}" in text
        assert f"{market['quotes']['mid']:.8g}" in text


def test_verdict_comes_first_then_what_it_rests_on() -> None:
    text = shown(told(), 300)
    assert text.startswith("hyperliquid.BTC main  So far it ")
    assert text.index("too early to believe") < text.index("next: ") < text.index("assumed: ") < text.index("position")
    assert "fill model draws, decide chance" in text


def test_synthetic_market_is_the_first_word() -> None:
    found = summary([Monitor(Market("synthetic", "SYN1"), {ACCOUNT: MonitorConfig()})])
    assert shown(found).startswith("SYNTHETIC MARKET")


def test_what_a_strategy_raised_is_shown_with_count_and_traceback() -> None:
    found = copy.deepcopy(told())
    error = {"count": 4_974, "ts": 1, "text": "mine.py:Mine: KeyError: 'lean'", "traceback": 'File "mine.py", line 8\n'}
    found["markets"][0]["strategy_error"] = error
    text = shown(found)
    assert "the strategy raised 4,974 times" in text
    assert 'File "mine.py", line 8' in text


def test_line_for_a_log_says_where_the_account_stands() -> None:
    market = told()["markets"][0]
    text = show.line(market)
    assert text.startswith("2023-11-14 22:")
    assert f"mid {market['quotes']['mid']:.8g}, PnL {market['pnl']['total']:+,.2f} USDC" in text
    assert text.endswith("believed: not yet")
    assert "\n" not in text


def test_accounts_beside_each_other_are_said_to_bound_nothing() -> None:
    found = copy.deepcopy(told())
    assert "--same-orders" not in shown(found, 200)
    found["markets"][1]["account"] = "through"
    assert "a stricter fill model is no bound here" in shown(found, 200)


def test_orders_that_are_rejected_are_told_with_the_reasons() -> None:
    found = copy.deepcopy(told())
    market = found["markets"][0]
    market["orders"], market["rejected"] = 100, {"off_tick": 4}
    assert "rejected" not in shown(found)
    market["rejected"] = {"off_tick": 4, "insufficient_margin": 9}
    assert "13 of 100 orders were rejected: 9 insufficient_margin, 4 off_tick" in shown(found, 120)


@pytest.mark.parametrize("as_json", [True, False])
def test_pipe_gets_no_escape_codes(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    assert show.conclude(copy.deepcopy(told()), as_json) == show.failed(told())
    assert "\x1b" not in capsys.readouterr().out
