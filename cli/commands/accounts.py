"""`papertrader account`: the accounts of a run, and those that are opened, funded and closed while it goes on."""

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated, Any, Final

import orjson
import typer
from rich.console import Console
from typer.core import TyperGroup

from papertrader.cli import show
from papertrader.cli.commands.watch import NOTHING_YET, summary_of
from papertrader.cli.options import AsJson, MonitorUrl, Nats, SettingsFile, WhichRun, fail, guarded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from papertrader.cli.accounts import Change, Ledger

LIST: Final = "list"
Name = Annotated[str, typer.Argument(help="the account")]


class _ListedIfNotSaid(TyperGroup):
    """`account` and `account NAME` are short for `account list`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Say `list` where no command is said."""
        said = args[0] if args else ""
        listed = said not in self.commands and said not in ctx.help_option_names
        return super().parse_args(ctx, [LIST, *args] if listed else args)


accounts = typer.Typer(
    cls=_ListedIfNotSaid,
    help="The paper accounts: their money, and opening, funding and closing them.",
    rich_markup_mode=None,
)


@accounts.command(LIST)
def list_accounts(
    name: Annotated[str | None, typer.Argument(help="one paper account; all if not given")] = None,
    run: WhichRun = None,
    url: MonitorUrl = None,
    as_json: AsJson = False,
) -> None:
    """Print the money of the paper accounts: position, equity, PnL and its parts, by market."""
    summary = summary_of(url, run)
    known = sorted({market["account"] for market in summary["markets"]})
    if name is not None and name not in known:
        raise fail(f"no account {name!r}; there are {', '.join(known) or 'none yet'}")
    summary["markets"] = [market for market in summary["markets"] if name in (None, market["account"])]
    if as_json:
        sys.stdout.buffer.write(orjson.dumps({"accounts": [show.money(market) for market in summary["markets"]]}))
        sys.stdout.write("\n")
    else:
        Console().print(show.accounts(summary) if summary["markets"] else NOTHING_YET)


@accounts.command("open")
def open_account(
    name: Name,
    address: Annotated[str, typer.Option(help="who signs as this trades it at the gateway")] = "",
    balance: Annotated[
        float | None, typer.Option(help="what it begins with in each market; 10,000 if not given", min=0.01, max=1e12)
    ] = None,
    changed: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE, a setting of [fill_sim], e.g. fee_tier=2; repeatable")
    ] = None,
    run: WhichRun = None,
    nats: Nats = None,
    settings: SettingsFile = None,
) -> None:
    """Open a paper account in every market, or open one again that was closed."""
    from papertrader.cli.accounts import opening
    from papertrader.cli.order import account_settings

    def asked(_: "Ledger") -> "Change":
        return opening(name, address, balance, account_settings(changed or []))

    _change(name, asked, run, nats, settings)


@accounts.command()
def fund(
    name: Name,
    amount: Annotated[float, typer.Argument(help="added in each market; below 0 it is taken")],
    run: WhichRun = None,
    nats: Nats = None,
    settings: SettingsFile = None,
) -> None:
    """Give a paper account money in each market, or take it; neither is a profit or a loss."""
    from papertrader.cli.accounts import funding

    _change(name, lambda ledger: funding(name, amount, ledger.available), run, nats, settings)


@accounts.command()
def close(name: Name, run: WhichRun = None, nats: Nats = None, settings: SettingsFile = None) -> None:
    """Close a paper account: its orders are cancelled and no others are taken; its position and history stay."""
    from papertrader.cli.accounts import closing

    _change(name, lambda _: closing(name), run, nats, settings)


def _change(
    name: str, asked: "Callable[[Ledger], Change]", run: str | None, nats: str | None, settings: "Path | None"
) -> None:
    from papertrader.cli.accounts import change
    from papertrader.cli.connection import broker_of

    def work() -> int:
        done, text = asyncio.run(change(broker_of(nats, run, settings), name, asked))
        Console(stderr=not done).print(text, style="" if done else "red", highlight=False, markup=False, soft_wrap=True)
        return 0 if done else 1

    raise typer.Exit(guarded(work))
