"""CSV files of Tardis as they come."""

import gzip
from pathlib import Path

import pytest

from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.sources import sources
from papertrader.shared.log.subjects import Market
from papertrader.shared.market.tape import TapeError
from papertrader.shared.messages import Bbo, Book, Context, Trades
from tests.foreign import MS, T0, depth, messages, opened

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
