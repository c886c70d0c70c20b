"""Searches settings: every variant replayed over the same sessions, ranked by PnL per hour, and how far to believe it.

Fills cluster in time, so the uncertainty of PnL comes from a bootstrap over blocks of a minute (Künsch 1989). How
queues empty cannot be known from level data, so a strategy is also judged by its band: the same settings under fill
models from the most pessimistic to the most optimistic.
"""

import multiprocessing
import random
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from papertrader.replay.columns import DERIVED
from papertrader.replay.replay import Replayed, replay
from papertrader.replay.same_orders import same_orders
from papertrader.replay.session import sessions
from papertrader.services.feed.config import FeedConfig
from papertrader.services.monitor.report.statistics import Interval, block_bootstrap_mean
from papertrader.shared.market.records import Records
from papertrader.shared.messages import LABEL_HORIZON_S
from papertrader.shared.service.config import ACCOUNTS, SECTIONS, Settings, SettingsError, Tables

BLOCK_S: Final = 60
NS_PER_S: Final = 1_000_000_000
S_PER_HOUR: Final = 3600.0
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
MOST_VARIANTS: Final = 100_000
EARNS: Final = "robust: earns"
LOSES: Final = "robust: loses"
FRAGILE: Final = "fragile"

Axes = dict[str, list[Any]]
"""Values to try by dotted key, e.g. `quoter.levels`."""
Variant = dict[str, Any]
"""One value for every dotted key."""


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


def axes_of(options: Iterable[str]) -> Axes:
    """The axes of `section.key=value,value` options; raises SettingsError for one of another form."""
    axes: Axes = {}
    for option in options:
        key, equals, values = option.partition("=")
        if not equals or key.split(".")[0] not in SECTIONS or "." not in key or not values:
            raise SettingsError(f"--set {option}: write SECTION.KEY=VALUE,VALUE with one of {', '.join(SECTIONS)}")
        axes[key] = [_value(text.strip()) for text in values.split(",")]
    return axes


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def variants_of(axes: Axes, count: int | None = None, seed: int = 1) -> list[Variant]:
    """All combinations, or `count` different ones drawn at random; raises SettingsError for too many."""
    total = int(np.prod([len(values) for values in axes.values()], dtype=float))
    chosen: Iterable[int] = range(total)
    if count is not None and count < total:
        chosen = sorted(random.Random(seed).sample(range(total), count))
    elif total > MOST_VARIANTS:
        raise SettingsError(f"{total} variants are too many for a grid: draw some with --random COUNT")
    return [_variant(axes, number) for number in chosen]


def _variant(axes: Axes, number: int) -> Variant:
    variant: Variant = {}
    for key, values in reversed(axes.items()):
        number, place = divmod(number, len(values))
        variant[key] = values[place]
    return {key: variant[key] for key in axes}


def with_variant(tables: Mapping[str, Any], variant: Variant) -> Tables:
    """The settings with a variant's values, which no account's own settings override."""
    result: Tables = {name: _copied(table) for name, table in tables.items()}
    for key, value in variant.items():
        path = key.split(".")
        _set(result, path, value)
        for account in result.get(ACCOUNTS, {}).values():
            _drop(account, path)
    return result


def _copied(table: Any) -> Any:
    return {key: _copied(value) for key, value in table.items()} if isinstance(table, Mapping) else table


def _set(tables: Tables, path: Sequence[str], value: Any) -> None:
    for name in path[:-1]:
        tables = tables.setdefault(name, {})
    tables[path[-1]] = value


def _drop(tables: Tables, path: Sequence[str]) -> None:
    for name in path[:-1]:
        tables = tables.get(name, {})
    tables.pop(path[-1], None)


def outcome(tables: Tables, variant: Variant, cache: Path | None = None) -> Outcome:
    """Replay one variant over all sessions that its settings name."""
    settings = Settings(with_variant(tables, variant))
    replays = [replay(session, settings) for session in sessions(settings.section("feed", FeedConfig), cache)]
    return _outcome(variant, replays)


