"""Strategies of one's own, compiled and of Python: the same fills in the loop, over the services, and in a search."""

from pathlib import Path

import msgspec
import pytest

from papertrader.replay.replay import Replayed, ReplayError, composed, in_the_loop, replay
from papertrader.replay.session import Session, sessions
from papertrader.services.feed.config import FeedConfig, SyntheticAsset, SyntheticConfig
from papertrader.services.quoter.config import QuoterConfig
from papertrader.services.quoter.programs import folder_of_program
from papertrader.services.quoter.strategy import StrategyError, load
from papertrader.shared.service.config import Settings
from papertrader.sweeps import run_sweep
from tests.conftest import ROOT
from tests.unit.test_replay_loop import replayed_bytes, states, tape

EXAMPLES = ROOT / "docs" / "examples"
CLASS, COMPILED = f"{EXAMPLES}/fixed_spread.py:FixedSpread", f"{EXAMPLES}/fixed_spread_compiled.py:decide"
SYNTHETIC = FeedConfig(
    synthetic=SyntheticConfig(
        assets=(SyntheticAsset(name="SYN", price=60_000.0, tick_size=1.0, lot_size=1e-5),), duration_s=60.0
    )
)
MIXED = Settings(
    {
        "quoter": {"requote_interval_ms": 50.0},
        "accounts": {
            "built-in": {},
            "class": {"quoter": {"strategy": CLASS}},
            "compiled": {"quoter": {"strategy": COMPILED, "levels": 1}},
            "outside": {"quoter": {"strategy": "none"}},
        },
    }
)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    (found,) = sessions(SYNTHETIC, tmp_path_factory.mktemp("sessions"))
    return found


def of(strategy: str, **quoter: object) -> Settings:
    return Settings({"quoter": {"strategy": strategy, "requote_interval_ms": 50.0, **quoter}})


def test_every_kind_of_strategy_says_in_the_loop_what_it_says_over_the_services(session: Session) -> None:
    looped, over_services = in_the_loop(session, MIXED), composed(session, MIXED)
    assert replayed_bytes(over_services) == replayed_bytes(looped)
    assert dict(states(over_services)) == dict(states(looped))
    assert min(len(looped.records("fills", name)) for name in ("built-in", "class", "compiled")) > 10


def test_compiled_function_fills_as_the_class_that_it_was_written_from(session: Session) -> None:
    settings = {"half_spread_bps": 3.0, "lean_bps": 8.0}
    compiled, called = replay(session, of(COMPILED, settings=settings)), replay(session, of(CLASS, settings=settings))
    assert replayed_bytes(compiled) == replayed_bytes(called)
    assert len(compiled.records("fills")) > 10


def test_built_in_rule_as_a_users_function_says_what_the_built_in_strategy_says(session: Session) -> None:
    """It asks for prices, not for ticks of the grid, and sleeps: nothing is lost by the way that all others go."""
    levels = {"levels": 2}
    own = in_the_loop(session, of(f"{ROOT}/benchmarks/glft_as_a_user.py:decide", settings=levels, **levels))
    assert replayed_bytes(own) == replayed_bytes(in_the_loop(session, of("glft", **levels)))


def test_own_strategies_on_a_tape_say_in_the_loop_what_they_say_over_the_services(tmp_path: Path) -> None:
    (found,) = sessions(tape("hyperliquid-20250904-WLFI.gz"), tmp_path)
    assert replayed_bytes(in_the_loop(found, MIXED)) == replayed_bytes(composed(found, MIXED))


def test_search_over_a_compiled_strategys_settings_replays_them(session: Session) -> None:
    feed = msgspec.to_builtins(SYNTHETIC)
    tables = {"feed": feed, "quoter": {"strategy": COMPILED, "requote_interval_ms": 50.0}}
    found = run_sweep({"quoter.settings.half_spread_bps": [3.0, 12.0]}, settings=tables, workers=1, best=0)
    fills = {outcome.variant["quoter.settings.half_spread_bps"]: outcome.fills for outcome in found.outcomes}
    assert fills[3.0] == len(replay(session, of(COMPILED, settings={"half_spread_bps": 3.0})).records("fills"))
    assert fills[3.0] > fills[12.0]


