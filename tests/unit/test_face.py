"""The public face: what a user imports is there, sorted, typed, lazy; and results are columns."""

import asyncio
import subprocess
import sys
from array import array
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars
import pytest
from typer.testing import CliRunner

import papertrader
from papertrader import runs
from papertrader.cli.main import app
from papertrader.messages import Ack, Bbo, Cancel, Fill, Instrument, Place, RoundEnd
from papertrader.replay.column_words import OTHER_WORDS, WORDS
from papertrader.replay.columns import FRAMES, columns, frame, quotes
from papertrader.replay.log_file import write_log
from papertrader.replay.results import _Heard
from papertrader.replay.sweep.bands import Band
from papertrader.replay.sweep.outcomes import Blocks, Outcome
from papertrader.services.feed.config import FeedConfig
from papertrader.services.monitor.report.statistics import Interval
from papertrader.shared.log.segments import Entry
from papertrader.shared.market.commands import record_of_command
from papertrader.shared.market.records import records_of
from papertrader.sweeps import Sweep
from tests import messages
from tests.conftest import ROOT

MODULES = ("client", "compiled", "messages", "runs", "strategies", "sweeps")
PRIVATE = {"cli", "replay", "services", "shared"}


@pytest.mark.parametrize("name", ["", *MODULES])
def test_public_names_are_sorted_and_there(name: str) -> None:
    module = import_module(f"papertrader.{name}".rstrip("."))
    assert module.__all__ == sorted(module.__all__)
    for public in module.__all__:
        assert getattr(module, public) is not None


def test_every_public_class_and_function_says_what_it_is() -> None:
    for name in papertrader.__all__:
        assert name == "__version__" or getattr(papertrader, name).__doc__, name


def test_every_file_of_the_face_is_public() -> None:
    there = {path.stem for path in (ROOT / "papertrader").iterdir() if not path.name.startswith("_")}
    assert there - {"py"} == {*MODULES, *PRIVATE}


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Cleint'"):
        papertrader.Cleint  # noqa: B018


def test_strategy_and_client_are_imported_when_they_are_used() -> None:
    code = "import sys, papertrader; from papertrader import messages; "
    code += "print([name for name in ('numba', 'numpy', 'nats', 'aiohttp') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_replay_imports_no_client_of_a_broker() -> None:
    code = "import sys; from papertrader.cli import main, replay; "
    code += "print([name for name in ('nats', 'aiohttp') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_a_command_that_ends_looks_for_no_rubbish() -> None:
    code = "import atexit, gc; atexit.register(lambda: print(gc.get_freeze_count() > 0)); import papertrader.cli"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "True"


def fill(price: float) -> Fill:
    return messages.fill(1_000, price=price, queue_ahead_at_join=None)


def place(order_id: int) -> Place:
    return Place(ts=1_000, order_id=order_id, side="sell", price=10.0, size=2.0)


def test_columns_of_fills_have_words_booleans_and_unknown_numbers() -> None:
    fills = frame("fills", [("v.A", "main", records_of(Fill, [fill(1.5), fill(2.5)]))])
    assert (len(fills), fills["price"].to_list(), fills["side"].to_list()) == (2, [1.5, 2.5], ["buy", "buy"])
    assert (fills["market"].to_list(), fills["account"].to_list()) == (["v.A", "v.A"], ["main", "main"])
    assert fills.schema["maker"] == polars.Boolean
    assert fills["queue_ahead_at_join"].null_count() == 2
    assert len(fills["features_log_spread_bps"]) == 2
    assert len(fills.filter(price=2.5)) == 1


def test_times_keep_their_nanoseconds_and_never_is_null() -> None:
    said = [messages.ack(None, 1_700_000_000_123_456_789, live_ts=0)]
    acks = frame("acks", [("v.A", "main", records_of(Ack, said))])
    assert acks.schema["ts"] == polars.Datetime("ns", "UTC")
    assert acks["ts"].cast(polars.Int64).to_list() == [1_700_000_000_123_456_789]
    assert acks["live_ts"].to_list() == [None]
    pandas = acks.to_pandas()
    assert (list(pandas.columns), str(pandas["ts"].dtype)) == (acks.columns, "datetime64[ns, UTC]")


def test_orders_say_only_what_was_ordered() -> None:
    commands = [place(7), Cancel(ts=2_000, order_id=7)]
    orders = frame("orders", [("v.A", "main", np.array([record_of_command(item) for item in commands]))])
    assert orders["type"].to_list() == ["place", "cancel"]
    assert orders["side"].to_list() == ["sell", None]
    assert orders["time_in_force"].to_list() == ["post_only", None]
    assert orders["price"].to_list() == [10.0, None]


