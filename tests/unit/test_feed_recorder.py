"""Tapes as they are written: whole at every flush, rolled by the hour, repaired after a kill, sound on a full disk."""

import gzip
import resource
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.files.recorder import RETRY_NS, ROLL_NS, AssetTape, Manifest, Recorded, Recorder
from papertrader.services.feed.files.tape_file import TapeFile, repair
from papertrader.services.feed.venues.registry import live_venue
from papertrader.shared.market.tape import DISCONNECTED, TapeError, read_tape

HOUR = 1_795_370_400_000_000_000
"""2026-11-22 18:00 UTC."""
VENUE = live_venue(FeedConfig(source="hyperliquid", assets=("BTC",)))


def frame(number: int) -> bytes:
    return b'{"channel":"bbo","data":{"coin":"BTC","number":%d,"padding":"%s"}}' % (number, b"x" * (number * 37 % 200))


def lines(first: int, count: int) -> list[tuple[int, bytes]]:
    return [(HOUR + number * 1_000_000, frame(number)) for number in range(first, first + count)]


def read(path: Path) -> list[tuple[int, bytes]]:
    found = []
    try:
        for recv_ns, data in read_tape(path, Counter()):
            found.append((recv_ns, data.rstrip(b"\n")))
    except TapeError:
        pass
    return found


