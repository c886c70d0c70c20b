"""All folds of one market in one process, exchanging messages at the boundaries of rounds as they do on the bus."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from services.calibration.config import CalibrationConfig
from services.calibration.service import Calibration
from services.estimator.config import EstimatorConfig
from services.estimator.service import Estimator
from services.fill_sim.config import FillSimConfig
from services.fill_sim.service import FillSim
from services.monitor.config import MonitorConfig
from services.monitor.service import Monitor
from services.outcome_tracker.config import OutcomeTrackerConfig
from services.outcome_tracker.service import OutcomeTracker
from services.quoter.config import QuoterConfig
from services.quoter.service import Quoter
from shared.config import Settings
from shared.fold import Fold, Output, Received, Round, canonical
from shared.messages import Message, RoundEnd
from shared.subjects import Kind, Market


class Member(NamedTuple):
    """A service in the composition: what it hears and how its fold is made."""

    inputs: Collection[Kind]
    make: Callable[[Settings, Market], Fold]


MEMBERS: Final[Mapping[str, Member]] = {
    "fill-sim": Member(
        ("md", "orders", "estimate", "control"),
        lambda settings, market: FillSim(market, settings.by_account("fill_sim", FillSimConfig)),
    ),
    "quoter": Member(
        ("md", "estimate", "calibration", "account", "acks", "fills", "control"),
        lambda settings, market: Quoter(market, settings.by_account("quoter", QuoterConfig)),
    ),
    "estimator": Member(
        ("md", "fills", "acks", "markouts"),
        lambda settings, market: Estimator(market, settings.by_account("estimator", EstimatorConfig)),
    ),
    "outcome-tracker": Member(
        ("md", "fills", "acks"),
        lambda settings, market: OutcomeTracker(market, settings.by_account("outcome_tracker", OutcomeTrackerConfig)),
    ),
    "calibration": Member(
        ("fills", "acks", "markouts", "estimate"),
        lambda settings, market: Calibration(market, settings.by_account("calibration", CalibrationConfig)),
    ),
    "monitor": Member(
        ("md", "orders", "acks", "fills", "account", "markouts", "estimate", "calibration", "control"),
        lambda settings, market: Monitor(market, settings.by_account("monitor", MonitorConfig)),
    ),
}


class Spoken(NamedTuple):
    """What a service said in a round; `place` counts what it said in it."""

    service: str
    round: int
    place: int
    output: Output


class Composition:
    """The folds of one market. `fold` takes a round's market data and its marker and returns what was said in it."""

    def __init__(self, settings: Settings, market: Market, services: Iterable[str] = MEMBERS) -> None:
        self.folds: dict[str, Fold] = {name: MEMBERS[name].make(settings, market) for name in services}
        self._said: list[Received] = []
        self._sequence = 0
        self._previous_ts = 0

    def fold(self, market_data: Sequence[Message], end: RoundEnd) -> list[Spoken]:
        """Fold one round in every service: each hears what was said in the round before."""
        said, spoken = self._said, []
        for name, fold in self.folds.items():
            inputs = MEMBERS[name].inputs
            round_ = Round(
                number=end.round,
                ts=end.ts,
                previous_ts=self._previous_ts,
                said=canonical(item for item in said if item.kind in inputs),
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
