"""What `papertrader control` tells the operator, by what was heard after the command."""

import asyncio
from typing import Any

import msgspec
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from papertrader.cli.control import ControlError, Watch, check_account, check_action, market_named
from papertrader.messages import Account, Message, RoundEnd
from papertrader.shared.log.subjects import Market, subject
from papertrader.shared.messages import Check, Checklist
from papertrader.shared.service.config import Settings
from papertrader.shared.service.outside import traded_outside
from tests import messages

MARKET = Market("hyperliquid", "BTC")


def heard(action: str, *said: tuple[str, Message]) -> Watch:
    watch = Watch(action, "hyperliquid.BTC main")

    async def hear() -> None:
        for kind, message in said:
            name = subject(kind, MARKET, "main")
            await watch.hear(Msg(Client(), name, data=msgspec.json.encode(message)))

    asyncio.run(hear())
    return watch


def rounds(count: int) -> list[tuple[str, Message]]:
    return [("round", RoundEnd(ts=1, recv_ts=0, round=number, frame=0, session="s")) for number in range(count)]


def account(**changes: Any) -> tuple[str, Account]:
    return "account", messages.account(1, **changes)


@pytest.mark.parametrize(
    ("action", "state", "said"),
    [
        ("pause", {"orders_live": 0}, "paused, no order is live"),
        ("resume", {"orders_live": 2}, "quotes again"),
        ("flatten", {"orders_live": 0, "position": 0.0}, "flat and paused"),
        ("reset", {"turnover": 0.0, "position": 0.0}, "what was learned stays"),
    ],
)
def test_command_that_came_true_is_confirmed(action: str, state: dict[str, Any], said: str) -> None:
    outcome = heard(action, *rounds(2), account(**state)).outcome()
    assert outcome.done
    assert said in outcome.text


@pytest.mark.parametrize(
    ("action", "state"),
    [
        ("pause", {"orders_live": 1}),
        ("resume", {"orders_live": 0}),
        ("flatten", {"orders_live": 0, "position": 0.5}),
        ("reset", {"turnover": 5.0, "position": 0.0}),
    ],
)
def test_command_that_did_not_come_true_is_not_confirmed(action: str, state: dict[str, Any]) -> None:
    outcome = heard(action, *rounds(9), account(**state)).outcome()
    assert not outcome.done
    assert "it has not come true" in outcome.text


def test_word_from_before_the_command_confirms_nothing() -> None:
    assert not heard("pause", account(orders_live=0), *rounds(1)).outcome().done


def test_silence_and_failing_checks_are_the_reason() -> None:
    assert "no round was folded" in heard("pause").outcome().text
    failing = Check(state="fail", cause="orders get no answer: fill-sim is down", remedy="", numbers={})
    checklist = Checklist(ts=1, checks={"fills": failing}, counts={}, counts_equal=True)
    assert "fill-sim is down" in heard("resume", *rounds(5), ("checks", checklist)).outcome().text


def test_choices_are_listed() -> None:
    with pytest.raises(ControlError, match="did you mean pause\\?; there are pause, resume, flatten, reset"):
        check_action("pauze")
    known = ["hyperliquid.BTC", "hyperliquid.ETH"]
    with pytest.raises(ControlError, match=r"no market hyperliquid\.BTX; did you mean hyperliquid\.BTC"):
        market_named("hyperliquid.BTX", known)
    with pytest.raises(ControlError, match=r"name one: hyperliquid\.BTC, hyperliquid\.ETH"):
        market_named(None, known)
    with pytest.raises(ControlError, match="the log holds no market yet"):
        market_named("hyperliquid.BTC", [])
    assert market_named(None, known[:1]) == MARKET
    with pytest.raises(ControlError, match="did you mean main"):
        check_account("mian", ["main", "wide"])


@pytest.mark.parametrize(
    ("tables", "outside"),
    [
        ({}, False),
        ({"quoter": {"strategy": "none"}}, True),
        ({"quoter": {"strategy": "none"}, "accounts": {"main": {"quoter": {"strategy": "glft"}}}}, False),
        ({"accounts": {"main": {"quoter": {"strategy": "none"}}}}, True),
    ],
)
def test_account_that_a_program_trades_is_known(tables: dict[str, Any], outside: bool) -> None:
    """Pausing is the quoter's: a program outside goes on, and the operator is told."""
    assert ("main" in traded_outside(Settings(tables))) == outside
