"""Settings of the gateway."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from papertrader.shared.service.config import Settings
from papertrader.shared.service.roll import MOST

DEFAULT_PORT: Final = 3001
"""Where the official clients look for a server on this machine."""
DIAGNOSIS: Final = "paperDiagnosis"
"""A question to /info that the venue does not know: what stands in a bot's way."""
PACED: Final = ("synthetic", "tape")
"""The feed's sources that have the speed of its settings; the first is the default."""


class GatewayConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where unmodified bots of Hyperliquid find a paper Hyperliquid, and whose account is whose."""

    enabled: Annotated[bool, Meta(description="whether `papertrader run` starts the gateway")] = True
    port: Annotated[
        int, Meta(ge=0, le=65535, description="port of /info, /exchange and /ws; 0 takes one that is free")
    ] = DEFAULT_PORT
    tls_port: Annotated[
        int,
        Meta(
            ge=0,
            le=65535,
            description="port of the same with TLS, for clients that know no other address than the venue's; 0 serves "
            "none. The authority to trust is `gateway-ca.pem` in the data directory",
        ),
    ] = 0
    tls_names: Annotated[
        tuple[str, ...], Meta(min_length=1, description="names and addresses that its certificate is for")
    ] = ("localhost", "127.0.0.1", "api.hyperliquid.xyz")
    accounts: Annotated[
        dict[str, str], Meta(description='the paper account of an address, e.g. {"0x19e7..." = "bot"}')
    ] = {}
    open_accounts: Annotated[
        bool,
        Meta(
            description="an address that is not named gets, with its first signed request, the first account whose "
            "strategy is `none` and that nobody has"
        ),
    ] = True
    open_at_most: Annotated[
        int,
        Meta(
            ge=0,
            le=MOST,
            description="so many accounts are opened, with `open_accounts`, for addresses that sign when no such "
            "account is left. Every signature is somebody's: a bot that signs wrongly gets an account each time, "
            "instead of the venue's words that it does not exist",
        ),
    ] = 0
    opening_balance: Annotated[
        float, Meta(gt=0, le=1e12, description="what such an account begins with in each market")
    ] = 10_000.0
    address_requests: Annotated[
        int,
        Meta(
            ge=0,
            description="requests that an account may make before it has traded; each unit of quote currency that it "
            "trades allows one more. Beyond that it has one every 10 s. 0 sets no limit",
        ),
    ] = 10_000
    ip_weight: Annotated[
        int,
        Meta(
            ge=0,
            description="weight of requests over HTTP that one IP may make in a minute, 1200 on the venue; beyond it "
            "the answer is 429. An action counts 1 and one for each 40 of its batch, a question 2, 20 or 60. 0 sets no "
            "limit, since all bots of a machine have one IP here, and a tape may run faster than their clock",
        ),
    ] = 0
    answer_timeout_s: Annotated[
        float,
        Meta(gt=0, le=60, description="how long a request waits for the paper exchange before it is answered 504, s"),
    ] = 8.0
    book_ms: Annotated[
        int, Meta(ge=50, le=60_000, description="time between two books of 20 levels on a stream, ms")
    ] = 1_000
    fast_book_ms: Annotated[int, Meta(ge=50, le=60_000, description="the same for the fast books of 5 levels, ms")] = (
        500
    )
    frames_waiting: Annotated[
        int,
        Meta(ge=10, le=1_000_000, description="frames that may wait for a client that reads slowly; then it is left"),
    ] = 10_000
    havoc_late_share: Annotated[
        float,
        Meta(ge=0, le=1, description="share of signed requests whose answer comes late, after what is pushed of it"),
    ] = 0.0
    havoc_late_s: Annotated[float, Meta(ge=0, le=60, description="how late these answers come, s")] = 3.0
    havoc_busy_share: Annotated[
        float, Meta(ge=0, le=1, description="share of requests that are answered 429 and not looked at")
    ] = 0.0
    havoc_double_share: Annotated[
        float, Meta(ge=0, le=1, description="share of fills that are pushed twice to every subscription")
    ] = 0.0
    havoc_close_s: Annotated[
        float, Meta(ge=0, description="how long after its opening every WebSocket is closed, s; 0 leaves them open")
    ] = 0.0
    havoc_seed: Annotated[int, Meta(description="seed of the draws of these faults")] = 0


def event_speed(settings: Settings) -> float:
    """How many seconds of event time go by in one; 0 where the source goes as fast as it can."""
    feed = settings.tables.get("feed", {})
    return float(feed.get("speed", 1.0)) if feed.get("source", PACED[0]) in PACED else 1.0
