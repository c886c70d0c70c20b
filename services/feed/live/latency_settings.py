"""The latencies that a probe implies, as settings of the paper exchange: what of them is measured and what assumed."""

from typing import Any, Final, NamedTuple

import numpy as np

from papertrader.services.feed.live.ages import Table
from papertrader.services.feed.live.probe import Probed
from papertrader.shared.market.latencies import ENTRY, FAST_CANCEL_MS, PRESET_OF_VENUE, Latency, sooner

LEAST_AGES: Final = 20
LEAST_TRIPS: Final = 20


class Implied(NamedTuple):
    """A setting of `[fill_sim]`, and where its value comes from."""

    name: str
    value: Any
    origin: str


def implied(venue: str, probed: Probed) -> list[Implied]:
    """The settings; those that too little was measured for are left out.

    * knowing: the age of the data when it came
    * a way in: half of a round trip, and where a venue's own time to take an order is published, that as well
    * bursts: where their chance follows the market beyond what chance would do
    """
    found: list[Implied] = []
    if len(probed.round_trips) >= LEAST_TRIPS:
        found += _ways(venue, probed)
    if len(probed.ages) >= LEAST_AGES:
        exact = "this clock checked" if probed.clock_ms is not None else "the error of this clock in it"
        origin = f"measured on {len(probed.ages):,} touches, {exact}"
        found.append(Implied("response_latency_ms", probed.age_table, origin))
    if (share := probed.tied) is not None:
        interval = f"measured, {share.low:.2f} to {share.high:.2f}"
        value = round(min(share.share, 1.0), 2) if share.low > 0 else 0.0
        found.append(Implied("latency_burst_market", value, interval if value else f"{interval}: may be chance"))
    return [Implied("latency_preset", "none", "all of it is set below"), *found] if found else []


def _ways(venue: str, probed: Probed) -> list[Implied]:
    origin = f"assumed: half of {len(probed.round_trips):,} measured round trips"
    way: Latency = probed.way_table
    if venue in PRESET_OF_VENUE:
        way, origin = _with_the_venues(probed), f"{origin}, and the venue's own time as published"
    ways = [Implied(f"{kind}_latency_ms", way, origin) for kind in ("placement", "modify", "cancel")]
    if venue in PRESET_OF_VENUE:
        fast = sooner(way, FAST_CANCEL_MS)
        ways.append(Implied("fast_cancel_latency_ms", fast, f"assumed: {FAST_CANCEL_MS:g} ms sooner"))
    return ways


def _with_the_venues(probed: Probed) -> Table:
    """What the venue takes, later by half of the round trip of the same quantile."""
    half = np.quantile(probed.round_trips / 2, [quantile for quantile, _ in ENTRY])
    return tuple((quantile, round(ms + float(later), 1)) for (quantile, ms), later in zip(ENTRY, half, strict=True))
