"""Everything that the closed loop works on: the services' own state arrays, one book for all, and what was said."""

from typing import Any, Final, NamedTuple

import numpy as np

from papertrader.services.calibration.config import CalibrationConfig
from papertrader.services.calibration.service import Calibration as CalibrationFold
from papertrader.services.estimator import kernel as estimator
from papertrader.services.estimator.config import EstimatorConfig
from papertrader.services.estimator.grid import regrid_shadows
from papertrader.services.estimator.service import Estimator
from papertrader.services.fill_sim import grid as exchange_grid
from papertrader.services.fill_sim import state as exchange
from papertrader.services.fill_sim.config import FillSimConfig
from papertrader.services.fill_sim.instrument import learn_rules as learn_exchange_rules
from papertrader.services.fill_sim.service import FillSim
from papertrader.services.fill_sim.state import STEP_ROOM, Outbox
from papertrader.services.outcome_tracker import kernel as tracker
from papertrader.services.outcome_tracker.config import OutcomeTrackerConfig
from papertrader.services.outcome_tracker.service import OutcomeTracker
from papertrader.services.quoter import grid as quoter_grid
from papertrader.services.quoter import kernel as quoter
from papertrader.services.quoter.config import QuoterConfig
from papertrader.services.quoter.glft import VIEW
from papertrader.services.quoter.kernel import new_targets
from papertrader.services.quoter.orders import COMMANDS, new_commands
from papertrader.services.quoter.own import PRINTED
from papertrader.services.quoter.service import Quoter
from papertrader.shared.kernels import njit
from papertrader.shared.log.kinds import KINDS as MESSAGES
from papertrader.shared.log.kinds import Kind
from papertrader.shared.log.subjects import Market
from papertrader.shared.market.book import BOOK
from papertrader.shared.market.commands import COMMAND
from papertrader.shared.market.events import Grid
from papertrader.shared.market.features import FEATURE_STATE
from papertrader.shared.market.records import Integers, Records, record_dtype, settings_records
from papertrader.shared.market.regrid import grid_of, regrid
from papertrader.shared.market.seconds import SECONDS
from papertrader.shared.messages import Calibration, Estimate, Instrument
from papertrader.shared.service.config import Settings
from papertrader.shared.service.fold import Fold

ACKS: Final = 0
FILLS: Final = 1
ACCOUNTS: Final = 2
MARKOUTS: Final = 3
ESTIMATES: Final = 4
CALIBRATIONS: Final = 5
ORDERS: Final = 6
SAID: Final = 7
"""The order in which the exchange said its acks and fills."""
KINDS: Final[tuple[Kind, ...]] = ("acks", "fills", "account", "markouts", "estimate", "calibration", "orders")
COUNTS: Final = len(KINDS) + 1
LAYOUTS: Final = {name: COMMAND if name == "orders" else record_dtype(MESSAGES[name].struct) for name in KINDS}

MARKOUT_ROOM: Final = 4096
"""Markouts that one round of all accounts may bring beside those of its fills."""

ROWS_AT_FIRST: Final = 2_048
UNKNOWN: Final = -1

PROGRESS: Final = np.dtype(
    [
        ("row", "i8"),  # the next event
        ("round", "i8"),  # rounds ended
        ("previous_ts", "i8"),  # where the open round began
        ("due_ts", "i8"),  # before this nothing happens at the exchange by itself
        ("watch_ts", "i8"),  # before this no event finds anything due
        ("high_bid", "i8"),  # prints and touches between the two reach no own order
        ("low_ask", "i8"),
        ("best_bid", "i8"),  # the touch that the mid is of, UNKNOWN after a gap
        ("best_ask", "i8"),
        ("crossing", "i1"),  # the last book message crossed own prices
        ("begun", "i1"),  # the open round has heard what was said in the last one
        ("heard", "i8"),  # messages that are heard in the open round
        ("count", "i8", (COUNTS,)),  # messages said so far, by kind
        ("limit", "i8", (COUNTS,)),  # of those, beyond which there is no room for what a round may say
        ("first", "i8", (COUNTS,)),  # those that are heard in the open round: [first, last)
        ("last", "i8", (COUNTS,)),
        ("lost", "i1"),  # a round said more than there was room for
    ],
    align=True,
)
WORLD: Final = np.dtype(
    [
        ("progress", PROGRESS),
        ("book", BOOK),
        ("features", FEATURE_STATE),
        ("exchange", exchange.MARKET_STATE),
        ("tracker_seconds", SECONDS),
        ("tracker", tracker.MARKET_STATE),
        ("estimator_seconds", SECONDS),
        ("estimator", estimator.MARKET_STATE),
        ("quoter", quoter.MARKET_STATE),
        ("decision", VIEW),
        ("printed", PRINTED),
        ("follows_prints", "i1"),  # somebody's strategy may look at them
    ],
    align=True,
)
"""What all accounts of a market share, one record: the parts that services share as well are there once."""
ADDRESS: Final = np.dtype([("account", "i4"), ("round", "i4")])
"""Whom a message is of, and in which round it was said: an index of the accounts, a count of the rounds."""


