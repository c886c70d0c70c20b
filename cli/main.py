"""The `papertrader` command."""

import logging
from typing import Annotated

import typer
from rich.console import Console

from papertrader import __version__
from papertrader.cli.commands.accounts import accounts
from papertrader.cli.commands.log import export, verify
from papertrader.cli.commands.research import order, replay, sweep, twin
from papertrader.cli.commands.system import init, open_run, run
from papertrader.cli.commands.venues import convert, probe, record
from papertrader.cli.commands.watch import control, doctor, report, runs, tail
from papertrader.cli.judge import judge
from papertrader.cli.kernels import PARTS, compile_parts, make_lean
from papertrader.cli.options import fail

app = typer.Typer(
    name="papertrader",
    help="Paper trading for market makers: simulated fills on real market data, and proof that the system learns.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:
    if asked:
        Console().print(f"papertrader {__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version and exit")
    ] = False,
) -> None:
    """Paper trading for market makers: simulated fills on real market data, and proof that the system learns."""
    logging.getLogger("papertrader.shared.log.bus").setLevel(logging.ERROR)


for command in (
    *(run, runs, doctor, report, tail, control, export, verify),
    *(replay, order, sweep, judge, twin),
    *(init, record, probe, convert),
):
    app.command()(command)
app.command("open")(open_run)
app.add_typer(accounts, name="account")


@app.command()
def warm(
    parts: Annotated[list[str] | None, typer.Argument(help="services, replay; both if not given")] = None,
    lean: Annotated[bool, typer.Option("--lean", help="then keep only what is loaded: a tenth of the size")] = False,
) -> None:
    """Compile every kernel now, so that services start in seconds."""
    from papertrader.shared.kernel_cache import KernelCacheError

    try:
        compile_parts(parts or list(PARTS))
        if lean:
            make_lean()
    except KernelCacheError as error:
        raise fail(error) from None


if __name__ == "__main__":
    app()
