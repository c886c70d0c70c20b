"""The feed's metrics, read off its sources."""

from collections.abc import Iterator
from typing import Final

from papertrader.services.feed.adapter import BAD_REASONS
from papertrader.services.feed.live.connection import BREAKS as BREAK_REASONS
from papertrader.services.feed.live.session import LiveSession
from papertrader.services.feed.tally import Tally
from papertrader.shared.log.kinds import MARKET_DATA
from papertrader.shared.log.subjects import Market
from papertrader.shared.service.metrics import MARKET, Metric, Sample

LINE: Final = ("venue", "line")
GAP_REASONS: Final = ("silence", "disconnected", "sequence_break", "restarted", "backlog", "tape_truncated")

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
CONNECTED: Final = Metric("paper_feed_connected", "gauge", "Whether a connection to the venue is up.", LINE)
BREAKS: Final = Metric(
    "paper_feed_connection_breaks", "counter", "Connections that failed or ended, by reason.", (*LINE, "reason")
)
UNATTRIBUTED: Final = Metric(
    "paper_feed_unattributed_bad_messages", "counter", "Frames refused that name no known asset.", ("venue", "reason")
)
CONNECTION_METRICS: Final = (CONNECTED, BREAKS, UNATTRIBUTED)
METRICS: Final = (MESSAGES, BAD, GAPS, EVENT_TIME, RECEIVE_TIME, AGE)


def samples(market: Market, source: Tally) -> Iterator[Sample]:
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


def connection_samples(market: Market, session: LiveSession) -> Iterator[Sample]:
    """The samples of a live session's connections."""
    for connection in session.connections:
        labels = (market.venue, connection.line.name)
        yield Sample(CONNECTED, labels, float(connection.up))
        for reason in sorted({*BREAK_REASONS, *connection.breaks}):
            yield Sample(BREAKS, (*labels, reason), connection.breaks[reason])
    for reason in sorted({*BAD_REASONS, *session.bad}):
        yield Sample(UNATTRIBUTED, (market.venue, reason), session.bad[reason])
