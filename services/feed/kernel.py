"""Rounds: how the messages of one market are cut at `round_ms` of event time. Pure, no clock but the messages'."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import msgspec

from papertrader.services.feed.price_grid import PriceGrid
from papertrader.shared.messages import Gap, Instrument, Message, RoundEnd


class Break(NamedTuple):
    """A source broke off, and why: a gap precedes what comes next."""

    reason: str


Frames: TypeAlias = Iterator[tuple[int, "list[Message] | Break | Instrument"]]
"""Per frame of a source: its receive time in ns and one market's messages, that it broke off there, or rules told."""


class MarketRound(NamedTuple):
    """The market data of one round; the last message is its RoundEnd. `recv_ts` is that of its last frame."""

    messages: tuple[Message, ...]
    recv_ts: int

    @property
    def end(self) -> RoundEnd:
        """The marker that closes the round."""
        marker = self.messages[-1]
        assert isinstance(marker, RoundEnd)
        return marker


class RoundBuilder:
    """Cuts one market's messages into rounds.

    * The event clock is the largest ts so far; a round's number is clock // round_ns and never repeats.
    * A frame that moves the clock into a later window closes the round before it; empty windows are skipped. The
      messages of one frame stay together. What is late joins the next round that is still open.
    * A round ends at the last nanosecond of its window, so no ts in it is larger.
    * The first round holds the instrument alone, in the window before the first data. A change of the instrument
      stands at the beginning of a round and is in force for the whole of it: a finer tick in the round that needs it
      first, any other change in the next one.
    * If nothing came for more than `gap_after_ns` of receive time, or the source broke off, a Gap precedes the next
      data.
    """

    def __init__(
        self, instrument: Instrument, session: str, round_ns: int, gap_after_ns: int, bad: Counter[str] | None = None
    ) -> None:
        self.clock = 0
        self._grid = PriceGrid(instrument, Counter() if bad is None else bad)
        self._in_force = instrument
        self._session = session
        self._round_ns = round_ns
        self._gap_after_ns = gap_after_ns
        self._open = -1  # number of the open round, -1 while there is none
        self._closed = -1  # number of the last closed round
        self._started = False
        self._broken = ""
        self._frame = 0
        self._recv_ns = 0
        self._messages: list[Message] = []

    def resume(self, number: int, ts: int, reason: str) -> None:
        """Go on after round `number` that ended at `ts`; what came since is a gap."""
        self._closed, self.clock, self._broken = number, ts, reason

    @property
    def instrument(self) -> Instrument:
        """The trading rules as they are known now."""
        return self._grid.instrument

    def tell(self, instrument: Instrument) -> None:
        """The venue has told its trading rules anew."""
        self._grid.tell(instrument)

    def broke(self, reason: str) -> None:
        """The source broke off: a gap from the event clock precedes the next data."""
        if self._started:
            self._broken = self._broken or reason

    def add(self, recv_ns: int, frame: int, messages: list[Message]) -> list[MarketRound]:
        """Take the messages of frame number `frame` (from 1); return the rounds that this closes."""
        messages = self._grid.fitted(messages)
        if not messages:
            self._frame = frame
            return []
        clock = max(self.clock, *(message.ts for message in messages))
        closed = [] if self._started else [self._first(clock, recv_ns)]
        number = max(clock // self._round_ns, self._closed + 1)
        if 0 <= self._open < number:
            closed.append(self._close(self._recv_ns))
        self._change_rules(clock)
        if self._broken or (self._recv_ns and recv_ns - self._recv_ns > self._gap_after_ns):
            self._gap(self._broken or "silence", max(messages[0].ts, self.clock), recv_ns)
        self._messages += messages
        self._open = max(number, self._open)
        self.clock, self._frame, self._recv_ns, self._broken = clock, frame, recv_ns, ""
        return closed

    def _change_rules(self, ts: int) -> None:
        """Say a change of the instrument at the beginning of the open round, unless it has to wait for the next one."""
        rules, before = self._grid.instrument, self._in_force
        begun = self._open >= 0 and bool(self._messages)
        if rules == before or (begun and rules.tick_size >= before.tick_size):
            return
        said = msgspec.structs.replace(rules, ts=ts)
        if begun and isinstance(self._messages[0], Instrument):
            self._messages[0] = said
        else:
            self._messages.insert(0, said)
        self._in_force = rules

    def close_by(self, ts: int) -> list[MarketRound]:
        """Close the open round if its window has ended at event time `ts`."""
        if self._open >= 0 and self._end_of(self._open) <= ts:
            return [self._close(self._recv_ns)]
        return []

    def idle(self, ts: int, recv_ns: int, gap_reason: str = "") -> list[MarketRound]:
        """Let time go on without data up to the last window that has ended at event time `ts`.

        With a reason the time that passed is a gap, and so is what passes until the next data.
        """
        closed = self.close_by(ts)
        number = (ts + 1) // self._round_ns - 1
        if not self._started or self._open >= 0 or number <= self._closed:
            return closed
        self._open = number
        if gap_reason:
            self._gap(gap_reason, self._end_of(number), recv_ns)
            self.clock, self._broken = self._end_of(number), gap_reason
        return [*closed, self._close(recv_ns)]

    def end(self, gap_reason: str = "") -> list[MarketRound]:
        """The last round, marked final; `gap_reason` says that the source broke off. Empty if there was no data."""
        if not self._started:
            return []
        if gap_reason:
            self._gap(gap_reason, self.clock, self._recv_ns)
        self._open = max(self._open, self._closed + 1)
        return [self._close(self._recv_ns, final=True)]

    def _first(self, clock: int, recv_ns: int) -> MarketRound:
        self._started, self._recv_ns = True, recv_ns
        self._open = max(clock // self._round_ns - 1, self._closed + 1)
        self._in_force = self._grid.instrument
        self._messages.append(msgspec.structs.replace(self._in_force, ts=self._end_of(self._open)))
        return self._close(recv_ns)

    def _close(self, recv_ns: int, final: bool = False) -> MarketRound:
        marker = RoundEnd(
            ts=self._end_of(self._open),
            recv_ts=recv_ns,
            round=self._open,
            frame=self._frame,
            session=self._session,
            final=final,
        )
        closed = MarketRound((*self._messages, marker), recv_ns)
        self._messages = []
        self._closed, self._open = self._open, -1
        return closed

    def _gap(self, reason: str, to_ts: int, recv_ns: int) -> None:
        self._messages.append(Gap(ts=to_ts, recv_ts=recv_ns, from_ts=self.clock, to_ts=to_ts, reason=reason))

    def _end_of(self, number: int) -> int:
        return (number + 1) * self._round_ns - 1
