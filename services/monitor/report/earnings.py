"""What an account has earned, with the uncertainty of time and of the queue."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from papertrader.services.monitor.facts.facts import SECOND
from papertrader.services.monitor.facts.history import kept_series
from papertrader.services.monitor.report.statistics import RESAMPLES, Interval, block_bootstrap_mean
from papertrader.services.monitor.service import Monitor
from papertrader.shared.market.records import Records

BLOCK_S: Final = 60
S_PER_HOUR: Final = 3600.0
PARTS: Final = ("total", "spread", "inventory", "fees", "funding")


class Earnings(NamedTuple):
    """Money in the settlement currency. The interval of `per_hour` is the wider of two 95 % intervals: of blocks of a
    minute (what another hour could have brought), and of the draws of the queue (what other fills of the same quotes
    could have brought). `bps` is the total per turnover. Bounds are `None` where there is too little to say."""

    total: float
    per_hour: float
    per_hour_low: float | None
    per_hour_high: float | None
    bps: float | None
    turnover: float
    hours: float
    draws_low: float | None
    draws_high: float | None


def earnings(monitor: Monitor, account: str, resamples: int = RESAMPLES) -> Earnings:
    """What one account has earned since its start or its last reset."""
    facts = monitor.facts.accounts[account]
    series = since_reset(kept_series(monitor.history(account), facts))
    total, turnover = (facts.account.total, facts.account.turnover) if facts.account else (0.0, 0.0)
    hours = float(series["ts"][-1] - series["ts"][0]) / SECOND / S_PER_HOUR if len(series) > 1 else 0.0
    worlds = facts.worlds.summary(facts.account, monitor.facts.market.mid) or {}
    draws_low, draws_high = worlds.get("pnl_low"), worlds.get("pnl_high")
    lows, highs = _bounds(block_interval(series, resamples), draws_low, draws_high, hours)
    return Earnings(
        total=total,
        per_hour=total / hours if hours else 0.0,
        per_hour_low=min(lows) if lows else None,
        per_hour_high=max(highs) if highs else None,
        bps=total / turnover * 1e4 if turnover else None,
        turnover=turnover,
        hours=hours,
        draws_low=draws_low,
        draws_high=draws_high,
    )


def _bounds(
    blocks: Interval | None, draws_low: float | None, draws_high: float | None, hours: float
) -> tuple[list[float], list[float]]:
    """Lower and upper bounds per hour; none before the blocks of time allow an interval."""
    if blocks is None or blocks.low is None or blocks.high is None:
        return [], []
    lows, highs = [blocks.low], [blocks.high]
    if draws_low is not None and draws_high is not None and hours:
        lows.append(draws_low / hours)
        highs.append(draws_high / hours)
    return lows, highs


def block_interval(series: Records, resamples: int = RESAMPLES) -> Interval | None:
    """PnL per hour with its interval over blocks of a minute, or of the steps of the series where these are longer."""
    if len(series) < 2:
        return None
    elapsed: npt.NDArray[np.int64] = (series["ts"] - series["ts"][0]) // SECOND
    ends = np.flatnonzero(np.diff(elapsed // BLOCK_S, append=-1))
    gained = np.diff(series["total"][ends], prepend=series["total"][0])
    seconds = np.diff(elapsed[ends], prepend=0)
    return block_bootstrap_mean(gained * S_PER_HOUR, seconds, resamples)


def since_reset(series: Records) -> Records:
    """The series since the account was last reset: where all of its money became 0 at once."""
    nothing = np.all([series[name] == 0 for name in PARTS], axis=0)
    resets = np.flatnonzero(nothing[1:] & ~nothing[:-1]) + 1 if len(series) > 1 else np.zeros(0, dtype=np.int64)
    return series[resets[-1] :] if len(resets) else series
