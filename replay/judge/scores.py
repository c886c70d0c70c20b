"""Scores of a model's forecasts against exact fates, each with an interval from a bootstrap of blocks of time.

* skill: 1 − Brier / Brier of the base rate; 1 is perfect, 0 knows no more than how many fill
* log loss, probabilities kept within [1e-4, 1 − 1e-4]
* fills ratio: the sum of the probabilities over the fills that there were
* time error: median |time at which the probability passed one half − time of the fill|, s, where both filled
* markout gap: mean 5 s markout of the fills forecast less that of the real ones, bps; above 0 the model flatters

Shadows near in time share what happens to them, so whole blocks are drawn: `BLOCKS` of equal duration.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from papertrader.replay.judge.feeds import NEVER, Market
from papertrader.replay.judge.models import MARKOUT_NS
from papertrader.shared.market.records import Records

Floats = npt.NDArray[np.float64]
BLOCKS: Final = 60
RESAMPLES: Final = 400
CLIP: Final = 1e-4
BINS: Final = 10
INTERVAL: Final = (0.025, 0.975)


def scores(market: Market, results: Records, seed: int = 1) -> dict[str, Any]:
    """All scores of one model on one feed; each score's 95 % interval is `<score>_interval`."""
    sums = _sums(market, results)
    values = _values(sums.sum(axis=0, keepdims=True))
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(BLOCKS, np.full(BLOCKS, 1 / BLOCKS), size=RESAMPLES) @ sums
    spread = _values(drawn)
    scored: dict[str, Any] = {}
    for name, value in values.items():
        scored[name] = _number(value[0])
        low, high = np.nanquantile(spread[name], INTERVAL) if np.isfinite(spread[name]).any() else (np.nan, np.nan)
        scored[f"{name}_interval"] = [_number(low), _number(high)]
    return scored | {"time_error_s": _time_error(market, results), "reliability": reliability(market, results)}


def _sums(market: Market, results: Records) -> Floats:
    """What the scores are made of, summed by block, shape (BLOCKS, 8)."""
    shadows = market.shadows
    p, filled = np.clip(results["p"], 0.0, 1.0), shadows["filled_ts"] < NEVER
    real = filled.astype(np.float64)
    kept = np.clip(p, CLIP, 1 - CLIP)
    markout = np.where(filled, _markouts(market), 0.0)
    columns = np.stack(
        [
            np.ones(len(p)),
            real,
            p,
            (p - real) ** 2,
            -np.where(filled, np.log(kept), np.log1p(-kept)),
            results["markout"],
            np.nan_to_num(markout),
            np.where(filled & ~np.isnan(markout), 1.0, 0.0),
        ],
        axis=1,
    )
    ts = shadows["ts"]
    span = max(int(ts[-1] - ts[0]) + 1, 1)
    block = (ts - ts[0]) * BLOCKS // span
    sums = np.zeros((BLOCKS, columns.shape[1]))
    np.add.at(sums, block, columns)
    return sums


def _markouts(market: Market) -> Floats:
    shadows = market.shadows
    ends = np.where(
        shadows["filled_ts"] < NEVER, shadows["filled_ts"] + MARKOUT_NS, market.mid_ts[-1] if len(market.mids) else 0
    )
    rows = np.searchsorted(market.mid_ts, ends, side="right") - 1
    price = shadows["tick"] * market.tick_size
    mids = market.mids[np.maximum(rows, 0)] if len(market.mids) else np.full(len(shadows), np.nan)
    return np.where(rows >= 0, shadows["side"] * (mids - price) / price * 1e4, np.nan)


def _values(sums: Floats) -> dict[str, Floats]:
    count, real, forecast, brier, loss, markout, real_markout, real_marked = sums.T
    with np.errstate(divide="ignore", invalid="ignore"):
        base = real / count
        return {
            "skill": 1 - brier / count / (base * (1 - base)),
            "log_loss": loss / count,
            "fills_ratio": forecast / real,
            "markout_gap_bps": markout / forecast - real_markout / real_marked,
        }


def _time_error(market: Market, results: Records) -> float | None:
    real, said = market.shadows["filled_ts"], results["filled_ts"]
    both = (real < NEVER) & (said < NEVER)
    return float(np.median(np.abs(real[both] - said[both])) * 1e-9) if both.any() else None


def reliability(market: Market, results: Records) -> list[list[float]]:
    """Rows of (mean forecast, share filled, shadows) by tenths of the forecast; those that are empty are left out."""
    p, real = np.clip(results["p"], 0, 1), market.shadows["filled_ts"] < NEVER
    bins = np.minimum((p * BINS).astype(np.int64), BINS - 1)
    return [
        [float(p[bins == row].mean()), float(real[bins == row].mean()), int((bins == row).sum())]
        for row in range(BINS)
        if (bins == row).any()
    ]


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
