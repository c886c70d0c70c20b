import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from papertrader.shared.log.subjects import Market
from papertrader.shared.service.checkpoint import CheckpointError, CheckpointStore, ForeignCheckpointError, LogPosition

MARKET = Market("synthetic", "SYN1")
RECORD = np.dtype([("ts", "i8"), ("size", "f8"), ("flag", "i1"), ("bins", "f8", (3,))], align=True)
State = dict[str, npt.NDArray[np.generic]]


def empty() -> State:
    return {
        "rows": np.zeros(4, dtype=RECORD),
        "matrix": np.zeros((2, 3)),
        "scalar": np.zeros(()),
        "none": np.zeros(0, dtype=np.int64),
    }


def filled(number: int) -> State:
    state = empty()
    state["rows"]["ts"] = number  # type: ignore[call-overload]
    state["rows"]["bins"] = np.arange(12).reshape(4, 3)  # type: ignore[call-overload]
    state["rows"]["size"][0] = np.nan  # type: ignore[call-overload]
    state["matrix"][...] = np.arange(6).reshape(2, 3) * number
    state["scalar"][...] = -number
    return state


def position(number: int) -> LogPosition:
    return LogPosition(sequence=number, round=number * 2, ts=number * 1_000)


def same(one: State, other: State) -> bool:
    return one.keys() == other.keys() and all(one[name].tobytes() == other[name].tobytes() for name in one)


def store(folder: Path, service: str = "quoter") -> CheckpointStore:
    return CheckpointStore(folder, service)


def two_saved(folder: Path) -> CheckpointStore:
    saved = store(folder)
    saved.save(MARKET, position(1), filled(1))
    saved.save(MARKET, position(2), filled(2))
    return saved


def test_restored_state_is_the_saved_one(tmp_path: Path) -> None:
    store(tmp_path).save(MARKET, position(7), filled(7))
    state = empty()
    arrays = dict(state)
    assert store(tmp_path).restore(MARKET, state) == (position(7), [])
    assert same(state, filled(7))
    assert all(state[name] is arrays[name] for name in arrays), "restored in place"


def test_state_that_is_a_view_is_saved_and_restored_by_its_values(tmp_path: Path) -> None:
    whole = np.arange(12.0).reshape(3, 4)
    store(tmp_path).save(MARKET, position(1), {"columns": whole[:, ::2]})
    target = np.zeros((3, 4))
    assert store(tmp_path).restore(MARKET, {"columns": target[:, 1::2]})[0] == position(1)
    assert target[:, 1::2].tolist() == whole[:, ::2].tolist()
    assert target[:, ::2].tolist() == np.zeros((3, 2)).tolist()


def test_newest_names_the_position_that_was_saved(tmp_path: Path) -> None:
    assert two_saved(tmp_path).newest(MARKET) == position(2)


def test_nothing_saved_leaves_the_state_alone(tmp_path: Path) -> None:
    state = filled(3)
    assert store(tmp_path).restore(MARKET, state) == (None, [])
    assert same(state, filled(3))


