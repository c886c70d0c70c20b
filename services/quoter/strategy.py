"""Strategies: what one is, the built-in one, and how one's own class is found.

A strategy turns a `View` into the quotes it wants. The quoter does the rest for it: prices go outward to the grid and
never reach the opposite best, sizes go to the lot and under the position cap, and orders are only moved when it pays.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Final, Literal, Protocol, runtime_checkable

import msgspec
import numpy as np
import numpy.typing as npt

from papertrader.services.quoter.config import QuoterConfig
from papertrader.services.quoter.glft import TERMS, VIEW, quote
from papertrader.services.quoter.kernel import new_targets
from papertrader.services.quoter.modules import module_named, module_of_file
from papertrader.services.quoter.programs import Program, ProgramError
from papertrader.services.quoter.sight import Floats, OpenOrder, Print, Sight, nothing
from papertrader.shared.market.book import price_of
from papertrader.shared.market.records import Record, settings_records
from papertrader.shared.messages import REGIMES, Account, Fill

StrategySettings = Mapping[str, float | int | str | bool]
BUILT_IN: Final = "glft"
FLAGS: Final = ("can_increase", "can_short", "toxicity_trusted", "quotes_bid", "quotes_ask")


class StrategyError(ValueError):
    """A strategy that cannot be loaded, or targets that cannot be quoted; the text says what is wrong."""


@dataclass(frozen=True, kw_only=True)
class View:
    """All that a decision may depend on. Prices in quote currency, sizes in base units, `ts` in ns of event time.

    `levels` is the most quotes a side that are placed, `quote_size` the size of one as the settings have it.

    Sizes of an inverse market are contracts of `inverse_size` quote currency each; it is 0 in any other. `can_short` is
    false in spot: only what is held can be sold.

    `position` is positive when long. κ in 1/(fraction of price), `intensity` is A in fills per second, σ in bp per √s.
    `fair` is the microprice. `toxicity_bid` is the probability that a fill of our bid is adverse: of now where it has
    shown skill (`toxicity_trusted`), else the base rate; `quotes_bid` says whether it lets the built-in strategy bid.
    `fill_bid` is the log-odds of a fill within 10 s at the mid; `fill_slope` and `fill_curve` tell how distance changes
    them. `equity` and `margin_available` are NaN before the account is known. `can_increase` is false while the margin
    allows only to reduce the position.

    `bids`, `asks`, `orders`, `features`, `prints`, `fills` and `account` are computed when they are asked for: ask
    within `targets`, later they are those of a later moment.
    """

    ts: int
    bid: float
    ask: float
    mid: float
    fair: float
    bid_tick: int
    ask_tick: int
    tick_size: float
    ticks_per_unit: float
    significant_figures: int
    lot_size: float
    min_notional: float
    inverse_size: float
    position: float
    max_position: float
    kappa: float
    intensity: float
    sigma_bps: float
    toxicity_bid: float
    toxicity_ask: float
    adverse_base_rate: float
    toxicity_trusted: bool
    quotes_bid: bool
    quotes_ask: bool
    log_sigma_bps: float
    fill_bid: float
    fill_ask: float
    fill_slope: float
    fill_curve: float
    cal_gamma: float
    maker_fee_bps: float
    equity: float
    margin_available: float
    can_short: bool
    can_increase: bool
    regime: Literal["quiet", "normal", "volatile", "extreme"]
    params_version: int
    levels: int
    quote_size: float
    sight: Sight = field(default_factory=nothing, repr=False, compare=False)

    @property
    def bids(self) -> Floats:
        """The displayed bids, best first, shape (n, 2): price and size; n is 20 at most."""
        return self.sight.side(1)

    @property
    def asks(self) -> Floats:
        """The displayed asks, likewise."""
        return self.sight.side(-1)

    @property
    def orders(self) -> tuple[OpenOrder, ...]:
        """The account's own orders in this market that have not ended."""
        return self.sight.orders()

    @property
    def features(self) -> dict[str, float]:
        """The market's features by name: imbalances of the book, signed flow, volatility, spread."""
        return self.sight.features()

    @property
    def prints(self) -> list[Print]:
        """The market's prints since the last decision, of more than 256 the newest."""
        return self.sight.prints()

    @property
    def fills(self) -> list[Fill]:
        """The account's own fills since the last decision, of more than 64 the newest."""
        return self.sight.fills()

    @property
    def account(self) -> Account:
        """The account's money as it was told last; zeros before."""
        return self.sight.account()


