"""What a market's rounds were made of: the numbers behind the feed's metrics."""

from collections import Counter

from papertrader.services.feed.kernel import MarketRound
from papertrader.shared.log.kinds import KIND_OF
from papertrader.shared.messages import Gap


class Tally:
    """Counts of one market: messages by kind, gaps by reason, and what was refused by reason (`bad`)."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Begin to count."""
        self.bad: Counter[str] = Counter()
        self.messages: Counter[str] = Counter()
        self.gaps: Counter[str] = Counter()
        self.last_ts = 0
        self.last_recv_ts = 0
        self._gap_end = 0

    def count(self, round_: MarketRound) -> None:
        """Count a round. A gap that goes on where the last one ended is the same gap."""
        for message in round_.messages:
            self.messages[KIND_OF[type(message)]] += 1
            if isinstance(message, Gap):
                if message.from_ts != self._gap_end:
                    self.gaps[message.reason] += 1
                self._gap_end = message.to_ts
        self.last_ts, self.last_recv_ts = round_.end.ts, round_.recv_ts
