"""What a run came to, as Polars frames: of a replay, of a recorded log, or of what was saved of either."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args

import msgspec
import numpy as np
import polars as pl

from papertrader.replay.columns import SAID, Part, columns, frame, quotes
from papertrader.replay.log_source import Source, Told, entries, opened
from papertrader.replay.replay import Replayed
from papertrader.replay.touches import LoggedTouches, all_touches, logged_touches, session_touches
from papertrader.shared.log.kinds import MARKET_DATA, Kind, decode
from papertrader.shared.log.subjects import Market, address
from papertrader.shared.market.commands import COMMAND, record_of_command
from papertrader.shared.market.records import record_of
from papertrader.shared.messages import Checklist, Command
from papertrader.shared.service import epoch
from papertrader.shared.service.config import SettingsError, Tables

FORMAT: Final = "papertrader-run-2"
ABOUT: Final = "run.json"
FileFormat: TypeAlias = Literal["parquet", "csv"]
Key = tuple[str, str]
"""A market, `<venue>.<asset>`, and an account."""


class RunError(RuntimeError):
    """What was named is no run, or cannot be read or written; the text says why."""


@dataclass(frozen=True, repr=False)
class Run:
    """A run as Polars frames, by market and account, each in the order of the log; `columns` says what is in them.

    `quotes` is what rested on the book, `touches` the best bid and ask. `params` holds the frames `estimate` and
    `calibration`; `checklists` the last word of the validation checklist by market and account; `settings` what the
    run was made with; `refused` counts messages that were malformed.
    """

    fills: pl.DataFrame
    orders: pl.DataFrame
    acks: pl.DataFrame
    quotes: pl.DataFrame
    markouts: pl.DataFrame
    accounts: pl.DataFrame
    params: Mapping[str, pl.DataFrame]
    touches: pl.DataFrame
    checklists: Mapping[Key, Checklist]
    settings: Tables
    refused: int = 0

    def __repr__(self) -> str:
        return f"<Run of {', '.join(self.markets) or 'no market'}: {len(self.fills)} fills, {len(self.orders)} orders>"

    @property
    def markets(self) -> tuple[str, ...]:
        """The markets, `<venue>.<asset>` each, of which anything was said."""
        return tuple(sorted({market for item in self.frames.values() for market in item["market"].unique()}))

    @property
    def frames(self) -> dict[str, pl.DataFrame]:
        """All frames by name."""
        names = ("orders", "acks", "quotes", "fills", "markouts", "accounts", "touches")
        return {name: getattr(self, name) for name in names} | dict(self.params)

    def save(self, directory: Path | str, file_format: FileFormat = "parquet") -> None:
        """Write a file per frame and `run.json` into a new directory. `load` reads Parquet; CSV is for other programs.

        In CSV times are integers, ns UTC. Raises RunError if there is such a directory, or no such format.
        """
        if file_format not in get_args(FileFormat):
            raise RunError(f"a run is written as {' or '.join(get_args(FileFormat))}, not {file_format!r}")
        directory = Path(directory)
        try:
            directory.mkdir(parents=True)
        except FileExistsError:
            raise RunError(f"{directory} is there already: name a new directory") from None
        for name, item in self.frames.items():
            _write(item, directory / f"{name}.{file_format}")
        checklists = [(*key, msgspec.to_builtins(checklist)) for key, checklist in self.checklists.items()]
        about = {"format": FORMAT, "settings": self.settings, "refused": self.refused, "checklists": checklists}
        about["columns"] = {
            name: {column.name: {"unit": column.unit, "meaning": column.meaning} for column in columns(name)}
            for name in self.frames
        }
        (directory / ABOUT).write_bytes(msgspec.json.format(msgspec.json.encode(about, enc_hook=str)))


def _write(item: pl.DataFrame, path: Path) -> None:
    if path.suffix == ".parquet":
        item.write_parquet(path)
    else:
        item.with_columns(pl.selectors.datetime().cast(pl.Int64)).write_csv(path)


def _run(
    said: Mapping[str, pl.DataFrame],
    touches: pl.DataFrame,
    checklists: Mapping[Key, Checklist],
    settings: Tables,
    refused: int = 0,
) -> Run:
    return Run(
        fills=said["fills"],
        orders=said["orders"],
        acks=said["acks"],
        quotes=quotes(said["acks"]),
        markouts=said["markouts"],
        accounts=said["accounts"],
        params={name: said[name] for name in ("estimate", "calibration")},
        touches=touches,
        checklists=checklists,
        settings=settings,
        refused=refused,
    )


def load(path: Path | str) -> Run:
    """The run in a data directory (of a run that has ended or goes on), a log of `export`, or what `Run.save` wrote.

    Raises RunError if it is none of these, LogError or BusError for a log that cannot be read.
    """
    path = Path(path)
    if not path.exists():
        raise RunError(f"{path}: there is no such file or directory")
    if (path / ABOUT).is_file():
        return _saved(path)
    with ThreadPoolExecutor(1) as thread:  # the caller may be within an event loop, as notebooks are
        try:
            return thread.submit(_logged, path).result()
        except SettingsError as error:
            raise RunError(str(error)) from error


def _saved(directory: Path) -> Run:
    try:
        about = msgspec.json.decode((directory / ABOUT).read_bytes())
        written = about["format"]
    except (msgspec.DecodeError, KeyError, TypeError):
        raise RunError(f"{directory / ABOUT}: is not what `save` writes") from None
    if written != FORMAT:
        raise RunError(f"{directory}: has the format {written!r}, this program reads {FORMAT!r}")
    try:
        found = {name: pl.read_parquet(directory / f"{name}.parquet") for name in (*SAID, "touches")}
    except FileNotFoundError as error:
        raise RunError(f"{directory}: a run is loaded from Parquet, and a file is missing: {error}") from None
    checklists = {(market, account): msgspec.convert(item, Checklist) for market, account, item in about["checklists"]}
    return _run(found, found["touches"], checklists, about["settings"], about["refused"])


def replayed_run(replays: Iterable[tuple[Replayed, Callable[[str], Checklist]]], settings: Tables) -> Run:
    """The run of replayed sessions, each with what gives an account's checklist."""
    parts: dict[str, list[Part]] = {name: [] for name in SAID}
    touches: list[pl.DataFrame] = []
    checklists: dict[Key, Checklist] = {}
    for replayed, checklist in replays:
        market = str(replayed.session.market)
        touches.append(session_touches(replayed.session))
        for account in replayed.accounts:
            checklists[market, account] = checklist(account)
            for name, kind in SAID.items():
                parts[name].append((market, account, replayed.records(kind, account)))
    said = {name: frame(kind, parts[name]) for name, kind in SAID.items()}
    return _run(said, all_touches(touches), checklists, settings)


