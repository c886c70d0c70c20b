"""The markout curve: what fills were worth after each horizon, and how sure that is."""

from typing import Any

from papertrader.services.monitor.facts.history import History
from papertrader.services.monitor.report.statistics import RESAMPLES, block_bootstrap_mean, weighted_mean
from papertrader.shared.messages import HORIZONS_S


def markouts(history: History, resamples: int = RESAMPLES) -> list[dict[str, Any]]:
    """The markout of every horizon."""
    return [markout(history, horizon_s, resamples) for horizon_s in HORIZONS_S]


def markout(history: History, horizon_s: float, resamples: int = RESAMPLES) -> dict[str, Any]:
    """The mean at one horizon in bp with its interval, weighted by notional as well, and that of unfilled quotes."""
    index = HORIZONS_S.index(horizon_s)
    row = history.markouts[index]
    interval = block_bootstrap_mean(history.block_sum[index], history.block_n[index], resamples)
    unfilled = int(row["unfilled_n"])
    return {
        "horizon_s": horizon_s,
        "n": int(row["n"]),
        "unresolved": int(row["unresolved"]),
        "mean_bps": interval.value if interval else None,
        "low_bps": interval.low if interval else None,
        "high_bps": interval.high if interval else None,
        "notional_weighted_bps": weighted_mean(float(row["weighted_bps"]), float(row["notional"])),
        "unfilled_n": unfilled,
        "unfilled_mean_bps": float(row["unfilled_sum_bps"]) / unfilled if unfilled else None,
    }
