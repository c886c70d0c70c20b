"""One account's order stream under every fill model, so that bounds bound.

In the closed loop each fill model changes what is quoted next, and a stricter one may well earn more. Here the orders
of one replay, each at its time, go to exchanges that differ in nothing but the fill model, so that of one family what
the stricter fills the others fill too. An order that was filled in the replay ends there under every model, since its
maker would have heard of it; money has no end, and a reduce-only order is taken as any other, so that no model refuses
an order.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from papertrader.replay.replay import Replayed, gathered, replay
from papertrader.replay.session import Session
from papertrader.services.fill_sim.config import FillSimConfig
from papertrader.shared.log.kinds import Kind
from papertrader.shared.messages import Ack, Cancel, Command, Place
from papertrader.shared.service.config import ACCOUNTS, Settings, Tables
from papertrader.shared.service.fold import Received

AS_SET: Final = "as_set"
SERVICES: Final = ("fill-sim", "outcome-tracker")
WITHOUT_END: Final = {"initial_cash": 1e12}

Stream = Mapping[int, Sequence[Command]]
"""What an account said, by the index of the round in which it is heard."""


def same_orders(
    session: Session, settings: Settings, models: Mapping[str, Mapping[str, Any]], account: str | None = None
) -> dict[str, Replayed]:
    """The orders of one account (the first, if none is named) under the model that is set and every other, by name."""
    chosen = account or settings.accounts[0]
    stream = stream_of(replay(session, settings), chosen)
    exchanges = _exchanges(settings, models, chosen)
    found = gathered(session, Settings(exchanges), SERVICES, lambda number: _heard(stream, number, exchanges[ACCOUNTS]))
    return {name: _of(found, name) for name in exchanges[ACCOUNTS]}


def stream_of(replayed: Replayed, account: str) -> Stream:
    """The commands of an account, and a cancel for every order at the moment at which it was filled."""
    stream: dict[int, list[Command]] = {}
    for number, name, message in replayed.messages("orders"):
        if name == account:
            assert isinstance(message, Command)
            stream.setdefault(number + 1, []).append(_taken(message))
    for number, name, message in replayed.messages("acks"):
        assert isinstance(message, Ack)
        if name == account and message.status == "filled":
            stream.setdefault(number + 1, []).append(Cancel(ts=message.ts, order_id=message.order_id))
    return stream


def _taken(command: Command) -> Command:
    return msgspec.structs.replace(command, reduce_only=False) if isinstance(command, Place) else command


def _exchanges(settings: Settings, models: Mapping[str, Mapping[str, Any]], account: str) -> Tables:
    """The settings with one account for each fill model, which differ in nothing else."""
    own = msgspec.to_builtins(settings.section("fill_sim", FillSimConfig, account)) | WITHOUT_END
    tracker = settings.tables.get(ACCOUNTS, {}).get(account, {}).get("outcome_tracker", {})
    accounts = {
        name: {"fill_sim": own | model, "outcome_tracker": tracker} for name, model in {AS_SET: {}, **models}.items()
    }
    rest = {name: table for name, table in settings.tables.items() if name not in (ACCOUNTS, "fill_sim")}
    return {**rest, ACCOUNTS: accounts}


def _heard(stream: Stream, number: int, accounts: Iterable[str]) -> list[Received]:
    return [
        Received("orders", account, command, place)
        for place, command in enumerate(stream.get(number, ()))
        for account in accounts
    ]


def _of(replayed: Replayed, account: str) -> Replayed:
    """What one account of a replay said, as a replay of its own."""
    index = replayed.accounts.index(account)
    tables: dict[Kind, Any] = {}
    for kind, (rows, addresses) in replayed.tables.items():
        own = addresses["account"] == index
        addressed = addresses[own]
        addressed["account"] = np.zeros(len(addressed), dtype=addressed["account"].dtype)
        tables[kind] = rows[own], addressed
    return Replayed(replayed.session, (account,), tables, replayed.folds)
