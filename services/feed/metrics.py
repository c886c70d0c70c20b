"""The feed's metrics, read off its sources."""

from collections.abc import Iterator
from typing import Final

from services.feed.adapter import BAD_REASONS
from services.feed.service import MarketSource
from shared.metrics import MARKET, Metric, Sample
from shared.subjects import MARKET_DATA, Market

GAP_REASONS: Final = ("silence", "sequence_break", "tape_truncated")

MESSAGES: Final = Metric("paper_feed_messages", "counter", "Market data messages published.", (*MARKET, "kind"))
BAD: Final = Metric("paper_feed_bad_messages", "counter", "Market data refused, by reason.", (*MARKET, "reason"))
GAPS: Final = Metric("paper_feed_gaps", "counter", "Breaks in the market data, by reason.", (*MARKET, "reason"))
EVENT_TIME: Final = Metric(
    "paper_feed_last_event_timestamp_seconds", "gauge", "Event clock of the last round, Unix time.", MARKET
)
RECEIVE_TIME: Final = Metric(
    "paper_feed_last_receive_timestamp_seconds", "gauge", "When the last round's data was received, Unix time.", MARKET
)
AGE: Final = Metric(
    "paper_feed_age_seconds",
    "gauge",
    "Receive time minus event time of the last round's end: clock skew included.",
    MARKET,
)
METRICS: Final = (MESSAGES, BAD, GAPS, EVENT_TIME, RECEIVE_TIME, AGE)


def samples(market: Market, source: MarketSource) -> Iterator[Sample]:
    """The samples of one market."""
    for kind in MARKET_DATA:
        yield Sample(MESSAGES, (*market, kind), source.messages[kind])
    for reason in sorted({*BAD_REASONS, *source.bad}):
        yield Sample(BAD, (*market, reason), source.bad[reason])
    for reason in sorted({*GAP_REASONS, *source.gaps}):
        yield Sample(GAPS, (*market, reason), source.gaps[reason])
    yield Sample(EVENT_TIME, tuple(market), source.last_ts * 1e-9)
    yield Sample(RECEIVE_TIME, tuple(market), source.last_recv_ts * 1e-9)
    yield Sample(AGE, tuple(market), (source.last_recv_ts - source.last_ts) * 1e-9)
