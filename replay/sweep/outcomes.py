"""What a variant came to over its sessions: PnL per hour with its uncertainty, fills, markouts, drawdown.

Fills cluster in time, so the uncertainty of PnL comes from a bootstrap over blocks of a minute (Künsch 1989).
"""

from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from papertrader.replay.columns import DERIVED
from papertrader.replay.replay import Replayed, replay
from papertrader.replay.session import sessions
from papertrader.replay.sweep.variants import Variant, with_variant
from papertrader.services.feed.config import FeedConfig
from papertrader.services.monitor.report.statistics import Interval, block_bootstrap_mean, weighted_mean
from papertrader.shared.market.records import Records
from papertrader.shared.messages import LABEL_HORIZON_S
from papertrader.shared.service.config import Settings, Tables

BLOCK_S: Final = 60
NS_PER_S: Final = 1_000_000_000
S_PER_HOUR: Final = 3600.0


class Blocks(NamedTuple):
    """Minutes in order of time: when each begins (ns), how long it is (s), what all accounts earned in it."""

    start_ts: "array[int]"
    seconds: "array[int]"
    pnl: "array[float]"

    @property
    def times(self) -> tuple[bytes, bytes]:
        """What must be equal for two variants to be compared minute by minute."""
        return self.start_ts.tobytes(), self.seconds.tobytes()


class Part(NamedTuple):
    """What a variant came to in one session. Money in quote currency; `labels` are resolved outcomes after 5 s."""

    blocks: Blocks
    pnl: float
    spread: float
    inventory: float
    fees: float
    fills: int
    labels: int
    markout_bps_sum: float
    adverse: int
    max_drawdown: float


class Outcome(NamedTuple):
    """What a variant came to, over all sessions and accounts. Money in quote currency, PnL with its 95 % interval."""

    variant: Variant
    hours: float
    pnl: float
    pnl_per_hour: Interval
    spread: float
    inventory: float
    fees: float
    fills: int
    markout_bps: float | None
    adverse_share: float | None
    max_drawdown: float
    blocks: Blocks


def outcome(tables: Tables, variant: Variant, cache: Path | None = None) -> Outcome:
    """Replay one variant over all sessions that its settings name."""
    settings = Settings(with_variant(tables, variant))
    found = sessions(settings.section("feed", FeedConfig), cache)
    return merged(variant, [part(replay(session, settings)) for session in found])


def session_part(tables: Tables, variant: Variant, number: int, cache: Path | None = None) -> Part:
    """Replay one variant over one of the sessions."""
    settings = Settings(with_variant(tables, variant))
    for place, session in enumerate(sessions(settings.section("feed", FeedConfig), cache)):
        if place == number:
            return part(replay(session, settings))
    raise IndexError(number)


def part(replayed: Replayed) -> Part:
    """What came of one session."""
    ends = [replayed.records("account", account)[-1:] for account in replayed.accounts]
    labels = _labels(replayed)
    return Part(
        blocks=block_pnl(replayed),
        pnl=_total(ends, "total"),
        spread=_total(ends, "spread"),
        inventory=_total(ends, "inventory"),
        fees=_total(ends, "fees"),
        fills=len(replayed.records("fills")),
        labels=len(labels),
        markout_bps_sum=float(labels["markout_bps"].sum()),
        adverse=int(labels["adverse"].sum()),
        max_drawdown=drawdown(replayed),
    )


def merged(variant: Variant, parts: Sequence[Part]) -> Outcome:
    """The sessions of a variant together."""
    blocks = _in_order([item.blocks for item in parts])
    labels = sum(item.labels for item in parts)
    return Outcome(
        variant=variant,
        hours=sum(blocks.seconds) / S_PER_HOUR,
        pnl=sum(item.pnl for item in parts),
        pnl_per_hour=per_hour(np.array(blocks.pnl), np.array(blocks.seconds)),
        spread=sum(item.spread for item in parts),
        inventory=sum(item.inventory for item in parts),
        fees=sum(item.fees for item in parts),
        fills=sum(item.fills for item in parts),
        markout_bps=weighted_mean(sum(item.markout_bps_sum for item in parts), labels),
        adverse_share=weighted_mean(sum(item.adverse for item in parts), labels),
        max_drawdown=max(item.max_drawdown for item in parts),
        blocks=blocks,
    )


