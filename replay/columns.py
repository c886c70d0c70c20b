"""Frames of what was said: one Polars frame per kind of message, and one table that says what every column is.

Times are `Datetime("ns", "UTC")`, what cannot be known is null, a word is a string; a vector has a column per element.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final, Literal, NamedTuple, get_args, get_origin, get_type_hints

import numpy as np
import numpy.typing as npt
import polars as pl

from papertrader.replay.column_words import NS, OTHER_WORDS, WORDS
from papertrader.shared.log.kinds import KINDS as MESSAGES
from papertrader.shared.log.kinds import Kind
from papertrader.shared.market.commands import COMMAND
from papertrader.shared.market.records import Records, record_dtype
from papertrader.shared.messages import (
    FEATURE_NAMES,
    REGIMES,
    Message,
    Side,
    TimeInForce,
    TriggerKind,
)

Array = npt.NDArray[Any]
Part = tuple[str, str, Records]
"""A market, an account, and records of the one in the other."""


class Column(NamedTuple):
    """A column of a frame: its Polars type, its unit (empty for a count, a ratio or a word) and what it means."""

    name: str
    type: pl.DataType
    unit: str
    meaning: str


SAID: Final[Mapping[str, Kind]] = {
    "orders": "orders",
    "acks": "acks",
    "fills": "fills",
    "markouts": "markouts",
    "accounts": "account",
    "estimate": "estimate",
    "calibration": "calibration",
}
"""The frames that hold messages of one kind, a row each."""
TIME: Final = pl.Datetime("ns", "UTC")
TEXT: Final = pl.String()
NUMBER: Final = pl.Float64()
COUNT: Final = pl.Int64()
_ORDER: Final[Mapping[str, pl.DataType]] = {"order_id": COUNT, "side": TEXT, "price": NUMBER, "size": NUMBER}
_ADDRESS: Final[Mapping[str, pl.DataType]] = {"ts": TIME, "market": TEXT, "account": TEXT}
DERIVED: Final[Mapping[str, Mapping[str, pl.DataType]]] = {
    "quotes": {
        **_ADDRESS,
        **_ORDER,
        "ended_ts": TIME,
        "status": TEXT,
        "reason": TEXT,
        "filled_size": NUMBER,
        "distance_bps": NUMBER,
        "mid_at_placement": NUMBER,
        "queue_ahead": NUMBER,
        "p_fill": NUMBER,
        "p_adverse": NUMBER,
        "fill_probability": NUMBER,
        "fills_expected": NUMBER,
    },
    "touches": {
        "ts": TIME,
        "market": TEXT,
        **dict.fromkeys(("bid_price", "bid_size", "ask_price", "ask_size", "mid"), NUMBER),
    },
    "sweep": {
        "variant": COUNT,
        **dict.fromkeys(("hours", "pnl", "pnl_per_hour", "pnl_per_hour_low", "pnl_per_hour_high"), NUMBER),
        **dict.fromkeys(("spread", "inventory", "fees"), NUMBER),
        "fills": COUNT,
        **dict.fromkeys(("markout_bps", "adverse_share", "max_drawdown"), NUMBER),
    },
}
"""The frames that are made of others, with the types of their columns."""
FRAMES: Final = (*SAID, *DERIVED)
ABOUT: Final[Mapping[str, str]] = {
    "orders": "What was ordered, one row per command.",
    "acks": "What became of an order: every answer of the exchange. The last one describes the order's whole life.",
    "quotes": "What rested on the book: one row per order at one price and size, from when it went live or was changed "
    "until it was changed or ended.",
    "touches": "The best bid and ask, at the end of every round in which they changed: what every service saw.",
    "sweep": "A search over settings, one row per variant, beside the columns of what was varied; "
    "`bands` has them once per fill model.",
}
COMMAND_WORDS: Final[dict[str, tuple[tuple[str, ...], int]]] = {
    "type": (("place", "cancel", "modify", "trigger"), 0),
    "side": (get_args(Side), 1),
    "time_in_force": (get_args(TimeInForce), 0),
    "trigger": (("none", *get_args(TriggerKind)), 0),
}
OF_TRIGGERS: Final = ("parent", "group", "replaces", "trigger_price", "trigger", "whole_position")
LIVE: Final = ("accepted", "modified")
ENDED: Final = ("cancelled", "expired", "filled")


@cache
def columns(frame: str) -> tuple[Column, ...]:
    """The columns of a frame of a run or a sweep, in order: `fills`, `orders`, ..., as `FRAMES` names them."""
    types = DERIVED[frame] if frame in DERIVED else _types(SAID[frame])
    return tuple(Column(name, kind, *_words(frame, name)) for name, kind in types.items())


def _words(frame: str, column: str) -> tuple[str, str]:
    found = OTHER_WORDS.get((frame, column)) or WORDS.get(column)
    if found is not None:
        return found.unit, found.meaning
    field = next(name for name in VECTORS if column.startswith(f"{name}_"))
    unit, meaning = WORDS[field]
    return unit, meaning.format(column.removeprefix(f"{field}_"))


VECTORS: Final = tuple(name for name, words in WORDS.items() if "{}" in words.meaning)


def _types(kind: Kind) -> dict[str, pl.DataType]:
    return dict(frame(kind, []).schema)


def frame(kind: Kind, parts: list[Part]) -> pl.DataFrame:
    """A frame of records, by market and account in the order given."""
    dtype = COMMAND if kind == "orders" else record_dtype(_struct(kind))
    records = np.concatenate([np.zeros(0, dtype=dtype), *(part for _, _, part in parts)])
    lengths = [len(part) for _, _, part in parts]
    found: dict[str, pl.Series] = {"ts": _series(kind, "ts", records["ts"])}
    for place, name in enumerate(("market", "account")):
        found[name] = pl.Series(name, np.repeat([part[place] for part in parts] or [""], lengths or [0]), TEXT)
    for name in dtype.names or ():
        found |= {column.name: column for column in _all_series(kind, name, records[name])}
    made = pl.DataFrame(list(found.values()))
    return _only_what_was_said(made) if kind == "orders" else made


def _struct(kind: Kind) -> type[Message]:
    return MESSAGES[kind].structs[0]


def _only_what_was_said(orders: pl.DataFrame) -> pl.DataFrame:
    """A cancel names neither price nor size, only a new order its side and time in force, and not all wait."""
    new = pl.col("type").is_in(["place", "trigger"])
    return orders.with_columns(
        pl.when(pl.col("type") != "cancel").then(pl.col("price", "size")),
        pl.when(new).then(pl.col("side", "time_in_force", "reduce_only", "params_version")),
        pl.when(pl.col("type") == "trigger").then(pl.col(OF_TRIGGERS)),
        pl.when(pl.col("type") == "place").then(pl.col("priority_bps")),
        pl.when(pl.col("type") == "cancel").then(pl.col("fast")),
    )


def _all_series(kind: Kind, name: str, values: Array) -> list[pl.Series]:
    if values.ndim == 1:
        return [_series(kind, name, values)]
    labels = _labels(name, values.shape[1])
    return [_series(kind, f"{name}_{label}", values[:, index]) for index, label in enumerate(labels)]


def _series(kind: Kind, name: str, values: Array) -> pl.Series:
    words, shift = _words_of(kind, name)
    if words:
        return pl.Series(name, np.array(words, dtype=np.str_)[values + shift], TEXT)
    if name in WORDS and WORDS[name].unit == NS:
        return pl.Series(name, values).replace(0, None).cast(TIME)
    if values.dtype == np.int8:
        return pl.Series(name, values.astype(np.bool_))
    return pl.Series(name, np.ascontiguousarray(values), nan_to_null=True)


def _labels(name: str, count: int) -> tuple[str, ...]:
    if name == "features":
        return FEATURE_NAMES
    return REGIMES if name.startswith("regime_") else tuple(map(str, range(count)))


def _words_of(kind: Kind, name: str) -> tuple[tuple[str, ...], int]:
    """The words that the numbers of a field stand for, and what to add to a number to count from 0."""
    if kind == "orders":
        return COMMAND_WORDS.get(name, ((), 0))
    hint = get_type_hints(_struct(kind)).get(name)
    return (get_args(hint), 1 if hint == Side else 0) if get_origin(hint) is Literal else ((), 0)


def quotes(acks: pl.DataFrame) -> pl.DataFrame:
    """What rested, from what the exchange answered: a quote begins when an order is live or changed."""
    order = ("market", "account", "order_id")
    sign = pl.when(pl.col("side") == "buy").then(1.0).otherwise(-1.0)
    away = sign * (pl.col("mid_at_placement") - pl.col("price")) / pl.col("mid_at_placement") * 1e4
    later = ("status", "reason", "filled_size", "fill_probability", "fills_expected")
    return (
        acks.filter(pl.col("status").is_in([*LIVE, *ENDED]))
        .with_columns(
            pl.col("ts").shift(-1).over(order).alias("ended_ts"),
            pl.col("status").alias("began"),
            *(pl.col(name).shift(-1).over(order) for name in later),
            distance_bps=away,
        )
        .filter(pl.col("began").is_in(LIVE))
        .select(*DERIVED["quotes"])
    )
