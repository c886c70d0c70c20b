"""What the terminal shows: first what is earned and whether to believe it, then what stands, then the checklist."""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

STYLES: Final = {"pass": "green", "fail": "bold red", "waiting": "yellow"}
MARKS: Final = {"pass": "✓", "fail": "✗", "waiting": "…"}
BELIEVED: Final = {"yes": "bold green", "not yet": "yellow", "no": "bold red"}
VERDICTS_SHOWN: Final = 4
STEPS_SHOWN: Final = 2
NOTHING: Final = "–"
CLOSED_LOOP: Final = (
    "Each account quotes for itself: what it is filled with changes what it quotes next, so a stricter fill model is "
    "no bound here. `papertrader sweep --same-orders` puts the same orders under every model."
)
REJECTED_SHARE: Final = 0.05
"""A larger share of rejected orders is told."""


def conclude(summary: dict[str, Any], as_json: bool) -> list[str]:
    """Print what came of a run or a replay; the checks that failed."""
    for market in summary["markets"]:
        market.pop("final", None)
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(summary) + b"\n")
        sys.stdout.flush()
    else:
        out = Console()
        out.print(overview(summary))
        out.print(learned(summary))
        out.print(checklist(summary))
    return failed(summary)


def overview(summary: dict[str, Any]) -> Group:
    """The verdicts, what stands on the book, and the money of every market and account."""
    markets = summary["markets"]
    parts: list[RenderableType] = [*verdicts(markets), standing(markets), Text(), earned(markets)]
    if len({market["account"] for market in markets}) > 1:
        parts.append(Text(CLOSED_LOOP, style="dim"))
    told = (tell(market) for market in markets for tell in (rejections, strategy_error))
    return Group(*parts, *(text for text in told if text is not None))


def verdicts(markets: list[dict[str, Any]]) -> Iterable[Text]:
    """What is earned, whether that can be believed, what to do next, and what it rests on."""
    for banner in dict.fromkeys(market["verdict"]["banner"] for market in markets):
        if banner:
            yield Text(banner, style="bold reverse yellow")
    for market in markets[:VERDICTS_SHOWN]:
        verdict = market["verdict"]
        yield Text.assemble((f"{name(market)}  ", "bold"), (verdict["headline"], BELIEVED[verdict["believed"]]))
        for step in verdict["next"][:STEPS_SHOWN]:
            yield Text(f"  next: {step}")
    if len(markets) > VERDICTS_SHOWN:
        yield Text(f"and {len(markets) - VERDICTS_SHOWN} more: see the page", style="dim")
    for assumed in dict.fromkeys(_assumed(market) for market in markets):
        yield Text(f"assumed: {assumed}", style="dim")
    yield Text()


def _assumed(market: dict[str, Any]) -> str:
    return " · ".join(f"{what} {said}" for what, said in market["verdict"]["assumptions"].items())


def name(market: dict[str, Any]) -> str:
    """A market and an account as one word."""
    return f"{market['venue']}.{market['asset']} {market['account']}"


