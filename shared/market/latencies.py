"""How long commands travel: by kind, by venue, and as settings say.

What a trader decides on is as old as the answer's way (`response`: market data and acks take the same), and what he
sends takes effect after the way of its kind. An event's time is the venue's, so a command decided on what is known at a
time takes effect `response` and its own way later: together what is measured as order to fill.
"""

from typing import Final, Literal, NamedTuple, TypeAlias

Latency: TypeAlias = float | tuple[tuple[float, float], ...]
LatencyPreset: TypeAlias = Literal["venue", "none", "public_api", "own_node", "gossip_slot"]

LATENCY_KNOTS: Final = 8
LATENCY_LIMIT_MS: Final = 60_000.0
PRESET_OF_VENUE: Final = {"hyperliquid": "public_api"}
FAST_CANCEL_MS: Final = 70.0
"""How much sooner a cancel with `f` takes effect: a block, an assumption."""


class Latencies(NamedTuple):
    """By kind, ms: constants or quantile tables."""

    new: Latency
    modify: Latency
    cancel: Latency
    response: Latency
    fast_cancel: Latency


ENTRY: Final = ((0.05, 150.0), (0.5, 300.0), (0.9, 450.0), (0.99, 900.0))
RESPONSES: Final[dict[str, Latency]] = {
    "public_api": ((0.05, 264.0), (0.5, 357.0), (0.9, 521.0), (0.99, 955.0), (0.999, 1900.0)),
    "own_node": ((0.05, 114.0), (0.5, 207.0), (0.9, 371.0), (0.99, 805.0), (0.999, 1750.0)),
    "gossip_slot": ((0.05, 40.0), (0.5, 97.0), (0.9, 261.0), (0.99, 695.0), (0.999, 1640.0)),
}
"""Hyperliquid, ms by quantile.

The response of `public_api` is the delay of 13,896 updates of the touch by the public feed on a recorded day, with the
error of that machine's clock. A node of one's own saves some 150 ms of it, a gossip slot 110 ms more (70 to 150, and
10 a slot): these two are assumptions. The way in is what is left of 0.6 to 0.7 s by the API, and 0.88 s at the slow end
of order to fill, as published in 2026. A change counts as what it places; a cancel without `f` has no head start.
"""


def preset_of(name: str) -> Latencies:
    """The latencies of a preset; `none` is what was assumed of any venue before one was measured."""
    if name not in RESPONSES:
        return Latencies(100.0, 100.0, 50.0, 0.0, 50.0)
    return Latencies(ENTRY, ENTRY, ENTRY, RESPONSES[name], sooner(ENTRY, FAST_CANCEL_MS))


def in_force(
    venue: str,
    preset: str,
    new: Latency | None,
    modify: Latency | None,
    cancel: Latency | None,
    response: Latency | None,
    fast_cancel: Latency | None = None,
) -> Latencies:
    """What holds on a venue: a preset by its name, or the venue's (`venue`, `none`) but for what is set.

    * a change travels as a new order does, unless it is set itself
    * a fast cancel that is not set is so much sooner than a set cancel as the venue's: not at all where there is none
    * a response that is not set is none where anything is set: whoever sets a way means all of it
    """
    if preset not in ("venue", "none"):
        return preset_of(preset)
    name = name_in_force(venue, preset)
    default = preset_of(name)
    if new is None and modify is None and cancel is None and response is None and fast_cancel is None:
        return default
    if fast_cancel is None:
        fast_cancel = default.fast_cancel
        if cancel is not None:
            fast_cancel = sooner(cancel, FAST_CANCEL_MS) if name in RESPONSES else cancel
    placed = default.new if new is None else new
    return Latencies(
        placed,
        placed if modify is None else modify,
        default.cancel if cancel is None else cancel,
        0.0 if response is None else response,
        fast_cancel,
    )


def name_in_force(venue: str, preset: str) -> str:
    """The preset that holds on a venue."""
    return PRESET_OF_VENUE.get(venue, "none") if preset == "venue" else preset


def sooner(table: Latency, ms: float) -> Latency:
    """A constant or a quantile table, all of it sooner by so much, but never below 0."""
    if isinstance(table, int | float):
        return max(table - ms, 0.0)
    return tuple((quantile, max(value - ms, 0.0)) for quantile, value in table)


def median_ms(latency: Latency) -> float:
    """The median of a constant or a quantile table, linear between the knots and from (0, 0), ms."""
    if isinstance(latency, int | float):
        return float(latency)
    low_u, low_ms = 0.0, 0.0
    for u, ms in latency:
        if u >= 0.5:
            return low_ms + (ms - low_ms) * (0.5 - low_u) / (u - low_u)
        low_u, low_ms = u, ms
    return low_ms


def check_latency(name: str, latency: Latency) -> None:
    """Raise ValueError unless the latency is a constant in bounds or an increasing quantile table of 1-8 knots."""
    knots = ((1.0, latency),) if isinstance(latency, int | float) else latency
    if not 1 <= len(knots) <= LATENCY_KNOTS:
        raise ValueError(f"{name} needs 1 to {LATENCY_KNOTS} quantiles, was {len(knots)}")
    previous_u, previous_ms = 0.0, 0.0
    for u, ms in knots:
        if not (previous_u < u <= 1 and previous_ms <= ms <= LATENCY_LIMIT_MS):
            raise ValueError(f"{name} must rise in (0, 1] and in 0 to {LATENCY_LIMIT_MS:.0f} ms, was {latency!r}")
        previous_u, previous_ms = u, ms
