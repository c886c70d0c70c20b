"""What a run came to, as columns: of a replay, of a recorded log, or of what was saved of either."""

import asyncio
import zipfile
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from papertrader.replay.columns import KINDS, Table, table
from papertrader.replay.log_source import entries, opened
from papertrader.replay.replay import Replayed
from papertrader.shared.log.kinds import Kind, decode
from papertrader.shared.log.subjects import address
from papertrader.shared.market.commands import COMMAND, record_of_command
from papertrader.shared.market.records import Records, record_of
from papertrader.shared.messages import Checklist, Command
from papertrader.shared.service.config import SettingsError, Tables

FORMAT: Final = "papertrader-run-1"
ABOUT: Final = "about"
Key = tuple[str, str]
"""A market, `<venue>.<asset>`, and an account."""


class RunError(RuntimeError):
    """What was named is no run, or cannot be read; the text says why."""


@dataclass(frozen=True, repr=False)
class Run:
    """A run as tables, grouped by market and account, each in the order of the log.

    `params` holds the tables `estimate` and `calibration`; `checklists` the last word of the validation checklist by
    market and account; `settings` what the run was made with; `refused` counts messages that were malformed.
    """

    fills: Table
    orders: Table
    acks: Table
    markouts: Table
    accounts: Table
    params: Mapping[str, Table]
    checklists: Mapping[Key, Checklist]
    settings: Tables
    refused: int = 0

    def __repr__(self) -> str:
        return f"<Run of {', '.join(self.markets) or 'no market'}: {self.fills.rows} fills, {self.orders.rows} orders>"

    @property
    def markets(self) -> tuple[str, ...]:
        """The markets, `<venue>.<asset>` each, of which anything was said."""
        return tuple(sorted({str(market) for item in self.tables.values() for market in np.unique(item["market"])}))

    @property
    def tables(self) -> dict[Kind, Table]:
        """All tables by the kind of message that they hold."""
        of_accounts = {"fills": self.fills, "acks": self.acks, "markouts": self.markouts, "account": self.accounts}
        return {"orders": self.orders, **of_accounts, **self.params}

    def save(self, path: Path | str) -> None:
        """Write the run to one file, numpy's npz, which `load` reads."""
        checklists = [(*key, msgspec.to_builtins(checklist)) for key, checklist in self.checklists.items()]
        about = {"format": FORMAT, "settings": self.settings, "checklists": checklists, "refused": self.refused}
        arrays: dict[str, Any] = {
            f"{kind}.{name}": column for kind, item in self.tables.items() for name, column in item.items()
        }
        arrays[ABOUT] = np.frombuffer(msgspec.json.encode(about, enc_hook=str), dtype=np.uint8)
        with Path(path).open("wb") as file:
            np.savez_compressed(file, **arrays)


def _run(tables: Mapping[Kind, Table], checklists: Mapping[Key, Checklist], settings: Tables, refused: int = 0) -> Run:
    return Run(
        fills=tables["fills"],
        orders=tables["orders"],
        acks=tables["acks"],
        markouts=tables["markouts"],
        accounts=tables["account"],
        params={kind: tables[kind] for kind in ("estimate", "calibration")},
        checklists=checklists,
        settings=settings,
        refused=refused,
    )


def load(path: Path | str) -> Run:
    """The run in a data directory (of a run that has ended or goes on), a file of `export`, or one of `Run.save`.

    Raises RunError if it is none of these, LogError or BusError for a log that cannot be read.
    """
    path = Path(path)
    if not path.exists():
        raise RunError(f"{path}: there is no such file or directory")
    if path.is_file() and zipfile.is_zipfile(path):
        return _saved(path)
    with ThreadPoolExecutor(1) as thread:  # the caller may be within an event loop, as notebooks are
        try:
            return thread.submit(_logged, path).result()
        except SettingsError as error:
            raise RunError(str(error)) from error


def _saved(path: Path) -> Run:
    with np.load(path, allow_pickle=False) as arrays:
        if ABOUT not in arrays:
            raise RunError(f"{path}: is no run that was saved")
        about = msgspec.json.decode(arrays[ABOUT].tobytes())
        if about["format"] != FORMAT:
            raise RunError(f"{path}: has the format {about['format']!r}, this program reads {FORMAT!r}")
        columns: dict[Kind, dict[str, Any]] = {kind: {} for kind in KINDS}
        for name in arrays.files:
            kind, _, column = name.partition(".")
            if column:
                columns[kind][column] = arrays[name]
    checklists = {(market, account): msgspec.convert(item, Checklist) for market, account, item in about["checklists"]}
    tables = {kind: Table(kind, found) for kind, found in columns.items()}
    return _run(tables, checklists, about["settings"], about["refused"])


def replayed_run(replays: Iterable[tuple[Replayed, Callable[[str], Checklist]]], settings: Tables) -> Run:
    """The run of replayed sessions, each with what gives an account's checklist."""
    parts: dict[Kind, list[tuple[str, str, Records]]] = {kind: [] for kind in KINDS}
    checklists: dict[Key, Checklist] = {}
    for replayed, checklist in replays:
        market = str(replayed.session.market)
        for account in replayed.accounts:
            checklists[market, account] = checklist(account)
            for kind in KINDS:
                parts[kind].append((market, account, replayed.records(kind, account)))
    return _run({kind: table(kind, found) for kind, found in parts.items()}, checklists, settings)


def _logged(path: Path) -> Run:
    heard = _Heard()
    with opened(path, None, None) as source:

        async def hear() -> None:
            async for entry in entries(source, lambda _count, _until: None):
                heard.take(entry.subject, entry.payload)

        asyncio.run(hear())
        return heard.run(source.recorded or {})


class _Heard:
    """What a log says, by kind, market and account."""

    def __init__(self) -> None:
        self._rows: dict[Kind, dict[Key, list[Any]]] = {kind: {} for kind in KINDS}
        self._checklists: dict[Key, Checklist] = {}
        self._refused = 0

    def take(self, subject: str, payload: bytes) -> None:
        """Hear a message. What is malformed is counted, as the services do."""
        try:
            kind, market, account = address(subject)
            message = decode(kind, payload) if kind in (*KINDS, "checks") else None
        except ValueError:
            self._refused += 1
            return
        if isinstance(message, Checklist):
            self._checklists[str(market), account] = message
        elif message is not None:
            record = record_of_command(message) if isinstance(message, Command) else record_of(message)
            self._rows[kind].setdefault((str(market), account), []).append(record)

    def run(self, settings: Tables) -> Run:
        """All that was heard."""
        tables = {kind: table(kind, self._parts(kind)) for kind in KINDS}
        return _run(tables, self._checklists, settings, self._refused)

    def _parts(self, kind: Kind) -> list[tuple[str, str, Records]]:
        dtype = COMMAND if kind == "orders" else None
        return [(*key, np.array(rows, dtype=dtype)) for key, rows in sorted(self._rows[kind].items())]
