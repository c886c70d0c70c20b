"""A tiny fold whose outputs depend on everything that it ever heard, and the sessions that it folds.

As a module it is a service process, to be killed: `python -m tests.integration.counting --settings FILE`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np

from papertrader.services.feed.publisher import Barrier, Publisher
from papertrader.shared.log.bus import Bus
from papertrader.shared.log.subjects import Market, subject
from papertrader.shared.messages import Cancel, Context, Control, Instrument, Message, RoundEnd
from papertrader.shared.service.config import Settings
from papertrader.shared.service.fold import Output, Received, Round, State, canonical
from papertrader.shared.service.metrics import MARKET, Metric, Sample
from papertrader.shared.service.runtime import Service, main

NAME: Final = "counter"
INPUTS: Final = ("md", "control")
ACCOUNTS: Final = ("main", "bold")
ROUND_NS: Final = 10_000_000_000
POISON: Final = "flatten"
MEMORY: Final = np.dtype([("rounds", "i8"), ("messages", "i8"), ("heard", "i8"), ("digest", "u8")])
SEEN: Final = Metric("paper_counter_messages", "counter", "Messages folded", MARKET)


class Counting:
    """Says an order per round whose id is a digest of the whole past; two in every third round, none in every fifth."""

    accounts = ACCOUNTS

    def __init__(self) -> None:
        self._memory = np.zeros(1, dtype=MEMORY)

    def state(self) -> State:
        """The one record."""
        return {"memory": self._memory}

    def fold(self, round_: Round) -> list[Output]:
        """Mix everything into the digest."""
        memory = self._memory[0]
        memory["rounds"] += 1
        memory["messages"] += len(round_.market_data)
        memory["heard"] += len(round_.heard)
        self._mix(round_.number, round_.ts, round_.previous_ts, *(message.ts for message in round_.market_data))
        for item in round_.heard:
            if isinstance(item.message, Control) and item.message.action == POISON:
                raise ZeroDivisionError("a control that this fold cannot take")
            self._mix(item.message.ts, len(item.account))
        return list(self._outputs(round_))

    def _mix(self, *numbers: int) -> None:
        digest = int(self._memory["digest"][0])
        for number in numbers:
            digest = (digest * 6_364_136_223_846_793_005 + number + 1) % 2**64
        self._memory["digest"] = digest

    def _outputs(self, round_: Round) -> Iterator[Output]:
        memory = self._memory[0]
        if memory["rounds"] % 5 == 0:
            return
        yield Output("orders", "main", Cancel(ts=round_.ts, order_id=int(memory["digest"]) % 2**62))
        if memory["rounds"] % 3 == 0:
            yield Output("orders", "bold", Cancel(ts=round_.ts, order_id=int(memory["heard"])))
            yield Output("orders", "main", Cancel(ts=round_.ts, order_id=int(memory["messages"])))


class Part(NamedTuple):
    """One round of a session: what others say in it, its market data and its marker."""

    controls: tuple[tuple[str, Control], ...]
    market_data: tuple[Message, ...]
    end: RoundEnd


def session(rounds: int, first: int = 1) -> list[Part]:
    """Rounds ten seconds apart, so that every thirtieth brings a checkpoint; nothing is final."""
    parts = []
    for number in range(first, first + rounds):
        opened, closed = number * ROUND_NS, (number + 1) * ROUND_NS - 1
        market_data: tuple[Message, ...] = tuple(
            Context(ts=opened + place, recv_ts=0, mark_price=100.0 + number) for place in range(number % 4)
        )
        if number == 1:
            market_data = (Instrument(ts=opened, tick_size=0.1, lot_size=0.001), *market_data)
        controls = tuple((account, Control(ts=opened, action="resume")) for account in ACCOUNTS[: number % 7 // 3])
        end = RoundEnd(ts=closed, recv_ts=0, round=number, frame=number, session="s", messages=len(market_data))
        parts.append(Part(controls, market_data, end))
    return parts


def publisher_of(bus: Bus, market: Market) -> Publisher:
    """Publishes rounds and waits for nobody."""
    return Publisher(bus, market, "s", Barrier((), 1.0, 1.0))


async def publish(bus: Bus, market: Market, parts: Sequence[Part]) -> None:
    """Write a session to the log, round by round."""
    publisher = publisher_of(bus, market)
    for part in parts:
        await say(bus, market, part)
        await publisher.publish(part.market_data, part.end)


async def say(bus: Bus, market: Market, part: Part) -> None:
    """What others say in a round."""
    for account, control in part.controls:
        name = subject("control", market, account)
        await bus.append(name, msgspec.json.encode(control), f"{name}-{control.ts}")


Folded = Mapping[str, list[bytes]]


def undisturbed(parts: Sequence[Part]) -> tuple[Folded, Counting]:
    """What the fold says to each account, without a bus, and the fold afterwards."""
    fold, previous_ts = Counting(), 0
    said: dict[str, list[bytes]] = {account: [] for account in ACCOUNTS}
    for part in parts:
        heard = [Received("control", account, control, place) for place, (account, control) in enumerate(part.controls)]
        round_ = Round(part.end.round, part.end.ts, previous_ts, canonical(heard), part.market_data)
        for output in fold.fold(round_):
            said[output.account].append(msgspec.json.encode(output.message))
        previous_ts = part.end.ts
    return said, fold


def make_fold(_settings: Settings, _market: Market) -> Counting:
    """A fold that remembers nothing yet."""
    return Counting()


def samples(market: Market, fold: Counting) -> Iterator[Sample]:
    """How much was folded."""
    yield Sample(SEEN, tuple(market), float(fold.state()["memory"]["messages"][0]))  # type: ignore[call-overload]


SERVICE: Final = Service(
    name=NAME,
    inputs=INPUTS,
    make_fold=make_fold,
    metrics=(SEEN,),
    samples=samples,
)

if __name__ == "__main__":
    main(SERVICE)
