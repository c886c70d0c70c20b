"""Commands about a recorded log."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from papertrader.cli.kernels import ensure_compiled
from papertrader.cli.options import AsJson, Nats, SettingsFile, WhichRun, guarded

ExportFormat = Literal["log", "parquet", "csv"]


def export(
    output: Annotated[Path, typer.Argument(help="the file to write, e.g. run.log.gz; of tables a new directory")],
    data_dir: Annotated[Path | None, typer.Option(help="take the log of an ended run from its --data-dir")] = None,
    run: WhichRun = None,
    nats: Nats = None,
    settings: SettingsFile = None,
    file_format: Annotated[
        ExportFormat, typer.Option("--format", help="log: every message, for `verify`; parquet or csv: a table a file")
    ] = "log",
) -> None:
    """Write the recorded log, and the settings it was made with: as messages that `verify` reads, or as tables."""
    from papertrader.cli import verify as log
    from papertrader.cli.connection import log_of

    def work() -> int:
        path, url = log_of(data_dir, nats, run, settings)
        if file_format == "log":
            return log.export(output, path, url, settings)
        return log.export_tables(output, path, url, settings, file_format)

    count = guarded(work)
    what = "messages" if file_format == "log" else "rows"
    tables = "" if file_format == "log" else f": a {file_format} file per table, and run.json"
    Console(stderr=True).print(f"wrote {count} {what} to {output}{tables}")


def verify(
    log: Annotated[
        Path | None, typer.Argument(help="a file of `export`, or the --data-dir of an ended run; else that of the run")
    ] = None,
    run: WhichRun = None,
    nats: Nats = None,
    settings: SettingsFile = None,
    fill: Annotated[
        str | None, typer.Option(help="also prove this fill: its id, or <venue>.<asset>.<account>.<id>")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fold a recorded log again; exit code 1 if any message does not come out byte for byte the same.

    Exit code 2 if there was nothing to verify.
    """
    from papertrader.cli import verify as log_commands
    from papertrader.cli.connection import log_of

    ensure_compiled("services")

    def work() -> int:
        path, url = log_of(log, nats, run, settings)
        return log_commands.verify(path, url, settings, as_json, fill)

    raise typer.Exit(guarded(work))
