"""How far the market data can be trusted: shares of it that were refused, locked, or told too little."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from papertrader.services.monitor.config import MonitorConfig
from papertrader.services.monitor.facts.facts import AccountFacts, MarketFacts
from papertrader.services.monitor.facts.liveness import FEED, NO_WRITES, PURGED, Liveness

TOUCHES_WITHOUT_DEPTH: Final = 100
"""After so many touches and no level beyond them the feed has no book."""
BOOKS_TO_JUDGE: Final = 50
"""Of so many books, and of so much market data, a share says something."""
NOT_WAITED_FOR: Final = "fold_not_waited_for"
NOT_DATA: Final = (NOT_WAITED_FOR, NO_WRITES)
"""What a feed counts that is no market data."""
ORDERS_TO_JUDGE: Final = 10
"""Of so many orders the share with an unknown queue says something."""
OFTEN: Final = 5
"""What was seen so often is no accident, of however little it is a share."""


class Doubt(NamedTuple):
    """A reason not to trust the numbers of a run: its name, what was seen, what to do."""

    name: str
    seen: str
    remedy: str


class DataQuality(NamedTuple):
    """What was seen of a market's data. `refused` counts what the feed refused by reason; the market reached
    `joined` resting orders; of `joined_unknown` of them it was never known how much stood ahead."""

    market: MarketFacts
    refused: Mapping[str, int]
    joined: int
    joined_unknown: int
    not_waited_for: int = 0
    """How often the feed went on without a fold: from there on another run of the same data may differ."""
    purged: bool = False
    """Whether the log was taken away behind a fold."""

    @property
    def locked_share(self) -> float:
        """Share of the two-sided books with bid = ask, those that the feed refused for it included."""
        return self._share_of_books(self.market.locked_books + self.refused.get("locked_book", 0))

    @property
    def crossed_share(self) -> float:
        """Share of the two-sided books with bid > ask, those that the feed refused for it included."""
        return self._share_of_books(self.market.crossed_books + self.refused.get("crossed_book", 0))

    def _share_of_books(self, count: int) -> float:
        books = self.market.books + self.refused.get("locked_book", 0) + self.refused.get("crossed_book", 0)
        return count / books if books else 0.0

    @property
    def one_sided_share(self) -> float:
        """Share of the books with one side alone."""
        books = self.market.books + self.market.one_sided_books
        return self.market.one_sided_books / books if books else 0.0

    @property
    def refused_share(self) -> float:
        """What was refused, as a share of that and of the book messages, touches and prints that were not."""
        bad = sum(self.refused.values())
        return bad / (bad + self.market.depths + self.market.touches + self.market.prints) if bad else 0.0

    @property
    def unknown_queue_share(self) -> float:
        """Share of the orders that the market reached of which it was never known how much stood ahead."""
        return self.joined_unknown / self.joined if self.joined else 0.0


def quality_of(market: MarketFacts, facts: AccountFacts, liveness: Liveness) -> DataQuality:
    """What is known of an account's data, by the log and by what its feed says of what it refused."""
    bad = liveness[FEED].bad_messages if FEED in liveness else {}
    purged = any(health.bad_messages.get("log_purged") for health in liveness.values())
    refused = {reason: count for reason, count in bad.items() if reason not in NOT_DATA and count}
    return DataQuality(market, refused, facts.joined, facts.joined_unknown, bad.get(NOT_WAITED_FOR, 0), purged)


def doubts(seen: DataQuality, config: MonitorConfig) -> list[Doubt]:
    """Why the numbers of a run cannot be trusted; empty if nothing speaks against them."""
    return [doubt for judge in JUDGES if (doubt := judge(seen, config)) is not None]


def _locked(seen: DataQuality, config: MonitorConfig) -> Doubt | None:
    share = seen.locked_share + seen.crossed_share
    found = seen.market.locked_books + seen.market.crossed_books
    found += seen.refused.get("locked_book", 0) + seen.refused.get("crossed_book", 0)
    if (seen.market.books < BOOKS_TO_JUDGE and found < OFTEN) or share <= config.max_locked_share:
        return None
    text = f"{share:.1%} of the books are locked or crossed"
    remedy = "compare the tick with the venue's: one too coarse locks every tight book"
    if seen.crossed_share > seen.locked_share:
        remedy = "touches and depth contradict each other: look at the source, a level that is gone was not taken away"
    return Doubt("locked_books", text, remedy)


def _refused(seen: DataQuality, config: MonitorConfig) -> Doubt | None:
    heard = seen.market.depths + seen.market.touches + sum(seen.refused.values())
    found = sum(seen.refused.values())
    if (heard < BOOKS_TO_JUDGE and found < OFTEN) or seen.refused_share <= config.max_refused_share:
        return None
    reasons = sorted(seen.refused.items(), key=lambda item: (-item[1], item[0]))
    text = f"{seen.refused_share:.1%} of the market data is refused: "
    text += ", ".join(f"{count:,} {name}" for name, count in reasons)
    return Doubt("refused_data", text, "look for the reasons in paper_feed_bad_messages_total and in the source")


def _no_depth(seen: DataQuality, config: MonitorConfig) -> Doubt | None:
    if seen.market.depths or seen.market.touches < TOUCHES_WITHOUT_DEPTH:
        return None
    text = "no level behind the best bid and ask was ever told: there is no book, only its touch"
    return Doubt("no_depth", text, "take a tape that holds a depth snapshot, as `papertrader record` writes it")


def _unknown_queues(seen: DataQuality, config: MonitorConfig) -> Doubt | None:
    judged = seen.joined >= ORDERS_TO_JUDGE or seen.joined_unknown >= OFTEN
    if not judged or seen.unknown_queue_share <= config.max_unknown_queue_share:
        return None
    text = f"the queue ahead of {seen.unknown_queue_share:.0%} of {seen.joined:,} orders that were reached was unknown"
    return Doubt("unknown_queues", text, "quote nearer to the touch, or take a source that shows more levels")


def _instrument(seen: DataQuality, config: MonitorConfig) -> Doubt | None:
    rules = seen.market.instrument
    if rules is None or not rules.doubtful:
        return None
    text = f"the instrument's {', '.join(rules.doubtful)} had to be guessed from thin evidence"
    return Doubt("instrument_inferred", text, "tell the instrument: see docs/how-to/tapes.md")


def _not_waited_for(seen: DataQuality, config: MonitorConfig) -> Doubt | None:
    if not seen.not_waited_for:
        return None
    times = "once" if seen.not_waited_for == 1 else f"{seen.not_waited_for} times"
    text = f"the feed went on {times} without a fold that had not answered in time"
    return Doubt("fold_not_waited_for", text, "the feed's log names the fold; its own log says why; then run again")


def _purged(seen: DataQuality, config: MonitorConfig) -> Doubt | None:
    if not seen.purged:
        return None
    text = f"{PURGED}: it can no longer be proved nor gone on with"
    return Doubt("log_purged", text, "find out who may do that to the broker; begin anew in another data directory")


JUDGES: Final[tuple[Callable[[DataQuality, MonitorConfig], Doubt | None], ...]] = (
    _locked,
    _refused,
    _no_depth,
    _unknown_queues,
    _instrument,
    _not_waited_for,
    _purged,
)
