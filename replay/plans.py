"""What the loop need not look at yet: until when nothing is due, which prices reach nobody, where there is room."""

from papertrader.replay.world import ACKS, COUNTS, FILLS, SAID
from papertrader.services.fill_sim.state import Outbox
from papertrader.shared.kernels import njit
from papertrader.shared.market.book import NO_ASK
from papertrader.shared.market.records import Record, Records


@njit(cache=True)
def reaches(progress: Record, event: Record) -> bool:
    """Whether a print reaches an own order of anybody."""
    return event.tick <= progress.high_bid or event.tick >= progress.low_ask


@njit(cache=True)
def plan(market: Record, exchanges: Records) -> None:
    """Note when something next happens at the exchange by itself, and which prices reach own orders."""
    progress = market.progress
    due_ts, high_bid, low_ask = market.exchange.next_funding_ts, 0, NO_ASK
    for index in range(len(exchanges)):
        account = exchanges[index]
        due_ts = min(due_ts, account.next_ts)
        high_bid, low_ask = max(high_bid, account.high_bid), min(low_ask, account.low_ask)
    # the clock never goes back: what is due by it is due at the next event, even if that is an older one
    progress.due_ts = due_ts if due_ts > market.book.ts else 0
    progress.high_bid, progress.low_ask = high_bid, low_ask
    watch(market)


@njit(cache=True)
def watch(market: Record) -> None:
    """Note before which time no event finds anything due: nothing at the exchange, and no second ended."""
    seconds_end = min(market.estimator_seconds.boundary, market.tracker_seconds.boundary)
    market.progress.watch_ts = min(market.progress.due_ts, seconds_end + 1)


@njit(cache=True)
def has_room_for_a_round(progress: Record, out: Outbox) -> bool:
    """Whether every array can take what a round may say; counts what the exchange has said."""
    progress.count[ACKS], progress.count[FILLS], progress.count[SAID] = out.counts[0], out.counts[1], out.counts[2]
    full = 0
    for kind in range(COUNTS):
        full += progress.count[kind] > progress.limit[kind]
    return full == 0
