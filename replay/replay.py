"""Replays a session through the closed loop."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from papertrader.replay.composition import MEMBERS, Composition
from papertrader.replay.loop import run
from papertrader.replay.plans import plan
from papertrader.replay.rounds import stretches
from papertrader.replay.session import Session
from papertrader.replay.world import (
    ADDRESS,
    KINDS,
    Said,
    accounts_of,
    change_rules,
    grown,
    hand_back,
    limits,
    new_folds,
    new_market,
    new_said,
    new_scratch,
)
from papertrader.services.quoter.config import QuoterConfig
from papertrader.services.quoter.service import Quoter
from papertrader.shared.log.kinds import KINDS as MESSAGES
from papertrader.shared.log.kinds import Kind
from papertrader.shared.machine_code import load_machine_code_alone
from papertrader.shared.market.commands import COMMAND, command_of, record_of_command
from papertrader.shared.market.events import RULES, Events
from papertrader.shared.market.records import Records, message_of, record_dtype, record_of
from papertrader.shared.messages import Command, Message, RoundEnd
from papertrader.shared.service.config import ACCOUNTS, Settings
from papertrader.shared.service.fold import Fold, Received

MONITOR: Final = "monitor"
QUOTER: Final = "quoter"
ROUNDS_AT_ONCE: Final = 2_000
"""Rounds between two reports of progress."""

Progress = Callable[[str, int, int], None]
"""Told the market, the rows folded and all rows."""


class ReplayError(RuntimeError):
    """A replay that cannot be trusted; the text says why."""


class Replayed(NamedTuple):
    """A replayed session: of each kind of message its records with whose and of which round each is; the services then.

    It is the same whether the compiled loop made it or the services themselves did.
    """

    session: Session
    accounts: tuple[str, ...]
    tables: Mapping[Kind, tuple[Records, Records]]
    folds: Mapping[str, Fold]

    def records(self, kind: Kind, account: str | None = None) -> Records:
        """All records of a kind, or those of one account."""
        rows, addresses = self.tables[kind]
        return rows if account is None else rows[addresses["account"] == self.accounts.index(account)]

    def messages(self, kind: Kind, first: int = 0, end: int | None = None) -> Iterator[tuple[int, str, Message]]:
        """The messages of a kind in order, each with the number of its round and its account.

        Of all rounds, or of those from number `first` on up to number `end`.
        """
        rows, addresses = self.tables[kind]
        if end is not None:
            here = slice(*np.searchsorted(addresses["round"], [first, end]))
            rows, addresses = rows[here], addresses[here]
        for row, (account, number) in zip(rows, addresses.tolist(), strict=True):
            message = command_of(row) if kind == "orders" else message_of(MESSAGES[kind].struct, row)
            yield number, self.accounts[account], message


def replay(session: Session, settings: Settings, progress: Progress | None = None) -> Replayed:
    """Replay a session in the compiled loop.

    Raises ReplayError if a round said more than there was room for or a strategy raised, with its traceback, and
    StrategyError for a strategy that cannot be loaded.
    """
    return in_the_loop(session, settings, progress)


def in_the_loop(session: Session, settings: Settings, progress: Progress | None = None) -> Replayed:
    """`replay`, and the states of the services are those at the end of the session."""
    load_machine_code_alone()
    folds = new_folds(settings, session.market)
    names = folds.fill_sim.accounts
    configs = settings.by_account("quoter", QuoterConfig)
    market, accounts = new_market(folds, session.instrument), accounts_of(folds, [configs[name] for name in names])
    folds.quoter.bind(*(market[part] for part in ("decision", "book", "features", "printed")))
    market["follows_prints"] = folds.quoter.follows_prints
    said, scratch = new_said(len(names)), new_scratch(len(names))
    state = market["progress"][0]
    state["limit"] = limits(said, len(names))
    rounds = ROUNDS_AT_ONCE if progress else len(session.events)
    while state["row"] < len(session.events):
        event = session.events[state["row"]]
        if event["kind"] == RULES and not state["begun"]:
            change_rules(market, accounts, session.changes[event["id"] - 1])
            plan(market[0], accounts.exchange)
            state["row"] += 1
        elif not _ran(folds.quoter, market, accounts, said, scratch, session.events, rounds):
            said = grown(said, state["count"], len(names))
            state["limit"] = limits(said, len(names))
        if progress is not None:
            progress(str(session.market), int(state["row"]), len(session.events))
    if state["lost"]:
        raise ReplayError(f"{session.market}: a round brought more markouts than there is room for")
    hand_back(market, folds)
    return Replayed(session, names, _tables(said, state["count"].tolist()), folds.by_name())


def _ran(quoter: Quoter, *arguments: Any) -> bool:
    """Run the loop; ReplayError for the account whose strategy failed."""
    try:
        return bool(run(*arguments))
    except Exception as error:
        for account in (quoter.accounts[index] for index in np.flatnonzero(quoter.outs["asked"])):
            quoter.note_failure(account, error)
        _stop_at_a_failure(quoter)
        raise


def _tables(said: Said, counts: Sequence[int]) -> dict[Kind, tuple[Records, Records]]:
    found: dict[Kind, tuple[Records, Records]] = {kind: getattr(said, kind) for kind in KINDS}
    return {kind: (found[kind][0][:rows], found[kind][1][:rows]) for kind, rows in zip(KINDS, counts, strict=False)}


def composed(session: Session, settings: Settings, progress: Progress | None = None) -> Replayed:
    """Replay a session over the services themselves: the same, slower.

    Raises StrategyError for one that cannot be loaded, ReplayError with the traceback for one that raises.
    """
    return gathered(session, settings, [name for name in MEMBERS if name != MONITOR], lambda _number: (), progress)


def gathered(
    session: Session,
    settings: Settings,
    services: Iterable[str],
    commands: Callable[[int], Sequence[Received]],
    progress: Progress | None = None,
) -> Replayed:
    """What some services say in a session; `commands` gives what they hear from outside in the n-th round."""
    ordered = Settings({**settings.tables, ACCOUNTS: dict(sorted(settings.tables.get(ACCOUNTS, {}).items()))})
    composition = Composition(ordered, session.market, services)
    names = tuple(ordered.by_account("quoter", QuoterConfig))
    said: dict[Kind, list[tuple[tuple[int, int], Any]]] = {kind: [] for kind in KINDS}
    for number, marker, market_data, events in _rounds(session):
        for spoken in composition.fold(market_data, marker, commands(number), events):
            kind, account, message = spoken.output
            record = record_of_command(message) if isinstance(message, Command) else record_of(message)
            said[kind].append(((names.index(account), number), record))
        _stop_at_a_failure(composition.folds.get(QUOTER))
        if progress is not None and number % ROUNDS_AT_ONCE == 0:
            progress(str(session.market), number, session.rounds)
    return Replayed(session, names, {kind: _table(kind, rows) for kind, rows in said.items()}, composition.folds)


def _stop_at_a_failure(quoter: Fold | None) -> None:
    for account, failure in getattr(quoter, "failures", {}).items():
        when = np.datetime64(failure.ts, "ns").astype("datetime64[ms]")
        raise ReplayError(f"account {account}, at {when} UTC: {failure.text}\n{failure.traceback}".rstrip())


def _rounds(session: Session) -> Iterator[tuple[int, RoundEnd, Sequence[Message], Events]]:
    """Each round's number, its marker, and its market data: what rows do not say, and the rows.

    Markers are as the services need them: those hear nothing of frames.
    """
    for stretch in stretches(session):
        market_data = stretch.market_data()
        for number, ts, id_, events in stretch.rounds():
            marker = RoundEnd(ts=ts, recv_ts=0, round=id_, frame=0, session=session.session)
            yield number, marker, market_data.get(number, ()), events


def _table(kind: Kind, rows: Sequence[tuple[tuple[int, int], Any]]) -> tuple[Records, Records]:
    dtype = COMMAND if kind == "orders" else record_dtype(MESSAGES[kind].struct)
    records, addresses = np.zeros(len(rows), dtype=dtype), np.zeros(len(rows), dtype=ADDRESS)
    for place, (address, record) in enumerate(rows):
        addresses[place], records[place] = address, record
    return records, addresses
