"""What a service is: a fold over one market's log, one round at a time.

A round is everything that the log holds for a market between two `round` markers. It is folded in a fixed order -
what was said in the last round by kind and account, then the market data in the order of the log - so the order in
which publishers happened to write within a round can never matter.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from papertrader.shared.log.subjects import ACCOUNT_KINDS, Kind
from papertrader.shared.messages import Instrument, Message

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
    said: tuple[Received, ...]
    market_data: tuple[Message, ...]
    final: bool = False
    events: npt.NDArray[np.void] | None = None

    def of(self, kind: Kind, account: str) -> list[Message]:
        """What was said to one account in one kind, in the order of the log."""
        return [item.message for item in self.said if item.kind == kind and item.account == account]


class Fold(Protocol):
    """One service's fold of one market: pure, deterministic, no clock but the round's."""

    def fold(self, round_: Round) -> Iterable[Output]:
        """Fold a round and say what follows from it."""
        ...

    def state(self) -> State:
        """The arrays that are the state, not copies: restoring writes into them."""
        ...


_ORDER = {kind: index for index, kind in enumerate(ACCOUNT_KINDS)}


def canonical(said: Collection[Received]) -> tuple[Received, ...]:
    """What was said in a round, in the order in which every fold hears it: by kind, account and sequence."""
    return tuple(sorted(said, key=lambda item: (_ORDER[item.kind], item.account, item.sequence))) if said else ()


def instrument_of(round_: Round) -> Instrument | None:
    """The trading rules, if the round brings them."""
    for message in round_.market_data:
        if type(message) is Instrument:
            return message
    return None
