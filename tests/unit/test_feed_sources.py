import gzip
import itertools
from pathlib import Path

import pytest

from papertrader.services.feed.config import FeedConfig, SyntheticConfig
from papertrader.services.feed.metrics import METRICS, samples
from papertrader.services.feed.sources import sources
from papertrader.shared.log.subjects import Market
from papertrader.shared.market.tape import DISCONNECTED, TapeError
from papertrader.shared.messages import Gap

MS = 1_000_000
T0 = 1_757_015_216_000


def book_line(coin: str, number: int) -> bytes:
    time = T0 + 100 * number
    frame = (
        b'{"channel":"l2Book","data":{"coin":"%s","time":%d,'
        b'"levels":[[{"px":"99.5","sz":"1.25","n":1}],[{"px":"100.5","sz":"2.0","n":1}]]}}'
    )
    return b"%d " % (time * MS) + frame % (coin.encode(), time) + b"\n"


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    path = tmp_path / "two.gz"
    lines = [book_line(coin, number) for number in range(2_000) for coin in ("BTC", "xyz:A.B")]
    path.write_bytes(gzip.compress(b"".join(lines)))
    return path


def test_tape_with_two_assets_gives_two_markets(tape: Path) -> None:
    found = sources(FeedConfig(source="tape", tapes=(tape,)))
    assert [source.market for source in found] == [Market("hyperliquid", "BTC"), Market("hyperliquid", "xyz:A_B")]
    for source in found:
        assert source.instrument.tick_size == 0.001
        rounds = list(source.rounds())
        assert source.messages["book"] == 2_000
        assert rounds[-1].end.final
        assert rounds[-1].end.frame >= 3_999
        assert not source.bad


def test_assets_setting_selects_markets(tape: Path) -> None:
    (only,) = sources(FeedConfig(source="tape", tapes=(tape,), assets=("xyz:A.B",)))
    assert only.market.asset == "xyz:A_B"
    with pytest.raises(ValueError, match=r"feed.assets: DOGE not in the source, which holds BTC, xyz:A_B"):
        sources(FeedConfig(source="tape", tapes=(tape,), assets=("DOGE",)))


def test_session_is_stable_and_depends_on_the_cut(tape: Path) -> None:
    def session(**settings: int) -> str:
        return sources(FeedConfig(source="tape", tapes=(tape,), **settings))[0].session

    assert session() == session()
    assert len({session(), session(round_ms=20), session(gap_after_ms=9_000)}) == 3


def test_rounds_can_be_drawn_again_and_are_the_same(tape: Path) -> None:
    source = sources(FeedConfig(source="tape", tapes=(tape,)))[0]
    assert list(source.rounds()) == list(source.rounds())
    assert source.messages["book"] == 2_000


