"""The quoter: hears the market and the account's learning, says place and cancel."""

from collections.abc import Collection, Mapping
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from papertrader.services.quoter.asking import decide_for
from papertrader.services.quoter.called import Called
from papertrader.services.quoter.config import QuoterConfig
from papertrader.services.quoter.failures import error_of, failure_of
from papertrader.services.quoter.glft import VIEW
from papertrader.services.quoter.grid import regrid_orders
from papertrader.services.quoter.kernel import (
    QUOTER,
    STRATEGY_ERROR,
    learn_rules,
    new_market,
    new_quoter,
    new_targets,
    on_account,
    on_calibration,
    on_control,
    on_estimate,
    see,
)
from papertrader.services.quoter.orders import cancel_all, new_commands, on_ack, on_fill
from papertrader.services.quoter.own import (
    BINDING,
    OWN,
    PRINTED,
    SILENT,
    WISHED,
    new_own,
    note_account,
    note_ack,
    note_fill,
    note_prints,
)
from papertrader.services.quoter.programs import Program
from papertrader.services.quoter.sight import Sight
from papertrader.services.quoter.strategy import Glft, Silent, load, state_of
from papertrader.shared.log.health import Failure
from papertrader.shared.log.kinds import Kind
from papertrader.shared.log.subjects import Market
from papertrader.shared.market.book import new_book
from papertrader.shared.market.commands import command_of
from papertrader.shared.market.events import empty_events
from papertrader.shared.market.features import new_features
from papertrader.shared.market.records import Record, Records, code, record_dtype, record_of, settings_records
from papertrader.shared.market.regrid import grid_of
from papertrader.shared.messages import (
    Account,
    Ack,
    Calibration,
    Control,
    ControlAction,
    Estimate,
    Fill,
    Instrument,
    Message,
)
from papertrader.shared.messages.accounts import Terms
from papertrader.shared.service.fold import Output, Round, State, instrument_of
from papertrader.shared.service.market_data import MarketData

HEARD: Final[tuple[Kind, ...]] = ("estimate", "calibration", "fills", "acks", "account", "control", "terms")
"""In the order in which an account takes it: the newest word on the position is the account's, then the operator's."""


