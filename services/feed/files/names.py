"""The names of files of one market: which market a file is named after, and how a file is named after a market."""

import re
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from papertrader.services.feed.venues import registry
from papertrader.shared.log.subjects import Market, token

SUFFIXES: Final = (".gz", ".csv", ".npz", ".npy", ".txt")
EXCHANGES: Final = (
    *("binance-futures", "binance-delivery", "binance-usdm", "binance-coinm", "binance-spot", "binance-us"),
    *("binance", "binancefutures", "bitfinex", "bitget", "bitmex", "bitstamp", "bybit", "bybit-spot", "coinbase"),
    *("deribit", "dydx", "gate-io", "gateio", "gemini", "huobi", "hyperliquid", "kraken", "kucoin", "mexc", "okex"),
    *("okex-futures", "okex-swap", "okx", "synthetic", "upbit"),
)
"""Names of venues that files are known to begin with."""
QUOTES: Final = ("usd", "usdt", "usdc", "btc", "eth", "eur", "perp", "swap", "perpetual")
"""What a symbol ends with: `btc-usdt` is one, not the market `usdt` of a venue `btc`."""
_FORBIDDEN: Final = re.compile(r'[/\\:*?"<>|%\s]')
_DATE: Final = re.compile(
    r"(?:^|[-_.])(?:19|20)\d{2}[-_.]?(?:0[1-9]|1[0-2])(?:[-_.]?(?:0[1-9]|[12]\d|3[01]))?(?:T\d{4,6}Z?)?(?=$|[-_.])"
)
_NOISE: Final = re.compile(r"[-_.](?:sod|eod|snapshot|data|events|feed)(?=$|[-_.])")


def stem_of(market: Market, symbol: str = "") -> str:
    """The name of a file of a market, without its ending: what no file name may hold is written as %XX."""
    return f"{market.venue}-{quoted(symbol or market.asset)}"


def quoted(symbol: str) -> str:
    """A symbol as part of a file's name."""
    return _FORBIDDEN.sub(lambda found: f"%{ord(found[0]):02X}", symbol)


def bare(path: Path) -> str:
    """The name of a file without its endings."""
    name = path.name
    while any(name.lower().endswith(suffix) for suffix in SUFFIXES):
        name = name[: name.rindex(".")]
    return name


def named_after(path: Path) -> tuple[str, str]:
    """The venue (empty if there is none) and the symbol that a file is named after, dates and the like left out.

    `binance-usdm-BTCUSDT.npz`, `BTCUSDT-2024-08-09.npz` and `btcusdt_20240809.npz` are names of this kind.
    """
    name = _DATE.sub("", _DATE.sub("", bare(path)))
    name = _NOISE.sub("", name).strip("-_.") or bare(path)
    known = sorted((*registry.names(), *EXCHANGES), key=len, reverse=True)
    for venue in known:
        rest = name[len(venue) :]
        if name.lower().startswith(venue) and len(rest) > 1 and rest[0] in "-_":
            return venue, unquote(rest[1:])
    venue, dash, symbol = name.rpartition("-")
    if dash and re.fullmatch(r"[a-z][a-z0-9-]*", venue) and symbol.lower() not in QUOTES:
        return venue, unquote(symbol)
    return "", unquote(name)


def market_of(path: Path, unnamed: str) -> Market:
    """The market that a file is named after; `unnamed` is the venue of one that names none."""
    venue, symbol = named_after(path)
    return Market(token(venue or unnamed), token(re.sub(r"\s+", "_", symbol)))