def test_truncated_tape_publishes_what_was_read_then_a_gap(tape: Path) -> None:
    content = tape.read_bytes()
    tape.write_bytes(content[: len(content) * 3 // 4])
    source = sources(FeedConfig(source="tape", tapes=(tape,)))[0]
    rounds = list(source.rounds())
    last = rounds[-1].messages
    assert isinstance(last[-2], Gap)
    assert last[-2].reason == "tape_truncated"
    assert rounds[-1].end.final
    assert 1_000 < source.messages["book"] < 2_000
    assert source.bad == {"tape_truncated": 1}
    assert source.gaps == {"tape_truncated": 1}


def test_silence_on_a_tape_is_one_gap(tmp_path: Path) -> None:
    path = tmp_path / "hole"
    path.write_bytes(b"".join(book_line("BTC", number) for number in (0, 1, 2, 180, 181)))
    (source,) = sources(FeedConfig(source="tape", tapes=(path,)))
    gaps = [message for round_ in source.rounds() for message in round_.messages if isinstance(message, Gap)]
    assert [(gap.from_ts, gap.to_ts) for gap in gaps] == [((T0 + 200) * MS, (T0 + 18_000) * MS)]


@pytest.mark.parametrize(
    ("content", "match"),
    [(b"", "holds no frame"), (b"1 {}\n", "no market"), (b'1 {"channel":"pong"}\n', "no market")],
)
def test_tape_without_a_market_is_refused(tmp_path: Path, content: bytes, match: str) -> None:
    path = tmp_path / "tape"
    path.write_bytes(content)
    with pytest.raises(TapeError, match=match):
        sources(FeedConfig(source="tape", tapes=(path,)))


def test_tape_source_needs_a_tape() -> None:
    with pytest.raises(ValueError, match=r"feed.tapes"):
        sources(FeedConfig(source="tape"))


def test_tapes_of_one_market_are_one_session_in_order_of_time(tmp_path: Path) -> None:
    first, second = tmp_path / "b.gz", tmp_path / "a.gz"
    first.write_bytes(gzip.compress(b"".join(book_line("BTC", number) for number in range(20))))
    second.write_bytes(gzip.compress(b"".join(book_line("BTC", number) for number in range(300, 320))))
    for tapes in ((first, second), (second, first), (tmp_path,)):
        (source,) = sources(FeedConfig(source="tape", tapes=tapes))
        ends = [round_.end for round_ in source.rounds()]
        assert source.messages["book"] == 40
        assert source.gaps == {"silence": 1}
        assert [end.final for end in ends] == [False] * (len(ends) - 1) + [True]
        assert not source.bad


def test_tape_torn_before_another_one_is_a_gap_and_no_end(tmp_path: Path) -> None:
    torn, whole = tmp_path / "1.gz", tmp_path / "2.gz"
    content = gzip.compress(b"".join(book_line("BTC", number) for number in range(200)))
    torn.write_bytes(content[:-20])
    whole.write_bytes(gzip.compress(b"".join(book_line("BTC", number) for number in range(200, 220))))
    (source,) = sources(FeedConfig(source="tape", tapes=(torn, whole)))
    assert [round_.end.final for round_ in source.rounds()].count(True) == 1
    assert source.gaps == {"tape_truncated": 1}
    assert source.bad == {"tape_truncated": 1}


def test_connection_line_of_a_tape_is_a_gap_and_a_new_connection(tmp_path: Path) -> None:
    path = tmp_path / "tape"
    old_print = (
        b'{"channel":"trades","data":[{"coin":"BTC","side":"B","px":"100.5","sz":"1","time":%d,"tid":7,"hash":"",'
        b'"users":[]}]}' % (T0 + 150)
    )
    broken = b"%d " % ((T0 + 300) * MS) + DISCONNECTED + b"\n"
    late = b"%d " % ((T0 + 450) * MS) + old_print + b"\n"
    path.write_bytes(book_line("BTC", 0) + book_line("BTC", 1) + broken + book_line("BTC", 4) + late)
    (source,) = sources(FeedConfig(source="tape", tapes=(path,)))
    messages = [message for round_ in source.rounds() for message in round_.messages]
    (gap,) = [message for message in messages if isinstance(message, Gap)]
    assert (gap.from_ts, gap.to_ts, gap.reason) == ((T0 + 100) * MS, (T0 + 400) * MS, "disconnected")
    assert source.messages["trades"] == 0  # older than the new connection's first book


def test_metrics_are_zero_before_the_first_round_and_count_after() -> None:
    source = sources(FeedConfig(synthetic=SyntheticConfig(duration_s=10.0)))[0]
    before = {(sample.metric.name, sample.labels[2:]): sample.value for sample in samples(source.market, source)}
    assert set(before.values()) == {0}
    assert {name for name, _ in before} == {metric.name for metric in METRICS}
    list(source.rounds())
    after = {(sample.metric.name, sample.labels[2:]): sample.value for sample in samples(source.market, source)}
    assert after["paper_feed_messages", ("book",)] == 20
    assert after["paper_feed_messages", ("bbo",)] == 80
    assert after["paper_feed_last_event_timestamp_seconds", ()] == pytest.approx(1_767_225_610, abs=0.2)


def test_source_is_read_lazily() -> None:
    source = sources(FeedConfig(synthetic=SyntheticConfig(duration_s=86_400.0)))[0]
    first = list(itertools.islice(source.rounds(), 3))
    assert first[0].messages[0].ts < first[1].messages[0].ts
