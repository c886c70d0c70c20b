"""All folds of one market in one process, exchanging messages at the boundaries of rounds as they do on the bus."""

import importlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from papertrader.shared.log.health import FOLDS, section_of
from papertrader.shared.log.kinds import KIND_OF
from papertrader.shared.log.subjects import Market
from papertrader.shared.market.events import Events
from papertrader.shared.messages import Message, RoundEnd
from papertrader.shared.service.config import Settings
from papertrader.shared.service.fold import Fold, Output, Received, RoundBuffer

if TYPE_CHECKING:
    from papertrader.shared.service.runtime import Service


class Members(Mapping[str, "Service"]):
    """The services as their processes run them; each is imported when it is asked for, with all that it needs."""

    def __getitem__(self, name: str) -> "Service":
        if name not in FOLDS:
            raise KeyError(name)
        found: Service = importlib.import_module(f"papertrader.services.{section_of(name)}.__main__").SERVICE
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(FOLDS)

    def __len__(self) -> int:
        return len(FOLDS)


MEMBERS: Final = Members()
"""What each service hears, and how its fold is made."""


class Spoken(NamedTuple):
    """What a service said in a round; `place` counts what it said in it."""

    service: str
    round: int
    place: int
    output: Output


class Composition:
    """The folds of one market. `fold` takes a round's market data and its marker and returns what was said in it.

    `commands` are somebody else's, a person's or a program's, that are heard in the round.
    """

    def __init__(self, settings: Settings, market: Market, services: Iterable[str] = MEMBERS) -> None:
        self.folds: dict[str, Fold] = {name: MEMBERS[name].make_fold(settings, market) for name in services}
        self._buffers = {name: RoundBuffer(MEMBERS[name].inputs) for name in self.folds}
        self._sequence = 0

    def fold(
        self,
        market_data: Sequence[Message],
        end: RoundEnd,
        commands: Sequence[Received] = (),
        events: Events | None = None,
    ) -> list[Spoken]:
        """Fold one round in every service: each hears what was said in the round before, and commands from outside.

        `events` is the market data as EVENT rows where the caller has them; messages then say only what rows do not.
        """
        spoken: list[Spoken] = []
        self._hear(commands)
        for name, fold in self.folds.items():
            buffer = self._buffers[name]
            for message in market_data:
                buffer.hear(KIND_OF[type(message)], "", message, 0)
            said = fold.fold(buffer.close(end, events))
            spoken += [Spoken(name, end.round, index, output) for index, output in enumerate(said)]
        self._hear(self._received(item.output) for item in spoken)
        return spoken

    def _hear(self, said: Iterable[Received]) -> None:
        for item in said:
            for buffer in self._buffers.values():
                buffer.hear(*item)

    def _received(self, output: Output) -> Received:
        self._sequence += 1
        return Received(output.kind, output.account, output.message, self._sequence)

    def run(self, rounds: Iterable[tuple[Sequence[Message], RoundEnd]]) -> Iterator[Spoken]:
        """Fold every round and hand on everything that is said."""
        for market_data, end in rounds:
            yield from self.fold(market_data, end)
