"""Bounded history of one account: a time series, the last fills and the markouts by horizon, all in numpy arrays."""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt

from papertrader.services.monitor.facts.facts import SECOND, AccountFacts, MarketFacts, live_orders
from papertrader.shared.market.records import Records
from papertrader.shared.messages import HORIZONS_S, REGIMES, Fill, Markout

SERIES_ROWS: Final = 14_400
"""Four hours at one sample a second; when they are full, every second one is dropped and the step doubles."""
FILL_ROWS: Final = 5_000
BLOCKS: Final = 1_440
"""One-minute blocks of fills for the bootstrap: a day, after which two blocks become one."""

SERIES: Final = np.dtype(
    [("ts", "i8"), ("mid", "f8"), ("bid", "f8"), ("ask", "f8")]
    + [
        (name, "f4")
        for name in (
            "position",
            "total",
            "realised",
            "unrealised",
            "spread",
            "inventory",
            "fees",
            "funding",
            "kappa",
            "kappa_sd",
            "kappa_confidence",
            "cal_gamma",
            "cal_progress",
            "toxicity_bid",
            "toxicity_ask",
            "sigma_bps",
        )
    ]
    + [("regime", "i1"), ("equity", "f8"), ("pnl_low", "f4"), ("pnl_high", "f4")]
)
"""`bid` and `ask` are the best own quotes; `pnl_low` and `pnl_high` the 95 % interval of the total over all draws of
the queue, settlement currency. NaN and regime −1 where nothing is known yet."""

FILL_ROW: Final = np.dtype(
    [
        ("ts", "i8"),
        ("heard_ts", "i8"),
        ("fill_id", "i8"),
        ("order_id", "i8"),
        ("price", "f8"),
        ("size", "f8"),
        ("fee", "f8"),
        ("mid", "f8"),
        ("half_spread_bps", "f4"),
        ("toxicity", "f4"),
        ("side", "i1"),
        ("maker", "i1"),
        ("through", "i1"),
    ]
)

MARKOUTS: Final = np.dtype(
    [
        ("n", "i8"),
        ("unresolved", "i8"),
        ("sum_bps", "f8"),
        ("sum_square_bps", "f8"),
        ("notional", "f8"),
        ("weighted_bps", "f8"),  # sum of markout times notional
        ("unfilled_n", "i8"),
        ("unfilled_sum_bps", "f8"),
    ]
)


@dataclass(frozen=True)
class History:
    """The arrays of one account. `block_sum` and `block_n` have shape (horizons, blocks)."""

    series: Records
    fills: Records
    markouts: Records
    block_sum: npt.NDArray[np.float64]
    block_n: npt.NDArray[np.int64]

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """The arrays by name, not copies."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def new_history() -> History:
    """No history."""
    return History(
        np.zeros(SERIES_ROWS, dtype=SERIES),
        np.zeros(FILL_ROWS, dtype=FILL_ROW),
        np.zeros(len(HORIZONS_S), dtype=MARKOUTS),
        np.zeros((len(HORIZONS_S), BLOCKS)),
        np.zeros((len(HORIZONS_S), BLOCKS), dtype=np.int64),
    )


def keep_fill(history: History, facts: AccountFacts, fill: Fill, ts: int) -> None:
    """Write a fill that `facts` has counted into the ring."""
    history.fills[(facts.fills.now - 1) % FILL_ROWS] = (
        fill.ts,
        ts,
        fill.fill_id,
        fill.order_id,
        fill.price,
        fill.size,
        fill.fee,
        fill.mid_at_fill,
        fill.half_spread_bps,
        np.nan if fill.toxicity is None else fill.toxicity,
        1 if fill.side == "buy" else -1,
        fill.maker,
        fill.through,
    )


def kept_fills(history: History, facts: AccountFacts) -> Records:
    """The last fills, oldest first, at most `FILL_ROWS`."""
    count = facts.fills.now
    if count <= FILL_ROWS:
        return history.fills[:count]
    return np.roll(history.fills, -(count % FILL_ROWS))


def fills_until(history: History, facts: AccountFacts, field: str, until: int) -> int:
    """How many fills have `field` ("ts" or "heard_ts") at or before `until`; those no longer kept have."""
    return facts.fills.now - int(np.count_nonzero(kept_fills(history, facts)[field] > until))


def keep_markout(history: History, facts: AccountFacts, markout: Markout, notional: float) -> None:
    """Add a markout of an order of that `notional` to its horizon, and a fill's also to its block of fill times."""
    horizon = HORIZONS_S.index(markout.horizon_s)
    row = history.markouts[horizon]
    if not markout.resolved or markout.markout_bps is None:
        row["unresolved"] += markout.filled
    elif not markout.filled:
        row["unfilled_n"] += 1
        row["unfilled_sum_bps"] += markout.markout_bps
    else:
        row["n"] += 1
        row["sum_bps"] += markout.markout_bps
        row["sum_square_bps"] += markout.markout_bps**2
        row["notional"] += notional
        row["weighted_bps"] += markout.markout_bps * notional
        block = _block(history, facts, markout.fill_ts)
        history.block_sum[horizon, block] += markout.markout_bps
        history.block_n[horizon, block] += 1


