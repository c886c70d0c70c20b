"""The fold of the paper exchange: orders and market data in; acks, fills and accounts out."""

from collections.abc import Collection, Iterator, Mapping
from functools import cache

import msgspec
import numpy as np

from papertrader.services.fill_sim.account import write_account
from papertrader.services.fill_sim.config import FillSimConfig
from papertrader.services.fill_sim.grid import regrid_orders, regrid_prints
from papertrader.services.fill_sim.instrument import learn_rules
from papertrader.services.fill_sim.kernel import control, fold_round, hear_all
from papertrader.services.fill_sim.line import learn
from papertrader.services.fill_sim.settings import settings_of
from papertrader.services.fill_sim.state import SAID_ACK, new_accounts, new_market, new_outbox
from papertrader.shared.log.subjects import Market
from papertrader.shared.market.book import new_book
from papertrader.shared.market.commands import COMMAND, PLACE, TRIGGER, record_of_command
from papertrader.shared.market.features import new_features
from papertrader.shared.market.records import Record, Records, code, message_of, record_dtype, records_of
from papertrader.shared.market.regrid import grid_of
from papertrader.shared.messages import (
    Account,
    Ack,
    Cancel,
    Command,
    Control,
    ControlAction,
    Estimate,
    Fill,
    Modify,
    Place,
    Trigger,
)
from papertrader.shared.messages.accounts import Terms
from papertrader.shared.service.fold import Output, Received, Round, State, instrument_of
from papertrader.shared.service.market_data import MarketData

INTEGER_LIMIT = 2**62
"""Ids and times of foreign commands beyond this are taken as this: no order has such an id, no market such a time."""


