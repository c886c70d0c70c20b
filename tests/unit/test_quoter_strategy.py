"""Strategies of one's own: loading, targets, and what is refused."""

import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from papertrader.services.quoter.config import QuoterConfig
from papertrader.services.quoter.kernel import NoQuote
from papertrader.services.quoter.strategy import (
    Glft,
    Strategy,
    StrategyError,
    Target,
    View,
    load,
    record_of_view,
    view_of,
)
from papertrader.shared.market.records import code
from papertrader.shared.messages import Book, Cancel, Place
from tests.quoter_session import Session, account, ack, calibration, control, estimate, instrument, touch

FIXED = "docs.examples.fixed_spread:FixedSpread"


class Scripted:
    """Wants what the test says."""

    wanted: Sequence[Any] = ()
    seen: View | None = None

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    def targets(self, view: View) -> Sequence[Target]:
        """What the test wrote down."""
        Scripted.seen = view
        if isinstance(Scripted.wanted, Exception):
            raise Scripted.wanted
        return Scripted.wanted


class Wider(Glft):
    """Something built upon the built-in strategy."""


class Failing:
    """Cannot be made."""

    def __init__(self, settings: Any) -> None:
        raise KeyError("width")


class Mute:
    """No strategy."""

    def __init__(self, settings: Any) -> None:
        pass


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> str:
    """A module with the classes above."""
    made = ModuleType("user_strategies")
    for cls in (Scripted, Wider, Failing, Mute):
        setattr(made, cls.__name__, cls)
    made.number = 3  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "user_strategies", made)
    monkeypatch.setattr(Scripted, "seen", None)
    return "user_strategies"


def scripted(wanted: Any, module: str, **config: Any) -> Session:
    Scripted.wanted = wanted
    return Session(QuoterConfig(strategy=f"{module}:Scripted", **config))


def start(session: Session) -> list[Any]:
    return session.round(instrument(), touch(999.9, 1000.1))


def test_load_glft_is_the_built_in_one() -> None:
    assert type(load(QuoterConfig())) is Glft


def test_load_hands_the_settings_to_the_class(module: str) -> None:
    strategy = load(QuoterConfig(strategy=f"{module}:Scripted", settings={"width": 3}))
    assert isinstance(strategy, Scripted)
    assert strategy.settings == {"width": 3}
    assert isinstance(strategy, Strategy)


def test_account_of_a_program_outside_quotes_nothing() -> None:
    assert start(Session(QuoterConfig(strategy="none"))) == []


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("glfd", "neither 'glft', 'none' nor of the form package.module:Class or file.py:Class"),
        ("nowhere.py:Class", r"'nowhere.py' cannot be imported: FileNotFoundError"),
        (":Class", "neither 'glft', 'none' nor of the form"),
        ("no_such_module:Class", "the module 'no_such_module' cannot be imported"),
        ("user_strategies:Nobody", "the module 'user_strategies' has no class 'Nobody'"),
        ("user_strategies:number", "has no class 'number'"),
        ("user_strategies:Failing", r"Failing\(settings\) failed: KeyError\('width'\)"),
        ("user_strategies:Mute", r"Mute has no method targets\(view\)"),
    ],
)
def test_load_of_a_wrong_name_says_what_is_wrong(module: str, name: str, complaint: str) -> None:
    with pytest.raises(StrategyError, match=complaint):
        load(QuoterConfig(strategy=name))


def test_view_shows_the_market_the_account_and_what_was_learned(module: str) -> None:
    session = scripted([], module, settings={"width": 3})
    said = [estimate(version=4, toxicity_bid=0.6, regime="volatile"), calibration(0.7), account(position=0.5)]
    session.round(instrument(significant_figures=5), touch(999.9, 1000.1), said=said)
    view = Scripted.seen
    assert view is not None
    assert (view.bid, view.ask, view.mid, view.tick_size, view.lot_size) == (999.9, 1000.1, 1000.0, 0.01, 0.001)
    assert (view.position, view.max_position, view.equity) == (0.5, 2.5, 10_000.0)
    assert (view.kappa, view.toxicity_bid, view.cal_gamma, view.params_version) == (2500.0, 0.6, 0.7, 4)
    assert (view.regime, view.significant_figures, view.can_increase) == ("volatile", 5, True)
    assert (view.ts, view.levels, view.quote_size) == (session.ts, 2, 0.5)


