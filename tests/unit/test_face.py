"""The public face: what a user imports is there, sorted, typed, lazy; and results are columns."""

import asyncio
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import msgspec
import numpy as np
import polars
import pytest

import papertrader
from papertrader import runs
from papertrader.messages import Cancel, Fill, Place
from papertrader.replay.columns import KINDS, table, unit
from papertrader.replay.log_file import Entry, write_log
from papertrader.replay.results import _Heard
from papertrader.services.feed.config import FeedConfig
from papertrader.shared.market.commands import record_of_command
from papertrader.shared.market.records import records_of
from tests import messages
from tests.conftest import ROOT

MODULES = ("client", "messages", "runs", "strategies", "sweeps")
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


def fill(price: float) -> Fill:
    return messages.fill(1_000, price=price, queue_ahead_at_join=None)


def place(order_id: int) -> Place:
    return Place(ts=1_000, order_id=order_id, side="sell", price=10.0, size=2.0)


def test_columns_of_fills_have_words_booleans_and_unknown_numbers() -> None:
    fills = table("fills", [("v.A", "main", records_of(Fill, [fill(1.5), fill(2.5)]))])
    assert (fills.rows, fills["price"].tolist(), fills["side"].tolist()) == (2, [1.5, 2.5], ["buy", "buy"])
    assert (fills["market"].tolist(), fills["account"].tolist()) == (["v.A", "v.A"], ["main", "main"])
    assert fills["maker"].dtype == np.bool_
    assert np.isnan(fills["queue_ahead_at_join"]).all()
    assert fills["features_log_spread_bps"].shape == (2,)
    assert fills.where(price=2.5).rows == 1


def test_orders_say_only_what_was_ordered() -> None:
    commands = [place(7), Cancel(ts=2_000, order_id=7)]
    orders = table("orders", [("v.A", "main", np.array([record_of_command(item) for item in commands]))])
    assert orders["type"].tolist() == ["place", "cancel"]
    assert orders["side"].tolist() == ["sell", ""]
    assert orders["time_in_force"].tolist() == ["post_only", ""]
    assert orders["price"][0] == 10.0
    assert np.isnan(orders["price"][1])


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("ts", "ns UTC"),
        ("fill_ts", "ns UTC"),
        ("markout_bps", "bp"),
        ("horizon_s", "s"),
        ("price", "quote currency"),
        ("position_after", "base units"),
        ("order_id", ""),
    ],
)
def test_unit_of_a_column(column: str, expected: str) -> None:
    assert unit(column) == expected


def test_empty_tables_have_all_columns() -> None:
    for kind in KINDS:
        assert table(kind, []).rows == 0
        assert {"ts", "market", "account"} <= set(table(kind, []))


def test_frames_have_the_columns() -> None:
    fills = table("fills", [("v.A", "main", records_of(Fill, [fill(1.5)]))])
    assert fills.to_polars()["price"].to_list() == [1.5]
    assert fills.to_polars().schema["side"] == polars.String
    assert list(fills.to_pandas().columns) == list(fills)


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
    assert run.fills["price"].tolist() == [1.5, 3.0]  # by market, then in the order of the log
    assert run.fills["market"].tolist() == ["v.A", "v.B"]
    assert (run.orders.rows, run.accounts.rows, run.acks.rows) == (1, 1, 0)
    assert run.params["estimate"].rows == 0
    assert (run.settings, run.refused, run.markets) == ({"quoter": {"levels": 3}}, 1, ("v.A", "v.B"))


def test_load_within_an_event_loop_as_in_a_notebook(log: Path) -> None:
    async def cell() -> int:
        return papertrader.load(log).fills.rows

    assert asyncio.run(cell()) == 2


def test_saved_run_is_the_same(log: Path, tmp_path: Path) -> None:
    run = papertrader.load(log)
    run.save(tmp_path / "run.npz")
    again = papertrader.load(tmp_path / "run.npz")
    assert (again.settings, again.refused, again.checklists) == (run.settings, run.refused, run.checklists)
    for kind, expected in run.tables.items():
        for name, column in expected.items():
            np.testing.assert_array_equal(again.tables[kind][name], column)


def test_load_says_what_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(papertrader.RunError, match="no such file"):
        papertrader.load(tmp_path / "nothing")
    np.savez(tmp_path / "other.npz", x=np.zeros(1))
    with pytest.raises(papertrader.RunError, match="is no run that was saved"):
        papertrader.load(tmp_path / "other.npz")


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
    assert (run.settings["fill_sim"], run.markets, run.fills.rows) == ({"seed": 7}, (), 0)
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