class Target(msgspec.Struct, frozen=True):
    """A quote that is wanted: `price` in quote currency, `size` in base units.

    The forecasts go with the order and are judged later: a fill within 10 s, and an adverse move within 5 s of a fill.
    What is left out is filled in from the view. `priority_bps` is bid for a place in the block, bps of the order's
    value, on venues that sell them; elsewhere the order is rejected.
    """

    side: Literal["buy", "sell"]
    price: float
    size: float
    p_fill: float | None = None
    p_adverse: float | None = None
    priority_bps: float = 0.0


class Order(msgspec.Struct, frozen=True):
    """A single order, sent once: it stays until it ends, is changed or cancelled, and no target moves it.

    The position cap holds for it: what does not fit is cut off. Its id is in `view.orders` from the next decision on.
    """

    side: Literal["buy", "sell"]
    price: float
    size: float
    time_in_force: Literal["post_only", "gtc", "ioc"] = "post_only"
    reduce_only: bool = False


class Change(msgspec.Struct, frozen=True):
    """Move an open order and leave `size` of it; it is a single order from then on."""

    order_id: int
    price: float
    size: float


class Cancel(msgspec.Struct, frozen=True):
    """Cancel an open order."""

    order_id: int


class Sleep(msgspec.Struct, frozen=True):
    """Be asked again when the touch changes, the account hears something, or at `until_ts`, ns of event time."""

    until_ts: int


Wish = Target | Order | Change | Cancel | Sleep


@runtime_checkable
class Strategy(Protocol):
    """A strategy, made once per market and account with the settings table: `Class(settings)`.

    It must be deterministic: no clock but `view.ts`, no I/O, no unseeded randomness. One that remembers anything also
    has `state() -> dict[str, numpy array]`: the arrays themselves, which a restart writes into.
    """

    def targets(self, view: View) -> Sequence[Wish]:
        """The quotes wanted now, each side from the inside out, at most `view.levels` a side.

        A side's n-th quote is its level n: the order at that level moves when its target does. Single orders, changes,
        cancels and a `Sleep` may stand among them.
        """
        ...


class Glft:
    """The built-in strategy, as a class to build one's own upon: it prices with the numbers of [quoter]."""

    def __init__(self, settings: StrategySettings | None = None) -> None:
        self._numbers = settings_records([QuoterConfig()])[0]
        self._targets = new_targets()
        self._terms = np.zeros(1, dtype=TERMS)

    def configure(self, config: QuoterConfig) -> None:
        """Price with these numbers from now on; the quoter calls it once, before the first view."""
        self._numbers = settings_records([config])[0]

    def targets(self, view: View) -> list[Target]:
        """The ladder of both sides, as the compiled quoter prices it."""
        record = record_of_view(view)
        count = quote(record, self._numbers, self._terms[0], self._targets)
        return [_target_of(record, target) for target in self._targets[:count]]


class Silent:
    """Quotes nothing: the account belongs to a program outside."""

    def __init__(self, settings: StrategySettings | None = None) -> None:
        pass

    def targets(self, view: View) -> Sequence[Target]:
        """None."""
        return ()


def _target_of(view: Record, target: Record) -> Target:
    return Target(
        side="buy" if target["side"] > 0 else "sell",
        price=float(price_of(view, target["tick"])),
        size=float(target["size"]),
        p_fill=float(target["p_fill"]),
        p_adverse=float(target["p_adverse"]),
    )