def _block(history: History, facts: AccountFacts, fill_ts: int) -> int:
    facts.block_first_ts = facts.block_first_ts or fill_ts
    while (block := max(fill_ts - facts.block_first_ts, 0) // (facts.block_s * SECOND)) >= BLOCKS:
        for blocks in (history.block_sum, history.block_n):
            blocks[:, : BLOCKS // 2] = blocks[:, 0::2] + blocks[:, 1::2]
            blocks[:, BLOCKS // 2 :] = 0
        facts.block_s *= 2
    return int(block)


def keep_sample(history: History, market: MarketFacts, facts: AccountFacts) -> None:
    """Sample the account when the event clock has reached the next step of the series."""
    step = facts.sample_every_s * SECOND
    if facts.sampled_ts and market.ts // step == facts.sampled_ts // step:
        return
    if facts.samples == SERIES_ROWS:
        history.series[: SERIES_ROWS // 2] = history.series[::2]
        facts.samples //= 2
        facts.sample_every_s *= 2
    history.series[facts.samples] = _sample(market, facts)
    facts.samples += 1
    facts.sampled_ts = market.ts


def _sample(market: MarketFacts, facts: AccountFacts) -> tuple[float, ...]:
    orders = live_orders(facts)
    bid = max((order.price for order in orders if order.side == "buy"), default=np.nan)
    ask = min((order.price for order in orders if order.side == "sell"), default=np.nan)
    mid = np.nan if market.mid is None else market.mid
    return market.ts, mid, bid, ask, *_money(facts), *_learned(facts), *_equity(facts, market.mid)


def _money(facts: AccountFacts) -> tuple[float, ...]:
    account = facts.account
    if account is None:
        return (0.0,) * 8
    return (
        account.position,
        account.total,
        account.realised,
        account.unrealised,
        account.spread,
        account.inventory,
        account.fees,
        account.funding,
    )


def _equity(facts: AccountFacts, mid: float | None) -> tuple[float, float, float]:
    if facts.account is None:
        return np.nan, np.nan, np.nan
    worlds = facts.worlds.summary(facts.account, mid)
    if worlds is None or worlds["pnl_low"] is None:
        return facts.account.equity, np.nan, np.nan
    return facts.account.equity, worlds["pnl_low"], worlds["pnl_high"]


def _learned(facts: AccountFacts) -> tuple[float, ...]:
    estimate, calibration = facts.estimate, facts.calibration
    gamma, progress = (np.nan, np.nan) if calibration is None else (calibration.cal_gamma, calibration.cal_progress)
    if estimate is None:
        return np.nan, np.nan, np.nan, gamma, progress, np.nan, np.nan, np.nan, -1
    return (
        estimate.kappa,
        estimate.kappa_sd,
        estimate.kappa_confidence,
        gamma,
        progress,
        estimate.toxicity_bid,
        estimate.toxicity_ask,
        estimate.sigma_bps,
        REGIMES.index(estimate.regime),
    )


def kept_series(history: History, facts: AccountFacts, rows: int = SERIES_ROWS) -> Records:
    """The time series, oldest first, thinned evenly to at most `rows`; the newest sample is always in it."""
    series = history.series[: facts.samples]
    step = -(-len(series) // rows) if rows else 1
    return series[::-1][:: max(step, 1)][::-1]
