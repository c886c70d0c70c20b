"""What a service is: a fold over one market's log, one round at a time.

A round is everything that the log holds for a market between two `round` markers. It is folded in a fixed order -
what was said in the last round by kind and account, then the market data in the order of the log - so the order in
which publishers happened to write within a round can never matter.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from papertrader.shared.log.kinds import MARKET_TOKEN, ORDER, TERMS, Kind
from papertrader.shared.messages import Instrument, Message, RoundEnd

State = Mapping[str, npt.NDArray[np.generic]]
"""A fold's whole state: named arrays, so that a checkpoint is their bytes."""


class Received(NamedTuple):
    """A message of the log."""

    kind: Kind
    account: str
    message: Message
    sequence: int


class Output(NamedTuple):
    """A message that a fold wants on the log."""

    kind: Kind
    account: str
    message: Message


class Round(NamedTuple):
    """One closed round. `ts` is the event clock at its end, `previous_ts` at its start (0 in the first round).

    `final` says that the source has ended: no round follows. `events` is the market data as EVENT rows where the caller
    has them already.
    """

    number: int
    ts: int
    previous_ts: int
    heard: tuple[Received, ...]
    market_data: tuple[Message, ...]
    final: bool = False
    events: npt.NDArray[np.void] | None = None

    def of(self, kind: Kind, account: str) -> list[Message]:
        """What was said to one account in one kind, in the order of the log."""
        return [item.message for item in self.heard if item.kind == kind and item.account == account]


class Fold(Protocol):
    """One service's fold of one market: pure, deterministic, no clock but the round's."""

    def fold(self, round_: Round) -> Iterable[Output]:
        """Fold a round and say what follows from it."""
        ...

    def state(self) -> State:
        """The arrays that are the state, not copies: restoring writes into them."""
        ...


def canonical(said: Collection[Received]) -> tuple[Received, ...]:
    """What was said in a round, in the order in which every fold hears it: by kind, account and sequence."""
    return tuple(sorted(said, key=lambda item: (ORDER[item.kind], item.account, item.sequence))) if said else ()


class RoundBuffer:
    """What one fold hears of a market: collected from the log until a marker closes the round.

    `inputs` are the kinds that the fold reads, `md` standing for all market data; instrument and terms are always among
    them.
    `number` and `ts` are those of the last closed round.
    """

    def __init__(self, inputs: Collection[Kind]) -> None:
        self.number = -1
        self.ts = 0
        self._inputs = frozenset(inputs)
        self._hears_market_data = MARKET_TOKEN in inputs
        self._heard: list[Received] = []
        self._market_data: list[Message] = []

    def hear(self, kind: Kind, account: str, message: Message, sequence: int) -> None:
        """Take a message that is not a marker; what the fold does not read is let go."""
        if not account:
            if self._hears_market_data or kind == "instrument" or kind in self._inputs:
                self._market_data.append(message)
        elif kind in self._inputs or kind == TERMS:
            self._heard.append(Received(kind, account, message, sequence))

    def is_new(self, end: RoundEnd) -> bool:
        """Whether a marker closes a round that has not been closed yet."""
        return not end.discard and end.round > self.number

    def is_whole(self, end: RoundEnd) -> bool:
        """Whether all of the round's market data is there."""
        return not self._hears_market_data or len(self._market_data) == end.messages

    def drop(self) -> None:
        """Forget the market data since the last marker: it will come again. A feed that lost its connection does so."""
        self._market_data.clear()

    def close(self, end: RoundEnd, events: npt.NDArray[np.void] | None = None) -> Round:
        """The round that a marker closes; `events` is its market data as EVENT rows where the caller has them."""
        closed = Round(
            number=end.round,
            ts=end.ts,
            previous_ts=self.ts,
            heard=canonical(self._heard),
            market_data=tuple(self._market_data),
            final=end.final,
            events=events,
        )
        self.number, self.ts = end.round, end.ts
        self._heard, self._market_data = [], []
        return closed


def instrument_of(round_: Round) -> Instrument | None:
    """The trading rules, if the round brings them."""
    for message in round_.market_data:
        if type(message) is Instrument:
            return message
    return None
