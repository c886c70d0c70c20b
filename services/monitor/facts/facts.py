"""What the monitor knows: one struct for the market and one for each account, filled from the log alone.

Both are plain numbers and the last messages heard, so a checkpoint is their encoding and the checklist a function of
them. Times are event time in ns; 0 means never.
"""

from typing import Final, TypeVar

import msgspec

from papertrader.services.monitor.facts.bids import Bids
from papertrader.services.monitor.facts.events import Events
from papertrader.services.monitor.facts.races import Races
from papertrader.services.monitor.facts.worlds import Worlds
from papertrader.shared.messages import Account, Calibration, Estimate, Instrument, Markout

Number = TypeVar("Number", int, float)
SECOND: Final = 1_000_000_000
MINUTE: Final = 60 * SECOND
RATE_MINUTES: Final = 60
PRINT_MINUTES: Final = 5
WORKING_LIMIT: Final = 256


class Counted(msgspec.Struct):
    """A count that another service reported, and the log's own count around the moment when it was said.

    What is heard in round n was said in round n − 1, so it is right if it lies between the log's count at the end of
    round n − 2 (`low`) and at the end of round n (`high`): one round of tolerance either way.
    """

    value: int = 0
    low: int = 0
    high: int = 0
    heard_ts: int = 0

    @property
    def agrees(self) -> bool:
        """Whether the count was right when it was said. Nothing heard disagrees with nothing."""
        return self.heard_ts == 0 or self.low <= self.value <= self.high


class Tally(msgspec.Struct):
    """A count of the log now (`now`), one round ago and two rounds ago."""

    now: int = 0
    before: int = 0
    before_that: int = 0

    def next_round(self) -> None:
        """Start a round."""
        self.before_that, self.before = self.before, self.now


class WorkingOrder(msgspec.Struct):
    """An order that was placed and has not ended.

    `asked_ts` is when the oldest unanswered command about it was given, 0 if all are answered; `live_ts` is 0 until
    it is accepted. `rests` says that it may wait on the book, `filled` that some of it was. `queue_ahead` is the size
    that stood ahead when it joined its level, `None` while unknown; `p_fill` the forecast of a fill within 10 s.
    """

    side: str
    price: float
    size: float
    asked_ts: int
    live_ts: int = 0
    rests: bool = True
    filled: bool = False
    queue_ahead: float | None = None
    p_fill: float | None = None


class MarketFacts(msgspec.Struct):
    """What is known of the market.

    `answered_ts` is the event clock two rounds ago: whoever had to answer something of then has been heard by now.
    `depths` counts messages that told levels (whole books and differences), `touches` those that told the best bid and
    ask alone, `books` the two-sided books that both left: with bid = ask they are locked, with bid > ask crossed.
    A book with one side alone has no mid: nothing is quoted or learned on it.
    """

    ts: int = 0
    previous_ts: int = 0
    answered_ts: int = 0
    first_ts: int = 0
    rounds: int = 0
    final: bool = False
    instrument: Instrument | None = None
    depths: int = 0
    touches: int = 0
    books: int = 0
    locked_books: int = 0
    crossed_books: int = 0
    one_sided_books: int = 0
    gaps: int = 0
    gap_ts: int = 0
    prints: int = 0
    print_ts: int = 0
    prints_by_minute: list[int] = msgspec.field(default_factory=lambda: [0] * PRINT_MINUTES)
    mid: float | None = None
    bid: float | None = None
    ask: float | None = None


