"""A runner of the counting fold, and what has to be true of it and the log."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from nats.js import api

from papertrader.shared.log.bus import Bus
from papertrader.shared.log.subjects import STREAM, Market, subject
from papertrader.shared.service.checkpoint import CheckpointStore
from papertrader.shared.service.config import Settings
from papertrader.shared.service.roll import Roll
from papertrader.shared.service.runner import Runner
from tests.integration.counting import (
    ACCOUNTS,
    INPUTS,
    NAME,
    Counting,
    Folded,
    Part,
    undisturbed,
)
from tests.integration.wire import become, entries

MARKET = Market("synthetic", "SYN1")
ORDERS = subject("orders", MARKET, "main")
ROUND = subject("round", MARKET)
CONTEXT = subject("ctx", MARKET)


def runner_of(bus: Bus, folder: Path, service: str = NAME) -> Runner:
    roll = Roll(Settings({}), lambda _: Counting())
    return Runner(bus, service, MARKET, roll, INPUTS, CheckpointStore(folder, service))


@contextlib.asynccontextmanager
async def running(bus: Bus, folder: Path) -> AsyncIterator[Runner]:
    runner = runner_of(bus, folder)
    await runner.start()
    yield runner
    await runner.stop()


async def crash(bus: Bus) -> None:
    """Nothing more reaches the log and nothing is saved, as when the process is killed."""
    await bus.client.close()


async def forget_ids(bus: Bus) -> None:
    """Let the broker forget the ids of messages, as it does after two minutes."""
    config = (await bus.jetstream.stream_info(STREAM)).config
    await bus.jetstream.update_stream(api.StreamConfig(**{**vars(config), "duplicate_window": 0.1}))
    await asyncio.sleep(0.2)


async def folded_up_to(runner: Runner, number: int) -> None:
    await become(lambda: runner.position.round >= number or runner.failure or runner.fenced, f"round {number}")


async def orders_on(bus: Bus) -> Folded:
    """What the fold said to each account, by the log; every message once and in its order."""
    said: dict[str, list[bytes]] = {}
    for account in ACCOUNTS:
        own = [
            entry
            for entry in await entries(bus, subject("orders", MARKET, account))
            if entry.message_id.startswith(f"{NAME}|")
        ]
        places = [tuple(int(part) for part in entry.message_id.split("|")[2:]) for entry in own]
        assert places == sorted(set(places))
        said[account] = [entry.payload for entry in own]
    return said


def same_state(one: Counting, other: Counting) -> bool:
    return bool((one.state()["memory"] == other.state()["memory"]).all())


async def expect(bus: Bus, runner: Runner, parts: list[Part]) -> None:
    """The log and the fold are as if nothing had ever happened."""
    said, fold = undisturbed(parts)
    await folded_up_to(runner, parts[-1].end.round)
    assert await orders_on(bus) == said
    assert isinstance(runner.fold, Counting)
    assert same_state(runner.fold, fold)
