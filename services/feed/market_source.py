"""One market of a synthetic or recorded session."""

from collections import Counter
from collections.abc import Callable, Iterator

from papertrader.services.feed.adapter import NS_PER_MS
from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.kernel import Break, Frames, MarketRound, RoundBuilder
from papertrader.services.feed.tally import Tally
from papertrader.shared.log.subjects import Market
from papertrader.shared.market.tape import TapeError
from papertrader.shared.messages import Instrument


class MarketSource(Tally):
    """One market of a session. `session` is the same whenever the same data is cut in the same way.

    `rounds()` starts from the beginning each time and is read lazily; the counters describe the last such reading.
    `symbol` is the market as its venue spells it, if that is not how it is named on the log.
    """

    def __init__(
        self,
        market: Market,
        instrument: Instrument,
        session: str,
        frames: Callable[[Counter[str]], Frames],
        config: FeedConfig,
        symbol: str = "",
    ) -> None:
        self.market = market
        self.symbol = symbol or market.asset
        self.instrument = instrument
        self.session = session
        self._frames = frames
        self.round_ns = config.round_ms * NS_PER_MS
        self._gap_after_ns = config.gap_after_ms * NS_PER_MS
        super().__init__()

    def rounds(self) -> Iterator[MarketRound]:
        """The rounds of the session; the last one is marked final. A tape that breaks off ends with a gap."""
        self.clear()
        builder = RoundBuilder(self.instrument, self.session, self.round_ns, self._gap_after_ns, self.bad)
        reason = ""
        number = 0
        try:
            for number, (recv_ns, messages) in enumerate(self._frames(self.bad), start=1):
                if isinstance(messages, Break):
                    builder.broke(messages.reason)
                elif isinstance(messages, Instrument):
                    builder.tell(messages)
                else:
                    yield from self._counted(builder.add(recv_ns, number, messages))
        except TapeError:
            self.bad["tape_truncated"] += 1
            reason = "tape_truncated"
        yield from self._counted(builder.end(reason))

    def _counted(self, rounds: list[MarketRound]) -> Iterator[MarketRound]:
        for round_ in rounds:
            self.count(round_)
            yield round_