def _logged(path: Path) -> Run:
    with opened(path, None, None) as source:
        return logged_run(source, source.recorded or {}, lambda _count, _until: None)


def logged_run(source: Source, settings: Tables, told: Told) -> Run:
    """The run that a log tells of; `told` hears how far it was read."""
    heard = _Heard()

    async def hear() -> None:
        async for entry in entries(source, told):
            heard.take(entry.subject, entry.payload, entry.sequence)

    asyncio.run(hear())
    return heard.run(settings)


class _Heard:
    """What a log says, by kind, market and account."""

    def __init__(self) -> None:
        self._rows: dict[Kind, dict[Key, list[Any]]] = {kind: {} for kind in SAID.values()}
        self._touches: dict[Market, LoggedTouches] = {}
        self._checklists: dict[Key, Checklist] = {}
        self._refused = 0

    def take(self, subject: str, payload: bytes, sequence: int = 0) -> None:
        """Hear a message. What is malformed is counted, as the services do."""
        if subject == epoch.SUBJECT:
            return
        try:
            kind, market, account = address(subject)
            message = decode(kind, payload)
        except ValueError:
            self._refused += 1
            return
        if kind in MARKET_DATA:
            self._touches.setdefault(market, LoggedTouches()).hear(kind, message, sequence)
        elif isinstance(message, Checklist):
            self._checklists[str(market), account] = message
        elif kind in self._rows:
            record = record_of_command(message) if isinstance(message, Command) else record_of(message)
            self._rows[kind].setdefault((str(market), account), []).append(record)

    def run(self, settings: Tables) -> Run:
        """All that was heard."""
        said = {name: frame(kind, self._parts(kind)) for name, kind in SAID.items()}
        return _run(said, all_touches(logged_touches(self._touches)), self._checklists, settings, self._refused)

    def _parts(self, kind: Kind) -> list[Part]:
        dtype = COMMAND if kind == "orders" else None
        return [(*key, np.array(rows, dtype=dtype)) for key, rows in sorted(self._rows[kind].items())]
