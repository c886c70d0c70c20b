"""A venue, a line with faults and the feed behind it, all in virtual time."""

import random
from collections import Counter
from collections.abc import Sequence
from typing import Final

from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.kernel import MarketRound
from papertrader.services.feed.live.market import LiveMarket
from papertrader.services.feed.venues.config import LiveConfig
from papertrader.services.feed.venues.hyperliquid.frames import HyperliquidAdapter
from papertrader.shared.log.subjects import Market
from papertrader.shared.messages import Instrument
from tools.venue_server.faults import Fault, Faults
from tools.venue_server.frames import Frame

STEP_S: Final = 0.05
DELAY_NS: Final = 300_000_000
RECEIVE_TIMEOUT_S: Final = 1.0
MARKET: Final = Market("hyperliquid", "BTC")
CONFIG: Final = FeedConfig(gap_after_ms=1_500, live=LiveConfig(idle_ms=1_000))


class FaultyLine:
    """Plays frames through faults into a live market, breaking and mending its one connection like the real one."""

    def __init__(self, instrument: Instrument, faults: Sequence[Fault], seed: int) -> None:
        self.adapter = HyperliquidAdapter(frozenset({"BTC"}))
        self.market = LiveMarket(MARKET, instrument, 1, CONFIG)
        self.adapter.bad["BTC"] = self.market.bad
        self.rounds: list[MarketRound] = []
        self.losses = 0
        self._faults = Faults(seed)
        self._script = sorted(faults)
        self._random = random.Random(seed)
        self._up = True
        self._up_at = 0.0
        self._heard_s = 0.0

    def play(self, frames: Sequence[Frame]) -> None:
        """Play all frames, and the time between them."""
        start_ns, now_s = frames[0].due_ns, 0.0
        for frame in frames:
            due_s = (frame.due_ns - start_ns) * 1e-9
            while now_s + STEP_S <= due_s:
                now_s += STEP_S
                self._pass_time(start_ns + DELAY_NS, now_s)
            self._transmit(start_ns + DELAY_NS, due_s, frame.data)
        for _ in range(4):
            now_s += STEP_S
            self._pass_time(start_ns + DELAY_NS, now_s)

    def _transmit(self, origin_ns: int, now_s: float, data: bytes) -> None:
        sent = self._faults.send(now_s, data)
        if not self._up:
            return
        for frame in sent:
            self._heard_s = now_s
            messages = [message for _, message in self.adapter.frame(origin_ns + int(now_s * 1e9), frame)]
            if messages:
                self.market.hear(origin_ns + int(now_s * 1e9), messages)

    def _pass_time(self, origin_ns: int, now_s: float) -> None:
        while self._script and self._script[0].at_s <= now_s:
            self._faults.start(self._script.pop(0), now_s)
        half_open = self._faults.active("dead", now_s) and now_s - self._heard_s > RECEIVE_TIMEOUT_S
        if self._up and (self._faults.take_cut() or half_open):
            self._up, self._up_at = False, now_s + self._random.uniform(0.0, 0.5)
            self.losses += 1
            self.adapter.reconnected()
            self.market.lost("disconnected")
        refused = any(self._faults.active(kind, now_s) for kind in ("drop", "slow_start", "dead"))
        if not self._up and now_s >= self._up_at and not refused:
            self._up, self._heard_s = True, now_s
        alive = self._up and now_s - self._heard_s < CONFIG.live.idle_ms * 1e-3
        if self.market.pass_time(origin_ns + int(now_s * 1e9), alive):
            self.adapter.reconnected()
        while self.market.backlog:
            self.rounds.append(self.market.backlog.popleft())

    @property
    def bad(self) -> Counter[str]:
        """Everything that was refused."""
        return sum(self.adapter.bad.values(), Counter())