def per_hour(pnl: npt.NDArray[np.float64], seconds: npt.NDArray[np.int64]) -> Interval:
    """PnL per hour with its 95 % interval, from what each minute earned; there is at least one."""
    interval = block_bootstrap_mean(pnl, seconds)
    assert interval is not None
    return Interval(*(None if value is None else value * S_PER_HOUR for value in interval))  # type: ignore[arg-type]


def _in_order(found: Sequence[Blocks]) -> Blocks:
    """The minutes of several sessions in order of time: days one after another, markets beside each other."""
    columns = zip(*found, strict=True)
    starts, seconds, pnl = (np.concatenate([np.array(values) for values in column]) for column in columns)
    order = np.argsort(starts, kind="stable")
    return Blocks(array("q", starts[order]), array("q", seconds[order]), array("d", pnl[order]))


def _total(ends: Iterable[Records], name: str) -> float:
    return float(sum(end[name].sum() for end in ends))


def _labels(replayed: Replayed) -> Records:
    markouts = replayed.records("markouts")
    return markouts[
        (markouts["horizon_s"] == LABEL_HORIZON_S) & (markouts["filled"] == 1) & (markouts["resolved"] == 1)
    ]


def block_pnl(replayed: Replayed) -> Blocks:
    """What all accounts earned in each minute of a session, which has at least one second."""
    events = replayed.session.events
    first_ts, last_ts = int(events["ts"][0]), int(events["ts"].max())
    seconds = max(-(-(last_ts - first_ts) // NS_PER_S), 1)
    ends = [*range(BLOCK_S, seconds, BLOCK_S), seconds]
    total = sum((_totals_at(replayed, account, first_ts, ends) for account in replayed.accounts), np.zeros(len(ends)))
    starts = [first_ts + NS_PER_S * start for start in range(0, seconds, BLOCK_S)]
    return Blocks(array("q", starts), array("q", np.diff(ends, prepend=0)), array("d", np.diff(total, prepend=0.0)))


def _totals_at(replayed: Replayed, account: str, first_ts: int, ends: Sequence[int]) -> npt.NDArray[np.float64]:
    """An account's profit at so many seconds after the start, 0 before its first message."""
    accounts = replayed.records("account", account)
    times = first_ts + np.array(ends, dtype=np.int64) * NS_PER_S
    totals = np.concatenate(([0.0], accounts["total"]))
    found: npt.NDArray[np.float64] = totals[np.searchsorted(accounts["ts"], times, side="right")]
    return found


def drawdown(replayed: Replayed) -> float:
    """The largest fall of an account's profit below its peak, quote currency."""
    falls = [0.0]
    for account in replayed.accounts:
        totals = np.concatenate(([0.0], replayed.records("account", account)["total"]))
        falls.append(float((np.maximum.accumulate(totals) - totals).max()))
    return max(falls)


def ranked(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """The best PnL per hour first; equals in the order in which they were given."""
    return sorted(outcomes, key=lambda item: -item.pnl_per_hour.value)


def outcomes_frame(outcomes: Sequence[tuple[int, Outcome]]) -> pl.DataFrame:
    """Outcomes with their places as a frame: what was varied, a column each, and then the columns of `sweep`."""
    varied = list(dict.fromkeys(key for _, item in outcomes for key in item.variant))
    rows = [item.variant | _flat(item) | {"variant": place} for place, item in outcomes]
    frame = pl.DataFrame(rows, schema_overrides=DERIVED["sweep"], infer_schema_length=None)
    return frame.select("variant", *varied, *(name for name in DERIVED["sweep"] if name != "variant"))


def _flat(item: Outcome) -> dict[str, Any]:
    rate = item.pnl_per_hour
    numbers = {name: value for name, value in item._asdict().items() if name != "blocks"}
    return numbers | {"pnl_per_hour": rate.value, "pnl_per_hour_low": rate.low, "pnl_per_hour_high": rate.high}
