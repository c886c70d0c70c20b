"""What was said as columns: one numpy array per field of a message, under the field's name, with its unit.

Times are integer nanoseconds UTC, what cannot be known is NaN, a word is a string; a vector has a column per element.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

import numpy as np
import numpy.typing as npt

from papertrader.shared.log.kinds import Kind
from papertrader.shared.market.commands import COMMAND
from papertrader.shared.market.records import Records, record_dtype
from papertrader.shared.messages import (
    FEATURE_NAMES,
    REGIMES,
    Account,
    Ack,
    Calibration,
    Estimate,
    Fill,
    Markout,
    Message,
    Side,
    TimeInForce,
)

Column = npt.NDArray[Any]

STRUCTS: Final[Mapping[Kind, type[Message]]] = {
    "fills": Fill,
    "acks": Ack,
    "markouts": Markout,
    "account": Account,
    "estimate": Estimate,
    "calibration": Calibration,
}
KINDS: Final[tuple[Kind, ...]] = ("orders", *STRUCTS)
COMMAND_WORDS: Final[dict[str, tuple[tuple[str, ...], int]]] = {
    "type": (("place", "cancel", "modify"), 0),
    "side": (get_args(Side), 1),
    "time_in_force": (get_args(TimeInForce), 0),
}
_QUOTE: Final = "quote currency"
_BASE: Final = "base units"
_NS: Final = "ns UTC"
UNITS: Final[dict[str, str]] = {
    **dict.fromkeys(("ts", "live_ts", "first_fill_ts", "fill_ts"), _NS),
    **dict.fromkeys(("price", "mid", "mid_at_placement", "mid_at_fill", "average_entry_price", "mark_price"), _QUOTE),
    **dict.fromkeys(("cash", "equity", "margin_used", "margin_available", "realised", "unrealised", "spread"), _QUOTE),
    **dict.fromkeys(("inventory", "fee", "fees", "funding", "total", "residual", "turnover"), _QUOTE),
    **dict.fromkeys(("size", "filled_size", "position", "position_after", "queue_ahead", "queue_ahead_at_join"), _BASE),
    **dict.fromkeys(("p_fill", "p_adverse", "toxicity", "toxicity_bid", "toxicity_ask"), "probability"),
    **dict.fromkeys(("kappa", "kappa_sd", "market_kappa"), "1/(fraction of price)"),
    "intensity": "fills per second",
}
_SUFFIXES: Final = {"_bps": "bp", "_s": "s", "_ms": "ms", "_ns": "ns", "_ts": _NS, "_price": _QUOTE, "_size": _BASE}


def unit(column: str) -> str:
    """The unit of a column; empty for a count, a ratio or a word."""
    found = UNITS.get(column)
    return found if found is not None else next((name for end, name in _SUFFIXES.items() if column.endswith(end)), "")


@dataclass(frozen=True, repr=False)
class Table(Mapping[str, Column]):
    """Columns of one kind of message, all of the same length: `fills["price"]` is a numpy array."""

    kind: str
    columns: Mapping[str, Column]

    def __getitem__(self, name: str) -> Column:
        """A column by its name."""
        return self.columns[name]

    def __iter__(self) -> Iterator[str]:
        """The names of the columns."""
        return iter(self.columns)

    def __len__(self) -> int:
        """How many columns there are."""
        return len(self.columns)

    def __repr__(self) -> str:
        return f"<{self.kind}: {self.rows} rows of {', '.join(self.columns)}>"

    @property
    def rows(self) -> int:
        """How many messages there are."""
        return len(self.columns["ts"])

    @property
    def units(self) -> dict[str, str]:
        """The unit of every column, empty for a count, a ratio or a word."""
        return {name: unit(name) for name in self.columns}

    def where(self, **values: object) -> "Table":
        """The rows whose columns have these values, e.g. `where(account="main", side="buy")`."""
        chosen = np.ones(self.rows, dtype=bool)
        for name, value in values.items():
            chosen &= self.columns[name] == value
        return Table(self.kind, {name: column[chosen] for name, column in self.columns.items()})

    def to_polars(self) -> Any:
        """A polars DataFrame; `pip install 'papertrader[notebook]'` brings polars."""
        import polars

        return polars.DataFrame(dict(self.columns))

    def to_pandas(self) -> Any:
        """A pandas DataFrame; `pip install 'papertrader[notebook]'` brings pandas."""
        import pandas

        return pandas.DataFrame(dict(self.columns))


def table(kind: Kind, parts: list[tuple[str, str, Records]]) -> Table:
    """A table of records, given as market, account and records of one account in one market each."""
    dtype = COMMAND if kind == "orders" else record_dtype(STRUCTS[kind])
    records = np.concatenate([np.zeros(0, dtype=dtype), *(part for _, _, part in parts)])
    lengths = [len(part) for _, _, part in parts]
    columns: dict[str, Column] = {"ts": records["ts"]}
    columns["market"] = np.repeat(np.array([market for market, _, _ in parts], dtype=np.str_), lengths)
    columns["account"] = np.repeat(np.array([account for _, account, _ in parts], dtype=np.str_), lengths)
    for name in dtype.names or ():
        columns |= _columns(kind, name, records[name])
    return Table(kind, _only_what_was_said(columns) if kind == "orders" else columns)


def _only_what_was_said(orders: dict[str, Column]) -> dict[str, Column]:
    """A cancel names neither price nor size, and only a new order its side and time in force."""
    cancels, places = orders["type"] == "cancel", orders["type"] == "place"
    for name in ("price", "size"):
        orders[name] = np.where(cancels, np.nan, orders[name])
    for name in ("side", "time_in_force"):
        orders[name] = np.where(places, orders[name], "")
    return orders


def _columns(kind: Kind, name: str, values: Column) -> dict[str, Column]:
    if values.ndim == 2:
        return {f"{name}_{label}": values[:, index] for index, label in enumerate(_labels(name, values.shape[1]))}
    words, shift = _words(kind, name)
    if words:
        return {name: np.array(words, dtype=np.str_)[values + shift]}
    return {name: values.astype(np.bool_) if values.dtype == np.int8 else values}


def _labels(name: str, count: int) -> tuple[str, ...]:
    if name == "features":
        return FEATURE_NAMES
    return REGIMES if name.startswith("regime_") else tuple(map(str, range(count)))


def _words(kind: Kind, name: str) -> tuple[tuple[str, ...], int]:
    """The words that the numbers of a field stand for, and what to add to a number to count from 0."""
    if kind == "orders":
        return COMMAND_WORDS.get(name, ((), 0))
    hint = get_type_hints(STRUCTS[kind])[name]
    return (get_args(hint), 1 if hint == Side else 0) if get_origin(hint) is Literal else ((), 0)
