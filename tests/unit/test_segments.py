"""Segments of the log: byte for byte, chained, and what retention, forecast and release make of them by hand."""

import math
import resource
from pathlib import Path

import msgspec
import pytest

from papertrader.services.archive.config import ArchiveConfig
from papertrader.services.archive.kernel import DAY_S, Growth, base_due, days_left, dropped, growth, releasable
from papertrader.services.archive.store import Store, StoreError
from papertrader.shared.log.sealed import Sealed
from papertrader.shared.log.segments import CATALOGUE, FOLDER, Entry, Segment, SegmentError, matches
from papertrader.shared.log.writes import Stored
from papertrader.shared.service.epoch import SUBJECT, Epoch

S = 1_000_000_000
DAY_NS = int(DAY_S) * S


def entries(first: int, last: int) -> list[Entry]:
    """Messages of three subjects, some of them no JSON and no text."""
    payloads = (b'{"ts":1}', b"", b"\xff\x00\n", b"plain")
    names = ("md.v.A.round", "fills.v.A.main", "md.v.A.book")
    return [
        Entry(n, names[n % 3], f"fill-sim|v.A|{n}|0" if n % 3 == 1 else "", payloads[n % 4], n * S)
        for n in range(first, last + 1)
    ]


def segment(first: int, last: int, *, ended_day: float = 0.0, size: int = 100) -> Segment:
    """A segment that took a day up to a time."""
    ended = int(ended_day * DAY_NS)
    return Segment(
        first=first,
        last=last,
        messages=last - first + 1,
        payload_bytes=10 * size,
        began_ns=ended - DAY_NS,
        ended_ns=ended,
        log="log",
        file_bytes=size,
    )


def sealed_in(folder: Path) -> Store:
    """Three segments of ten messages each."""
    store = Store(folder)
    for first in (1, 11, 21):
        store.seal(entries(first, first + 9), "log", 1)
    store.close()
    return store


def test_what_is_read_is_what_was_sealed_in_the_order_of_the_log(tmp_path: Path) -> None:
    sealed_in(tmp_path)
    sealed = Sealed(tmp_path)
    assert list(sealed.entries()) == entries(1, 30)
    assert list(sealed.entries(after=15)) == entries(16, 30)
    assert sealed.last == 30
    (second,) = [item for item in sealed.after(10) if item.first == 11]
    assert sealed.read(second, ["fills.*.A.main"]) == [item for item in entries(11, 20) if item.subject[0] == "f"]


def test_what_is_no_epoch_does_not_stand_in_for_one(tmp_path: Path) -> None:
    begun = Epoch(log="log", number=1, began=0, version="1", code="c", accounts=("main",), settings={})
    said = [msgspec.json.encode(begun), b"[]", b"not even JSON"]
    store = Store(tmp_path)
    for sequence, payload in enumerate(said, 1):
        store.seal([Entry(sequence, SUBJECT, "", payload, sequence * S)], "log", 1)
    store.close()
    for _ in range(2):  # and where the catalogue is made anew
        newest = Sealed(tmp_path).newest(SUBJECT)
        assert newest is not None
        assert newest.payload == said[0]
        (tmp_path / FOLDER / CATALOGUE).unlink()
        Store(tmp_path).close()


