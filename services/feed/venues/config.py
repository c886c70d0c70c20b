"""Settings of the connections to a venue, and what a venue reads of the feed's."""

from typing import Annotated, Protocol

import msgspec
from msgspec import Meta


class LiveConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How live connections are kept and how their data is cut into rounds."""

    deep_book: Annotated[
        bool, Meta(description="Hyperliquid: follow the slow book of 20 levels on a second socket as well")
    ] = True
    ping_s: Annotated[float, Meta(ge=0.05, le=45, description="time between two pings of a socket, s")] = 5.0
    receive_timeout_s: Annotated[
        float,
        Meta(ge=0.1, le=600, description="a socket that brings nothing, not even a pong, is dead after this, s"),
    ] = 15.0
    data_timeout_s: Annotated[
        float,
        Meta(ge=0.1, le=3_600, description="a socket that answers but brings no data is opened anew after this, s"),
    ] = 30.0
    reconnect_base_s: Annotated[
        float,
        Meta(gt=0, le=60, description="longest wait before the first reconnection; doubles each time, s"),
    ] = 0.5
    reconnect_cap_s: Annotated[float, Meta(gt=0, le=600, description="longest wait before any reconnection, s")] = 20.0
    request_timeout_s: Annotated[
        float, Meta(gt=0, le=120, description="longest time that a REST request may take, s")
    ] = 10.0
    rules_every_s: Annotated[
        float, Meta(ge=0.1, le=86_400, description="time between two requests for the venue's trading rules, s")
    ] = 300.0
    grace_ms: Annotated[
        int, Meta(ge=0, le=5_000, description="how long after its end a round waits for data that is under way, ms")
    ] = 50
    idle_ms: Annotated[
        int, Meta(ge=50, le=60_000, description="in a quiet market, time between two rounds without data, ms")
    ] = 1_000
    backlog_rounds: Annotated[
        int, Meta(ge=10, le=1_000_000, description="rounds kept while the log takes none; what comes then is a gap")
    ] = 5_000


class Access(Protocol):
    """What a venue reads of the feed's settings: how to reach it, and which of its assets to follow."""

    @property
    def source(self) -> str:
        """The venue's name."""
        ...

    @property
    def assets(self) -> tuple[str, ...]:
        """The assets, as the venue spells them."""
        ...

    @property
    def exchange(self) -> str:
        """Which exchange, where the venue is a library of many."""
        ...

    @property
    def venue_url(self) -> str:
        """A server in place of the venue; empty: the venue itself."""
        ...

    @property
    def venue_rest_url(self) -> str:
        """The same for REST requests only."""
        ...

    @property
    def live(self) -> LiveConfig:
        """How connections are kept."""
        ...
