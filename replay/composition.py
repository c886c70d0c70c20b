"""All folds of one market in one process, exchanging messages at the boundaries of rounds as they do on the bus."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from papertrader.services.calibration.__main__ import SERVICE as CALIBRATION
from papertrader.services.estimator.__main__ import SERVICE as ESTIMATOR
from papertrader.services.fill_sim.__main__ import SERVICE as FILL_SIM
from papertrader.services.monitor.__main__ import SERVICE as MONITOR
from papertrader.services.outcome_tracker.__main__ import SERVICE as OUTCOME_TRACKER
from papertrader.services.quoter.__main__ import SERVICE as QUOTER
from papertrader.shared.log.subjects import Market
from papertrader.shared.messages import Message, RoundEnd
from papertrader.shared.service.config import Settings
from papertrader.shared.service.fold import Fold, Output, Received, Round, canonical
from papertrader.shared.service.runtime import Service

MEMBERS: Final[Mapping[str, Service]] = {
    service.name: service for service in (FILL_SIM, QUOTER, ESTIMATOR, OUTCOME_TRACKER, CALIBRATION, MONITOR)
}
"""The services as their processes run them: what each hears and how its fold is made."""


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
        self._said: list[Received] = []
        self._sequence = 0
        self._previous_ts = 0

    def fold(self, market_data: Sequence[Message], end: RoundEnd, commands: Sequence[Received] = ()) -> list[Spoken]:
        """Fold one round in every service: each hears what was said in the round before."""
        said, spoken = [*self._said, *commands], []
        for name, fold in self.folds.items():
            inputs = MEMBERS[name].inputs
            round_ = Round(
                number=end.round,
                ts=end.ts,
                previous_ts=self._previous_ts,
                said=canonical([item for item in said if item.kind in inputs]),
                market_data=tuple(market_data),
                final=end.final,
            )
            spoken += [Spoken(name, end.round, index, output) for index, output in enumerate(fold.fold(round_))]
        self._said = [self._received(item.output) for item in spoken]
        self._previous_ts = end.ts
        return spoken

    def _received(self, output: Output) -> Received:
        self._sequence += 1
        return Received(output.kind, output.account, output.message, self._sequence)

    def run(self, rounds: Iterable[tuple[Sequence[Message], RoundEnd]]) -> Iterator[Spoken]:
        """Fold every round and hand on everything that is said."""
        for market_data, end in rounds:
            yield from self.fold(market_data, end)