class FillSim:
    """The paper exchange of one market: a fold over rounds, for accounts that share the market and nothing else."""

    def __init__(self, market: Market, accounts: Mapping[str, FillSimConfig], closed: Collection[str] = ()) -> None:
        self.market = market
        self.accounts = tuple(sorted(accounts))
        self.settings = settings_of([accounts[name] for name in self.accounts], market.venue)
        self._closed = set(closed)
        self._market_data = MarketData()
        self._state = {
            "market": new_market(),
            "book": self._market_data.book,
            "features": new_features(),
            "accounts": new_accounts(self.settings),
        }
        self._market, self._book, self._features = (self._state[name] for name in ("market", "book", "features"))
        self._out = new_outbox(len(self.accounts))
        self._accounts_said = np.zeros(len(self.accounts), dtype=record_dtype(Account))
        self._accounts_due = np.zeros(len(self.accounts), dtype=np.int64)

    def state(self) -> State:
        """The arrays that are the state."""
        return self._state

    @property
    def account_states(self) -> Records:
        """The state of every account, shape (n,), in the order of `accounts`."""
        return self._state["accounts"]

    def fold(self, round_: Round) -> list[Output]:
        """Hear what was said, fold the market data, and say what happened: acks and fills in the order of events."""
        instrument = instrument_of(round_)
        if instrument is not None:
            learn_rules(self._market, instrument)
        left = self._market_data.learn(instrument)
        if left is not None:
            grid = grid_of(self._book[0])
            regrid_orders(self.account_states, self.settings, grid)
            regrid_prints(self._market, left, grid)
        outputs: list[Output] = []
        for index, account in enumerate(self.accounts if round_.heard else ()):
            said = [item for item in round_.heard if item.account == account]
            if said:
                outputs += self._hear(index, said, round_.previous_ts)
        return outputs + self._fold_market(round_)

    @property
    def mid(self) -> float:
        """The last mid of a two-sided book, 0 before the first."""
        return float(self._market["mid"][0])

    @property
    def levels_outside(self) -> int:
        """Book levels refused because they lie outside the book's window."""
        return int(self._market_data.book["outside"][0])

    def account_message(self, index: int) -> Account:
        """An account's money as of now, without disturbing the state."""
        state = self.account_states[index : index + 1].copy()[0]
        record = np.zeros(1, dtype=record_dtype(Account))[0]
        write_account(state, self._market[0], self.settings[index], int(self._book["ts"][0]), record)
        return message_of(Account, record)

    def _hear(self, index: int, said: list[Received], heard_ts: int) -> Iterator[Output]:
        for item in said:
            if isinstance(item.message, Estimate):
                learn(self.account_states, index, records_of(Estimate, [item.message]))
            elif isinstance(item.message, Control):
                yield from self._control(index, item.message, heard_ts)
            elif isinstance(item.message, Terms):
                yield from self._on_terms(index, item.message, heard_ts)
        commands = [item.message for item in said if isinstance(item.message, Place | Cancel | Modify | Trigger)]
        yield from self._hear_commands(index, command_records(commands), heard_ts)

    def _on_terms(self, index: int, terms: Terms, heard_ts: int) -> Iterator[Output]:
        """Money comes or goes with neither profit nor loss; who closes has everything cancelled that is under way."""
        account, settings = self.account_states[index], self.settings[index]
        account["cash"] += terms.balance - settings["initial_cash"]
        settings["initial_cash"], account["changed"] = terms.balance, 1
        name = self.accounts[index]
        if terms.closed and name not in self._closed:
            cancels = [Cancel(ts=heard_ts, order_id=number) for number in orders_of(account)]
            yield from self._hear_commands(index, command_records(cancels), heard_ts)
        self._closed = self._closed - {name} | ({name} if terms.closed else set())

    def _control(self, index: int, control_: Control, heard_ts: int) -> Iterator[Output]:
        self._obey(index, code(ControlAction, control_.action), heard_ts)
        yield from self._said()

    def _obey(self, index: int, action: int, heard_ts: int) -> None:
        control(
            self._market,
            self._book,
            self._features,
            self.account_states,
            self.settings,
            index,
            action,
            heard_ts,
            self._out,
        )

    def _hear_commands(self, index: int, commands: Records, heard_ts: int) -> Iterator[Output]:
        start = 0
        while start < len(commands):
            start = hear_all(
                self._market,
                self._book,
                self._features,
                self.account_states,
                self.settings,
                index,
                commands,
                start,
                heard_ts,
                self._out,
            )
            yield from self._said()

    def _fold_market(self, round_: Round) -> list[Output]:
        events = self._market_data.events(round_)
        start, due, outputs = 0, 0, list[Output]()
        while start <= len(events):
            start, due = fold_round(
                self._market,
                self._book,
                self._features,
                self.account_states,
                self.settings,
                events,
                start,
                round_.ts,
                self._out,
                self._accounts_said,
                self._accounts_due,
            )
            outputs += self._said()
        for row in range(due):
            account = self.accounts[self._accounts_due[row]]
            outputs.append(Output("account", account, message_of(Account, self._accounts_said[row])))
        return outputs

    def _said(self) -> list[Output]:
        """What the kernel said since the last time, in its order; empties the outbox."""
        out = self._out
        if not out.counts[2]:
            return []
        said = [
            Output("acks", self.accounts[index], message_of(Ack, out.acks[row]))
            if what == SAID_ACK
            else Output("fills", self.accounts[index], message_of(Fill, out.fills[row]))
            for what, index, row in out.said[: out.counts[2]].tolist()
        ]
        out.counts[:] = 0
        return said


def orders_of(account: Record) -> list[int]:
    """The ids of all orders of an account, of those under way and of those that wait for the mark, too."""
    commands = account["commands"][: account["commands_count"]]
    new = commands["order_id"][np.isin(commands["type"], (PLACE, TRIGGER))]
    live, waiting = account["orders"][: account["orders_count"]], account["triggers"][: account["triggers_count"]]
    return list(dict.fromkeys(np.concatenate((new, live["order_id"], waiting["order_id"])).tolist()))


def command_records(commands: list[Cancel] | list[Command]) -> Records:
    """The commands as the kernel takes them, shape (n,); integers that no record holds are taken as the limit."""
    records = np.zeros(len(commands), dtype=COMMAND)
    for row, command in enumerate(commands):
        ts, order_id = bounded(command.ts), bounded(command.order_id)
        records[row] = record_of_command(msgspec.structs.replace(command, ts=ts, order_id=order_id))
    return records


def bounded(value: int) -> int:
    """The integer, kept within what a record holds."""
    return max(-INTEGER_LIMIT, min(value, INTEGER_LIMIT))


@cache
def load_kernels() -> None:
    """Compile or load once, before the first message, the kernels that market data alone would not reach."""
    settings, out = settings_of([FillSimConfig()]), new_outbox(1)
    world = new_market(), new_book(), new_features(), new_accounts(settings), settings, 0
    hear_all(*world, command_records([]), 0, 0, out)
    control(*world, code(ControlAction, "pause"), 0, out)
    learn(world[3], 0, np.zeros(1, dtype=record_dtype(Estimate)))
