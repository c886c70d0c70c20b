"""One live market: what was received, cut into rounds as time passes. Pure: every time comes from the caller."""

import asyncio
from collections import deque
from typing import Final

from papertrader.services.feed.adapter import NS_PER_MS
from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.kernel import MarketRound, RoundBuilder
from papertrader.services.feed.publisher import SessionError, live_session_id
from papertrader.services.feed.tally import Tally
from papertrader.shared.log.subjects import Market
from papertrader.shared.messages import Instrument, Message

MAX_BACK_NS: Final = 60_000_000_000
"""How far the first data may lie before the end of an earlier session."""
ORDERS_UNDER_WAY_NS: Final = 3_000_000_000
"""So long after a command rounds go on without data: it travels, and it is answered when a round ends."""
GAP_ROUND_NS: Final = 5_000_000_000
"""Time between two rounds while there is a gap."""


class LiveMarket(Tally):
    """Cuts a live market into the same rounds as a tape, without waiting for the frame that would close each.

    The event clock is estimated as the event time of the last frame plus the local time since it was received. It is
    behind the venue by the delay of that frame, so it never passes what the venue may send next on the same path; a
    slower frame joins a later round and keeps its own ts. The last frame counts, not the newest: were the venue's clock
    to jump ahead and back again, time would stand still until it has caught up, and go on.

    * A round closes when data of a later window comes, or `grace_ms` after the estimate has passed its end.
    * A quiet market on a connection that brings data of others gets a round without data every `idle_ms`, and
      every `round_ms` while commands are under way, so that nobody waits long for an answer; data of a later window
      ends the empty one before it, too. While a whole
      connection brings none time stands still, so that no markout is resolved on what may have been missed.
    * After `gap_after_ms` of silence, or at once when the connection breaks, a gap is published, and again while it
      lasts, so that time goes on and everybody knows that it passed unseen.
    """

    def __init__(self, market: Market, instrument: Instrument, start_ns: int, config: FeedConfig) -> None:
        super().__init__()
        self.market = market
        self.session = live_session_id(market, start_ns)
        self.backlog: deque[MarketRound] = deque()
        self.arrived = asyncio.Event()
        self._backlog_rounds = config.live.backlog_rounds
        self._gap_after_ns = config.gap_after_ms * NS_PER_MS
        self._grace_ns = config.live.grace_ms * NS_PER_MS
        self._idle_ns = config.live.idle_ms * NS_PER_MS
        self._round_ns = config.round_ms * NS_PER_MS
        self._commanded_ns = 0  # when somebody last sent a command
        self._builder = RoundBuilder(
            instrument, self.session, config.round_ms * NS_PER_MS, self._gap_after_ns, self.bad
        )
        self._frames = 0
        self._heard_ns = 0  # when data last came
        self._idle_from_ns = 0  # when time last moved
        self._clock = (0, 0)  # event time of the last frame, and when it was received
        self._gap_reason = ""
        self._resumed_ts = 0

    @property
    def instrument(self) -> Instrument:
        """The trading rules as they are known now."""
        return self._builder.instrument

    @property
    def in_gap(self) -> bool:
        """Whether data is missed now."""
        return bool(self._gap_reason)

    def resume(self, number: int, ts: int) -> None:
        """Go on after what an earlier session has left in the log."""
        self._builder.resume(number, ts, "restarted")
        self._resumed_ts = ts

    def tell(self, instrument: Instrument) -> None:
        """The venue has told its trading rules anew."""
        self._builder.tell(instrument)

    def hear(self, now_ns: int, messages: list[Message]) -> None:
        """Take the messages of a frame that was received now."""
        self._frames += 1
        if len(self.backlog) >= self._backlog_rounds:
            self.bad["backlog"] += len(messages)
            self._builder.broke("backlog")
            return
        newest = max(message.ts for message in messages)
        if newest < self._resumed_ts - MAX_BACK_NS:
            raise SessionError(
                f"the log of {self.market} is {(self._resumed_ts - newest) * 1e-9:.0f} s ahead of the venue: "
                "use another data directory"
            )
        if self.waited_for(now_ns) and not self._gap_reason:
            self._take(self._builder.idle(newest, now_ns))
        self._clock = (newest, now_ns)
        self._heard_ns = self._idle_from_ns = now_ns
        self._gap_reason = ""
        self._take(self._builder.add(now_ns, self._frames, messages))

    def command(self, now_ns: int) -> None:
        """Somebody has sent a command, and waits for its answer."""
        self._commanded_ns = now_ns

    def lost(self, reason: str) -> None:
        """The connection broke: what comes until data comes again is missed."""
        self._builder.broke(reason)
        if not self._gap_reason:
            self._gap_reason, self._idle_from_ns = reason, 0

    def pass_time(self, now_ns: int, alive: bool) -> bool:
        """Let time pass; `alive`: the connection brought data within `idle_ms`. True if a silence begins now."""
        if not self._heard_ns or len(self.backlog) >= self._backlog_rounds:
            return False
        event_ns = self.event_ns(now_ns)
        self._take(self._builder.close_by(event_ns - self._grace_ns))
        silence = not self._gap_reason and now_ns - self._heard_ns > self._gap_after_ns
        if silence:
            self._gap_reason, self._idle_from_ns = "silence", 0
        if self._gap_reason:
            self._go_on(event_ns, now_ns, GAP_ROUND_NS)
        elif alive:
            every_ns = self._round_ns if self.waited_for(now_ns) else self._idle_ns
            self._go_on(event_ns - self._grace_ns, now_ns, every_ns)
        return silence

    def waited_for(self, now_ns: int) -> bool:
        """Whether a command is under way, and its answer waited for."""
        return now_ns - self._commanded_ns < ORDERS_UNDER_WAY_NS

    def event_ns(self, now_ns: int) -> int:
        """The estimated event time."""
        ts, received_ns = self._clock
        return ts + max(now_ns - received_ns, 0)

    def _go_on(self, event_ns: int, now_ns: int, every_ns: int) -> None:
        if now_ns - self._idle_from_ns < every_ns:
            return
        self._take(self._builder.close_by(event_ns))
        rounds = self._builder.idle(event_ns, now_ns, self._gap_reason)
        if rounds:
            self._idle_from_ns = now_ns
            self._take(rounds)

    def _take(self, rounds: list[MarketRound]) -> None:
        for round_ in rounds:
            self.count(round_)
            self.backlog.append(round_)
            self.arrived.set()
