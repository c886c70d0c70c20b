"""One variant under every fill model. How queues empty cannot be known from level data, so a strategy is also judged by
its band: the same settings under fill models from the most pessimistic to the most optimistic."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from papertrader.replay.same_orders import same_orders
from papertrader.replay.session import sessions
from papertrader.replay.sweep.outcomes import Outcome, Part, merged, part
from papertrader.replay.sweep.variants import Variant, with_variant
from papertrader.services.feed.config import FeedConfig
from papertrader.shared.service.config import Settings, Tables

BAND: Final[Mapping[str, dict[str, Any]]] = {
    "through": {"fill_model": "through"},
    "behind": {"fill_model": "fifo", "cancels": "behind"},
    "pro rata": {"fill_model": "fifo", "cancels": "pro_rata"},
    "ahead": {"fill_model": "fifo", "cancels": "ahead"},
}
"""Fill models by name: only prints through the price; queues in which cancels leave from behind, evenly, from ahead."""
SAME_ORDERS: Final[Mapping[str, dict[str, Any]]] = {
    **{name.replace(" ", "_"): model for name, model in BAND.items()},
    "draws_behind": {"fill_model": "draws", "cancel_odds": 1e-9, "join_share": 0.66},
    "draws_ahead": {"fill_model": "draws", "cancel_odds": 100.0, "join_share": 0.34},
}
"""Two bounded families, for the same orders: behind ≤ pro rata ≤ ahead of `fifo`, and of `draws` every setting between
draws behind and draws ahead. `draws` also fills what a book crosses, so it may fill more than any of `fifo`."""
EARNS: Final = "robust: earns"
LOSES: Final = "robust: loses"
FRAGILE: Final = "fragile"


class Band(NamedTuple):
    """One variant under every fill model of `BAND`."""

    variant: Variant
    outcomes: dict[str, Outcome]

    @property
    def low(self) -> float:
        """The smallest PnL per hour of all models."""
        return min(outcome.pnl_per_hour.value for outcome in self.outcomes.values())

    @property
    def high(self) -> float:
        """The largest."""
        return max(outcome.pnl_per_hour.value for outcome in self.outcomes.values())

    @property
    def verdict(self) -> str:
        """`robust: earns` if under every model the whole 95 % interval of PnL per hour lies above 0, `robust: loses` if
        below, else `fragile`: whether it earns is an assumption about queues, or chance."""
        intervals = [outcome.pnl_per_hour for outcome in self.outcomes.values()]
        if all(interval.low is not None and interval.low > 0 for interval in intervals):
            return EARNS
        if all(interval.high is not None and interval.high < 0 for interval in intervals):
            return LOSES
        return FRAGILE


def same_orders_band(tables: Tables, variant: Variant, cache: Path | None = None) -> Band:
    """A variant's own orders under every fill model of `BAND`, and under its own: bounds that bound."""
    settings = Settings(with_variant(tables, variant))
    parts: dict[str, list[Part]] = {}
    for session in sessions(settings.section("feed", FeedConfig), cache):
        for name, replayed in same_orders(session, settings, SAME_ORDERS).items():
            parts.setdefault(name, []).append(part(replayed))
    return Band(variant, {name.replace("_", " "): merged(variant, found) for name, found in parts.items()})


def band_variants(variant: Variant) -> dict[str, Variant]:
    """One variant under every fill model of the band."""
    return {name: variant | {f"fill_sim.{key}": value for key, value in model.items()} for name, model in BAND.items()}


def bands(variants: Sequence[Variant], outcomes: Sequence[Outcome]) -> list[Band]:
    """The bands of variants, from the outcomes of all their `band_variants` in order."""
    rows = (outcomes[start : start + len(BAND)] for start in range(0, len(outcomes), len(BAND)))
    return [Band(variant, dict(zip(BAND, row, strict=True))) for variant, row in zip(variants, rows, strict=True)]
