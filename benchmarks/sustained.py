"""Market data that one fill-sim worker sustains, against a bare nats-py subscriber of the same messages.

    python -m benchmarks.sustained TAPE [seconds of the tape] [repetitions]

The log holds the tape and what the other services said while it was recorded. A worker folds it from the beginning as
fast as it can, and says its acks, fills and accounts, each acknowledged by the log. The bare subscriber is an ordered
consumer of the market data with an empty callback. They take turns on the same broker.
"""

import sys
import tempfile
from itertools import chain
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.bus import LogRound, Process, Progress, brokered, connected, fill_sim, prepared, recorded
from benchmarks.figures import Row, ratios, spread
from papertrader.shared.log.broker import Broker
from papertrader.shared.service.config import Settings


async def _folded(broker: Broker, folder: Path, tables: dict[str, Any], last_round: int) -> dict[str, float]:
    async with connected(broker) as bus:
        progress = Progress()
        await progress.listen(bus)
        with fill_sim(broker, folder, tables) as worker:
            await progress.reach(last_round)
            return {"seconds": progress.last_at - progress.first_at, "cpu_s": worker.cpu_s()}


def folded(broker: Broker, folder: Path, tables: dict[str, Any], rounds: list[LogRound]) -> dict[str, float]:
    """The seconds that a fresh worker needs from the first round of the log to the last."""
    return uvloop.run(_folded(broker, folder, tables, rounds[-1].number))


def stored(rounds: list[LogRound], said: bool) -> list[tuple[str, bytes]]:
    """The rounds as messages of the log."""
    return list(chain.from_iterable([*round_.market_data, *(round_.said if said else ())] for round_ in rounds))


def row(rounds: list[LogRound], said: bool, repetitions: int) -> Row:
    """One line of the table: with what was said (orders, estimates), or market data alone."""
    messages = sum(len(round_.market_data) for round_ in rounds)
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = prepared(folder / "log", stored(rounds, said))
        for repetition in range(repetitions):
            with brokered(folder / f"nats{repetition}", log) as broker:
                bare = Process("benchmarks.bare", "count", broker.url, "md.>", str(messages)).said()
                mine = folded(broker, folder / f"worker{repetition}", {}, rounds)
            ours.append(messages / mine["seconds"])
            theirs.append(messages / bare["seconds"])
    name = "orders of one account in the market" if said else "no order in the market"
    return Row(
        f"(d) market data messages per second of one fill-sim worker, {name}; "
        f"{messages:,} messages in {len(rounds):,} rounds",
        spread(ours),
        f"bare ordered consumer: {spread(theirs)}",
        spread(ratios(ours, theirs)),
    )


def rows(tape: Path, duration_s: float, repetitions: int) -> list[Row]:
    """The lines of the table."""
    session = recorded(tape, duration_s, Settings({}))
    return [row(session, said, repetitions) for said in (False, True)]


if __name__ == "__main__":
    given = sys.argv[2:]
    for found in rows(Path(sys.argv[1]), float(given[0]) if given else 0.0, int(given[1]) if len(given) > 1 else 3):
        sys.stdout.write(f"{found}\n")
