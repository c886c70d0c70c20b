"""The stage: paper exchanges that hear a maker's live orders, each at its time, and what became of each order there.

Not simulated is what paper cannot know of the live account: its other positions and its margin. So the paper account
has money without end, and a reduce-only order is taken as any other.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from papertrader.replay.twin.mids import MidPath, MidRecorder
from papertrader.services.fill_sim.config import FillSimConfig
from papertrader.services.fill_sim.service import FillSim
from papertrader.shared.log.subjects import Market
from papertrader.shared.messages import Ack, Cancel, Fill, Gap, Message, Place, RoundEnd
from papertrader.shared.service.fold import Received, Round, canonical

WITHOUT_LIMITS: Final = {"initial_cash": 1e12, "leverage": 200.0, "max_distance": 1.0}
ENDS: Final = frozenset({"filled", "cancelled", "expired", "rejected"})


class PaperOrder(NamedTuple):
    """What became of a live order on paper. `ack` is the last word on it, None while it stands."""

    ack: Ack | None
    fills: tuple[Fill, ...]

    @property
    def filled_size(self) -> float:
        """How much was filled."""
        return sum(fill.size for fill in self.fills)


class Command(NamedTuple):
    """A place or cancel. A lane is an account: it holds as many orders at once as an account may have."""

    ts: int
    lane: int
    message: Place | Cancel


class Stage:
    """One market's paper exchanges, by name, and the mids that they saw."""

    def __init__(
        self, market: Market, exchanges: Mapping[str, FillSimConfig], lanes: int, rounds: int | None = None
    ) -> None:
        """Exchanges of so many lanes each; the mids of the last so many rounds, or of all, are kept."""
        self._names = tuple(exchanges)
        self._fold = FillSim(
            market,
            {
                f"{name}/{lane}": msgspec.structs.replace(config, **WITHOUT_LIMITS)
                for name, config in exchanges.items()
                for lane in range(lanes)
            },
        )
        self._acks: dict[tuple[str, int], Ack] = {}
        self._fills: dict[tuple[str, int], list[Fill]] = {}
        self._recorder = MidRecorder(rounds)
        self._previous_ts = 0
        self._rounds = 0
        self._heard = 0

    @property
    def clock(self) -> int:
        """The end of the last round, ns."""
        return self._previous_ts

    @property
    def mids(self) -> MidPath:
        """The mids so far."""
        return self._recorder.path()

    def fold(self, messages: Sequence[Message], commands: Sequence[Command]) -> None:
        """Fold a round, its marker last, with the commands that are decided in it; the first round hears none."""
        *data, end = messages
        assert isinstance(end, RoundEnd)
        round_ = Round(self._rounds, end.ts, self._previous_ts, self._received(commands), tuple(data))
        for output in self._fold.fold(round_):
            self._keep(output.account.rpartition("/")[0], output.message)
        for message in data:
            if isinstance(message, Gap):
                self._recorder.gap(message.from_ts, message.to_ts)
        self._recorder.end_round(end.ts, self._fold.mid)
        self._previous_ts = end.ts
        self._rounds += 1

    def _received(self, commands: Sequence[Command]) -> tuple[Received, ...]:
        first = self._heard
        self._heard += len(commands)
        return canonical(
            [
                Received("orders", f"{name}/{command.lane}", command.message, sequence)
                for sequence, command in enumerate(commands, start=first)
                for name in self._names
            ]
        )

    def _keep(self, name: str, message: Message) -> None:
        if isinstance(message, Ack):
            if message.status != "refused":  # a cancel that found its order filled says nothing of the order
                self._acks[name, message.order_id] = message
        elif isinstance(message, Fill):
            self._fills.setdefault((name, message.order_id), []).append(message)

    def paper(self, name: str, order_id: int) -> PaperOrder:
        """What has become of an order so far."""
        ack = self._acks.get((name, order_id))
        ended = ack if ack is not None and ack.status in ENDS else None
        return PaperOrder(ended, tuple(self._fills.get((name, order_id), ())))

    def forget(self, order_id: int) -> None:
        """Drop what is known of an order that will not be asked for again."""
        for name in self._names:
            self._acks.pop((name, order_id), None)
            self._fills.pop((name, order_id), None)