def test_what_the_disk_refuses_is_said_as_such_and_can_be_sealed_later(tmp_path: Path) -> None:
    store = Store(tmp_path)
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, most))
    try:
        with pytest.raises(OSError, match="too large"):
            store.seal(entries(1, 10), "log", 1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    assert store.last == 0
    assert not list(store.folder.glob("*.parquet"))
    store.seal(entries(1, 10), "log", 1)
    store.close()
    assert list(Sealed(tmp_path).entries()) == entries(1, 10)


def test_the_last_message_of_a_subject_is_known_without_reading_a_segment(tmp_path: Path) -> None:
    sealed_in(tmp_path)
    for path in (tmp_path / FOLDER).glob("*.parquet"):
        path.unlink()
    sealed = Sealed(tmp_path)
    last = entries(28, 28)[0]
    newest = sealed.newest("fills.v.A.main")
    assert newest is not None
    assert Stored(newest.sequence, newest.message_id, newest.payload) == (28, last.message_id, last.payload)
    assert sealed.newest("fills.*.*.main") == newest
    assert sealed.newest("fills.*.*.bold") is None
    said = sealed.said("fills.v.A.main", "fill-sim")
    assert said is not None
    assert said.sequence == 28
    assert sealed.said("fills.v.A.main", "quoter") is None


@pytest.mark.parametrize(
    ("pattern", "subject", "same"),
    [
        (">", "md.v.A.round", True),
        ("md.>", "md.v.A.round", True),
        ("md.>", "md", False),
        ("md.*.*.round", "md.v.A.round", True),
        ("md.*.*.round", "md.v.A.book", False),
        ("md.*.round", "md.v.A.round", False),
    ],
)
def test_patterns_match_as_with_the_broker(pattern: str, subject: str, same: bool) -> None:
    assert matches(pattern, subject) is same


def test_a_changed_byte_is_found(tmp_path: Path) -> None:
    sealed_in(tmp_path)
    path = sorted((tmp_path / FOLDER).glob("*.parquet"))[1]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(SegmentError, match="is not what was sealed"):
        list(Sealed(tmp_path).entries())


def test_a_segment_that_was_taken_out_or_replaced_is_found(tmp_path: Path) -> None:
    store = sealed_in(tmp_path)
    found = msgspec.json.decode((tmp_path / FOLDER / CATALOGUE).read_bytes())
    for tampered, complaint in (
        ([found["segments"][0], found["segments"][2]], "a segment is missing|follows another segment"),
        ([found["segments"][0], found["segments"][1] | {"previous": "0" * 64}], "follows another segment"),
    ):
        (store.folder / CATALOGUE).write_bytes(msgspec.json.encode(found | {"segments": tampered}))
        with pytest.raises(SegmentError, match=complaint):
            Sealed(tmp_path).after(0)


def test_a_segment_that_is_gone_is_named(tmp_path: Path) -> None:
    store = sealed_in(tmp_path)
    name = store.catalogue.segments[1].name
    (store.folder / name).unlink()
    with pytest.raises(SegmentError, match=f"{name} cannot be read"):
        list(Sealed(tmp_path).entries())


@pytest.mark.parametrize("lost", ["catalogue", "last segment of it"])
def test_the_catalogue_is_made_anew_from_the_segments(tmp_path: Path, lost: str) -> None:
    """A writer that was killed between a segment and the catalogue has lost nothing."""
    store = sealed_in(tmp_path)
    whole = store.catalogue
    path = store.folder / CATALOGUE
    if lost == "catalogue":
        path.unlink()
    else:
        found = msgspec.json.decode(path.read_bytes())
        path.write_bytes(msgspec.json.encode(found | {"segments": found["segments"][:2]}))
    again = Store(tmp_path)
    assert again.catalogue == whole
    assert again.seal(entries(31, 40), "log", 1).previous == whole.segments[-1].sha256
    assert list(Sealed(tmp_path).entries()) == entries(1, 40)
    again.close()


def test_only_one_process_seals(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(StoreError, match="another archive already seals"):
        Store(tmp_path)
    store.close()


def test_what_was_gone_before_it_could_be_sealed_is_counted_and_the_log_begins_after_it(tmp_path: Path) -> None:
    store = sealed_in(tmp_path)
    store.seal(entries(36, 40), "log", 1)
    assert store.catalogue.missing == 5
    sealed = Sealed(tmp_path)
    assert [item.last for item in sealed.after(0)] == [10, 20, 30, 40]
    assert sealed.first(held=41) == 36
    assert sealed.first(held=50) == 50


def test_the_log_is_whole_where_segments_and_broker_overlap_or_meet(tmp_path: Path) -> None:
    sealed_in(tmp_path)
    assert [Sealed(tmp_path).first(held=held) for held in (1, 25, 31, 32)] == [1, 1, 1, 32]
    assert Sealed(None).first(held=7) == 7


def test_dropping_keeps_the_chain_and_what_was_said_last(tmp_path: Path) -> None:
    store = sealed_in(tmp_path)
    store.drop(store.catalogue.segments[:2])
    sealed = Sealed(tmp_path)
    assert list(sealed.entries()) == entries(21, 30)
    assert sealed.first(held=31) == 21
    assert (sealed.catalogue.dropped_messages, sealed.catalogue.dropped_segments) == (20, 2)
    assert len(list((tmp_path / FOLDER).glob("*.parquet"))) == 1


THREE = [segment(1, 10, ended_day=1), segment(11, 20, ended_day=2), segment(21, 30, ended_day=3)]


@pytest.mark.parametrize(
    ("config", "gone"),
    [
        (ArchiveConfig(), 0),
        (ArchiveConfig(keep_days=5), 0),
        (ArchiveConfig(keep_days=2), 1),
        (ArchiveConfig(keep_days=0.5), 2),
        (ArchiveConfig(keep_bytes=250), 1),
        (ArchiveConfig(keep_bytes=1), 2),
    ],
)
def test_retention_drops_the_oldest_and_never_the_newest(config: ArchiveConfig, gone: int) -> None:
    assert dropped(THREE, int(3.5 * DAY_NS), config) == THREE[:gone]


def test_growth_is_that_of_the_last_day() -> None:
    assert growth(THREE, 3 * DAY_NS) == Growth(100.0, 1000.0)
    assert growth(THREE[:1], 3 * DAY_NS) is None
    assert growth([], 0) is None


@pytest.mark.parametrize(
    ("free", "kept", "config", "days"),
    [
        (1000.0, 300.0, ArchiveConfig(), 10.0),
        (1000.0, 300.0, ArchiveConfig(keep_bytes=1200), math.inf),
        (1000.0, 300.0, ArchiveConfig(keep_bytes=1400), 10.0),
        (1000.0, 300.0, ArchiveConfig(keep_days=5), math.inf),
        (1000.0, 300.0, ArchiveConfig(keep_days=20), 10.0),
    ],
)
def test_the_disk_is_full_when_growth_has_filled_it(
    free: float, kept: float, config: ArchiveConfig, days: float
) -> None:
    assert days_left(free, kept, Growth(100.0, 1000.0), config) == days


def test_the_broker_lets_go_of_what_was_sealed_long_enough_ago() -> None:
    now = 2 * DAY_NS + 3600 * S
    assert releasable(THREE[:2], now, 3600.0) == 20
    assert releasable(THREE[:2], now, 3601.0) == 10
    assert releasable(THREE[:2], 2 * DAY_NS + 599 * S, 0.0) == 10
    assert releasable([], now, 0.0) == 0


DUE = [
    (ArchiveConfig(), 0, False),  # nothing is dropped: what is left is the whole log
    (ArchiveConfig(keep_bytes=800), 0, True),
    (ArchiveConfig(keep_bytes=800), 20, True),
    (ArchiveConfig(keep_bytes=1_600), 20, False),
    (ArchiveConfig(keep_days=16.0), 0, True),
    (ArchiveConfig(keep_days=16.0), 20, False),
    (ArchiveConfig(keep_days=16.0, keep_bytes=800), 30, False),  # nothing was sealed since
]


@pytest.mark.parametrize(("config", "newest", "due"), DUE)
def test_what_folds_have_saved_is_kept_eight_times_in_what_retention_leaves(
    config: ArchiveConfig, newest: int, due: bool
) -> None:
    """Three segments of 100 bytes, which end on days 1, 2 and 3; it is the end of day 3."""
    segments = [segment(10 * day - 9, 10 * day, ended_day=day) for day in (1, 2, 3)]
    assert base_due(segments, newest, int(3 * DAY_S * 1e9), config) == due
