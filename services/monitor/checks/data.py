"""Is the data good enough for its numbers to be believed."""

from papertrader.services.monitor.checks.case import Case, fails, passes, waits
from papertrader.services.monitor.facts.data import BOOKS_TO_JUDGE, doubts, quality_of
from papertrader.shared.messages import Check


def check_data(case: Case) -> Check:
    """Few books are locked, little data is refused, most queues and the instrument are known, and there is a depth."""
    market = case.market
    seen = quality_of(market, case.facts, case.liveness)
    numbers = {
        "locked_share": seen.locked_share + seen.crossed_share,
        "refused_share": seen.refused_share,
        "unknown_queue_share": seen.unknown_queue_share,
        "books": float(market.books),
    }
    if found := doubts(seen, case.config):
        cause, remedy = "; ".join(doubt.seen for doubt in found), "; ".join(doubt.remedy for doubt in found)
        return fails(f"these numbers cannot be trusted: {cause}", remedy, numbers)
    if market.depths + market.touches < BOOKS_TO_JUDGE:
        return waits("too little market data to judge it", numbers)
    return passes(numbers)