def test_view_shows_the_book_the_own_orders_and_the_features_when_asked(module: str) -> None:
    """What is not displayed is no level; of an order what is left, and what was said of it."""
    looked: list[Any] = []

    class Looking(Scripted):
        def targets(self, view: View) -> Sequence[Target]:
            looked.append((view.bids.tolist(), view.asks.tolist(), view.orders, view.features))
            return [Target("buy", 999.5, 0.4)]

    sys.modules[module].Looking = Looking
    session = Session(QuoterConfig(strategy=f"{module}:Looking", requote_interval_ms=0.0))
    book = Book(
        ts=session.ts,
        recv_ts=session.ts,
        bid_prices=[999.9, 999.8],
        bid_sizes=[3.0, 1.0],
        ask_prices=[1000.1],
        ask_sizes=[1.0],
    )
    (order,) = session.round(instrument(), book)
    session.round(said=[ack(order, "accepted")])
    session.round(touch(999.91, 1000.1))
    bids, asks, orders, features = looked[0]
    assert (bids, asks, orders) == ([[999.9, 3.0], [999.8, 1.0]], [[1000.1, 1.0]], ())
    assert features["touch_imbalance"] == 0.5
    (own,) = looked[-1][2]
    assert (own.order_id, own.side, own.price, own.size) == (order.order_id, "buy", 999.5, 0.4)
    assert (own.level, own.status, own.commanded_ts) == (0, "live", order.ts)
    assert looked[-1][0][0][0] == 999.91


def test_view_record_and_back_is_the_same(module: str) -> None:
    session = scripted([], module)
    start(session)
    view = Scripted.seen
    assert view is not None
    again = view_of(record_of_view(view))
    assert math.isnan(again.equity)
    assert repr(again) == repr(view)


def test_targets_are_put_on_the_grid_under_the_cap_and_forecast(module: str) -> None:
    sell = Target("sell", 1000.123, 0.5, 0.9, 0.1, priority_bps=0.25)
    wanted = [Target("buy", 1000.5, 0.4001), Target("buy", 999.123, 9.0), sell]
    orders = start(scripted(wanted, module))
    assert [(order.side, order.price, order.size) for order in orders] == [
        ("buy", 1000.09, 0.4),
        ("buy", 999.12, 2.1),
        ("sell", 1000.13, 0.5),
    ]
    assert orders[0].p_adverse == 0.5
    assert orders[0].p_fill == pytest.approx(1 / (1 + math.exp(-0.7))), "beyond the mid, as at it"
    assert (orders[2].p_fill, orders[2].p_adverse) == (0.9, 0.1)
    assert [order.priority_bps for order in orders] == [0.0, 0.0, 0.25]


@pytest.mark.parametrize(
    ("wanted", "complaint"),
    [
        ([("buy", 1.0, 1.0)], "target 0 was ('buy', 1.0, 1.0), not a Target"),
        ([Target("bid", 1.0, 1.0)], "side was 'bid'"),  # type: ignore[arg-type]
        ([Target("buy", float("nan"), 1.0)], "price was nan"),
        ([Target("buy", 1000.0, -1.0)], "size was -1.0"),
        ([Target("buy", 1000.0, 1.0, p_fill=1.5)], "p_fill was 1.5"),
        ([Target("buy", 0.001, 1.0)], "below the first tick"),
        ([Target("buy", 999.0, 0.1)] * 3, "more than 2 on the buy side"),
        (RuntimeError("no idea"), "no idea"),
        (None, "NoneType"),
    ],
)
def test_targets_that_make_no_sense_take_the_quotes_off(module: str, wanted: Any, complaint: str) -> None:
    session = scripted(wanted, module)
    assert start(session) == []
    failure = session.quoter.failures["main"]
    assert complaint in failure.text
    assert failure.count == 1
    assert session.state["no_quote_rounds"][code(NoQuote, "strategy_error")] == 1
    Scripted.wanted = [Target("sell", 1001.0, 0.1)]
    assert len(session.round(after_ms=300)) == 1
    assert session.quoter.failures["main"].count == 1


def test_failure_names_the_line_of_the_users_file_and_counts(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "class Mine:\n    def __init__(self, settings): pass\n    def targets(self, view):\n        return 1 / 0\n"
    )
    session = Session(QuoterConfig(strategy=f"{file}:Mine"))
    start(session)
    session.round(after_ms=300)
    failure = session.quoter.failures["main"]
    assert failure.count == 2
    assert failure.text == f"{file}:Mine: ZeroDivisionError: division by zero"
    lines = failure.traceback.splitlines()
    assert lines[1] == f'  File "{file}", line 4, in targets'
    assert lines[2].strip() == "return 1 / 0"