class Accounts(NamedTuple):
    """What each account has in each service, shape (accounts,)."""

    exchange: Records
    exchange_settings: Records
    trackers: Records
    tracker_settings: Records
    estimators: Records
    estimator_settings: Records
    controllers: Records
    controller_settings: Records
    quoters: Records
    quoter_settings: Records
    owns: Records
    outs: Records
    bindings: Records


class Table(NamedTuple):
    """All messages of a kind, a row each, and whose each is."""

    rows: Records
    of: Records


class Said(NamedTuple):
    """What was said, all of it, by kind; of the exchange also in which order, as an `Outbox` has it."""

    acks: Table
    fills: Table
    account: Table
    markouts: Table
    estimate: Table
    calibration: Table
    orders: Table
    sequence: Integers
    counts: Integers


@njit(cache=True, forceinline=True)
def outbox_of(said: Said) -> Outbox:
    """Where the exchange says its part."""
    return Outbox(said.acks.rows, said.fills.rows, said.sequence, said.counts)


class Scratch(NamedTuple):
    """Room for one round's decisions."""

    estimates: Records
    calibrations: Records
    targets: Records
    commands: Records


class Folds(NamedTuple):
    """The services whose arrays the world is made of."""

    fill_sim: FillSim
    outcome_tracker: OutcomeTracker
    estimator: Estimator
    calibration: CalibrationFold
    quoter: Quoter

    def by_name(self) -> dict[str, Fold]:
        """The folds under the names of their services."""
        folds: tuple[Fold, ...] = tuple(self)
        return {name.replace("_", "-"): fold for name, fold in zip(self._fields, folds, strict=True)}


def new_folds(settings: Settings, market: Market) -> Folds:
    """The services of a market, their accounts in the order of their names."""

    def configs(section: str, struct: type[Any]) -> dict[str, Any]:
        return dict(sorted(settings.by_account(section, struct).items()))

    return Folds(
        FillSim(market, configs("fill_sim", FillSimConfig)),
        OutcomeTracker(market, configs("outcome_tracker", OutcomeTrackerConfig)),
        Estimator(market, configs("estimator", EstimatorConfig)),
        CalibrationFold(market, configs("calibration", CalibrationConfig)),
        Quoter(market, configs("quoter", QuoterConfig)),
    )


SHARED: Final[dict[str, tuple[str, str]]] = {
    "book": ("fill_sim", "book"),
    "features": ("fill_sim", "features"),
    "exchange": ("fill_sim", "market"),
    "tracker_seconds": ("outcome_tracker", "seconds"),
    "tracker": ("outcome_tracker", "market"),
    "estimator_seconds": ("estimator", "seconds"),
    "estimator": ("estimator", "market"),
    "quoter": ("quoter", "market"),
}
"""The parts of a WORLD and the states that they begin as."""


def new_market(folds: Folds, instrument: Instrument) -> Records:
    """The shared state of fresh folds that know their instrument, shape (1,)."""
    market = np.zeros(1, dtype=WORLD)
    for part, (service, name) in SHARED.items():
        market[part] = getattr(folds, service).state()[name]
    _learn_rules(market, instrument)
    grid = Grid(instrument)
    market["book"]["tick_size"], market["book"]["ticks_per_unit"] = grid.tick_size, grid.ticks_per_unit
    return market


def _learn_rules(market: Records, instrument: Instrument) -> None:
    learn_exchange_rules(market["exchange"], instrument)
    quoter.learn_rules(market["quoter"], instrument)