def test_quotes_are_what_rested_from_one_answer_to_the_next() -> None:
    def said(ts: int, status: str, price: float, order_id: int = 5, **fields: Any) -> Ack:
        return messages.ack(
            None, ts, order_id=order_id, status=status, price=price, mid_at_placement=100.0, side="buy", **fields
        )

    answers = [
        said(1, "accepted", 99.0, queue_ahead=3.0),
        said(2, "rejected", 99.0, order_id=6),
        said(3, "modified", 98.0),
        said(4, "accepted", 97.0, order_id=7),
        said(5, "cancelled", 98.0, filled_size=0.5),
    ]
    found = quotes(frame("acks", [("v.A", "main", records_of(Ack, answers))]))
    seen = found.select("order_id", "price", "distance_bps", "status", "filled_size", "queue_ahead")
    assert seen.rows() == [
        (5, 99.0, 100.0, "modified", 0.0, 3.0),
        (5, 98.0, 200.0, "cancelled", 0.5, 0.0),
        (7, 97.0, 300.0, None, None, 0.0),
    ]
    assert found["ended_ts"].cast(polars.Int64).to_list() == [3, 5, None]


def test_empty_frames_have_the_columns_that_are_documented() -> None:
    run = _Heard().run({})
    for name, item in run.frames.items():
        assert len(item) == 0
        assert dict(item.schema) == {column.name: column.type for column in columns(name)}, name


def test_every_column_has_a_meaning_and_nothing_is_explained_that_is_not_there() -> None:
    there = {(name, column.name): column for name in FRAMES for column in columns(name)}
    assert all(column.meaning for column in there.values())
    assert set(OTHER_WORDS) <= set(there)
    fields = {column for _, column in there}
    unused = {name for name in WORDS if not any(name == field or field.startswith(f"{name}_") for field in fields)}
    assert unused <= {"fill_model", "verdict"}, "only the models of a sweep have these"


def test_numbers_with_a_unit_in_their_name_have_it_in_the_table() -> None:
    endings = {"_bps": ("bp", "bp/√s"), "_s": ("s",), "_ts": ("ns UTC",), "_price": ("quote currency",)}
    for name in FRAMES:
        for column in columns(name):
            for ending, units in endings.items():
                if column.name.endswith(ending) and not column.name.startswith("features_"):
                    assert column.unit in units, column


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """An exported log of two markets: an order, two fills, an account, and what is no message."""
    path = tmp_path / "run.log.gz"
    said = [
        ("orders.v.B.main", place(1)),
        ("fills.v.B.main", fill(3.0)),
        ("fills.v.A.main", fill(1.5)),
        ("account.v.A.main", messages.account(1)),
    ]
    with write_log(path, {"quoter": {"levels": 3}}) as writer:
        for sequence, (subject, message) in enumerate(said, start=1):
            writer.write(Entry(sequence, subject, "", msgspec.json.encode(message)))
        writer.write(Entry(9, "fills.v.A.main", "", b'{"ts":"then"}'))
        writer.write(Entry(10, "md.v.A.round", "", b"{}"))
    return path


def test_load_of_an_exported_log(log: Path) -> None:
    run = papertrader.load(log)
    assert run.fills["price"].to_list() == [1.5, 3.0]  # by market, then in the order of the log
    assert run.fills["market"].to_list() == ["v.A", "v.B"]
    assert (len(run.orders), len(run.accounts), len(run.acks)) == (1, 1, 0)
    assert len(run.params["estimate"]) == 0
    assert (run.settings, run.refused, run.markets) == ({"quoter": {"levels": 3}}, 2, ("v.A", "v.B"))


def bbo(ts: int, bid: float | None, ask: float | None) -> Bbo:
    return Bbo(ts=ts, recv_ts=0, bid_price=bid, bid_size=bid and 1.0, ask_price=ask, ask_size=ask and 2.0)


def marker(ts: int, number: int, count: int) -> RoundEnd:
    return RoundEnd(ts=ts, recv_ts=0, round=number, frame=0, session="s", messages=count)


def test_touches_of_a_log_are_those_at_the_ends_of_its_rounds(tmp_path: Path) -> None:
    said = [
        ("instrument", Instrument(ts=1, tick_size=0.5, lot_size=0.1)),
        ("bbo", bbo(1, 99.0, 101.0)),
        ("bbo", bbo(2, 99.5, 101.0)),
        ("round", marker(10, 0, 3)),
        ("round", marker(20, 1, 0)),
        ("bbo", bbo(21, 99.5, None)),
        ("round", marker(30, 2, 1)),
    ]
    with write_log(tmp_path / "run.log.gz", {}) as writer:
        for sequence, (kind, message) in enumerate(said, start=1):
            writer.write(Entry(sequence, f"md.v.A.{kind}", "", msgspec.json.encode(message)))
    touches = papertrader.load(tmp_path / "run.log.gz").touches
    assert touches["ts"].cast(polars.Int64).to_list() == [10, 30]
    assert touches.select("market", "bid_price", "ask_price", "mid").rows() == [
        ("v.A", 99.5, 101.0, 100.25),
        ("v.A", 99.5, None, None),
    ]


def test_load_within_an_event_loop_as_in_a_notebook(log: Path) -> None:
    async def cell() -> int:
        return len(papertrader.load(log).fills)

    assert asyncio.run(cell()) == 2


