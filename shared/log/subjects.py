"""Subjects of the log: how a message's kind, market and account become a NATS subject, and back."""

from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from papertrader.shared import messages as m

STREAM: Final = "PAPER"
KNOWN_SUBJECTS: Final = 8_192
"""So many subjects are taken apart once only."""

MARKET_DATA: Final[dict[str, type[m.Message]]] = {
    "instrument": m.Instrument,
    "book": m.Book,
    "depth": m.Depth,
    "bbo": m.Bbo,
    "trades": m.Trades,
    "ctx": m.Context,
    "gap": m.Gap,
    "round": m.RoundEnd,
}
ACCOUNT_KINDS: Final[dict[str, object]] = {
    "control": m.Control,
    "calibration": m.Calibration,
    "estimate": m.Estimate,
    "account": m.Account,
    "acks": m.Ack,
    "fills": m.Fill,
    "markouts": m.Markout,
    "orders": m.Command,
    "checks": m.Checklist,
}
"""In the order in which a round's messages are folded; market data comes after them."""

PARAMETERS: Final = ("estimate", "calibration")
TOKENS: Final = ("md", "orders", "acks", "fills", "account", "markouts", "params", "checks", "control")

Kind: TypeAlias = str


class Market(NamedTuple):
    """A venue and an asset, as tokens of a subject."""

    venue: str
    asset: str

    def __str__(self) -> str:
        return f"{self.venue}.{self.asset}"


class Address(NamedTuple):
    """Where a message belongs. `account` is empty for market data."""

    kind: Kind
    market: Market
    account: str


def token(symbol: str) -> str:
    """The symbol as one subject token: `.` becomes `_`; white space and wildcards are refused."""
    if not symbol or any(character in symbol for character in " \t\r\n*>"):
        raise ValueError(f"{symbol!r} cannot be part of a subject: it is empty or holds white space, '*' or '>'")
    return symbol.replace(".", "_")


def subject(kind: Kind, market: Market, account: str = "") -> str:
    """The subject of a message: `md.<venue>.<asset>.book`, `fills.<venue>.<asset>.<account>`, ..."""
    if kind in MARKET_DATA:
        return f"md.{market.venue}.{market.asset}.{kind}"
    if kind in PARAMETERS:
        return f"params.{market.venue}.{market.asset}.{account}.{kind}"
    return f"{kind}.{market.venue}.{market.asset}.{account}"


@lru_cache(maxsize=KNOWN_SUBJECTS)
def address(name: str) -> Address:
    """The inverse of `subject`; raises ValueError for a subject that is not of this system."""
    tokens = name.split(".")
    if len(tokens) == 4 and tokens[0] == "md" and tokens[3] in MARKET_DATA:
        return Address(tokens[3], Market(tokens[1], tokens[2]), "")
    if len(tokens) == 5 and tokens[0] == "params" and tokens[4] in PARAMETERS:
        return Address(tokens[4], Market(tokens[1], tokens[2]), tokens[3])
    if len(tokens) == 4 and tokens[0] in ACCOUNT_KINDS and tokens[0] not in PARAMETERS:
        return Address(tokens[0], Market(tokens[1], tokens[2]), tokens[3])
    raise ValueError(f"{name!r} is not a subject of the log")