BUSY_PROGRAM = """
from papertrader.compiled import BUY, GTC, IOC, SELL, cancel, first_print, modify, place, print_at, quote

MEMORY = {"step": 0, "printed": 0.0, "filled": 0.0, "ahead": 0.0, "equity": 0.0}

def decide(view, settings, memory, out):
    now, own, step = view.now, view.own, memory.step
    memory.step += 1
    for number in range(first_print(view), view.printed.count):
        memory.printed += print_at(view, number).size
    for index in range(own.fills_count):
        memory.filled += own.fills[index].size
    memory.equity = own.account.equity
    singles = 0
    for index in range(own.orders_count):
        order = own.orders[index]
        if order.queue_ahead > 0:
            memory.ahead += order.queue_ahead
        if order.level < 0:
            singles += 1
            if order.status == 2 and step % 40 == 16:
                modify(out, order.id, now.bid * 0.9995, order.size / 2)
            if order.status == 2 and step % 40 == 32:
                cancel(out, order.id)
    if singles == 0 and step % 40 == 0:
        place(out, BUY, now.bid * 0.9992, now.quote_size, GTC, False)
    if step % 200 == 100:
        side = SELL if now.position > 0 else BUY
        place(out, side, now.mid * (1 + 0.001 * side), 0.001, IOC, True)
    quote(out, SELL, now.ask, now.quote_size / 3)
"""
BUSY_CLASS = """
import numpy as np
from papertrader.strategies import Cancel, Change, Order, Target

NAMES = ("step", "printed", "filled", "ahead", "equity")

class Busy:
    def __init__(self, settings):
        self.memory = np.zeros(1, dtype=[(name, "i8" if name == "step" else "f8") for name in NAMES])
    def state(self):
        return {"memory": self.memory}
    def targets(self, view):
        memory, wanted = self.memory[0], []
        step = int(memory["step"])
        memory["step"] += 1
        for trade in view.prints:
            memory["printed"] += trade.size
        for fill in view.fills:
            memory["filled"] += fill.size
        memory["equity"] = view.account.equity
        singles = 0
        for order in view.orders:
            memory["ahead"] += order.queue_ahead or 0.0
            if order.level is None:
                singles += 1
                if order.status == "live" and step % 40 == 16:
                    wanted.append(Change(order.order_id, view.bid * 0.9995, order.size / 2))
                if order.status == "live" and step % 40 == 32:
                    wanted.append(Cancel(order.order_id))
        if singles == 0 and step % 40 == 0:
            wanted.append(Order("buy", view.bid * 0.9992, view.quote_size, "gtc"))
        if step % 200 == 100:
            long = view.position > 0
            price = view.mid * (1 + 0.001 * (-1 if long else 1))
            wanted.append(Order("sell" if long else "buy", price, 0.001, "ioc", reduce_only=True))
        return [*wanted, Target("sell", view.ask, view.quote_size / 3)]
"""


def test_single_orders_and_all_that_is_seen_are_the_same_for_both_kinds(session: Session, tmp_path: Path) -> None:
    """Orders placed, changed, cancelled, taken at once; prints, fills, queues and money as far as they are told."""
    (tmp_path / "program.py").write_text(BUSY_PROGRAM)
    (tmp_path / "busy.py").write_text(BUSY_CLASS)
    compiled, called = (of(f"{tmp_path}/{name}") for name in ("program.py:decide", "busy.py:Busy"))
    looped = in_the_loop(session, compiled)
    for other in (composed(session, compiled), in_the_loop(session, called), composed(session, called)):
        assert replayed_bytes(other) == replayed_bytes(looped)
        assert other.folds["quoter"].state()["strategy.main.memory"].tolist() == remembered(looped)
        assert other.folds["quoter"].state()["owns"].tobytes() == looped.folds["quoter"].state()["owns"].tobytes()
    ((step, printed, filled, ahead, equity),) = remembered(looped)
    fills = looped.records("fills")
    assert step > 500
    assert printed > 0
    assert ahead > 0
    assert equity == looped.records("account")["equity"][-1]
    assert filled == pytest.approx(fills["size"].sum(), abs=fills["size"][-1])
    assert {"accepted", "modified", "cancelled"} <= {message.status for _, _, message in looped.messages("acks")}
    assert not fills["maker"].all()


def remembered(replayed: Replayed) -> list[tuple[float, ...]]:
    found: list[tuple[float, ...]] = replayed.folds["quoter"].state()["strategy.main.memory"].tolist()
    return found


