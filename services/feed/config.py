"""Settings of the feed."""

from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from papertrader.shared.log.health import FOLDS

OWN_ADAPTERS: Final = ("hyperliquid", "binance")
LIVE_SOURCES: Final = (*OWN_ADAPTERS, "ccxt")
REFUSED: Final = 2
"""Exit code of a feed that was asked for what cannot be: to start it again would change nothing."""


class SyntheticAsset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One asset of the synthetic market."""

    name: Annotated[str, Meta(min_length=1, description="asset name")]
    price: Annotated[float, Meta(gt=0, description="price at the start, quote currency")]
    tick_size: Annotated[float, Meta(gt=0, description="price grid: 1 or a negative power of ten, quote currency")]
    lot_size: Annotated[float, Meta(gt=0, description="size grid, base units")]


class SyntheticConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The truth that the synthetic market is made from."""

    assets: Annotated[tuple[SyntheticAsset, ...], Meta(min_length=1, description="the assets of the market")] = (
        SyntheticAsset(name="SYN1", price=60_000.0, tick_size=1.0, lot_size=1e-5),
        SyntheticAsset(name="SYN2", price=2.5, tick_size=1e-5, lot_size=0.1),
    )
    duration_s: Annotated[float, Meta(gt=0, le=30 * 86_400, description="length of the session, s")] = 300.0
    start_ts: Annotated[int, Meta(ge=0, le=4 * 10**18, description="event time at the start, ns UTC")] = (
        1_767_225_600_000_000_000
    )
    sigma_bps: Annotated[
        tuple[float, float, float, float],
        Meta(description="volatility of the quiet, normal, volatile and extreme regime, bp per square root of s"),
    ] = (0.4, 1.0, 2.5, 6.0)
    regime_dwell_s: Annotated[float, Meta(gt=0, description="mean time in a regime, s")] = 150.0
    trade_rate: Annotated[float, Meta(gt=0, le=50, description="aggressive orders per second")] = 2.0
    kappa: Annotated[
        float, Meta(ge=50, le=100_000, description="decay of an order's depth reach, 1/(fraction of the mid)")
    ] = 2_500.0
    informed_share: Annotated[float, Meta(ge=0, le=1, description="share of orders that the mid then follows")] = 0.3
    informed_move_bps: Annotated[float, Meta(ge=0, le=100, description="how far the mid follows them, bp")] = 3.0
    informed_move_s: Annotated[float, Meta(ge=0.1, le=60, description="over how long the mid follows, s")] = 3.0
    level_notional: Annotated[float, Meta(gt=0, description="mean displayed notional of a level, quote currency")] = (
        30_000.0
    )
    trade_notional: Annotated[float, Meta(gt=0, description="mean notional of a print, quote currency")] = 3_000.0


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
    grace_ms: Annotated[
        int, Meta(ge=0, le=5_000, description="how long after its end a round waits for data that is under way, ms")
    ] = 50
    idle_ms: Annotated[
        int, Meta(ge=50, le=60_000, description="in a quiet market, time between two rounds without data, ms")
    ] = 1_000
    backlog_rounds: Annotated[
        int, Meta(ge=10, le=1_000_000, description="rounds kept while the log takes none; what comes then is a gap")
    ] = 5_000


class FeedConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where market data comes from, and how it is cut into rounds."""

    source: Annotated[
        Literal["synthetic", "tape", "hyperliquid", "binance", "ccxt"],
        Meta(description="a seeded market of known truth, recorded frames, or a live venue"),
    ] = "synthetic"
    tapes: Annotated[
        tuple[Path, ...],
        Meta(description="recorded frames to read, gzip or plain, and arrays of hftbacktest (`.npz`), one per market"),
    ] = ()
    assets: Annotated[
        tuple[str, ...], Meta(description="assets to publish, as the venue spells them; empty: all of a tape")
    ] = ()
    speed: Annotated[
        float, Meta(ge=0, le=10_000, description="event seconds per wall-clock second; 0: as fast as the folds follow")
    ] = 1.0
    round_ms: Annotated[int, Meta(ge=1, le=10_000, description="event time of a round, ms")] = 50
    gap_after_ms: Annotated[
        int, Meta(ge=100, le=3_600_000, description="silence after which a gap is published, ms of receive time")
    ] = 8_000
    seed: Annotated[int, Meta(ge=0, lt=2**62, description="seed of the synthetic market")] = 1
    duration_s: Annotated[float, Meta(ge=0, description="event time after which the session ends, s; 0: all")] = 0.0
    barrier: Annotated[
        tuple[str, ...], Meta(description="services that must have folded a round before the next one is published")
    ] = FOLDS
    barrier_timeout_s: Annotated[
        float, Meta(gt=0, le=3_600, description="how long to wait for a fold before going on without it, s")
    ] = 60.0
    first_barrier_timeout_s: Annotated[
        float, Meta(gt=0, le=3_600, description="the same for a fold that has not yet answered at all, s")
    ] = 1_800.0
    exchange: Annotated[str, Meta(description="the exchange's id at ccxt, for source 'ccxt'")] = ""
    venue_url: Annotated[
        str,
        Meta(
            pattern=r"^(|https?://.+)$",
            description="server in place of the venue, e.g. http://127.0.0.1:3002; empty: the venue itself",
        ),
    ] = ""
    venue_rest_url: Annotated[
        str, Meta(pattern=r"^(|https?://.+)$", description="the same for REST requests only; empty: as venue_url")
    ] = ""
    live: Annotated[LiveConfig, Meta(description="live connections")] = LiveConfig()
    synthetic: Annotated[SyntheticConfig, Meta(description="the synthetic market")] = SyntheticConfig()
