"""Epochs: what made the log from where on - code, settings, accounts - said on the log itself.

An epoch begins when a run starts with other code, settings or accounts than the last one on the same log. Its message
lies before the first round that they fold, and holds the settings, so that nobody needs to be told them.
"""

import functools
import hashlib
import logging
import secrets
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from papertrader.shared.service.config import ACCOUNTS, SECTIONS, Settings

if TYPE_CHECKING:
    from papertrader.shared.log.bus import Bus
    from papertrader.shared.log.segments import Entry

log = logging.getLogger(__name__)

SUBJECT: Final = "epochs.log"
CODE: Final = "code"
"""What a line of `changes` begins with that is about the program."""
ROOT: Final = Path(__file__).resolve().parents[2]
NOT_FOLDED: Final = ("bus", "feed", "gateway", "archive")
"""Sections that no fold reads: the log holds what came of them."""


class Epoch(msgspec.Struct, frozen=True, kw_only=True):
    """What makes the log from here on. `log` names the log itself, drawn when its first epoch began.

    `code` is a fingerprint of the folds' sources, `settings` are the sections that folds read, `began` is wall time
    in ns. Fields that are added later have defaults.
    """

    log: str
    number: int
    began: int
    version: str
    code: str
    accounts: tuple[str, ...]
    settings: dict[str, Any]


_decoder: Final = msgspec.json.Decoder(Epoch)


def decode(payload: bytes) -> Epoch:
    """An epoch; raises ValueError for a payload that is none."""
    try:
        return _decoder.decode(payload)
    except RecursionError:
        raise ValueError("JSON is nested too deeply") from None


def credible(entry: "Entry") -> bool:
    """Whether a message can be the last word on its subject: what is no epoch may not stand in for one."""
    return entry.subject != SUBJECT or _known(entry.sequence, entry.payload) is not None


async def current(bus: "Bus") -> Epoch | None:
    """The epoch that the log is in, None for a log of a version that had none. What is no epoch is passed over."""
    sealed = bus.sealed.newest(SUBJECT)
    newest = None if sealed is None else _known(sealed.sequence, sealed.payload)
    after = 0
    while (stored := await bus.next(SUBJECT, after)) is not None:
        after = stored.sequence
        newest = _known(after, stored.payload) or newest
    return newest


def _known(sequence: int, payload: bytes) -> Epoch | None:
    try:
        return decode(payload)
    except ValueError as error:
        log.warning("sequence %d on %s is no epoch: %s", sequence, SUBJECT, error)
        return None


def following(last: Epoch | None, settings: Settings, version: str) -> Epoch:
    """The epoch of a run with these settings after the last one: that one, if nothing has changed."""
    wanted = Epoch(
        log=last.log if last else secrets.token_hex(8),
        number=last.number + 1 if last else 1,
        began=time.time_ns(),
        version=version,
        code=code_fingerprint(),
        accounts=settings.accounts,
        settings=folded(settings.tables),
    )
    wanted = decode(msgspec.json.encode(wanted))
    return last if last is not None and not changes(last, wanted) else wanted


def changes(last: Epoch, new: Epoch) -> list[str]:
    """What is different in a new epoch, one line each; empty if nothing is."""
    lines = list(differing_settings(last.settings, new.settings))
    if last.accounts != new.accounts:
        lines.append(f"accounts: {', '.join(last.accounts)} → {', '.join(new.accounts)}")
    if last.code != new.code:
        lines.append(f"{CODE}: version {last.version} ({last.code}) → {new.version} ({new.code})")
    return lines


async def check_sealed(bus: "Bus") -> None:
    """Raise BusError if the segments below the data directory are of another log than the broker's."""
    from papertrader.shared.log.bus import BusError  # a replay needs epochs, but no broker

    catalogue = bus.sealed.catalogue
    _, last = await bus.held_extent()
    held, after = None, 0
    while held is None and (stored := await bus.next(SUBJECT, after)) is not None:
        held, after = _known(stored.sequence, stored.payload), stored.sequence
    if bus.sealed.last > last or (catalogue.log and held is not None and held.log != catalogue.log):
        raise BusError(
            f"the segments are of the log {catalogue.log} up to sequence {bus.sealed.last}, the broker holds "
            f"{held.log if held else 'another'} up to {last}: put back the broker's files that they belong to, or "
            "begin anew in another data directory"
        )


async def begin(bus: "Bus", epoch: Epoch) -> None:
    """Say on the log that an epoch begins here."""
    await bus.append(SUBJECT, msgspec.json.encode(epoch), f"epoch|{epoch.log}|{epoch.number}")


@functools.cache
def code_fingerprint() -> str:
    """A hash of the sources of all folds and of what they share."""
    digest = hashlib.sha256()
    for folder in ("shared", "services"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if not name.startswith("services/feed/"):
                digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def folded(settings: dict[str, Any]) -> dict[str, Any]:
    """The sections that folds read."""
    return {name: table for name, table in settings.items() if name not in NOT_FOLDED}


def differing_settings(recorded: dict[str, Any], given: dict[str, Any]) -> list[str]:
    """The settings of the folds that differ, as `section.key: recorded → given`; empty if none does."""
    left, right = dict(flat(folded(recorded))), dict(flat(folded(given)))
    return [
        f"{key}: {left.get(key, 'default')} → {right.get(key, 'default')}"
        for key in sorted({*left, *right})
        if left.get(key) != right.get(key) and key != "monitor.port"
    ]


def flat(tables: Any, path: str = "") -> Iterable[tuple[str, Any]]:
    """Every setting of tables by its path, `section.key`."""
    if not isinstance(tables, dict) or (path and path not in (*SECTIONS, ACCOUNTS) and not tables):
        yield path, tables
        return
    for name, value in tables.items():
        yield from flat(value, f"{path}.{name}" if path else name)