class Quoter:
    """One market's quoter for all its paper accounts."""

    def __init__(self, market: Market, accounts: Mapping[str, QuoterConfig], closed: Collection[str] = ()) -> None:
        self.market = market
        self.accounts = tuple(accounts)
        self.failures: dict[str, Failure] = {}
        """What went wrong in an account's strategy, at last and how often, since this was made."""
        self._configs = dict(accounts)
        self._closed = set(closed)
        self._settings = settings_records(accounts.values())
        self._strategies = {account: load(config) for account, config in accounts.items()}
        self.owns, self.outs = np.zeros(len(accounts), dtype=OWN), np.zeros(len(accounts), dtype=WISHED)
        self.owns[:] = new_own()
        self.bindings = np.zeros(len(accounts), dtype=BINDING)
        """Where each account's strategy lies, and the records that it sees and writes."""
        self._market_data = MarketData()
        self._market = new_market()
        self._features = new_features()
        self._quoters = np.zeros(len(accounts), dtype=QUOTER)
        for index, settings in enumerate(self._settings):
            self._quoters[index] = new_quoter(settings)[0]
        self._view, self._printed = np.zeros(1, dtype=VIEW), np.zeros(1, dtype=PRINTED)
        self._targets = new_targets()
        self._commands = new_commands()
        self._called: dict[str, Called] = {}
        self.bind(self._view, self._market_data.book, self._features, self._printed)

    def bind(self, view: Records, book: Records, features: Records, printed: Records) -> None:
        """Let the strategies see these records, each of shape (1,)."""
        self._seen = (view, book, features, printed)
        for index, (account, strategy) in enumerate(self._strategies.items()):
            binding, own, out = self.bindings[index], self.owns[index : index + 1], self.outs[index : index + 1]
            if isinstance(strategy, Program):
                binding["address"] = strategy.address
                binding["settings"], binding["memory"] = strategy.settings.ctypes.data, strategy.memory.ctypes.data
                binding["before"], binding["memory_size"] = strategy.before.ctypes.data, strategy.memory.nbytes
            elif isinstance(strategy, Silent):
                binding["address"] = SILENT
            elif type(strategy) is not Glft:
                sight = Sight(book, features, own, printed)
                called = Called(strategy, view, out, sight)
                self._called[account] = called
                binding["address"], binding["eager"] = called.address, 1

    @property
    def follows_prints(self) -> bool:
        """Whether somebody's strategy may look at the prints."""
        return bool((self.bindings["address"] > 0).any())

    def fold(self, round_: Round) -> list[Output]:
        """Fold a round: hear, see the market, decide for every account."""
        self._see(round_)
        heard = self._by_account(round_)
        outputs: list[Output] = []
        for index, account in enumerate(self.accounts):
            for kind in HEARD:
                for message in heard.get((account, kind), ()):
                    self._hear(index, message)
            count = self._decide(index, account, round_)
            outputs.extend(Output("orders", account, command_of(command)) for command in self._commands[:count])
        return outputs

    def state(self) -> State:
        """The book, the market, every account's state and what the strategies remember."""
        arrays: dict[str, npt.NDArray[np.generic]] = {
            "book": self._market_data.book,
            "features": self._features,
            "market": self._market,
            "quoters": self._quoters,
        }
        if self.follows_prints:
            arrays |= {"printed": self._printed, "owns": self.owns}
        for account, strategy in self._strategies.items():
            arrays |= {f"strategy.{account}.{name}": array for name, array in state_of(strategy).items()}
        return arrays

    @property
    def book(self) -> Record:
        """The book as of the last round."""
        return self._market_data.book[0]

    def quoter(self, account: str) -> Record:
        """The state of one account."""
        return self._quoters[self.accounts.index(account)]

    def _see(self, round_: Round) -> None:
        instrument = instrument_of(round_)
        if instrument is not None:
            self._on_instrument(instrument)
        left = self._market_data.learn(instrument)
        if left is not None:
            grid = grid_of(self.book)
            regrid_orders(self._quoters, left, grid)
        events = self._market_data.events(round_)
        see(self._market_data.book, self._features, self._market, events, round_.ts)
        if self.follows_prints:
            note_prints(self._printed[0], self.book, events)

    def _on_instrument(self, instrument: Instrument) -> None:
        self._quoters["settled"] = 0
        learn_rules(self._market, instrument)

    @staticmethod
    def _by_account(round_: Round) -> dict[tuple[str, Kind], list[Message]]:
        heard: dict[tuple[str, Kind], list[Message]] = {}
        for item in round_.heard:
            heard.setdefault((item.account, item.kind), []).append(item.message)
        return heard

    def _hear(self, index: int, message: Message) -> None:
        state, own = self._quoters[index], self.owns[index]
        has_own = self.bindings["address"][index] > 0
        if isinstance(message, Ack):
            on_ack(state, record_of(message), self._tick(message.price))
            if has_own:
                note_ack(own, state, self._printed[0], record_of(message))
        elif isinstance(message, Fill):
            on_fill(state, record_of(message))
            if has_own:
                note_fill(own, _without_padding(message))
        elif isinstance(message, Account):
            on_account(state, self._settings[index], record_of(message))
            if has_own:
                note_account(own, _without_padding(message))
        elif isinstance(message, Estimate):
            on_estimate(state, record_of(message))
        elif isinstance(message, Calibration):
            on_calibration(state, record_of(message))
        elif isinstance(message, Control):
            on_control(state, code(ControlAction, message.action))
        elif isinstance(message, Terms):
            self._on_terms(index, message)

    def _on_terms(self, index: int, terms: Terms) -> None:
        """An account that is closed pauses; one that is opened again goes on."""
        account = self.accounts[index]
        if terms.closed != (account in self._closed):
            on_control(self._quoters[index], code(ControlAction, "pause" if terms.closed else "resume"))
        self._closed = self._closed - {account} | ({account} if terms.closed else set())

    def _tick(self, price: float) -> int:
        tick_size = float(self.book["tick_size"])
        return round(price / tick_size) if tick_size > 0 else 0

    def _decide(self, index: int, account: str, round_: Round) -> int:
        arrays = (self._quoters, index, self._settings, self._market_data.book, self._features, self._market)
        clock, room = (round_.previous_ts, round_.ts), (self._view, self._targets, self._commands)
        try:
            own = (self._printed, self.owns, self.outs, self.bindings)
            return int(decide_for(*arrays, *clock, *room, *own))
        except Exception as error:
            return self._fail(index, account, error)

    def _fail(self, index: int, account: str, error: Exception) -> int:
        """What a strategy of the user's raised is kept, and takes this account's quotes off and nothing else."""
        if not self.outs["asked"][index]:
            raise error
        self.note_failure(account, error)
        self._quoters[index]["no_quote_rounds"][STRATEGY_ERROR] += 1
        return int(cancel_all(self._quoters[index], int(self._view["ts"][0]), self._commands))

    def note_failure(self, account: str, error: Exception) -> None:
        """Keep what went wrong when an account's strategy was asked; who ends the program is let through."""
        index, called = self.accounts.index(account), self._called.get(account)
        out, strategy, line = self.outs[index], self._strategies[account], ""
        cause = error_of(error, called.error if called else None, out)
        out["asked"] = 0
        if not isinstance(cause, Exception):
            raise cause
        if isinstance(strategy, Program):
            heard = self.owns[index : index + 1], self._quoters[index : index + 1]
            line = strategy.wrong_line((*self._seen, *heard), self.outs[index : index + 1], cause)
        name, ts = self._configs[account].strategy, int(self._seen[0]["ts"][0])
        self.failures[account] = failure_of(cause, name, ts, self.failures.get(account), line)


def _without_padding(message: Fill | Account) -> Record:
    """A message's record with zeros between its fields: it is part of a state."""
    record = np.zeros(1, dtype=record_dtype(type(message)))
    record[0] = record_of(message).item()
    return record[0]


@cache
def load_kernels() -> None:
    """Compile or load once, before the first message, the kernels that market data alone would not reach."""
    settings = settings_records([QuoterConfig()])[0]
    state = new_quoter(settings)[0]
    ack, fill, account, estimate, calibration = (
        np.zeros(1, dtype=record_dtype(struct))[0] for struct in (Ack, Fill, Account, Estimate, Calibration)
    )
    on_ack(state, ack, 0)
    on_fill(state, fill)
    on_account(state, settings, account)
    on_estimate(state, estimate)
    on_calibration(state, calibration)
    on_control(state, code(ControlAction, "pause"))
    own, printed, book = new_own()[0], np.zeros(1, dtype=PRINTED)[0], new_book()[0]
    note_prints(printed, book, empty_events())
    note_ack(own, state, printed, ack)
    note_fill(own, fill)
    note_account(own, account)
