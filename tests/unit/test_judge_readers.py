"""The judge's readers, each on a small file that follows its format's public specification."""

import gzip
import lzma
import struct
from pathlib import Path

import pytest

from papertrader.replay.judge.judge import format_of, judge
from papertrader.replay.judge.orders import ADD, EXECUTE, HIDDEN, MODIFY, PRINT, REDUCE, STANDING, JudgeError, OrderData
from papertrader.replay.judge.readers import bitstamp, databento, itch, lobster
from papertrader.services.fill_sim.config import FillSimConfig

# the extra `judge` brings both readers; an environment from before it has neither
dbn = pytest.importorskip("databento_dbn")
pytest.importorskip("itch")

BOOK_ROW = "1000100,50,999900,30\n"
MESSAGES = """34200.000000001,1,11,20,999900,1
34200.1,4,11,5,999900,1
34200.2,2,11,3,999900,1
34200.3,5,0,7,1000000,-1
34200.4,3,11,12,999900,1
34200.5,4,3,10,1000100,-1
"""


def rows(data: OrderData) -> list[tuple[float, ...]]:
    """Action, side, tick and size of every event."""
    return [(event["action"], event["side"], event["tick"], event["size"]) for event in data.events]


def test_lobster_pair(tmp_path):
    path = tmp_path / "AAPL_2012-06-21_34200000_37800000_message_1.csv"
    path.write_text(MESSAGES)
    (tmp_path / "AAPL_2012-06-21_34200000_37800000_orderbook_1.csv").write_text(BOOK_ROW)
    data = lobster.read(path)
    assert data.tick_size == pytest.approx(0.01)
    assert sorted(rows(data)[:3]) == [
        (STANDING, -1, 10001, 10.0),
        (STANDING, -1, 10001, 40.0),
        (STANDING, 1, 9999, 10.0),
    ]
    assert rows(data)[3:] == [
        (ADD, 1, 9999, 20.0),
        (PRINT, -1, 9999, 5.0),
        (EXECUTE, 1, 9999, 5.0),
        (REDUCE, 1, 9999, 3.0),
        (HIDDEN, 1, 10000, 7.0),
        (REDUCE, 1, 9999, 12.0),
        (PRINT, 1, 10001, 10.0),
        (EXECUTE, -1, 10001, 10.0),
    ]
    assert data.events["ts"][3] == 34_200_000_000_001


def test_lobster_file_of_words_is_refused(tmp_path):
    path = tmp_path / "x_message_1.csv"
    path.write_text("time,type\n")
    with pytest.raises(JudgeError, match="not a LOBSTER file"):
        lobster.read(path)


def mbo(order: int, action: str, side: str, price: float, size: int, ts: int, flags: int = 128) -> bytes:
    """One MBO record."""
    return bytes(
        dbn.MBOMsg(
            publisher_id=1,
            instrument_id=5,
            ts_event=ts,
            order_id=order,
            price=round(price * 1e9),
            size=size,
            action=dbn.Action(action),
            side=dbn.Side(side),
            ts_recv=ts,
            flags=flags,
        )
    )


def dbn_file(path: Path, *records: bytes) -> Path:
    """A DBN file of MBO records."""
    head = dbn.Metadata(
        dataset="GLBX.MDP3",
        start=0,
        stype_out=dbn.SType.INSTRUMENT_ID,
        schema=dbn.Schema.MBO,
        stype_in=dbn.SType.RAW_SYMBOL,
        symbols=["ESM4"],
        partial=[],
        not_found=[],
        mappings=[],
        end=None,
        limit=None,
    )
    path.write_bytes(bytes(head) + b"".join(records))
    return path


def test_databento_fill_is_taken_off_where_the_cancel_says_so(tmp_path):
    path = dbn_file(
        tmp_path / "glbx.mbo.dbn",
        mbo(1, "A", "B", 5000.25, 10, 1, 128 | 32),
        mbo(2, "A", "A", 5000.50, 4, 2),
        mbo(0, "T", "A", 5000.25, 3, 3),
        mbo(1, "F", "B", 5000.25, 3, 3),
        mbo(1, "C", "B", 5000.25, 3, 3),
        mbo(1, "M", "B", 5000.00, 7, 4),
        mbo(2, "C", "A", 5000.50, 4, 5),
    )
    data = databento.read(path)
    assert data.tick_size == pytest.approx(0.25)
    assert rows(data) == [
        (STANDING, 1, 20001, 10.0),
        (ADD, -1, 20002, 4.0),
        (PRINT, -1, 20001, 3.0),
        (EXECUTE, 1, 20001, 3.0),
        (MODIFY, 1, 20000, 7.0),
        (REDUCE, -1, 20002, 4.0),
    ]


