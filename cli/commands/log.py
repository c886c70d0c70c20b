"""Commands about a recorded log."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from papertrader.cli.kernels import ensure_compiled
from papertrader.cli.options import AsJson, Nats, SettingsFile, guarded

ExportFormat = Literal["log", "parquet", "csv"]


def export(
    output: Annotated[Path, typer.Argument(help="the file to write, e.g. run.log.gz; of tables a new directory")],
    data_dir: Annotated[Path | None, typer.Option(help="take the log of an ended run from its --data-dir")] = None,
    nats: Nats = None,
    settings: SettingsFile = None,
    file_format: Annotated[
        ExportFormat, typer.Option("--format", help="log: every message, for `verify`; parquet or csv: a table a file")
    ] = "log",
) -> None:
    """Write the recorded log, and the settings it was made with: as messages that `verify` reads, or as tables."""
    from papertrader.cli import verify as log

    if file_format == "log":
        count = guarded(lambda: log.export(output, data_dir, nats, settings))
        Console(stderr=True).print(f"wrote {count} messages to {output}")
    else:
        rows = guarded(lambda: log.export_tables(output, data_dir, nats, settings, file_format))
        Console(stderr=True).print(f"wrote {rows} rows to {output}: a {file_format} file per table, and run.json")


def verify(
    log: Annotated[
        Path | None, typer.Argument(help="a file of `export`, or the --data-dir of an ended run; else the broker's log")
    ] = None,
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

    ensure_compiled("services")
    raise typer.Exit(guarded(lambda: log_commands.verify(log, nats, settings, as_json, fill)))
