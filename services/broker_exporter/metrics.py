"""Prometheus metrics of the broker, read from its monitoring port when scraped."""

import logging
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from papertrader.services.broker_exporter.refusals import Refusals
from papertrader.shared.log.subjects import Market
from papertrader.shared.service.metrics import Metric, Sample

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 2.0
STREAM: Final = ("stream",)
DIRECTION: Final = ("direction",)

UP: Final = Metric("paper_broker_up", "gauge", "1 while the broker answers on its monitoring port", ())
CONNECTIONS: Final = Metric("paper_broker_connections", "gauge", "Clients connected", ())
SLOW: Final = Metric("paper_broker_slow_consumers", "counter", "Clients dropped because they did not read in time", ())
MESSAGES: Final = Metric("paper_broker_messages", "counter", "Messages in from clients and out to them", DIRECTION)
BYTES: Final = Metric("paper_broker_bytes", "counter", "Bytes in from clients and out to them", DIRECTION)
MEMORY: Final = Metric("paper_broker_memory_bytes", "gauge", "Memory of the broker's process", ())
STORAGE: Final = Metric("paper_broker_storage_bytes", "gauge", "Bytes that all streams use on disk", ())
STORAGE_LIMIT: Final = Metric("paper_broker_storage_limit_bytes", "gauge", "Bytes that all streams may use on disk", ())
STREAM_BYTES: Final = Metric("paper_broker_stream_bytes", "gauge", "Bytes of a stream", STREAM)
STREAM_LIMIT: Final = Metric("paper_broker_stream_max_bytes", "gauge", "Most bytes that a stream keeps", STREAM)
STREAM_MESSAGES: Final = Metric("paper_broker_stream_messages", "gauge", "Messages of a stream", STREAM)
CONSUMERS: Final = Metric("paper_broker_stream_consumers", "gauge", "Readers of a stream", STREAM)
REFUSALS: Final = Metric("paper_broker_refusals", "counter", "What the broker refused a client", ("reason",))
METRICS: Final[tuple[Metric, ...]] = (
    UP,
    CONNECTIONS,
    SLOW,
    MESSAGES,
    BYTES,
    MEMORY,
    STORAGE,
    STORAGE_LIMIT,
    STREAM_BYTES,
    STREAM_LIMIT,
    STREAM_MESSAGES,
    CONSUMERS,
    REFUSALS,
)


class Server(msgspec.Struct, frozen=True):
    """What `/varz` says."""

    connections: int = 0
    slow_consumers: int = 0
    in_msgs: int = 0
    out_msgs: int = 0
    in_bytes: int = 0
    out_bytes: int = 0
    mem: int = 0


class StreamState(msgspec.Struct, frozen=True):
    """The size of a stream."""

    messages: int = 0
    bytes: int = 0
    consumer_count: int = 0


class StreamLimits(msgspec.Struct, frozen=True):
    """The limits of a stream; −1 is none."""

    max_bytes: int = -1


class Stream(msgspec.Struct, frozen=True):
    """A stream of `/jsz`."""

    name: str
    state: StreamState
    config: StreamLimits = StreamLimits()


class StreamAccount(msgspec.Struct, frozen=True):
    """The streams of a broker account."""

    stream_detail: list[Stream] = []


class StorageLimits(msgspec.Struct, frozen=True):
    """What the broker may use."""

    max_storage: int = 0


class Storage(msgspec.Struct, frozen=True):
    """What `/jsz` says."""

    storage: int = 0
    config: StorageLimits = StorageLimits()
    account_details: list[StreamAccount] = []


class Watched(NamedTuple):
    """A broker: the URL of its monitoring port, and what its log tells of refusals, if it has one."""

    url: str
    refusals: Refusals | None


_server: Final = msgspec.json.Decoder(Server)
_storage: Final = msgspec.json.Decoder(Storage)


def samples(_market: Market, watched: Watched) -> Iterator[Sample]:
    """Ask the broker now. One that does not answer has no metrics but `paper_broker_up` 0 and what it has refused."""
    url = watched.url
    if watched.refusals is not None:
        for reason, count in watched.refusals.counted().items():
            yield Sample(REFUSALS, (reason,), float(count))
    try:
        server = _server.decode(_get(f"{url}/varz"))
        storage = _storage.decode(_get(f"{url}/jsz?streams=true&config=true"))
    except (OSError, urllib.error.URLError, msgspec.DecodeError) as error:
        log.warning("the broker does not answer at %s: %s", url, error)
        yield Sample(UP, (), 0.0)
        return
    yield Sample(UP, (), 1.0)
    yield from server_samples(server)
    yield from storage_samples(storage)


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:
        body: bytes = response.read()
    return body


def server_samples(server: Server) -> Iterator[Sample]:
    """The samples of `/varz`."""
    yield Sample(CONNECTIONS, (), float(server.connections))
    yield Sample(SLOW, (), float(server.slow_consumers))
    yield Sample(MESSAGES, ("in",), float(server.in_msgs))
    yield Sample(MESSAGES, ("out",), float(server.out_msgs))
    yield Sample(BYTES, ("in",), float(server.in_bytes))
    yield Sample(BYTES, ("out",), float(server.out_bytes))
    yield Sample(MEMORY, (), float(server.mem))


def storage_samples(storage: Storage) -> Iterator[Sample]:
    """The samples of `/jsz`; a stream without a limit has no limit metric."""
    yield Sample(STORAGE, (), float(storage.storage))
    yield Sample(STORAGE_LIMIT, (), float(storage.config.max_storage))
    for account in storage.account_details:
        for stream in account.stream_detail:
            yield Sample(STREAM_BYTES, (stream.name,), float(stream.state.bytes))
            yield Sample(STREAM_MESSAGES, (stream.name,), float(stream.state.messages))
            yield Sample(CONSUMERS, (stream.name,), float(stream.state.consumer_count))
            if stream.config.max_bytes > 0:
                yield Sample(STREAM_LIMIT, (stream.name,), float(stream.config.max_bytes))
