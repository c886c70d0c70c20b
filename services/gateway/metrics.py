"""Metrics of the gateway."""

from collections.abc import Iterator
from typing import Final

from papertrader.services.gateway.havoc import FAULTS
from papertrader.services.gateway.service import Gateway
from papertrader.shared.log.subjects import Market
from papertrader.shared.service.metrics import Metric, Sample

REFUSALS: Final = (
    "body",
    "signature",
    "unknown_signer",
    "vault",
    "nonce",
    "expired",
    "order",
    "no_answer",
    "not_on_paper",
    "too_many_requests",
    "ip_weight",
)

REQUESTS: Final = Metric("paper_gateway_requests", "counter", "Signed requests, by what they ask for", ("action",))
QUESTIONS: Final = Metric("paper_gateway_questions", "counter", "Questions to /info, by their type", ("type",))
REFUSED: Final = Metric("paper_gateway_refusals", "counter", "Requests and orders refused, by reason", ("reason",))
VERIFICATIONS: Final = Metric("paper_gateway_verifications", "counter", "Signatures recovered", ())
VERIFYING: Final = Metric("paper_gateway_verification_seconds", "counter", "Time spent recovering signatures", ())
CONNECTIONS: Final = Metric("paper_gateway_connections", "gauge", "WebSocket connections", ())
SUBSCRIPTIONS: Final = Metric("paper_gateway_subscriptions", "gauge", "Subscriptions of all connections", ())
FRAMES: Final = Metric("paper_gateway_frames", "counter", "Frames pushed, by channel", ("channel",))
FAULTS_STRUCK: Final = Metric("paper_gateway_faults", "counter", "Armed faults that struck, by fault", ("fault",))
LAG: Final = Metric("paper_gateway_lag_messages", "gauge", "Messages of the log that wait to be heard", ())
METRICS: Final[tuple[Metric, ...]] = (
    REQUESTS,
    QUESTIONS,
    REFUSED,
    VERIFICATIONS,
    VERIFYING,
    CONNECTIONS,
    SUBSCRIPTIONS,
    FRAMES,
    FAULTS_STRUCK,
    LAG,
)


def samples(_market: Market, gateway: Gateway) -> Iterator[Sample]:
    """Every metric."""
    exchange, streams = gateway.exchange, gateway.streams
    for action in sorted({"order", "cancel", *exchange.requests}):
        yield Sample(REQUESTS, (action,), float(exchange.requests[action]))
    for kind in sorted({"meta", "unknown", *gateway.info.questions}):
        yield Sample(QUESTIONS, (kind,), float(gateway.info.questions[kind]))
    for reason in sorted({*REFUSALS, *exchange.refusals}):
        yield Sample(REFUSED, (reason,), float(exchange.refusals[reason]))
    yield Sample(VERIFICATIONS, (), float(exchange.verifications))
    yield Sample(VERIFYING, (), exchange.verifying_s)
    connections = list(streams.connections)
    yield Sample(CONNECTIONS, (), float(len(connections)))
    yield Sample(SUBSCRIPTIONS, (), float(sum(len(item.subscriptions) for item in connections)))
    for channel in sorted({"orderUpdates", "userFills", *streams.pushed}):
        yield Sample(FRAMES, (channel,), float(streams.pushed[channel]))
    for fault in FAULTS:
        yield Sample(FAULTS_STRUCK, (fault,), float(gateway.havoc.struck[fault]))
    yield Sample(LAG, (), float(gateway.pending))