def change_rules(market: Records, accounts: Accounts, instrument: Instrument) -> None:
    """Let other trading rules be in force from here on, as every fold does at the beginning of a round."""
    _learn_rules(market, instrument)
    accounts.quoters["settled"] = 0
    book = market["book"]
    if instrument.tick_size == book["tick_size"][0]:
        return
    left, grid = grid_of(book[0]), Grid(instrument)
    regrid(book, grid)
    regrid_shadows(market["estimator"], accounts.estimators, left, grid)
    exchange_grid.regrid_orders(accounts.exchange, accounts.exchange_settings, grid)
    exchange_grid.regrid_prints(market["exchange"], left, grid)
    quoter_grid.regrid_orders(accounts.quoters, left, grid)
    market["progress"]["best_bid"] = UNKNOWN


def accounts_of(folds: Folds, quoter_configs: list[QuoterConfig]) -> Accounts:
    """The accounts' own state arrays and settings."""
    return Accounts(
        folds.fill_sim.account_states,
        folds.fill_sim.settings,
        folds.outcome_tracker.trackers,
        folds.outcome_tracker.settings,
        folds.estimator.estimators,
        folds.estimator.settings,
        folds.calibration.controllers,
        folds.calibration.settings,
        _array(folds.quoter, "quoters"),
        settings_records(quoter_configs),
        folds.quoter.owns,
        folds.quoter.outs,
        folds.quoter.bindings,
    )


def _array(fold: Fold, name: str) -> Any:
    return fold.state()[name]


def new_scratch(accounts: int) -> Scratch:
    """Room for the decisions of so many accounts."""
    return Scratch(
        np.zeros(accounts, dtype=record_dtype(Estimate)),
        np.zeros(accounts, dtype=record_dtype(Calibration)),
        new_targets(),
        new_commands(),
    )


def hand_back(market: Records, folds: Folds) -> None:
    """Give every fold its copy of what the loop shared, so that each is as if it had folded alone."""
    for part, (service, name) in SHARED.items():
        getattr(folds, service).state()[name][...] = market[part]
    for fold in folds:
        state = fold.state()
        for name in ("book", "features", "printed"):
            if name in state:
                state[name][...] = market[name]


def room_per_round(accounts: int) -> Integers:
    """The rows of each kind that a round may need, shape (kinds,)."""
    exchange = accounts * (STEP_ROOM + 2 * COMMANDS) + 1024
    rows = [exchange, exchange, accounts, accounts * 64 + MARKOUT_ROOM, accounts, accounts, accounts * COMMANDS]
    return np.array([*rows, 2 * exchange])


def new_said(accounts: int) -> Said:
    """Nothing said yet, with room for what some minutes bring."""
    rows = room_per_round(accounts) + ROWS_AT_FIRST
    tables = {
        name: Table(np.zeros(rows[kind], dtype=LAYOUTS[name]), np.zeros(rows[kind], dtype=ADDRESS))
        for kind, name in enumerate(KINDS)
    }
    return Said(**tables, sequence=np.zeros((rows[SAID], 3), dtype=np.int64), counts=np.zeros(3, dtype=np.int64))


def grown(said: Said, counts: Integers, accounts: int) -> Said:
    """The same with more room wherever there is less than a round may need; `counts` are the rows in use by kind."""
    needed, in_use = room_per_round(accounts), counts.copy()
    in_use[[ACKS, FILLS, SAID]] = said.counts

    def larger(array: Any, kind: int) -> Any:
        count = in_use[kind]
        if len(array) - count >= needed[kind]:
            return array
        new = np.zeros((2 * len(array) + needed[kind], *array.shape[1:]), dtype=array.dtype)
        new[:count] = array[:count]
        return new

    tables = {name: Table(*(larger(array, kind) for array in getattr(said, name))) for kind, name in enumerate(KINDS)}
    return Said(**tables, sequence=larger(said.sequence, SAID), counts=said.counts)


def limits(said: Said, accounts: int) -> Integers:
    """The counts by kind beyond which `said` has to grow before the next round."""
    return np.array([*(len(getattr(said, name).rows) for name in KINDS), len(said.sequence)]) - room_per_round(accounts)
