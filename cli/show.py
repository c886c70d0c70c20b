"""What the terminal shows: the live table and the checklist."""

import sys
from typing import Any, Final

import orjson
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

STYLES: Final = {"pass": "green", "fail": "bold red", "waiting": "yellow"}
MARKS: Final = {"pass": "✓", "fail": "✗", "waiting": "…"}


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
        out.print(checklist(summary))
    return failed(summary)


def overview(summary: dict[str, Any]) -> Table:
    """One line per market and account: does it fill, earn and learn."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("market", "account"):
        table.add_column(name)
    for name in ("fills", "adverse", "PnL", "spread", "inventory", "fees", "κ", "conf.", "progress", "γ cal"):
        table.add_column(name, justify="right")
    table.add_column("checks")
    for market in summary["markets"]:
        table.add_row(*_row(market))
    return table


def _row(market: dict[str, Any]) -> list[RenderableType]:
    pnl, resolved = market["pnl"], market["outcomes_resolved"]
    adverse = f"{market['outcomes_adverse'] / resolved:.0%}" if resolved else "–"
    total = Text(f"{pnl['total']:+.2f}", style="green" if pnl["total"] >= 0 else "red")
    return [
        f"{market['venue']} {market['asset']}",
        market["account"],
        str(market["fills"]),
        adverse,
        total,
        f"{pnl['spread']:+.2f}",
        f"{pnl['inventory']:+.2f}",
        f"{-pnl['fees']:+.2f}",
        f"{market['kappa_end']:.0f}" if market["kappa_end"] is not None else "–",
        f"{market['kappa_confidence_end'] or 0:.2f}",
        f"{market['cal_progress'] or 0:.0%}",
        f"{market['cal_gamma_end'] or 0:.2f}",
        marks(market["checks"]),
    ]


def marks(checks: dict[str, Any]) -> Text:
    """The checks as marks."""
    text = Text()
    for check in checks.values():
        text.append(MARKS[check["state"]], style=STYLES[check["state"]])
    return text


def checklist(summary: dict[str, Any]) -> Group:
    """Every check of every market and account, with cause and remedy where it does not pass."""
    tables: list[RenderableType] = []
    for market in summary["markets"]:
        table = Table(
            title=f"{market['venue']} {market['asset']} · {market['account']}", title_justify="left", box=None
        )
        for name in ("check", "state", "cause", "remedy"):
            table.add_column(name, overflow="fold")
        for name, check in market["checks"].items():
            state = Text(f"{MARKS[check['state']]} {check['state']}", style=STYLES[check["state"]])
            table.add_row(name, state, check["cause"], check["remedy"])
        tables.append(table)
    return Group(*tables)


def failed(summary: dict[str, Any]) -> list[str]:
    """The checks that fail, as `<venue>.<asset>.<account> <check>`."""
    return [
        f"{market['venue']}.{market['asset']}.{market['account']} {name}"
        for market in summary["markets"]
        for name, check in market["checks"].items()
        if check["state"] == "fail"
    ]


def money(market: dict[str, Any]) -> dict[str, Any]:
    """What `account` says of one account in one market. Money in the market's settlement currency."""
    kept = ("venue", "asset", "account", "position", "equity", "exposure", "turnover", "pnl", "fills", "orders")
    return {name: market[name] for name in kept}


def accounts(summary: dict[str, Any]) -> Table:
    """The money of every account in every market."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("market", "account"):
        table.add_column(name, overflow="fold")
    for name in ("position", "equity", "PnL", "fees", "fills"):
        table.add_column(name, justify="right", no_wrap=True)
    for market in summary["markets"]:
        pnl, equity = market["pnl"], market["equity"]
        table.add_row(
            f"{market['venue']}.{market['asset']}",
            market["account"],
            f"{market['position']:g}",
            "–" if equity is None else f"{equity:,.2f}",
            f"{pnl['total']:+,.2f}",
            f"{pnl['fees']:,.2f}",
            str(market["fills"]),
        )
    return table
