"""The quoter: hears the market and the account's learning, says place and cancel."""

from collections.abc import Collection, Mapping
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from papertrader.services.quoter.config import QuoterConfig
from papertrader.services.quoter.decision import decide_for
from papertrader.services.quoter.failures import failure_of
from papertrader.services.quoter.glft import VIEW
from papertrader.services.quoter.grid import regrid_orders
from papertrader.services.quoter.kernel import (
    ASK,
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
    prepare,
    see,
)
from papertrader.services.quoter.orders import cancel_all, new_commands, on_ack, on_fill, reconcile
from papertrader.services.quoter.sight import Sight
from papertrader.services.quoter.strategy import Glft, Strategy, load, state_of, view_of, write_targets
from papertrader.shared.log.health import Failure
from papertrader.shared.log.kinds import Kind
from papertrader.shared.log.subjects import Market
from papertrader.shared.market.commands import command_of
from papertrader.shared.market.features import new_features
from papertrader.shared.market.records import Record, code, record_dtype, record_of, settings_records
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
        self._market_data = MarketData()
        self._market = new_market()
        self._features = new_features()
        self._quoters = np.zeros(len(accounts), dtype=QUOTER)
        for index, settings in enumerate(self._settings):
            self._quoters[index] = new_quoter(settings)[0]
        self._view = np.zeros(1, dtype=VIEW)
        self._targets = new_targets()
        self._commands = new_commands()

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
        see(self._market_data.book, self._features, self._market, self._market_data.events(round_), round_.ts)

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
        state = self._quoters[index]
        if isinstance(message, Ack):
            on_ack(state, record_of(message), self._tick(message.price))
        elif isinstance(message, Fill):
            on_fill(state, record_of(message))
        elif isinstance(message, Account):
            on_account(state, self._settings[index], record_of(message))
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
        strategy = self._strategies[account]
        if type(strategy) is Glft:
            arrays = (self._quoters, index, self._settings, self._market_data.book, self._features, self._market)
            clock = (round_.previous_ts, round_.ts)
            return int(decide_for(*arrays, *clock, self._view, self._targets, self._commands))
        state, settings = self._quoters[index], self._settings[index]
        seen = (self.book, self._features[0], self._market[0])
        prepared = prepare(state, settings, *seen, round_.previous_ts, round_.ts, self._view[0], self._commands)
        return self._ask(account, strategy, state, settings) if prepared == ASK else int(prepared)

    def _ask(self, account: str, strategy: Strategy, state: Record, settings: Record) -> int:
        """Ask a class of the user's. What it raises is kept, and takes this account's quotes off and nothing else."""
        view, config = self._view[0], self._configs[account]
        try:
            sight = Sight(self.book, self._features[0], state["orders"])
            wanted = strategy.targets(view_of(view, config, sight))
            count = write_targets(wanted, view, config.levels, self._targets)
        except Exception as error:
            self.failures[account] = failure_of(error, config.strategy, int(view["ts"]), self.failures.get(account))
            state["no_quote_rounds"][STRATEGY_ERROR] += 1
            return int(cancel_all(state, view["ts"], self._commands))
        return int(reconcile(state, view, settings, self._targets, count, self._commands))


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
