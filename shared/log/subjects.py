"""Subjects of the log: how a message's kind, market and account become a NATS subject, and back."""

from functools import lru_cache
from typing import Final, NamedTuple

from papertrader.shared.log.kinds import KINDS, MARKET_TOKEN, PARAMETERS_TOKEN, Kind

STREAM: Final = "PAPER"
KNOWN_SUBJECTS: Final = 8_192
"""So many subjects are taken apart once only."""


class Market(NamedTuple):
    """A venue and an asset, as tokens of a subject."""

    venue: str
    asset: str

    def __str__(self) -> str:
        return f"{self.venue}.{self.asset}"


ACCOUNT_WIDE: Final = Market("all", "all")
"""Stands where a market does in the subject of what concerns an account in all of them."""


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
    token = KINDS[kind].token
    if token == MARKET_TOKEN:
        return f"{token}.{market.venue}.{market.asset}.{kind}"
    if token == PARAMETERS_TOKEN:
        return f"{token}.{market.venue}.{market.asset}.{account}.{kind}"
    return f"{token}.{market.venue}.{market.asset}.{account}"


@lru_cache(maxsize=KNOWN_SUBJECTS)
def address(name: str) -> Address:
    """The inverse of `subject`; raises ValueError for a subject that is not of this system."""
    token, *rest = name.split(".")
    kind, account = token, ""
    if len(rest) == 3:
        kind, account = (rest[2], "") if token == MARKET_TOKEN else (token, rest[2])
    elif len(rest) == 4:
        kind, account = rest[3], rest[2]
    row = KINDS.get(kind)
    if row is None or row.token != token or len(rest) != 3 + (token == PARAMETERS_TOKEN):
        raise ValueError(f"{name!r} is not a subject of the log")
    return Address(kind, Market(rest[0], rest[1]), account)