def view_of(record: Record, sight: Sight | None = None) -> View:
    """The view that a kernel's record stands for, and what can be looked at beside it."""
    values: dict[str, Any] = dict(zip(VIEW.names or (), record.tolist(), strict=True))
    values["regime"] = REGIMES[values["regime"]]
    for name in FLAGS:
        values[name] = bool(values[name])
    return View(**values, sight=sight or nothing())


def record_of_view(view: View) -> Record:
    """The kernel's record of a view: the inverse of `view_of`."""
    record = np.zeros(1, dtype=VIEW)[0]
    for name in VIEW.names or ():
        value = getattr(view, name)
        record[name] = REGIMES.index(value) if name == "regime" else value
    return record


def checked(index: int, target: Any) -> None:
    """Raise StrategyError for what is no wish at all, naming it; values are judged by who hears them."""
    if not isinstance(target, Target | Order | Change | Cancel | Sleep):
        raise StrategyError(f"target {index} was {target!r}, not a Target")
    if isinstance(target, Target | Order) and target.side not in ("buy", "sell"):
        raise StrategyError(f"target {index}: side was {target.side!r}, not 'buy' or 'sell'")
    if isinstance(target, Order) and target.time_in_force not in ("post_only", "gtc", "ioc"):
        raise StrategyError(f"target {index}: time_in_force was {target.time_in_force!r}")
    for name in target.__struct_fields__:
        value = getattr(target, name)
        if name not in ("side", "time_in_force") and not isinstance(value, Real) and value is not None:
            raise StrategyError(f"target {index}: {name} was {value!r}, not a number")


NAMED: Final[Mapping[str, type[Any]]] = {BUILT_IN: Glft, "none": Silent}


def load(config: QuoterConfig) -> Strategy | Program:
    """The strategy that the settings name: `glft`, `none`, or what `package.module:Name` or `file.py:Name` names.

    That is a class, of which an instance is made, or a function, which is compiled. Raises StrategyError saying which
    part of the name is wrong, or what the class or the function lacks.
    """
    name = config.strategy
    if name in NAMED:
        return _instance(NAMED[name], config)
    found, module = _named(name)
    if isinstance(found, type):
        return _instance(found, config)
    try:
        return Program(getattr(found, "py_func", found), module, config.settings)
    except ProgramError as error:
        raise StrategyError(f"strategy {name!r}: {error}") from error
    except Exception as error:  # the compiler raises what it likes
        raise StrategyError(f"strategy {name!r} cannot be compiled: {error!r}") from error


def _instance(cls: type[Any], config: QuoterConfig) -> Strategy:
    name = config.strategy
    try:
        strategy = cls(config.settings)
    except Exception as error:
        raise StrategyError(f"strategy {name!r}: {cls.__name__}(settings) failed: {error!r}") from error
    if not isinstance(strategy, Strategy):
        raise StrategyError(f"strategy {name!r}: {cls.__name__} has no method targets(view)")
    if isinstance(strategy, Glft):
        strategy.configure(config)
    return strategy


def _named(name: str) -> tuple[Any, ModuleType]:
    """A class or a function of the user's, and the module that it stands in."""
    module_name, colon, own_name = name.rpartition(":")
    if not colon or not module_name or not own_name:
        forms = "package.module:Class or file.py:Class"
        raise StrategyError(f"strategy {name!r}: was neither 'glft', 'none' nor of the form {forms}")
    try:
        module = module_of_file(Path(module_name)) if module_name.endswith(".py") else module_named(module_name)
    except Exception as error:
        raise StrategyError(f"strategy {name!r}: the module {module_name!r} cannot be imported: {error!r}") from error
    found = getattr(module, own_name, None)
    if not isinstance(found, type | FunctionType) and not hasattr(found, "py_func"):
        raise StrategyError(f"strategy {name!r}: the module {module_name!r} has no class {own_name!r}")
    return found, module


def state_of(strategy: Strategy | Program) -> dict[str, npt.NDArray[np.generic]]:
    """The arrays that a strategy remembers, empty for one without memory."""
    state = getattr(strategy, "state", None)
    return dict(state()) if callable(state) else {}