def test_saved_run_is_the_same(log: Path, tmp_path: Path) -> None:
    run = papertrader.load(log)
    run.save(tmp_path / "monday")
    again = papertrader.load(tmp_path / "monday")
    assert (again.settings, again.refused, again.checklists) == (run.settings, run.refused, run.checklists)
    for name, item in run.frames.items():
        assert again.frames[name].equals(item)
    with pytest.raises(papertrader.RunError, match="is there already: name a new directory"):
        run.save(tmp_path / "monday")


def test_run_saved_as_csv_has_times_as_integers_and_its_columns_beside_it(log: Path, tmp_path: Path) -> None:
    papertrader.load(log).save(tmp_path / "tables", "csv")
    assert polars.read_csv(tmp_path / "tables" / "fills.csv")["ts"].to_list() == [1_000, 1_000]
    about = msgspec.json.decode((tmp_path / "tables" / "run.json").read_bytes())
    assert about["columns"]["fills"]["price"]["unit"] == "quote currency"
    with pytest.raises(papertrader.RunError, match="is loaded from Parquet"):
        papertrader.load(tmp_path / "tables")
    with pytest.raises(papertrader.RunError, match="parquet or csv, not 'xlsx'"):
        papertrader.load(log).save(tmp_path / "other", "xlsx")


def test_export_writes_tables(log: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["export", str(tmp_path / "out"), "--data-dir", str(log), "--format", "parquet"])
    assert (done.exit_code, "wrote 4 rows" in done.output) == (0, True), done.output
    assert papertrader.load(tmp_path / "out").fills.equals(papertrader.load(log).fills)
    again = CliRunner().invoke(app, ["export", str(tmp_path / "out"), "--data-dir", str(log), "--format", "parquet"])
    assert (again.exit_code, "is there already" in again.output) == (2, True)


def test_frames_of_a_sweep_have_what_was_varied_and_the_documented_columns() -> None:
    interval = Interval(2.0, None, 3.0)
    blocks = Blocks(array("q", [0]), array("q", [60]), array("d", [2.0]))
    one = Outcome({"quoter.levels": 2}, 1.0, 2.0, interval, 3.0, -1.0, 0.5, 7, 0.25, None, 1.5, blocks)
    found = Sweep([one], [Band(one.variant, {"through": one, "ahead": one})], {})
    assert found.frame.columns == ["variant", "quoter.levels", *(item.name for item in columns("sweep")[1:])]
    assert found.frame.row(0)[:6] == (0, 2, 1.0, 2.0, 2.0, None)
    assert found.models["fill_model"].to_list() == ["through", "ahead"]
    assert found.models["verdict"].to_list() == ["fragile", "fragile"]


def test_load_says_what_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(papertrader.RunError, match="no such file"):
        papertrader.load(tmp_path / "nothing")
    (tmp_path / "run.json").write_text('{"format": "papertrader-run-1"}')
    with pytest.raises(papertrader.RunError, match="'papertrader-run-1', this program reads 'papertrader-run-2'"):
        papertrader.load(tmp_path)
    (tmp_path / "run.json").write_text("[]")
    with pytest.raises(papertrader.RunError, match="is not what `save` writes"):
        papertrader.load(tmp_path)


def test_what_is_of_no_subject_is_refused() -> None:
    heard = _Heard()
    heard.take("nonsense", b"{}")
    assert heard.run({}).refused == 1


def test_replay_is_asked_for_what_was_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[FeedConfig] = []
    monkeypatch.setattr(runs, "sessions", lambda config: asked.append(config) or [])
    (tmp_path / "mine.py").write_text("")
    monkeypatch.chdir(tmp_path)
    run = papertrader.run_replay(
        strategy="mine.py:Mine", settings={"quoter": {"levels": 3}}, assets=["SYN2"], duration_s=5.0, seed=7
    )
    assert (asked[0].source, asked[0].assets, asked[0].duration_s, asked[0].seed) == ("synthetic", ("SYN2",), 5.0, 7)
    assert run.settings["quoter"] == {"levels": 3, "strategy": f"{tmp_path / 'mine.py'}:Mine"}
    assert (run.settings["fill_sim"], run.markets, len(run.fills)) == ({"seed": 7}, (), 0)
    papertrader.run_replay(["a.gz"])
    assert (asked[1].source, asked[1].tapes) == ("tape", (tmp_path / "a.gz",))


def test_strategy_given_as_a_class_is_named_by_its_module() -> None:
    assert runs.name_of(papertrader.Glft) == "papertrader.services.quoter.strategy:Glft"
    assert (runs.name_of("a.py:B"), runs.name_of(None)) == ("a.py:B", None)


def test_wrong_settings_are_refused_before_anything_is_replayed() -> None:
    with pytest.raises(runs.SettingsError, match="levels"):
        papertrader.run_replay(settings={"quoter": {"levels": 99}})
    with pytest.raises(runs.SettingsError, match="levels"):
        papertrader.run_sweep({"quoter.levels": [1, 99]}, duration_s=1.0)
