"""What the numbers rest on: the source, the fill model, latencies and fees; and the currency that they are in."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from papertrader.services.monitor.service import Monitor
from papertrader.shared.log.subjects import Market
from papertrader.shared.market.latencies import RESPONSES, in_force, median_ms, name_in_force
from papertrader.shared.messages import Instrument
from papertrader.shared.service.config import ACCOUNTS

SYNTHETIC: Final = "synthetic"
SYNTHETIC_SAYS: Final = (
    "SYNTHETIC MARKET: made by a program from settings, to show how things work. What is earned here says nothing "
    "about any real market."
)
SETTLED_IN: Final = {"hyperliquid": "USDC"}
QUOTES: Final = ("USDT", "USDC", "FDUSD", "BUSD", "TUSD", "USD", "EUR", "BTC", "ETH", "BNB")
NOT_KNOWN: Final = "default"


def currency(market: Market, rules: Instrument | None) -> str:
    """The currency that an account of a market is settled in, as far as the market's name tells it."""
    asset = market.asset.upper().replace("-", "").replace("/", "")
    quote = SETTLED_IN.get(market.venue) or next((name for name in QUOTES if asset.endswith(name)), "")
    if rules is not None and rules.kind == "inverse":
        return asset.removesuffix(quote) or "base coin"
    return quote if quote and quote != asset else "quote currency"


def assumptions(monitor: Monitor, account: str, settings: Mapping[str, Any] | None) -> dict[str, str]:
    """The assumptions in words, by name. What the settings do not say is a default."""
    tables = settings or {}
    fills = section(tables, "fill_sim", account)
    quoter = section(tables, "quoter", account)
    return {
        "source": _source(monitor.market, tables.get("feed", {})),
        "strategy": str(quoter.get("strategy", NOT_KNOWN)),
        "fill model": _model(fills),
        "latency": _latency(monitor.market.venue, fills),
        "fees": _fees(monitor, account, fills),
    }


def section(tables: Mapping[str, Any], name: str, account: str) -> dict[str, Any]:
    """A section with what differs for one account."""
    own = tables.get(ACCOUNTS, {}).get(account, {}).get(name, {})
    return {**tables.get(name, {}), **own}


def _source(market: Market, feed: Mapping[str, Any]) -> str:
    if market.venue == SYNTHETIC:
        return "SYNTHETIC MARKET"
    tapes = [Path(str(tape)).name for tape in feed.get("tapes") or ()]
    if not tapes:
        return f"{market.venue}, live" if feed.get("source") == market.venue else market.venue
    more = f" and {len(tapes) - 1} more" if len(tapes) > 1 else ""
    return f"tape {tapes[0]}{more}"


def _model(fills: Mapping[str, Any]) -> str:
    model = str(fills.get("fill_model", NOT_KNOWN))
    detail = {"draws": "decide", "fifo": "cancels"}.get(model, "")
    return f"{model}, {detail} {fills[detail]}" if detail in fills else model


def _latency(venue: str, fills: Mapping[str, Any]) -> str:
    """Whose latencies are in force, each, and the median from what is known until a new order is live."""
    preset = str(fills.get("latency_preset", "venue"))
    own = [fills.get(f"{kind}_latency_ms") for kind in ("placement", "modify", "cancel", "response", "fast_cancel")]
    used = in_force(venue, preset, *own)
    cancel = used.fast_cancel if fills.get("fast_cancels") else used.cancel
    ways = f"place {_ms(used.new)}, cancel {_ms(cancel)}"
    if not used.response:
        return ways
    whose = name_in_force(venue, preset).replace("_", " ") if not any(own) or preset in RESPONSES else "set by hand"
    known = median_ms(used.response) + median_ms(used.new)
    return f"{whose}: {known:g} ms from what is known to a live order (medians); knowing {_ms(used.response)}, {ways}"


def _ms(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " … ".join(f"{ms:g} ms at {share:.0%}" for share, ms in value)
    return f"{value:g} ms" if isinstance(value, int | float) else str(value)


def _fees(monitor: Monitor, account: str, fills: Mapping[str, Any]) -> str:
    money = monitor.facts.accounts[account].account
    if money is None or money.maker_fee_bps is None or money.taker_fee_bps is None:
        return "not known yet"
    origin = "set by hand" if fills.get("maker_fee_bps") is not None else "the venue's schedule"
    return f"maker {money.maker_fee_bps:g} bp, taker {money.taker_fee_bps:g} bp, {origin}"