class AccountFacts(msgspec.Struct):
    """What is known of one account."""

    # orders
    orders_placed: int = 0
    cancels: int = 0
    modifies: int = 0
    accepted: int = 0
    joined: int = 0
    joined_unknown: int = 0
    filled_ended: int = 0
    first_order_ts: int = 0
    order_ts: int = 0
    params_version: int = 0
    rejected: dict[str, int] = {}
    unfilled: dict[str, int] = {}
    working: dict[int, WorkingOrder] = {}
    working_overflow: int = 0
    first_live_ts: int = 0
    quoted_s: float = 0.0
    unquoted_s: float = 0.0
    distance_bps_sum: float = 0.0
    distance_samples: int = 0
    touched_prints: int = 0
    through_prints: int = 0
    through_since_fill: int = 0
    quoted_since_fill_s: float = 0.0
    paused: str = ""

    # fills
    fills: Tally = msgspec.field(default_factory=Tally)
    first_fill_ts: int = 0
    fill_ts: int = 0
    buys: int = 0
    position: float = 0.0
    round_trips: int = 0
    round_trip_ts: int = 0
    forecast_missing: bool = False
    fills_by_minute: list[int] = msgspec.field(default_factory=lambda: [0] * RATE_MINUTES)
    quoted_s_by_minute: list[float] = msgspec.field(default_factory=lambda: [0.0] * RATE_MINUTES)
    worlds: Worlds = msgspec.field(default_factory=Worlds)
    races: Races = msgspec.field(default_factory=Races)
    bids: Bids = msgspec.field(default_factory=Bids)
    reset_fills: int = 0
    reset_pending: bool = False

    # outcomes
    resolved: Tally = msgspec.field(default_factory=Tally)
    unresolved: int = 0
    adverse: int = 0
    outcome_moments: int = 0
    adverse_moments: int = 0
    recent_moments: list[tuple[int, str]] = []
    first_outcome_ts: int = 0

    # what the learners say
    first_estimate: Estimate | None = None
    estimate: Estimate | None = None
    kappa_fills: Counted = msgspec.field(default_factory=Counted)
    classifier_samples: Counted = msgspec.field(default_factory=Counted)
    confidence_falls: int = 0
    ready_ts: int = 0
    departure: float = 0.0
    departed_ts: int = 0
    first_calibration: Calibration | None = None
    calibration: Calibration | None = None
    controller_fills: Counted = msgspec.field(default_factory=Counted)
    controller_outcomes: Counted = msgspec.field(default_factory=Counted)

    # money
    account: Account | None = None
    account_fills: Counted = msgspec.field(default_factory=Counted)
    first_equity: float = 0.0
    peak_equity: float = 0.0
    worst_loss: float = 0.0
    worst_drawdown: float = 0.0
    realised_seen: bool = False
    unrealised_seen: bool = False
    worst_residual: float = 0.0
    account_ts: int = 0
    exposure_peak: float = 0.0
    exposure_sum_s: float = 0.0
    leverage_low: float = 0.0
    leverage_high: float = 0.0

    # what another program has said, which this one's words are no continuation of
    another_heard: bool = False
    resolved_by_another: int = 0
    estimate_of_another: bool = False
    account_of_another: bool = False
    outcomes_of_another: int = 0

    # history
    samples: int = 0
    sample_every_s: int = 1
    sampled_ts: int = 0
    block_first_ts: int = 0
    block_s: int = 60

    # what an operator reads
    events: Events = msgspec.field(default_factory=Events)
    controls: int = 0

    # the checklist
    judged_ts: int = 0
    said_ts: int = 0
    states: dict[str, str] = {}


def take_over(facts: AccountFacts) -> None:
    """Go on with facts of what another program has said; what is heard next it has said, too, in its last round.

    * a confidence is not compared with that program's, nor a leverage
    * a classifier that counts fewer outcomes than before began anew: what it has not counted was that program's
    """
    facts.another_heard, facts.resolved_by_another = True, facts.resolved.now


def filled_orders(facts: AccountFacts) -> int:
    """The orders of which something was filled, ended or not."""
    return facts.filled_ended + sum(order.filled for order in facts.working.values())


def live_orders(facts: AccountFacts) -> list[WorkingOrder]:
    """The orders that are live."""
    return [order for order in facts.working.values() if order.live_ts > 0]


def forget_minutes(values: list[Number], minutes: int) -> None:
    """Shift a list of per-minute numbers (newest first) by the minutes that have passed."""
    for _ in range(min(minutes, len(values))):
        values.insert(0, values[0] * 0)  # a zero of the list's own type
        values.pop()


def prints_per_minute(market: MarketFacts) -> float:
    """Public prints per minute over the last five minutes, or since the start if that is shorter (at least one)."""
    over = min(max((market.ts - market.first_ts) // MINUTE, 1), PRINT_MINUTES)
    return sum(market.prints_by_minute) / over


def trades(market: MarketFacts, quiet_prints_per_minute: float) -> bool:
    """Whether the market trades: two-sided, and prints more often than a quiet market."""
    return market.mid is not None and prints_per_minute(market) >= quiet_prints_per_minute


def quote_notional(market: MarketFacts, markout: Markout) -> float:
    """What a markout's order was worth in quote currency: an inverse contract is worth the same at any price."""
    rules = market.instrument
    if rules is not None and rules.kind == "inverse":
        return markout.size * rules.contract_size
    return markout.size * markout.price


def adverse_rate(facts: AccountFacts) -> float | None:
    """Share of the moments with a resolved outcome that were adverse, None before any."""
    return facts.adverse_moments / facts.outcome_moments if facts.outcome_moments else None


def fills_per_hour(facts: AccountFacts) -> float:
    """Fills per hour of quoting while the market traded, over the last hour; 0 before any quoting."""
    quoted_s = sum(facts.quoted_s_by_minute)
    return 3600.0 * sum(facts.fills_by_minute) / quoted_s if quoted_s > 0 else 0.0


def mean_distance_bps(facts: AccountFacts) -> float:
    """Mean distance of the nearest live quote from its touch, bp of the mid; 0 before any quote."""
    return facts.distance_bps_sum / facts.distance_samples if facts.distance_samples else 0.0