def test_paused_account_does_not_ask_its_strategy(module: str) -> None:
    session = scripted([Target("sell", 1001.0, 0.1)], module)
    session.round(instrument(), touch(999.9, 1000.1), said=[control("pause")])
    assert Scripted.seen is None


def test_class_built_upon_glft_quotes_exactly_as_glft(module: str) -> None:
    said = [estimate(toxicity_bid=0.55, sigma_bps=2.0), calibration(0.8), account(position=-0.6)]
    market = (instrument(significant_figures=5), touch(999.9, 1000.1))
    own: list[Place] = Session(QuoterConfig(strategy=f"{module}:Wider", levels=3)).round(*market, said=said)
    assert own == Session(QuoterConfig(levels=3)).round(*market, said=said)
    assert len(own) == 6


def test_fixed_spread_example_quotes_around_the_mid_and_leans() -> None:
    config = QuoterConfig(strategy=FIXED, settings={"half_spread_bps": 6.0, "lean_bps": 4.0})
    orders = Session(config).round(instrument(), touch(999.9, 1000.1), said=[account(position=1.25)])
    # long half of the largest position: both 2 bp lower
    assert [(order.side, order.price) for order in orders] == [("buy", 999.2), ("sell", 1000.4)]


def test_fixed_spread_example_keeps_its_memory_in_the_fold_state() -> None:
    session = Session(QuoterConfig(strategy=FIXED))
    start(session)
    decisions = session.quoter.state()["strategy.main.decisions"]
    assert decisions.tolist() == [1]
    session.round(after_ms=300)
    assert decisions.tolist() == [2]
    assert np.shares_memory(decisions, session.quoter.state()["strategy.main.decisions"])


def test_avellaneda_stoikov_example_prices_by_its_formula(module: str) -> None:
    """γσ²T = 100 · 4e-8 · 60 = 2.4e-4 a quote of inventory; ln(1.04)/100 = 3.92207e-4 is the width beside it."""
    start(scripted([], module))
    assert Scripted.seen is not None
    market = {"fair": 1000.0, "mid": 1000.0, "sigma_bps": 2.0, "kappa": 2500.0}
    view = replace(Scripted.seen, **market, position=0.5, quote_size=0.5)
    strategy = load(QuoterConfig(strategy="docs.examples.avellaneda_stoikov:AvellanedaStoikov"))
    bid, ask = (target.price for target in strategy.targets(view))
    assert (bid, ask) == (pytest.approx(999.76 - 0.512207, abs=1e-6), pytest.approx(999.76 + 0.512207, abs=1e-6))


def test_behind_size_example_leans_on_the_largest_level_and_stays_while_it_stands() -> None:
    at_once = {"requote_interval_ms": 0.0, "requote_cost_bps": 0.0, "distance_share": 0.0}
    session = Session(QuoterConfig(strategy="docs.examples.behind_size:BehindSize", **at_once))

    def book(behind: float) -> Book:
        prices = {"bid_prices": [999.9, 999.8], "bid_sizes": [1.0, behind], "ask_prices": [1000.1], "ask_sizes": [4.0]}
        return Book(ts=session.ts, recv_ts=session.ts, **prices)

    orders = session.round(instrument(), book(9.0))
    assert [(order.side, order.price) for order in orders] == [("buy", 999.81), ("sell", 1000.09)]
    session.round(said=[ack(order, "accepted") for order in orders])
    assert session.round(book(3.0)) == [], "999.8 is the largest still"
    away, nearer = session.round(book(0.3))
    assert isinstance(away, Cancel)
    assert (nearer.side, nearer.price) == ("buy", 999.91)


OWN = """
from beside import WIDTH
from papertrader import Target

class Own:
    made = 0
    def __init__(self, settings):
        Own.made += 1
    def targets(self, view):
        return [Target("buy", view.mid * (1 - WIDTH), view.quote_size)]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the user's with a strategy and a module beside it."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("own_strategy", "beside"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / "own_strategy.py").write_text(OWN)
    (tmp_path / "beside.py").write_text("WIDTH = 0.001")
    return tmp_path


def test_strategy_of_a_file_quotes_and_finds_what_lies_beside_it(folder: Path) -> None:
    name = f"{folder / 'own_strategy.py'}:Own"
    orders = start(Session(QuoterConfig(strategy=name)))
    assert [(order.side, order.price, order.size) for order in orders] == [("buy", 999.0, 0.5)]
    assert load(QuoterConfig(strategy=name)).made == 2  # type: ignore[attr-defined] # one class, not one per load


def test_strategy_of_a_module_in_the_current_folder_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert type(load(QuoterConfig(strategy="own_strategy:Own"))).__name__ == "Own"