def test_markets_do_not_share_a_file(tmp_path: Path) -> None:
    for number, asset in enumerate(("BTC", "BTC/USDT", "BTC%2FUSDT", "BTC:USDT")):
        store(tmp_path).save(Market("v", asset), position(number), filled(number))
    for number, asset in enumerate(("BTC", "BTC/USDT", "BTC%2FUSDT", "BTC:USDT")):
        assert store(tmp_path).newest(Market("v", asset)) == position(number)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_flipped_bit_anywhere_falls_back_to_the_checkpoint_before(tmp_path: Path, data: st.DataObject) -> None:
    saved = two_saved(tmp_path)
    content = bytearray(saved.path(MARKET).read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    saved.path(MARKET).write_bytes(content)
    state = empty()
    found, complaints = saved.restore(MARKET, state)
    assert found == position(1)
    assert len(complaints) == 1
    assert same(state, filled(1))
    with pytest.raises(CheckpointError):
        saved.newest(MARKET)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_truncated_file_falls_back_to_the_checkpoint_before(tmp_path: Path, data: st.DataObject) -> None:
    saved = two_saved(tmp_path)
    content = saved.path(MARKET).read_bytes()
    saved.path(MARKET).write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    state = empty()
    assert saved.restore(MARKET, state)[0] == position(1)
    assert same(state, filled(1))


def test_both_files_corrupt_leave_the_state_alone(tmp_path: Path) -> None:
    saved = two_saved(tmp_path)
    for path in saved.path(MARKET).parent.iterdir():
        path.write_bytes(b"not a checkpoint")
    state = filled(9)
    found, complaints = saved.restore(MARKET, state)
    assert found is None
    assert len(complaints) == 2
    assert same(state, filled(9))


@pytest.fixture
def in_second_epoch(tmp_path: Path) -> CheckpointStore:
    """Two checkpoints, the newer of them as the second epoch began, and a newer one of that epoch, which is corrupt."""
    saved = two_saved(tmp_path / "checkpoints")
    saved.base = tmp_path / "epochs" / "2" / "quoter"
    saved.base.mkdir(parents=True)
    shutil.copy(saved.path(MARKET), saved.base)
    saved.path(MARKET).write_bytes(b"corrupt")
    return saved


def test_nothing_older_than_the_epoch_is_gone_on_from(in_second_epoch: CheckpointStore) -> None:
    """What lies before was made with other settings: to fold it again with these is to have other fills."""
    state = empty()
    found, complaints = in_second_epoch.restore(MARKET, state)
    assert (found, len(complaints)) == (position(2), 1)
    assert same(state, filled(2))


def test_older_checkpoint_of_the_epoch_is_gone_on_from(in_second_epoch: CheckpointStore) -> None:
    in_second_epoch.path(MARKET).unlink()
    for number in (3, 4):
        in_second_epoch.save(MARKET, position(number), filled(number))
    in_second_epoch.path(MARKET).write_bytes(b"corrupt")
    assert in_second_epoch.restore(MARKET, empty())[0] == position(3)


def test_where_the_beginning_of_the_epoch_cannot_be_read_nothing_else_is_taken(
    in_second_epoch: CheckpointStore,
) -> None:
    assert in_second_epoch.base is not None
    (in_second_epoch.base / in_second_epoch.path(MARKET).name).write_bytes(b"corrupt")
    with pytest.raises(ForeignCheckpointError, match="where its epoch began"):
        in_second_epoch.restore(MARKET, empty())


def test_missing_newest_file_falls_back_without_complaint(tmp_path: Path) -> None:
    saved = two_saved(tmp_path)
    saved.path(MARKET).unlink()
    assert saved.restore(MARKET, empty()) == (position(1), [])


def test_checkpoint_of_another_service_is_refused(tmp_path: Path) -> None:
    store(tmp_path, "estimator").save(MARKET, position(1), filled(1))
    target = store(tmp_path).path(MARKET)
    target.parent.mkdir()
    store(tmp_path, "estimator").path(MARKET).rename(target)
    found, complaints = store(tmp_path).restore(MARKET, empty())
    assert found is None
    assert "belongs to estimator of synthetic.SYN1" in complaints[0]


@pytest.mark.parametrize(
    "state",
    [{**empty(), "matrix": np.zeros((3, 2))}, {**empty(), "matrix": np.zeros((2, 3), dtype="f4")}],
    ids=["shape", "dtype"],
)
def test_checkpoint_of_another_form_is_refused_and_no_older_one_is_taken(tmp_path: Path, state: State) -> None:
    two_saved(tmp_path)
    with pytest.raises(ForeignCheckpointError, match="does not fit: matrix"):
        store(tmp_path).restore(MARKET, state)


def test_fields_and_arrays_are_taken_over_by_name(tmp_path: Path) -> None:
    store(tmp_path).save(MARKET, position(1), filled(3))
    grown = np.dtype([("flag", "i1"), ("spread", "f8"), ("bins", "f8", (3,)), ("ts", "i8")])
    state: State = {"rows": np.zeros(4, dtype=grown), "more": np.full(2, 7.0)}
    state["rows"]["spread"] = 0.5  # type: ignore[call-overload]
    assert store(tmp_path).restore(MARKET, state) == (position(1), [])
    assert state["rows"]["ts"].tolist() == [3] * 4  # type: ignore[call-overload]
    assert state["rows"]["bins"].tolist() == np.arange(12).reshape(4, 3).tolist()  # type: ignore[call-overload]
    assert state["rows"]["spread"].tolist() == [0.5] * 4  # type: ignore[call-overload]
    assert state["more"].tolist() == [7.0, 7.0]


def test_accounts_are_taken_over_by_name_and_a_new_one_begins(tmp_path: Path) -> None:
    """Renamed accounts must not take over each other's position."""
    saved = {"accounts": np.array([1.0, 2.0, 3.0])}
    store(tmp_path).save(MARKET, position(1), saved, ["alpha", "beta", "gamma"])
    state: State = {"accounts": np.zeros(4)}
    assert store(tmp_path).restore(MARKET, state, ["aaron", "alpha", "gamma", "zoe"])[0] == position(1)
    assert state["accounts"].tolist() == [0.0, 1.0, 3.0, 0.0]


def test_checkpoint_of_another_log_is_refused_and_named(tmp_path: Path) -> None:
    there = store(tmp_path)
    there.log = "aaaa"
    there.save(MARKET, position(1), filled(1))
    here = store(tmp_path)
    here.log = "bbbb"
    with pytest.raises(ForeignCheckpointError, match="made on another log"):
        here.restore(MARKET, empty())


def test_checkpoint_of_another_state_version_is_refused_and_named(tmp_path: Path) -> None:
    store(tmp_path).save(MARKET, position(1), filled(1))
    with pytest.raises(ForeignCheckpointError, match="in version 1, this program's is 2"):
        CheckpointStore(tmp_path, "quoter", 2).restore(MARKET, empty())


def test_state_of_python_objects_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="'names' holds Python objects"):
        store(tmp_path).save(MARKET, position(1), {"names": np.array(["a", None], dtype=object)})


def test_crash_while_writing_leaves_the_newest_in_place(tmp_path: Path) -> None:
    saved = two_saved(tmp_path)
    saved.path(MARKET).with_suffix(".writing").write_bytes(b"half of it")
    assert saved.restore(MARKET, empty()) == (position(2), [])
    saved.save(MARKET, position(3), filled(3))
    assert saved.newest(MARKET) == position(3)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "tiny"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"NO TINY DISK: mounting needs root: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_full_disk_is_reported_and_the_old_checkpoint_survives(tiny_disk: Path) -> None:
    saved = two_saved(tiny_disk)
    with pytest.raises(CheckpointError, match="cannot be written: No space left"):
        saved.save(MARKET, position(3), {"large": np.zeros(100_000)})
    state = empty()
    assert saved.restore(MARKET, state) == (position(2), [])
    assert same(state, filled(2))
    assert not list(tiny_disk.rglob("*.writing")), "the half-written file would fill the disk further"


def test_failing_sync_is_reported_and_the_old_checkpoint_survives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = two_saved(tmp_path)

    def fail(_descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(CheckpointError, match="cannot be written: Input/output error"):
        saved.save(MARKET, position(3), filled(3))
    assert saved.restore(MARKET, empty()) == (position(2), [])


def test_directory_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot be written: Not a directory"):
        store(tmp_path / "file").save(MARKET, position(1), filled(1))
