"""Settings of the feed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

from papertrader.services.feed.instrument import InstrumentSettings
from papertrader.services.feed.venues.config import LiveConfig
from papertrader.services.feed.venues.registry import names
from papertrader.shared.log.health import FOLDS

LIVE_SOURCES: Final = names()
SOURCES: Final = ("synthetic", "tape", *LIVE_SOURCES)
if TYPE_CHECKING:
    Source: TypeAlias = str
else:
    Source = Literal[SOURCES]


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
    informed_move_bps: Annotated[float, Meta(ge=0, le=100, description="how far the mid follows them, bp")] = 14.0
    informed_move_s: Annotated[float, Meta(ge=0.1, le=60, description="over how long the mid follows, s")] = 3.0
    level_notional: Annotated[float, Meta(gt=0, description="mean displayed notional of a level, quote currency")] = (
        30_000.0
    )
    trade_notional: Annotated[float, Meta(gt=0, description="mean notional of a print, quote currency")] = 3_000.0


class FeedConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where market data comes from, and how it is cut into rounds."""

    source: Annotated[
        Source,
        Meta(description="a seeded market of known truth, recorded frames, or a live venue"),
    ] = "synthetic"
    tapes: Annotated[
        tuple[Path, ...],
        Meta(description="recorded frames to read, gzip or plain, and arrays of hftbacktest (`.npz`), one per market"),
    ] = ()
    assets: Annotated[
        tuple[str, ...], Meta(description="assets to publish, as the venue spells them; empty: all of a tape")
    ] = ()
    instruments: Annotated[
        dict[str, InstrumentSettings],
        Meta(description="rules of markets, told by hand: a table of fields of an instrument by asset"),
    ] = {}
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