@contextmanager
def disk_of(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes: what a full disk does to a write."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_tape_file_is_readable_up_to_every_flush_before_it_is_closed(tmp_path: Path) -> None:
    file = TapeFile(tmp_path / "a.gz")
    for step in range(5):
        file.append(lines(step * 10, 10))
        assert read(tmp_path / "a.gz.part") == lines(0, step * 10 + 10)
    file.close()
    assert not (tmp_path / "a.gz.part").exists()
    assert gzip.decompress((tmp_path / "a.gz").read_bytes()).count(b"\n") == 50
    assert (file.frames, file.first_ns, file.last_ns) == (50, lines(0, 1)[0][0], lines(49, 1)[0][0])


def test_tape_file_without_a_frame_leaves_nothing(tmp_path: Path) -> None:
    TapeFile(tmp_path / "a.gz").close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("cut", [1, 7, 40, 300])
def test_torn_tape_is_repaired_up_to_its_last_whole_line(tmp_path: Path, cut: int) -> None:
    file = TapeFile(tmp_path / "a.gz")
    file.append(lines(0, 50))
    sound = file.size
    file.append(lines(50, 50))
    part = tmp_path / "a.gz.part"
    part.write_bytes(part.read_bytes()[: max(file.size - cut, sound)])
    repaired = repair(part)
    assert repaired is not None
    assert 50 <= repaired.frames <= 100
    assert [path.name for path in tmp_path.iterdir()] == ["a.gz"]
    content = gzip.decompress((tmp_path / "a.gz").read_bytes())
    assert content == b"".join(b"%d %s\n" % line for line in lines(0, repaired.frames))


def test_torn_tape_without_a_line_is_removed(tmp_path: Path) -> None:
    part = tmp_path / "a.gz.part"
    part.write_bytes(b"\x1f\x8b\x08\x00")
    assert repair(part) is None
    assert list(tmp_path.iterdir()) == []


def test_full_disk_leaves_a_sound_file_of_what_fitted(tmp_path: Path) -> None:
    file = TapeFile(tmp_path / "a.gz")
    file.append(lines(0, 50))
    sound = file.size
    with disk_of(sound + 60), pytest.raises(OSError, match="too large"):
        file.append(lines(50, 500))
    assert (tmp_path / "a.gz.part").stat().st_size == sound
    with disk_of(sound + 60):
        file.close()
    assert gzip.decompress((tmp_path / "a.gz").read_bytes()) == b"".join(b"%d %s\n" % line for line in lines(0, 50))


def test_asset_tape_rolls_at_the_full_hour_by_rename(tmp_path: Path) -> None:
    closed: list[Recorded] = []
    tape = AssetTape(tmp_path, "venue", "xyz:A/B", closed.append)
    early, late = (HOUR + ROLL_NS - 1, b"early"), (HOUR + ROLL_NS, b"late")
    tape.add(*early)
    tape.add(*late)
    tape.flush(HOUR)
    assert [item.file for item in closed] == ["venue-xyz-A-B-20261122T185959.gz"]
    assert read(tmp_path / closed[0].file) == [early]
    assert read(tmp_path / "venue-xyz-A-B-20261122T190000.gz.part") == [late]
    tape.close()
    assert [(item.frames, item.first_ns) for item in closed] == [(1, early[0]), (1, late[0])]


def test_asset_tape_goes_on_in_a_new_file_when_the_disk_has_room_again(tmp_path: Path) -> None:
    closed: list[Recorded] = []
    tape = AssetTape(tmp_path, "venue", "BTC", closed.append)
    for line in lines(0, 20):
        tape.add(*line)
    tape.flush(HOUR)
    for line in lines(20, 2_000):
        tape.add(*line)
    size = next(tmp_path.glob("*.part")).stat().st_size
    with disk_of(size + 50), pytest.raises(OSError, match="too large"):
        tape.flush(HOUR + 1)
    tape.add(*lines(3_000, 1)[0])
    tape.flush(HOUR + 2)  # too soon after the refusal
    assert tape.lost == 2_001
    for line in lines(4_000, 5):
        tape.add(*line)
    tape.flush(HOUR + 2 + RETRY_NS)
    tape.close()
    kept = [line for path in sorted(tmp_path.glob("*.gz")) for line in read(path)]
    (first, *others) = lines(4_000, 5)
    assert kept == [*lines(0, 20), (first[0], DISCONNECTED), first, *others]  # a hole too short to be seen as silence
    assert [item.frames for item in closed] == [20, 6]


def test_recorder_after_a_kill_saves_the_torn_tape_and_notes_the_hole(tmp_path: Path) -> None:
    first = Recorder(tmp_path, VENUE, ("BTC",))
    for line in lines(0, 30):
        first.tap("BTC", *line)
    first.flush()
    first.tap("BTC", *lines(30, 1)[0])  # was never flushed
    second = Recorder(tmp_path, VENUE, ("BTC",))
    manifest = msgspec.json.decode((tmp_path / "manifest.json").read_bytes(), type=Manifest)
    ((tape,),) = [manifest.tapes]
    assert (tape.frames, tape.repaired, tape.last_ns) == (30, True, lines(29, 1)[0][0])
    assert read(tmp_path / tape.file) == lines(0, 30)
    second.tap("BTC", *lines(100, 1)[0])
    manifest = msgspec.json.decode((tmp_path / "manifest.json").read_bytes(), type=Manifest)
    ((gap,),) = [manifest.gaps]
    assert (gap.reason, gap.from_ns, gap.to_ns) == ("stopped", lines(29, 1)[0][0], lines(100, 1)[0][0])
    second.flush()
    (part,) = tmp_path.glob("*.part")
    assert read(part) == [(lines(100, 1)[0][0], DISCONNECTED), lines(100, 1)[0]]


def test_recorder_killed_while_it_repaired_loses_nothing(tmp_path: Path) -> None:
    file = TapeFile(tmp_path / "hyperliquid-BTC-20261122T180000.gz")
    file.append(lines(0, 10))
    part = tmp_path / "hyperliquid-BTC-20261122T180000.gz.part"
    part.rename(part.with_name(part.name + ".torn"))
    TapeFile(tmp_path / "hyperliquid-BTC-20261122T180000.gz").append(lines(0, 3))
    Recorder(tmp_path, VENUE, ("BTC",))
    assert read(tmp_path / "hyperliquid-BTC-20261122T180000.gz") == lines(0, 10)


def test_recorder_writes_where_the_connection_broke(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, VENUE, ("BTC",))
    recorder.tap("BTC", *lines(0, 1)[0])
    recorder.tap("", HOUR, b'{"channel":"pong"}')
    recorder.lost(frozenset({"BTC"}), HOUR + 5)
    recorder.flush()
    (part,) = tmp_path.glob("*.part")
    assert read(part) == [lines(0, 1)[0], (HOUR + 5, DISCONNECTED)]


def test_recorder_refuses_the_directory_of_another_venue(tmp_path: Path) -> None:
    Recorder(tmp_path, VENUE, ("BTC",))
    other = live_venue(FeedConfig(source="binance", assets=("BTCUSDT",)))
    with pytest.raises(ValueError, match="holds tapes of hyperliquid"):
        Recorder(tmp_path, other, ("BTCUSDT",))


def test_full_disk_is_one_gap_an_asset_and_one_line_of_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder(tmp_path, VENUE, ("BTC", "ETH"))
    for asset in ("BTC", "ETH"):
        for line in lines(0, 500):
            recorder.tap(asset, *line)
    with disk_of(400):
        recorder.flush()
    assert recorder.refused == 1_000
    assert [record.getMessage() for record in caplog.records if "disk" in record.getMessage()] == [
        "the disk takes nothing of BTC and 1 others: [Errno 27] File too large"
    ]
    recorder._save()
    manifest = msgspec.json.decode((tmp_path / "manifest.json").read_bytes(), type=Manifest)
    assert [(gap.asset, gap.reason) for gap in manifest.gaps] == [("BTC", "disk_full"), ("ETH", "disk_full")]