def _outcome(variant: Variant, replays: Sequence[Replayed]) -> Outcome:
    blocks, seconds = zip(*(block_pnl(replayed) for replayed in replays), strict=True)
    ends = [replayed.records("account", account)[-1:] for replayed in replays for account in replayed.accounts]
    markouts = np.concatenate([_labels(replayed) for replayed in replays])
    interval = block_bootstrap_mean(np.concatenate(blocks), np.concatenate(seconds))
    assert interval is not None
    return Outcome(
        variant=variant,
        hours=float(sum(part.sum() for part in seconds)) / S_PER_HOUR,
        pnl=_total(ends, "total"),
        pnl_per_hour=Interval(*(None if value is None else value * S_PER_HOUR for value in interval)),  # type: ignore[arg-type]
        spread=_total(ends, "spread"),
        inventory=_total(ends, "inventory"),
        fees=_total(ends, "fees"),
        fills=sum(len(replayed.records("fills")) for replayed in replays),
        markout_bps=float(markouts["markout_bps"].mean()) if len(markouts) else None,
        adverse_share=float(markouts["adverse"].mean()) if len(markouts) else None,
        max_drawdown=max((drawdown(replayed) for replayed in replays), default=0.0),
    )


def same_orders_band(tables: Tables, variant: Variant, cache: Path | None = None) -> Band:
    """A variant's own orders under every fill model of `BAND`, and under its own: bounds that bound."""
    settings = Settings(with_variant(tables, variant))
    replays: dict[str, list[Replayed]] = {}
    for session in sessions(settings.section("feed", FeedConfig), cache):
        for name, replayed in same_orders(session, settings, SAME_ORDERS).items():
            replays.setdefault(name, []).append(replayed)
    return Band(variant, {name.replace("_", " "): _outcome(variant, found) for name, found in replays.items()})


def _total(ends: Iterable[Records], name: str) -> float:
    return float(sum(end[name].sum() for end in ends))


def _labels(replayed: Replayed) -> Records:
    markouts = replayed.records("markouts")
    return markouts[
        (markouts["horizon_s"] == LABEL_HORIZON_S) & (markouts["filled"] == 1) & (markouts["resolved"] == 1)
    ]


def block_pnl(replayed: Replayed) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """What all accounts earned in each minute of a session, and the seconds of it, at least one."""
    events = replayed.session.events
    first_ts, last_ts = int(events["ts"][0]), int(events["ts"].max())
    seconds = max(-(-(last_ts - first_ts) // NS_PER_S), 1)
    ends = [*range(BLOCK_S, seconds, BLOCK_S), seconds]
    total = sum((_totals_at(replayed, account, first_ts, ends) for account in replayed.accounts), np.zeros(len(ends)))
    return np.diff(total, prepend=0.0), np.diff(ends, prepend=0)


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


class Sweep:
    """Replays variants in parallel processes. Use it as a context manager."""

    def __init__(self, tables: Tables, workers: int, cache: Path | None = None) -> None:
        self._tables, self._cache = tables, cache
        self._pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))

    def __enter__(self) -> "Sweep":
        """The sweep itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes."""
        self._pool.shutdown(cancel_futures=True)

    def same_orders(self, variants: Sequence[Variant]) -> Iterator[tuple[int, Band]]:
        """Each variant's own orders under every fill model, as it comes, with its place."""
        futures = {
            self._pool.submit(same_orders_band, self._tables, variant, self._cache): place
            for place, variant in enumerate(variants)
        }
        for future in as_completed(futures):
            yield futures[future], future.result()

    def outcomes(self, variants: Sequence[Variant]) -> Iterator[tuple[int, Outcome]]:
        """The outcome of each variant as it comes, with its place."""
        futures = {
            self._pool.submit(outcome, self._tables, variant, self._cache): place
            for place, variant in enumerate(variants)
        }
        for future in as_completed(futures):
            yield futures[future], future.result()


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
    return item._asdict() | {"pnl_per_hour": rate.value, "pnl_per_hour_low": rate.low, "pnl_per_hour_high": rate.high}


def band_variants(variant: Variant) -> dict[str, Variant]:
    """One variant under every fill model of the band."""
    return {name: variant | {f"fill_sim.{key}": value for key, value in model.items()} for name, model in BAND.items()}


def bands(variants: Sequence[Variant], outcomes: Sequence[Outcome]) -> list[Band]:
    """The bands of variants, from the outcomes of all their `band_variants` in order."""
    rows = (outcomes[start : start + len(BAND)] for start in range(0, len(outcomes), len(BAND)))
    return [Band(variant, dict(zip(BAND, row, strict=True))) for variant, row in zip(variants, rows, strict=True)]