def _table(*numbers: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("market, account", overflow="fold")
    for column in numbers:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def standing(markets: list[dict[str, Any]]) -> Table:
    """Position, own quotes around the mid, and how old the market data is."""
    table = _table("position", "bid", "mid", "ask", "orders", "data age")
    for market in markets:
        quotes = market["quotes"]
        age = quotes["data_age_s"]
        table.add_row(
            name(market) + (" (paused)" if quotes["paused"] else ""),
            f"{market['position']:.6g}",
            *(_price(quotes[what]) for what in ("bid", "mid", "ask")),
            str(quotes["orders"]),
            NOTHING if age is None else Text(f"{age:.1f} s", style="red" if age > 10 else ""),
        )
    return table


def _price(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.8g}"


def earned(markets: list[dict[str, Any]]) -> Table:
    """The money of every market and account, and the marks of its checks."""
    table = _table("PnL", "per hour", "bp", "fees", "fills", "adverse")
    table.add_column("checks", no_wrap=True)
    for market in markets:
        pnl, earns, adverse = market["pnl"], market["verdict"]["earns"], market["adverse_rate"]
        table.add_row(
            name(market),
            Text(f"{pnl['total']:+,.2f}", style="green" if pnl["total"] >= 0 else "red"),
            f"{earns['per_hour']:+,.2f}",
            NOTHING if earns["bps"] is None else f"{earns['bps']:+.2f}",
            f"{pnl['fees']:,.2f}",
            f"{market['fills']:,}",
            NOTHING if adverse is None else f"{adverse:.0%}",
            marks(market["checks"]),
        )
    return table


def learned(summary: dict[str, Any]) -> Table:
    """What was learned of every market and account."""
    table = _table("κ", "confidence", "progress", "γ cal", "spread", "inventory")
    for market in summary["markets"]:
        pnl, kappa = market["pnl"], market["kappa_end"]
        table.add_row(
            name(market),
            NOTHING if kappa is None else f"{kappa:.0f}",
            f"{market['kappa_confidence_end'] or 0:.2f}",
            f"{market['cal_progress'] or 0:.0%}",
            f"{market['cal_gamma_end'] or 0:.2f}",
            f"{pnl['spread']:+,.2f}",
            f"{pnl['inventory']:+,.2f}",
        )
    return table


def line(market: dict[str, Any]) -> str:
    """One account in one line, for a pipe or a log."""
    quotes, earns = market["quotes"], market["verdict"]["earns"]
    bid, mid, ask = (_price(quotes[what]) for what in ("bid", "mid", "ask"))
    money = f"PnL {market['pnl']['total']:+,.2f} {earns['currency']}, {earns['per_hour']:+,.2f} per hour"
    return (
        f"{_moment(quotes['ts'])} {name(market)}: position {market['position']:.6g}, quotes {bid} / {ask}, mid {mid}, "
        f"{money}, {market['fills']:,} fills, believed: {market['verdict']['believed']}"
    )


def _moment(ts: int) -> str:
    return f"{datetime.fromtimestamp(ts / 1e9, UTC):%Y-%m-%d %H:%M:%S}"


def rejections(market: dict[str, Any]) -> Text | None:
    """Why orders were rejected, where more than a few were."""
    rejected, orders = market["rejected"], market["orders"]
    if sum(rejected.values()) <= REJECTED_SHARE * orders:
        return None
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(rejected.items(), key=lambda item: -item[1]))
    total = sum(rejected.values())
    return Text(f"{name(market)}: {total:,} of {orders:,} orders were rejected: {reasons}", style="yellow")


def strategy_error(market: dict[str, Any]) -> Text | None:
    """What the account's strategy raised, with its traceback; None if it never did."""
    error = market["strategy_error"]
    if error is None:
        return None
    text = f"\n{name(market)}: the strategy raised {error['count']:,} times, at last\n{error['text']}\n"
    return Text(text + error["traceback"], style="red")


def marks(checks: dict[str, Any]) -> Text:
    """How many checks are in each state, with its mark."""
    states = [check["state"] for check in checks.values()]
    there = [state for state in MARKS if state in states]
    return Text(" ").join(Text(f"{states.count(state)}{MARKS[state]}", style=STYLES[state]) for state in there)


def checklist(summary: dict[str, Any]) -> Group:
    """Every check of every market and account, with cause and remedy where it does not pass."""
    tables: list[RenderableType] = []
    for market in summary["markets"]:
        tables += [Text()] if tables else []
        table = Table(title=name(market), title_justify="left", box=None)
        for column in ("check", "state", "cause", "remedy"):
            table.add_column(column, overflow="fold")
        for check_name, check in market["checks"].items():
            state = Text(f"{MARKS[check['state']]} {check['state']}", style=STYLES[check["state"]])
            table.add_row(check_name, state, check["cause"], check["remedy"])
        tables.append(table)
    return Group(*tables)


def unowned(why: str) -> str:
    """What is said of a market that no monitor owns."""
    return "no monitor owns this market" + (f": {why}" if why else "")


def failed(summary: dict[str, Any]) -> list[str]:
    """The checks that fail, as `<venue>.<asset>.<account> <check>`, and the markets that no monitor owns."""
    return [f"{market}: {unowned(why)}" for market, why in summary.get("unwatched", {}).items()] + [
        f"{market['venue']}.{market['asset']}.{market['account']} {check_name}"
        for market in summary["markets"]
        for check_name, check in market["checks"].items()
        if check["state"] == "fail"
    ]


def money(market: dict[str, Any]) -> dict[str, Any]:
    """What `account` says of one account in one market. Money in the market's settlement currency."""
    kept = ("venue", "asset", "account", "position", "equity", "exposure", "turnover", "pnl", "fills", "orders")
    return {what: market[what] for what in kept} | {"currency": market["verdict"]["earns"]["currency"]}


def accounts(summary: dict[str, Any]) -> Table:
    """The money of every account in every market."""
    table = _table("position", "equity", "PnL", "fees", "fills", "currency")
    for market in summary["markets"]:
        pnl, equity = market["pnl"], market["equity"]
        table.add_row(
            name(market),
            f"{market['position']:.6g}",
            NOTHING if equity is None else f"{equity:,.2f}",
            f"{pnl['total']:+,.2f}",
            f"{pnl['fees']:,.2f}",
            f"{market['fills']:,}",
            market["verdict"]["earns"]["currency"],
        )
    return table
