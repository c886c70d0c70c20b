"""Rounds: how the messages of one market are cut at `round_ms` of event time. Pure, no clock but the messages'."""

from typing import NamedTuple

from shared.messages import Gap, Instrument, Message, RoundEnd


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
      messages of one frame stay together.
    * A round ends at the last nanosecond of its window, so no ts in it is larger.
    * The first round holds the instrument alone, in the window before the first data.
    * If nothing came for more than `gap_after_ns` of receive time, a Gap precedes the next data.
    """

    def __init__(self, instrument: Instrument, session: str, round_ns: int, gap_after_ns: int) -> None:
        self._instrument = instrument
        self._session = session
        self._round_ns = round_ns
        self._gap_after_ns = gap_after_ns
        self._clock = 0
        self._number = -1
        self._frame = 0
        self._recv_ns = 0
        self._messages: list[Message] = []

    def add(self, recv_ns: int, frame: int, messages: list[Message]) -> list[MarketRound]:
        """Take the messages of frame number `frame` (from 1); return the rounds that this closes."""
        if not messages:
            self._frame = frame
            return []
        closed = []
        clock = max(self._clock, *(message.ts for message in messages))
        number = clock // self._round_ns
        if self._number < 0:
            closed.append(self._first(number, recv_ns))
        elif number > self._number:
            closed.append(self._close(final=False))
        if self._recv_ns and recv_ns - self._recv_ns > self._gap_after_ns:
            self._gap("silence", max(messages[0].ts, self._clock), recv_ns)
        self._messages += messages
        self._number, self._clock, self._frame, self._recv_ns = number, clock, frame, recv_ns
        return closed

    def end(self, gap_reason: str = "") -> list[MarketRound]:
        """The last round, marked final; `gap_reason` says that the source broke off. Empty if there was no data."""
        if self._number < 0:
            return []
        if gap_reason:
            self._gap(gap_reason, self._clock, self._recv_ns)
        return [self._close(final=True)]

    def _first(self, number: int, recv_ns: int) -> MarketRound:
        self._number, self._recv_ns = number - 1, recv_ns
        opened = self._end_of(number - 1)
        rules = self._instrument
        self._messages.append(
            Instrument(
                ts=opened,
                tick_size=rules.tick_size,
                lot_size=rules.lot_size,
                significant_figures=rules.significant_figures,
                min_notional=rules.min_notional,
            )
        )
        return self._close(final=False)

    def _close(self, final: bool) -> MarketRound:
        marker = RoundEnd(
            ts=self._end_of(self._number),
            recv_ts=self._recv_ns,
            round=self._number,
            frame=self._frame,
            session=self._session,
            final=final,
        )
        closed = MarketRound((*self._messages, marker), self._recv_ns)
        self._messages = []
        return closed

    def _gap(self, reason: str, to_ts: int, recv_ns: int) -> None:
        self._messages.append(Gap(ts=to_ts, recv_ts=recv_ns, from_ts=self._clock, to_ts=to_ts, reason=reason))

    def _end_of(self, number: int) -> int:
        return (number + 1) * self._round_ns - 1
