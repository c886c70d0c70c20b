"""Files of other tools as they come: event arrays in all their forms, CSV files of Tardis, names, units, sidecars."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.lib.recfunctions import structured_to_unstructured

from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.files.convert import convert
from papertrader.services.feed.files.hftbacktest import BUY, CLEAR, DEPTH, EXCHANGE, LOCAL, SELL, SNAPSHOT, TRADE
from papertrader.services.feed.files.ladder import Ladder
from papertrader.services.feed.files.numbers import decimal
from papertrader.services.feed.sources import MarketSource, sources
from papertrader.shared.log.subjects import Market
from papertrader.shared.market.tape import TapeError
from papertrader.shared.messages import Bbo, Book, Context, Depth, Message, Trades

T0 = 1_763_370_000_000_000_000
MS = 1_000_000
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


def saved(folder: Path, rows: Any, name: str = "BTCUSDT.npz") -> Path:
    path = folder / name
    if path.suffix == ".npy":
        np.save(path, rows)
    else:
        np.savez_compressed(path, data=rows)
    return path


def opened(*paths: Path) -> MarketSource:
    (source,) = sources(FeedConfig(source="tape", tapes=paths))
    return source


def messages(source: MarketSource) -> list[Message]:
    return [message for round_ in source.rounds() for message in round_.messages[:-1]][1:]


def read(path: Path) -> list[Message]:
    source = opened(path)
    found = messages(source)
    assert not source.bad
    return found


# --- event arrays ------------------------------------------------------------------------------------------------


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


def depth(ms: int, bids: list[tuple[float, float]] = [], asks: list[tuple[float, float]] = []) -> Depth:  # noqa: B006
    return Depth(
        ts=T0 + ms * MS,
        recv_ts=T0 + ms * MS + MS,
        bid_prices=[price for price, _ in bids],
        bid_sizes=[size for _, size in bids],
        ask_prices=[price for price, _ in asks],
        ask_sizes=[size for _, size in asks],
    )


def trade(ms: int, aggressor: Any, price: float, size: float, id_: int) -> Trades:
    ts = T0 + ms * MS
    return Trades(
        ts=ts, recv_ts=ts + MS, times=[ts], prices=[price], sizes=[size], aggressors=[aggressor], trade_ids=[id_]
    )


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


# --- sidecars ----------------------------------------------------------------------------------------------------


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


# --- our own exports ---------------------------------------------------------------------------------------------


def frame(ms: int, channel: str, data: Any) -> str:
    return f"{T0 + ms * MS + MS} " + json.dumps({"channel": channel, "data": data}) + "\n"


def hyperliquid_tape(folder: Path, coin: str) -> Path:
    """Books that move, an empty side, touches, prints, context."""
    lines = []
    for step in range(40):
        bid, time = 100 + step % 7, T0 // MS + 250 * step
        bids = [{"px": str(bid - level), "sz": str(1 + (step + level) % 5), "n": 1} for level in range(5)]
        asks = [{"px": str(bid + 2 + level), "sz": str(1 + (step * level) % 4), "n": 1} for level in range(5)]
        lines.append(
            frame(250 * step, "l2Book", {"coin": coin, "time": time, "levels": [bids, [] if step == 20 else asks]})
        )
        touch = [{"px": str(bid), "sz": "9.0", "n": 1}, {"px": str(bid + 1), "sz": "0.5", "n": 2}]
        lines.append(frame(250 * step + 50, "bbo", {"coin": coin, "time": time + 50, "bbo": touch}))
        prints = [
            {"coin": coin, "side": "A", "px": str(bid), "sz": "0.5", "time": time + at, "tid": 10 * step + at}
            for at in (1, 2)
        ]
        lines.append(frame(250 * step + 60, "trades", prints))
        context = {
            "funding": "0.0000125",
            "openInterest": "7.5",
            "oraclePx": "104.5",
            "markPx": "104.25",
            "midPx": "104",
        }
        lines.append(frame(250 * step + 70, "activeAssetCtx", {"coin": coin, "ctx": context}))
    path = folder / "tape.txt"
    path.write_text("".join(lines))
    return path


@pytest.mark.parametrize("coin", ["BTC", "xyz:SP500", "PURR/USDC", "币安人生", "k:A.B"])
def test_export_to_hftbacktest_comes_back_message_by_message(coin: str, tmp_path: Path) -> None:
    """Names, funding, instrument, times, whole books as whole books; and the same rounds."""
    source = opened(hyperliquid_tape(tmp_path, coin))
    (path,) = convert(source, "hftbacktest", tmp_path / "out")
    again = opened(path)
    assert (again.market, again.symbol, again.instrument) == (source.market, source.symbol, source.instrument)
    assert again.symbol == coin
    assert [round_.messages for round_ in again.rounds()] == [
        (*round_.messages[:-1], other.messages[-1])
        for round_, other in zip(source.rounds(), again.rounds(), strict=True)
    ]
    assert any(isinstance(message, Context) and message.funding_rate for message in messages(again))


def test_export_without_its_index_is_read_by_its_rows(tmp_path: Path) -> None:
    source = opened(hyperliquid_tape(tmp_path, "BTC"))
    (path,) = convert(source, "hftbacktest", tmp_path / "out")
    rows = np.load(path)["data"]
    found = read(saved(tmp_path, rows, "hyperliquid-BTC.npz"))
    assert sum(isinstance(message, Trades) for message in found) == 40 * 2
    assert sum(isinstance(message, Book) for message in found) == 1


@pytest.mark.parametrize("coin", ["BTC", "xyz:SP500", "PURR/USDC", "币安人生"])
def test_export_to_tardis_comes_back_with_the_same_book_prints_and_funding(coin: str, tmp_path: Path) -> None:
    source = opened(hyperliquid_tape(tmp_path, coin))
    paths = convert(source, "tardis", tmp_path / "out")
    assert len(paths) == 5
    again = opened(tmp_path / "out")
    assert (again.market, again.symbol, again.instrument) == (source.market, source.symbol, source.instrument)
    ours, theirs = messages(source), messages(again)
    for kind in (Trades, Bbo):
        assert of_kind(theirs, kind) == of_kind(ours, kind)
    funding = [
        (m.funding_rate, m.oracle_price, m.mark_price, m.open_interest) for m in theirs if isinstance(m, Context)
    ]
    assert funding == [
        (pytest.approx(m.funding_rate), m.oracle_price, m.mark_price, m.open_interest)
        for m in ours
        if isinstance(m, Context)
    ]
    assert final_book(theirs) == final_book(ours)


def of_kind(found: list[Message], kind: type[Message]) -> list[Message]:
    return [message for message in found if type(message) is kind]


def final_book(found: list[Message]) -> dict[int, dict[float, float]]:
    ladder = Ladder()
    for message in found:
        ladder.changes(message)
    return ladder.sides


def test_conversion_that_fails_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = opened(hyperliquid_tape(tmp_path, "BTC"))
    rounds = source.rounds

    def broken() -> Any:
        yield from list(rounds())[:3]
        raise OSError("disk full")

    monkeypatch.setattr(source, "rounds", broken)
    for form in ("hftbacktest", "tardis"):
        with pytest.raises(OSError, match="disk full"):
            convert(source, form, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


# --- Tardis ------------------------------------------------------------------------------------------------------

US0 = T0 // 1_000


def table(folder: Path, name: str, header: str, rows: list[str]) -> Path:
    text = f"exchange,symbol,timestamp,local_timestamp,{header}\n" + "".join(f"{row}\n" for row in rows)
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def row(ms: float, *cells: object, exchange: str = "binance-futures", symbol: str = "BTCUSDT") -> str:
    us = US0 + round(ms * 1_000)
    return ",".join(map(str, (exchange, symbol, us, us + 1_000, *cells)))


def levels(folder: Path, name: str = "binance-futures_incremental_book_L2_2025-11-17_BTCUSDT.csv.gz") -> Path:
    rows = [row(-100, "false", "bid", 99.5, 8.0)]
    rows += [row(0, "true", "bid", 99.9, 1.0), row(0, "true", "bid", 99.8, 2.0), row(0, "true", "ask", 100.1, 1.0)]
    rows += [row(100, "false", "bid", 99.9, 0), row(100, "false", "ask", 100.2, 3.0)]
    rows += [row(500, "true", "bid", 99.7, 1.0), row(500, "true", "ask", 100.1, 4.0)]
    return table(folder, name, "is_snapshot,side,price,amount", rows)


def test_levels_of_tardis_begin_with_a_snapshot_and_a_later_one_discards_what_was_known(tmp_path: Path) -> None:
    source = opened(levels(tmp_path))
    assert source.market == Market("binance", "BTCUSDT")
    first, change, beyond, second = messages(source)
    assert source.bad == {"before_snapshot": 1}
    assert isinstance(first, Book)
    assert (first.bid_prices, first.ask_prices, first.ts, first.recv_ts) == ([99.9, 99.8], [100.1], T0, T0 + MS)
    assert change == depth(100, bids=[(99.9, 0.0)], asks=[(100.2, 3.0)])
    assert beyond == depth(500, asks=[(100.2, 0.0)])
    assert isinstance(second, Book)
    assert (second.bid_prices, second.bid_sizes, second.ask_prices, second.ask_sizes) == ([99.7], [1.0], [100.1], [4.0])


def test_prints_touches_funding_and_books_of_tardis_are_merged_by_receipt(tmp_path: Path) -> None:
    table(
        tmp_path,
        "trades.csv",
        "id,side,price,amount",
        [row(100, "a-1", "sell", 99.9, 0.5), row(200, "7", "unknown", 99, 1)],
    )
    table(
        tmp_path,
        "quotes.csv.gz",
        "ask_amount,ask_price,bid_price,bid_amount",
        [row(150, 1.5, 100.0, 99.9, 2), row(160, "", "", 99.9, 2)],
    )
    header = "funding_timestamp,funding_rate,predicted_funding_rate,open_interest,last_price,index_price,mark_price"
    table(tmp_path, "derivative_ticker.csv.gz", header, [row(170, US0 + 10**9, 0.0001, "", 12.5, 100, 100.5, 100.25)])
    sides = ",".join(f"asks[{n}].price,asks[{n}].amount,bids[{n}].price,bids[{n}].amount" for n in range(2))
    table(
        tmp_path,
        "book_snapshot_2.csv.gz",
        sides,
        [row(100, 100.1, 1, 99.9, 2, 100.2, 3, 99.8, 4), row(300, 100.1, 1, 99.9, 2, "", "", "", "")],
    )
    source = opened(tmp_path)
    found = messages(source)
    assert [type(message) for message in found] == [Trades, Book, Bbo, Bbo, Context, Book]
    assert source.bad == {"no_side": 1}
    trade_, book, touch, one_sided, context, last = found
    assert isinstance(trade_, Trades) and trade_.aggressors == ["sell"] and trade_.trade_ids[0] > 0  # noqa: PT018
    assert isinstance(book, Book) and book.ask_sizes == [1.0, 3.0] and book.bid_prices == [99.9, 99.8]  # noqa: PT018
    assert isinstance(touch, Bbo) and (touch.bid_size, touch.ask_price) == (2.0, 100.0)  # noqa: PT018
    assert isinstance(one_sided, Bbo) and one_sided.ask_price is None  # noqa: PT018
    assert isinstance(context, Context) and (context.mark_price, context.oracle_price) == (100.25, 100.5)  # noqa: PT018
    assert isinstance(last, Book) and last.bid_prices == [99.9]  # noqa: PT018


def test_file_of_several_symbols_is_several_markets_and_spot_is_spot(tmp_path: Path) -> None:
    rows = [
        row(ms, f"{ms}", "buy", price, 1.0, exchange="coinbase", symbol=symbol)
        for ms, symbol, price in [
            (0, "BTC-USD", 100.5),
            (1, "ETH-USD", 10.25),
            (2, "BTC-USD", 100.6),
            (3, "ETH-USD", 10.5),
        ]
    ]
    path = table(tmp_path, "coinbase_trades_2025-11-17_SPOT.csv.gz", "id,side,price,amount", rows)
    found = {source.market.asset: source for source in sources(FeedConfig(source="tape", tapes=(path,)))}
    assert found.keys() == {"BTC-USD", "ETH-USD"}
    assert [len(messages(source)) for source in found.values()] == [2, 2]
    assert {source.instrument.kind for source in found.values()} == {"spot"}


@pytest.mark.parametrize(
    ("name", "header", "rows", "text"),
    [
        ("x.csv", "strike,delta", ["1,2"], "expected the columns of incremental_book_L2, book_snapshot_N"),
        ("binance-futures_liquidations_2025.csv", "id,side,price,amount", [row(0, 1, "buy", 1, 1)], "liquidations"),
        ("trades.csv", "id,side,price,amount", [], "holds no row"),
    ],
)
def test_table_of_no_market_is_refused_with_what_was_expected(
    name: str, header: str, rows: list[str], text: str, tmp_path: Path
) -> None:
    with pytest.raises(TapeError, match=text):
        opened(table(tmp_path, name, header, rows))


def test_rows_that_hold_no_numbers_are_counted(tmp_path: Path) -> None:
    rows = [
        row(0, "1", "buy", 100.0, 1.0),
        row(1, "2", "buy", "x", 1.0),
        row(2, "3", "buy", -1, 1.0),
        "a,b,c,d,e,f,g,h",
    ]
    source = opened(table(tmp_path, "trades.csv", "id,side,price,amount", rows))
    assert len(messages(source)) == 1
    assert source.bad == {"malformed_line": 2, "non_positive": 1}


def test_table_that_breaks_off_is_read_up_to_there(tmp_path: Path) -> None:
    rows = [row(ms, ms, "buy", 100 + ms % 10, 1.0) for ms in range(5_000)]
    path = table(tmp_path, "trades.csv.gz", "id,side,price,amount", rows)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    source = opened(path)
    assert 1_000 < len([message for message in messages(source) if isinstance(message, Trades)]) < 5_000
    assert source.bad["tape_truncated"] == 1


@pytest.mark.parametrize(("unit", "digits"), [(1, 0), (1_000, 0), (MS, 0), (10**9, 3)])
def test_tape_in_any_unit_of_time_is_the_same_session(unit: int, digits: int, tmp_path: Path) -> None:
    path = hyperliquid_tape(tmp_path, "BTC")
    expected = messages(opened(path))
    lines = [line.partition(" ") for line in path.read_text().splitlines(keepends=True)]
    written = [
        f"{int(time) // unit}" + (f".{int(time) % unit * 10**digits // unit:0{digits}d}" if digits else "")
        for time, *_ in lines
    ]
    path.write_text("".join(f"{time} {frame}" for time, (_, _, frame) in zip(written, lines, strict=True)))
    assert messages(opened(path)) == expected
