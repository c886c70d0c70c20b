"""Gateway, fill-sim and broker are killed while three bots trade: every order is there once, and every bot is right."""

import asyncio
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from papertrader.cli.monitor_client import MonitorError, fetch_json
from papertrader.cli.service_process import Deaths
from papertrader.cli.supervisor import Supervisor
from papertrader.shared.messages.actions import SignedAction
from tests.e2e.bots import Bot
from tests.e2e.running import logged, process_of
from tests.runs import verify

BLOWS = int(os.environ.get("PAPER_GATEWAY_BLOWS", "30"))
FEW = 4
VICTIMS = ("gateway", "fill-sim", "broker")
BOTS = (1, 2, 3)
SPEED = 2.0
PATIENCE_S = 900.0


def tables(tape: Path, opened: bool) -> dict[str, Any]:
    """A tape on which each bot has an account of its own, in the settings or `opened` when it signs first."""
    nobody = {"0x" + "ee" * 20: "main"}
    named = nobody if opened else {Bot("", number).address: f"bot{number}" for number in BOTS}
    return {
        "feed": {"source": "tape", "tapes": [str(tape)], "speed": SPEED, "barrier_timeout_s": 600.0},
        "monitor": {"port": 0},
        "gateway": {"port": 0, "accounts": named, "address_requests": 0, "open_at_most": len(BOTS) if opened else 0},
        "accounts": {name: {"quoter": {"strategy": "none"}} for name in named.values()},
    }


def kill(supervisor: Supervisor, victim: str) -> None:
    """kill -9."""
    process = supervisor.broker if victim == "broker" else process_of(supervisor, victim)
    assert process is not None
    if process.exit_code is None:
        os.kill(process.pid, signal.SIGKILL)


async def storm(supervisor: Supervisor, blows: int, bots: list[Bot]) -> None:
    """Strike so often, each victim in turn and then at random; what died is started again, however often it did."""
    chance = random.Random(1)
    for number in range(blows):
        answered = sum(bot.answers["resting"] for bot in bots)
        await revived(supervisor, lambda answered=answered: sum(bot.answers["resting"] for bot in bots) >= answered + 6)
        await asyncio.sleep(chance.uniform(0.0, 0.5))
        kill(supervisor, VICTIMS[number] if number < len(VICTIMS) else chance.choice(VICTIMS))
    await revived(supervisor, lambda: all(process.exit_code is None for process in supervisor.processes))


async def revived(supervisor: Supervisor, condition: Any) -> None:
    """Keep everything alive until a condition holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, supervisor.lost or "nothing goes on"
        supervisor.broker_deaths = Deaths()
        for process in supervisor.processes:
            process.deaths = Deaths()
        await asyncio.to_thread(supervisor.revive)
        await asyncio.sleep(0.1)


async def session(supervisor: Supervisor, blows: int, bots: list[Bot]) -> None:
    """The storm, and afterwards all agree on every bot's account."""
    ended, left = asyncio.Event(), asyncio.Event()
    living = [asyncio.ensure_future(bot.live(ended, left)) for bot in bots]
    try:
        await storm(supervisor, blows, bots)
        ended.set()
        await revived(supervisor, lambda: all(bot.quiet for bot in bots))
        await revived(supervisor, lambda: all(agreed(supervisor, bot) for bot in bots))
        for bot in bots:
            assert {fill["tid"]: fill for fill in await bot.ask("userFills")} == bot.fills
            assert {item["status"] for item in await bot.ask("historicalOrders")}.isdisjoint({"open", "triggered"})
    finally:
        ended.set()
        left.set()
        await asyncio.wait(living)
    for task in living:
        task.result()


def agreed(supervisor: Supervisor, bot: Bot) -> bool:
    """Whether the bot's view is what the monitor, which knows nothing of the gateway, says of its account."""
    try:
        markets = fetch_json(supervisor.page, "/api/summary")["markets"]
    except MonitorError:
        return False
    told = next((item for item in markets if item["account"] == bot.name), None)
    if told is None:
        return False
    position = sum(float(fill["sz"]) * (1 if fill["side"] == "B" else -1) for fill in bot.fills.values())
    fees = sum(float(fill["fee"]) for fill in bot.fills.values())
    realised = sum(float(fill["closedPnl"]) for fill in bot.fills.values())
    ours, theirs = (position, fees, realised), (told["position"], told["pnl"]["fees"], told["pnl"]["realised"])
    return ours == pytest.approx(theirs, abs=0.005)


def check_log(directory: Path, bots: list[Bot]) -> None:
    """Each order stands on the log at most once, and each that its bot was told of once."""
    for bot in bots:
        said = [msgspec.json.decode(payload) for _, payload in logged(directory, f"orders.*.*.{bot.name}")]
        orders = Counter(message["order_id"] for message in said if message["type"] == "place")
        assert set(orders.values()) <= {1}
        named = Counter(
            order.cloid
            for _, payload in logged(directory, f"actions.all.all.{bot.name}")
            for order in msgspec.json.decode(payload, type=SignedAction).orders
            if order.order_id in orders
        )
        assert set(named) >= bot.taken
        assert set(named) <= bot.placed


@pytest.mark.parametrize(
    ("blows", "opened"),
    [
        pytest.param(FEW, False, id="few"),
        pytest.param(FEW, True, id="few, on accounts that are opened"),
        pytest.param(BLOWS, False, id="many", marks=pytest.mark.long),
    ],
)
def test_no_order_is_lost_or_doubled_whatever_dies(tmp_path: Path, tape_dir: Path, blows: int, opened: bool) -> None:
    supervisor = Supervisor(tmp_path, tables(tape_dir / "hyperliquid-20250904-BTC.gz", opened), None, {})
    supervisor.start()
    bots = [Bot(supervisor.gateway, number) for number in BOTS]
    for bot in bots:
        bot.name = bot.address if opened else bot.name
    try:
        asyncio.run(session(supervisor, blows, bots))
    finally:
        supervisor.stop()
    check_log(tmp_path, bots)
    assert all(bot.fills for bot in bots)
    print(f"{blows} blows; {sum((bot.answers for bot in bots), Counter())}")  # noqa: T201
    assert verify(tmp_path)["verified"]["fills"] == sum(len(bot.fills) for bot in bots)