SLEEPER = """
from papertrader.compiled import BUY, quote, sleep
MEMORY = {"asked": 0}
SETTINGS = {"sleeps": False}
def decide(view, settings, memory, out):
    memory.asked += 1
    quote(out, BUY, view.now.bid, view.now.quote_size)
    if settings.sleeps:
        sleep(out, 1 << 62)
"""


def test_strategy_that_sleeps_is_asked_less_and_fills_the_same(session: Session, tmp_path: Path) -> None:
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    awake, asleep = (
        in_the_loop(session, of(f"{tmp_path}/sleeper.py:decide", settings={"sleeps": sleeps}))
        for sleeps in (False, True)
    )
    assert replayed_bytes(asleep) == replayed_bytes(awake)
    ((often,),), ((seldom,),) = remembered(awake), remembered(asleep)
    assert seldom < often


WRONG = """
from papertrader.compiled import BUY, quote
MEMORY = {"asked": 0, "room": [0.0, 0.0]}
def decide(view, settings, memory, out):
    memory.asked += 1
    if memory.asked == 7:
        LINE
"""


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("quote(out, BUY, -view.now.mid, 1.0)", "StrategyError: target 0: price was -"),
        ("quote(out, 2, view.now.mid, 1.0)", "side was 2, not BUY or SELL"),
        ("quote(out, BUY, view.now.mid, memory.room[0] / (memory.asked - 7))", "ZeroDivisionError"),
        ("memory.room[memory.asked] = 1.0", "IndexError"),
        ("raise ValueError('no idea')", "ValueError: no idea"),
    ],
)
def test_replay_stops_where_a_compiled_strategy_goes_wrong_and_names_the_line(
    session: Session, tmp_path: Path, line: str, complaint: str
) -> None:
    file = tmp_path / "wrong.py"
    file.write_text(WRONG.replace("LINE", line))
    for way in (in_the_loop, composed):
        with pytest.raises(ReplayError, match="account main, at ") as failed:
            way(session, of(f"{file}:decide"))
        assert complaint in str(failed.value)
        assert f'File "{file}", line 7, in decide' in str(failed.value)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("for _ in range(3): quote(out, BUY, view.now.bid, 1.0)", "target 2: more than 2 on the buy side"),
        ("for _ in range(99): quote(out, BUY, view.now.bid, 1.0)", "more than 48 quotes and orders in one decision"),
        ("quote(out, BUY, 1e-9, 1.0)", "lies below the first tick"),
    ],
)
def test_too_many_wishes_are_told(session: Session, tmp_path: Path, line: str, complaint: str) -> None:
    file = tmp_path / "many.py"
    file.write_text(WRONG.replace("LINE", line))
    with pytest.raises(ReplayError, match=complaint):
        in_the_loop(session, of(f"{file}:decide"))


EMPTY = "SETTINGS = {'width': 1}\ndef decide(view, settings, memory, out): pass"


@pytest.mark.parametrize(
    ("source", "settings", "complaint"),
    [
        ("def decide(view): pass", {}, "cannot be compiled"),
        ("def decide(view, settings, memory, out): return 1", {}, "it returns"),
        ("def decide(view, settings, memory, out): out.wishes = 1", {}, "cannot be compiled"),
        (EMPTY, {"wide": 1}, "SETTINGS has width"),
        (
            "SETTINGS = {'width': 1}\ndef decide(view, settings, memory, out): pass",
            {"width": "a"},
            "setting width was 'a'",
        ),
    ],
)
def test_function_that_is_no_strategy_is_told(
    tmp_path: Path, source: str, settings: dict[str, object], complaint: str
) -> None:
    file = tmp_path / "none.py"
    file.write_text(source)
    with pytest.raises(StrategyError, match=complaint):
        load(QuoterConfig(strategy=f"{file}:decide", settings=settings))  # type: ignore[arg-type]


def test_compiled_strategy_is_kept_by_its_source_and_what_it_imports_from_beside_it(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("from widths import WIDTH\n")
    (tmp_path / "widths.py").write_text("WIDTH = 1\n")
    first = folder_of_program(tmp_path / "mine.py", "mine")
    assert folder_of_program(tmp_path / "mine.py", "mine") == first
    (tmp_path / "widths.py").write_text("WIDTH = 2\n")
    second = folder_of_program(tmp_path / "mine.py", "mine")
    (tmp_path / "mine.py").write_text("from widths import WIDTH\nWIDTH\n")
    others = folder_of_program(tmp_path / "mine.py", "other")
    assert len({first, second, others, folder_of_program(tmp_path / "mine.py", "mine")}) == 4