def test_databento_garbage_is_refused(tmp_path):
    path = tmp_path / "x.dbn"
    path.write_bytes(b"DBN\x09nonsense" * 50)
    with pytest.raises(JudgeError, match=r"x\.dbn"):
        databento.read(path)


def itch_message(kind: bytes, ts: int, body: bytes) -> bytes:
    """One message, framed as in NASDAQ's files: two bytes of length before it."""
    message = kind + struct.pack("!HH", 1, 0) + ts.to_bytes(6, "big") + body
    return struct.pack("!H", len(message)) + message


def test_itch_follows_one_symbol(tmp_path):
    def added(ts: int, order: int, side: bytes, shares: int, stock: bytes, price: int) -> bytes:
        return itch_message(b"A", ts, struct.pack("!QcI8sI", order, side, shares, stock.ljust(8), price))

    path = tmp_path / "day.itch.gz"
    with gzip.open(path, "wb") as file:
        file.write(added(10, 1, b"B", 100, b"AAPL", 1_000_000))
        file.write(added(11, 2, b"S", 50, b"MSFT", 2_000_000))
        file.write(itch_message(b"E", 12, struct.pack("!QIQ", 1, 40, 7)))
        file.write(itch_message(b"X", 13, struct.pack("!QI", 1, 10)))
        file.write(itch_message(b"U", 14, struct.pack("!QQII", 1, 3, 60, 1_000_100)))
        file.write(itch_message(b"P", 15, struct.pack("!QcI8sIQ", 0, b"B", 5, b"AAPL    ", 1_000_000, 8)))
        file.write(itch_message(b"D", 16, struct.pack("!Q", 3)))
        file.write(itch_message(b"D", 17, struct.pack("!Q", 2)))
    assert rows(itch.read(path, "aapl")) == [
        (ADD, 1, 10000, 100.0),
        (PRINT, -1, 10000, 40.0),
        (EXECUTE, 1, 10000, 40.0),
        (REDUCE, 1, 10000, 10.0),
        (REDUCE, 1, 10000, 50.0),
        (ADD, 1, 10001, 60.0),
        (HIDDEN, -1, 10000, 5.0),
        (REDUCE, 1, 10001, 60.0),
    ]


def test_itch_wants_a_symbol(tmp_path):
    with pytest.raises(JudgeError, match="--symbol"):
        itch.read(tmp_path / "day.itch", None)


def bitstamp_line(ms: int, event: str, order: int, price: str, amount: str, side: int) -> str:
    """One line of the log."""
    return f'{ms} {event} {{"price": "{price}", "amount": "{amount}", "id": {order}, "order_type": {side}}}\n'


def test_bitstamp_taker_is_kept_out_of_the_book_until_it_rests(tmp_path):
    path = tmp_path / "bitstamp.log.xz"
    with lzma.open(path, "wt") as file:
        file.write(bitstamp_line(1, "order_created", 5, "100.00", "2.00000000", 0))
        file.write(bitstamp_line(2, "order_deleted", 1, "101.00", "1.00000000", 1))
        file.write(bitstamp_line(3, "order_created", 6, "100.00", "3.00000000", 1))
        file.write(bitstamp_line(4, "order_deleted", 5, "100.00", "0.00000000", 0))
        file.write(bitstamp_line(5, "order_changed", 6, "100.00", "1.00000000", 1))
    assert rows(bitstamp.read(path)) == [
        (STANDING, -1, 10100, 1.0),
        (ADD, 1, 10000, 2.0),
        (REDUCE, -1, 10100, 1.0),
        (PRINT, -1, 10000, 2.0),
        (EXECUTE, 1, 10000, 2.0),
        (ADD, -1, 10000, 1.0),
    ]


def test_format_is_known_by_the_name(tmp_path):
    for name, expected in (
        ("a.mbo.dbn.zst", "databento"),
        ("A_message_10.csv", "lobster"),
        ("S071321.NASDAQ_ITCH50.gz", "itch"),
        ("bitstamp.log.xz", "bitstamp"),
    ):
        (tmp_path / name).touch()
        assert format_of(tmp_path / name) == expected
    (tmp_path / "x.parquet").touch()
    with pytest.raises(JudgeError, match="--format"):
        format_of(tmp_path / "x.parquet")


def test_file_without_a_fill_is_refused(tmp_path):
    path = dbn_file(tmp_path / "x.dbn", mbo(1, "A", "B", 5000.25, 10, 1), mbo(2, "A", "A", 5000.5, 10, 10**11))
    with pytest.raises(JudgeError, match="nothing can be judged"):
        judge([path], FillSimConfig())
