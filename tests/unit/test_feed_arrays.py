"""Event arrays in all their forms, and their sidecars."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.lib.recfunctions import structured_to_unstructured

from papertrader.services.feed.files.hftbacktest import BUY, CLEAR, DEPTH, EXCHANGE, LOCAL, SELL, SNAPSHOT, TRADE
from papertrader.services.feed.files.numbers import decimal
from papertrader.shared.log.subjects import Market
from papertrader.shared.market.tape import TapeError
from papertrader.shared.messages import Book, Depth, Trades
from tests.foreign import MS, T0, depth, messages, opened, read, saved, trade

BOTH = EXCHANGE | LOCAL
PLAIN = np.dtype([("ev", "u8"), ("exch_ts", "i8"), ("local_ts", "i8"), ("px", "f8"), ("qty", "f8")])
Rows = list[tuple[int, int, float, float]]
ROWS: Rows = [
    (CLEAR | BUY, 0, 99.7, 0.0),
    (SNAPSHOT | BUY, 0, 99.9, 1.0),
    (SNAPSHOT | BUY, 0, 99.8, 2.0),
    (SNAPSHOT | BUY, 0, 99.7, 3.0),
    (CLEAR | SELL, 0, 100.3, 0.0),
    (SNAPSHOT | SELL, 0, 100.1, 1.0),
    (SNAPSHOT | SELL, 0, 100.2, 2.0),
    (SNAPSHOT | SELL, 0, 100.3, 3.0),
    (DEPTH | BUY, 100, 99.9, 4.5),
    (TRADE | SELL, 200, 99.9, 0.5),
    (DEPTH | BUY, 300, 99.9, 4.0),
    (TRADE | BUY, 400, 100.1, 1.0),
    (DEPTH | SELL, 500, 100.1, 0.0),
]
"""ev, ms after T0, price, size; heard a millisecond later."""


def array(rows: Rows, flags: int = BOTH) -> Any:
    found = np.zeros(len(rows), dtype=PLAIN)
    found["ev"] = [ev | flags for ev, *_ in rows]
    found["exch_ts"] = [T0 + ms * MS for _, ms, *_ in rows]
    found["local_ts"] = found["exch_ts"] + MS
    found["px"], found["qty"] = [price for *_, price, _ in rows], [size for *_, size in rows]
    return found


def as_single(rows: Any) -> Any:
    found = rows.astype(
        [(name, "f4" if name in ("px", "qty") else kind) for name, (kind, _) in rows.dtype.fields.items()]
    )
    assert float(found["px"][1]) != 99.9
    return found


def reordered(rows: Any) -> Any:
    fields = [
        ("qty", "f8"),
        ("fval", "f8"),
        ("px", "f8"),
        ("local_ts", "i8"),
        ("ival", "i8"),
        ("exch_ts", "i8"),
        ("ev", "i8"),
    ]
    found = np.zeros(len(rows), dtype=fields)
    for name in PLAIN.names or ():
        found[name] = rows[name]
    return found


def noisy(rows: Any) -> Any:
    rows["px"] = [np.nextafter(price, np.inf) if place % 3 else price for place, price in enumerate(rows["px"])]
    return rows


def without_flags(rows: Any) -> Any:
    rows["ev"] &= np.uint64(~BOTH & 0xFFFFFFFF)
    return rows


def of_exchange_alone(rows: Any) -> Any:
    rows["ev"] &= np.uint64(~LOCAL & 0xFFFFFFFF)
    return rows


def in_microseconds(rows: Any) -> Any:
    for name in ("exch_ts", "local_ts"):
        rows[name] //= 1_000
    return rows


def in_milliseconds_and_floats(rows: Any) -> Any:
    found = rows.astype(
        [(name, "f8" if name.endswith("ts") else kind) for name, (kind, _) in rows.dtype.fields.items()]
    )
    for name in ("exch_ts", "local_ts"):
        found[name] = rows[name] // MS
    return found


def with_snapshot_at_time_0(rows: Any) -> Any:
    for name in ("exch_ts", "local_ts"):
        rows[name][:8] = 0
        rows[name][8:] -= 0
    return rows


def of_version_1(rows: Any) -> Any:
    sides = np.where(rows["ev"] & np.uint64(BUY), 1.0, -1.0)
    table = structured_to_unstructured(
        rows[["ev", "exch_ts", "local_ts", "px", "qty"]].astype([(n, "f8") for n in PLAIN.names or ()])
    )
    table[:, 0], table[:, 1:3] = rows["ev"] & np.uint64(0xFF), table[:, 1:3] / 1_000
    return np.insert(table, 3, sides, axis=1)


def signed(rows: Any) -> Any:
    return rows.astype([(name, "i8" if name == "ev" else kind) for name, (kind, _) in rows.dtype.fields.items()])


def as_it_is(rows: Any) -> Any:
    return rows


FORMS: list[Callable[[Any], Any]] = [
    *(as_it_is, signed, as_single, reordered, noisy, without_flags, of_exchange_alone, in_microseconds),
    *(in_milliseconds_and_floats, of_version_1),
]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
@pytest.mark.parametrize("name", ["BTCUSDT.npz", "BTCUSDT.npy"])
def test_array_of_any_form_says_the_same(form: Callable[[Any], Any], name: str, tmp_path: Path) -> None:
    source = opened(saved(tmp_path, form(array(ROWS)), name))
    found = messages(source)
    assert not source.bad
    assert source.instrument.tick_size == 0.1
    assert found == [
        Book(
            ts=T0,
            recv_ts=T0 + MS,
            bid_prices=[99.9, 99.8, 99.7],
            bid_sizes=[1.0, 2.0, 3.0],
            ask_prices=[100.1, 100.2, 100.3],
            ask_sizes=[1.0, 2.0, 3.0],
        ),
        depth(100, bids=[(99.9, 4.5)]),
        trade(200, "sell", 99.9, 0.5, 10),
        depth(300, bids=[(99.9, 4.0)]),
        trade(400, "buy", 100.1, 1.0, 12),
        depth(500, asks=[(100.1, 0.0)]),
    ]


def test_array_under_any_name_in_the_file_is_found_if_it_is_the_only_one(tmp_path: Path) -> None:
    np.savez(tmp_path / "one.npz", events=array(ROWS))
    assert len(read(tmp_path / "one.npz")) == 6
    np.savez(tmp_path / "two.npz", events=array(ROWS), more=array(ROWS))
    with pytest.raises(TapeError, match="expected an array named data, found events, more"):
        opened(tmp_path / "two.npz")


def test_snapshot_of_time_0_is_as_old_as_the_row_that_follows(tmp_path: Path) -> None:
    first, *_ = read(saved(tmp_path, with_snapshot_at_time_0(array(ROWS))))
    assert isinstance(first, Book)
    assert (first.ts, first.recv_ts) == (T0 + 100 * MS, T0 + 101 * MS)


@pytest.mark.parametrize(
    ("cleared", "expected"),
    [
        ([(CLEAR | BUY, 600, 99.8, 0.0)], depth(600, bids=[(99.9, 0.0), (99.8, 0.0)])),
        ([(CLEAR | BUY, 600, float("nan"), 0.0)], depth(600, bids=[(99.9, 0.0), (99.8, 0.0), (99.7, 0.0)])),
        ([(CLEAR | SELL, 600, 100.2, 0.0)], depth(600, asks=[(100.2, 0.0)])),
        (
            [(CLEAR | BUY, 600, 99.7, 0.0), (SNAPSHOT | BUY, 600, 99.8, 7.0)],
            depth(600, bids=[(99.9, 0.0), (99.7, 0.0), (99.8, 7.0)]),
        ),
    ],
)
def test_clear_of_one_side_leaves_the_other_and_what_lies_beyond_it(
    cleared: Rows, expected: Depth, tmp_path: Path
) -> None:
    assert read(saved(tmp_path, array([*ROWS, *cleared])))[-1] == expected


def test_clear_of_no_side_empties_both(tmp_path: Path) -> None:
    last = read(saved(tmp_path, array([*ROWS, (CLEAR, 600, 0.0, 0.0)])))[-1]
    assert isinstance(last, Book)
    assert not last.bid_prices
    assert not last.ask_prices


def test_what_lies_beyond_a_shallower_snapshot_is_removed_if_it_was_cleared(tmp_path: Path) -> None:
    again: Rows = [(CLEAR | BUY, 600, 99.7, 0.0), (SNAPSHOT | BUY, 600, 99.9, 1.0)]
    again += [(CLEAR | SELL, 600, 100.3, 0.0), (SNAPSHOT | SELL, 600, 100.2, 1.0)]
    *_, beyond, book = read(saved(tmp_path, array([*ROWS, *again])))
    assert beyond == depth(600, bids=[(99.8, 0.0), (99.7, 0.0)], asks=[(100.3, 0.0)])
    assert isinstance(book, Book)
    assert (book.bid_prices, book.ask_prices) == ([99.9], [100.2])


def test_daily_files_of_one_market_are_one_session(tmp_path: Path) -> None:
    later = array([(DEPTH | BUY, 86_400_000, 99.8, 7.0), (TRADE | SELL, 86_400_001, 99.8, 1.0)])
    saved(tmp_path, later, "btcusdt_20251118.npz")
    saved(tmp_path, array(ROWS), "btcusdt_20251117.npz")
    source = opened(tmp_path)
    assert source.market == Market("hftbacktest", "btcusdt")
    found = [message for message in messages(source) if isinstance(message, Trades)]
    assert [message.ts for message in found] == [T0 + ms * MS for ms in (200, 400, 86_400_001)]
    assert source.gaps == {"silence": 1}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (np.zeros(3), "an array of float64 of shape .* expected one row an event with the fields ev, exch_ts"),
        (np.zeros(3, dtype=[("event", "i8"), ("px", "f8")]), "the fields event, px; expected one row an event"),
        (np.zeros(0, dtype=PLAIN), "it has no rows"),
        (np.zeros(3, dtype=PLAIN), "no row has a time"),
        (array([(10 | BUY, 1, 99.9, 1.0)]), r"orders one by one \(kinds 10 to 13\): expected levels"),
        (array([(99 | BUY, 1, 99.9, 1.0)]), "kinds 99 alone: expected levels"),
        (np.array([{"px": 1}]), "is not an event array of hftbacktest: Object arrays"),
        (np.zeros(2, dtype=[("ev", "S4"), *PLAIN.descr[1:]]), "ev holds no numbers"),
    ],
)
def test_array_of_no_events_is_refused_with_what_was_expected(content: Any, text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, data=content)
    with pytest.raises(TapeError, match=text) as caught:
        opened(path)
    assert "x.npz" in str(caught.value)


def test_price_with_noise_becomes_the_decimal_that_it_was() -> None:
    noise = np.array([1000.1000000000001, 0.1 + 0.2, 99.9, 123456789.0, 1e-12 * 3, 65536.5])
    assert decimal(noise).tolist() == [1000.1, 0.3, 99.9, 123456789.0, 3e-12, 65536.5]
    single = np.array([1000.1, 0.3, 0.00012345, 16777216.0, 99999.9], dtype=np.float32)
    assert decimal(single).tolist() == [1000.1, 0.3, 0.00012345, 16777216.0, 99999.9]
    assert decimal(single.astype(np.float64)).tolist() == [1000.1, 0.3, 0.00012345, 16777216.0, 99999.9]


def test_sidecar_tells_the_instrument_and_the_names(tmp_path: Path) -> None:
    path = saved(tmp_path, array(ROWS), "BTCUSDT-2025-11-17.npz")
    rules = {"tick_size": 0.01, "kind": "inverse", "contract_size": 100.0}
    told = {"venue": "deribit", "asset": "BTC-PERPETUAL", "instrument": rules}
    (tmp_path / "BTCUSDT.instrument.json").write_text(json.dumps(told))
    source = opened(path)
    assert source.market == Market("deribit", "BTC-PERPETUAL")
    assert (source.instrument.tick_size, source.instrument.kind, source.instrument.contract_size) == (
        0.01,
        "inverse",
        100.0,
    )
    assert "tick_size" not in source.instrument.inferred


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ('{"instrument": {"tick": 0.1}}', "an instrument has no field tick"),
        ('{"instrument": {"tick_size": -1}}', "tick_size and lot_size must be above 0"),
        ('{"instrument": {"kind": "option"}}', "kind"),
        ('{"tick_size": 0.1}', "tick_size"),
        ("nonsense", "tells no instrument"),
    ],
)
def test_sidecar_that_is_wrong_is_refused_by_name(content: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "BTCUSDT.instrument.json").write_text(content)
    with pytest.raises(TapeError, match=text) as caught:
        opened(saved(tmp_path, array(ROWS)))
    assert "BTCUSDT.instrument.json" in str(caught.value)
