"""What a further market, and a further account on a market, cost one fill-sim worker on the bus.

    python -m benchmarks.further TAPE_FOR_ACCOUNTS TAPE_FOR_MARKETS [repetitions]

Cost is processor time of the worker's process: it does not depend on who else has the processors. Markets: the same
rounds in all, told round by round one market after the other, once the worker owns them all; so many in each that the
sum is the same. Accounts: one market, one built-in strategy per account, whose orders the log holds.
"""

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.bus import LogRound, Progress, append, brokered, connected, fill_sim, of_market, recorded
from benchmarks.figures import Row, ratios, spread
from benchmarks.sustained import stored
from papertrader.shared.log.broker import Broker
from papertrader.shared.service.config import Settings

MARKETS = (1, 10, 50, 200)
ROUNDS_OF_ALL_MARKETS = 6_000
MARKETS_TAPE_S = 1_200.0
ACCOUNTS = (1, 2, 8, 32)
ACCOUNTS_TAPE_S = 120.0
IDLE_S = 4.0

Measured = dict[str, float]


async def _markets(broker: Broker, folder: Path, session: Sequence[LogRound], markets: int) -> Measured:
    names = [f"M{index:03}" for index in range(markets)]
    rounds = session[1 : 1 + ROUNDS_OF_ALL_MARKETS // markets]
    async with connected(broker) as bus:
        progress = Progress()
        await progress.listen(bus)
        await append(bus, stored([of_market(session[0], name) for name in names], said=False))
        with fill_sim(broker, folder, {}) as worker:
            await progress.reach(session[0].number, markets)
            await asyncio.sleep(2)
            idle = worker.cpu_s()
            await asyncio.sleep(IDLE_S)
            before = worker.cpu_s()
            messages = stored([of_market(round_, name) for round_ in rounds for name in names], said=False)
            await append(bus, messages)
            await progress.reach(rounds[-1].number, markets)
            return {
                "per_message_us": (worker.cpu_s() - before) / len(messages) * 1e6,
                "idle_ms_per_s": (before - idle) / IDLE_S * 1e3,
                "resident_mib": worker.resident_mib(),
            }


async def _accounts(broker: Broker, folder: Path, session: Sequence[LogRound], tables: dict[str, Any]) -> Measured:
    head, tail = session[:20], session[20:]
    async with connected(broker) as bus:
        progress = Progress()
        await progress.listen(bus)
        await append(bus, stored(head, said=True))
        with fill_sim(broker, folder, tables) as worker:
            await progress.reach(head[-1].number)
            before = worker.cpu_s()
            await append(bus, stored(tail, said=True))
            await progress.reach(tail[-1].number)
            return {"per_round_us": (worker.cpu_s() - before) / len(tail) * 1e6}


def tables_of(accounts: int) -> dict[str, Any]:
    """The settings of so many accounts, each with a coin of its own."""
    names = [f"account{index:02}" for index in range(accounts)]
    return {"accounts": {name: {"fill_sim": {"seed": index + 1}} for index, name in enumerate(names)}}


def market_rows(tape: Path, repetitions: int) -> list[Row]:
    """Cost per message, at rest and in memory with more and more markets."""
    session = recorded(tape, MARKETS_TAPE_S, Settings({}), ())
    found: dict[int, list[Measured]] = {count: [] for count in MARKETS}
    for _ in range(repetitions):
        for count, measured in found.items():
            with tempfile.TemporaryDirectory() as name, brokered(Path(name) / "nats") as broker:
                measured.append(uvloop.run(_markets(broker, Path(name) / "worker", session, count)))
    alone = found[1]

    def values(measured: Sequence[Measured], key: str) -> list[float]:
        return [item[key] for item in measured]

    rows = [
        Row(
            f"(e) {count} markets in one worker, its processor time per message, µs",
            spread(values(found[count], "per_message_us")),
            f"one market: {spread(values(alone, 'per_message_us'))}",
            spread(ratios(values(found[count], "per_message_us"), values(alone, "per_message_us"))),
        )
        for count in MARKETS[1:]
    ]
    few, many = MARKETS[1], MARKETS[-1]
    idle = {
        count: _per_further(values(found[count], "idle_ms_per_s"), values(alone, "idle_ms_per_s"), count)
        for count in (few, many)
    }
    rows.append(
        Row(
            f"(e) at rest, a further market of {many}, processor time, ms per second",
            spread(idle[many]),
            f"a further market of {few}: {spread(idle[few])}",
            spread(ratios(idle[many], idle[few])),
        )
    )
    memory = values(alone, "resident_mib")
    further = _per_further(values(found[many], "resident_mib"), memory, many)
    rows.append(
        Row(
            f"(e) memory of a further market of {many}, MiB",
            spread(further),
            f"the process with one market: {spread(memory)}",
            spread(ratios(further, memory)),
        )
    )
    return rows


def _per_further(many: Sequence[float], alone: Sequence[float], count: int) -> list[float]:
    return [(value - one) / (count - 1) for value, one in zip(many, alone, strict=True)]


def account_rows(tape: Path, repetitions: int) -> list[Row]:
    """Cost of a round with more and more accounts."""
    sessions = {count: recorded(tape, ACCOUNTS_TAPE_S, Settings(tables_of(count))) for count in ACCOUNTS}
    found: dict[int, list[float]] = {count: [] for count in ACCOUNTS}
    for _ in range(repetitions):
        for count, costs in found.items():
            with tempfile.TemporaryDirectory() as name, brokered(Path(name) / "nats") as broker:
                folder = Path(name) / "worker"
                measured = uvloop.run(_accounts(broker, folder, sessions[count], tables_of(count)))
                costs.append(measured["per_round_us"])
    return [
        Row(
            f"(f) each further account of {count} on one market, the worker's processor time per round, µs",
            spread(_per_further(found[count], found[1], count)),
            f"the market with one account: {spread(found[1])}",
            spread(ratios(_per_further(found[count], found[1], count), found[1])),
        )
        for count in ACCOUNTS[1:]
    ]


if __name__ == "__main__":
    times = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    for row in (*market_rows(Path(sys.argv[2]), times), *account_rows(Path(sys.argv[1]), times)):
        sys.stdout.write(f"{row}\n")
