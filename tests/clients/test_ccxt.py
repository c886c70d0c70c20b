"""ccxt trades on the gateway, unchanged: its only option is `urls`."""

import asyncio
from typing import Any

import pytest

ccxt = pytest.importorskip("ccxt", reason="the real clients are tested by `make test-clients`")
pytest.importorskip("hyperliquid", reason="the real clients are tested by `make test-clients`")

import ccxt.pro as pro  # noqa: E402
from paper import Paper, wait_until  # noqa: E402

ME = "0x1563915e194D8CfBA1943570603F7606A3115508"
SYMBOL = "BTC/USDC:USDC"


def options(paper: Paper) -> dict[str, Any]:
    """What a bot's configuration says."""
    urls = {"public": paper.url, "private": paper.url, "ws": {"public": f"ws{paper.url[4:]}/ws"}}
    return {"privateKey": "0x" + "22" * 32, "walletAddress": ME, "urls": {"api": urls}}


@pytest.fixture(scope="module")
def exchange(paper: Paper) -> Any:
    found = ccxt.hyperliquid(options(paper))
    found.load_markets()
    return found


def away(exchange: Any, bps: float) -> float:
    """A price so far from the mid."""
    return float(round(exchange.fetch_ticker(SYMBOL)["last"] * (1 + bps / 1e4)))


def test_markets_are_what_the_log_has(exchange: Any) -> None:
    market = exchange.market(SYMBOL)
    assert (market["baseId"], market["precision"]["amount"]) == (0, 1e-5) or market["precision"]["amount"] == 1e-5
    assert "ETH/USDC:USDC" in exchange.markets
    assert exchange.fetch_balance()["USDC"]["total"] == pytest.approx(20_000.0)


def test_an_order_is_placed_edited_and_cancelled(exchange: Any) -> None:
    placed = exchange.create_order(SYMBOL, "limit", "buy", 0.001, away(exchange, -30), {"postOnly": True})
    assert exchange.fetch_order(placed["id"], SYMBOL)["status"] == "open"
    edited = exchange.edit_order(placed["id"], SYMBOL, "limit", "buy", 0.002, away(exchange, -35))
    assert [order["id"] for order in exchange.fetch_open_orders(SYMBOL)] == [edited["id"]]
    exchange.cancel_order(edited["id"], SYMBOL)
    assert exchange.fetch_order(edited["id"], SYMBOL)["status"] == "canceled"
    assert exchange.fetch_open_orders(SYMBOL) == []


def test_a_client_order_id_names_an_order(exchange: Any) -> None:
    cloid = "0x" + "07" * 16
    exchange.create_order(SYMBOL, "limit", "buy", 0.001, away(exchange, -30), {"clientOrderId": cloid})
    exchange.cancel_order(None, SYMBOL, {"clientOrderId": cloid})
    assert exchange.fetch_open_orders(SYMBOL) == []


def test_refusals_are_the_errors_that_ccxt_knows(exchange: Any) -> None:
    with pytest.raises(ccxt.InvalidOrder, match="Post only order would have immediately matched"):
        exchange.create_order(SYMBOL, "limit", "buy", 0.001, away(exchange, 50), {"postOnly": True})
    with pytest.raises(ccxt.InvalidOrder, match="minimum value"):
        exchange.create_order(SYMBOL, "limit", "buy", 0.00001, away(exchange, -10))
    with pytest.raises(ccxt.InsufficientFunds):
        exchange.create_order(SYMBOL, "limit", "buy", 50, away(exchange, -10))
    with pytest.raises(ccxt.OrderNotFound):
        exchange.cancel_order("1", SYMBOL)
    with pytest.raises(ccxt.OrderNotFound):
        exchange.fetch_order("1", SYMBOL)
    with pytest.raises(ccxt.ExchangeError, match="Vault not registered"):
        exchange.create_order(SYMBOL, "limit", "buy", 0.001, away(exchange, -10), {"vaultAddress": "0x" + "AA" * 20})


def position(exchange: Any) -> float:
    """The position that the client sees, with its sign."""
    found = exchange.fetch_positions([SYMBOL])
    return sum(item["contracts"] * (1 if item["side"] == "long" else -1) for item in found)


def test_market_orders_move_position_and_money(paper: Paper, exchange: Any) -> None:
    exchange.create_order(SYMBOL, "market", "sell", 0.01, away(exchange, 0))
    wait_until(lambda: position(exchange) == pytest.approx(-0.01))

    def same() -> bool:
        told, eth = paper.account("unified"), paper.account("unified", "ETH")["equity"] or 0.0
        trades = exchange.fetch_my_trades(SYMBOL)
        ours = (
            position(exchange),
            sum(trade["fee"]["cost"] for trade in trades),
            exchange.fetch_balance()["USDC"]["total"],
        )
        return ours == pytest.approx((told["position"], told["pnl"]["fees"], told["equity"] + eth), abs=0.005)

    wait_until(same)
    exchange.create_order(SYMBOL, "market", "buy", 0.01, away(exchange, 0), {"reduceOnly": True})
    wait_until(lambda: position(exchange) == 0.0 and same())


def test_stops_are_placed_seen_and_cancelled(exchange: Any) -> None:
    for params, kind in (
        ({"triggerPrice": away(exchange, -100)}, "stopLossPrice"),
        ({"stopLossPrice": away(exchange, -100)}, "stopLossPrice"),
        ({"takeProfitPrice": away(exchange, 100)}, "takeProfitPrice"),
    ):
        (at,) = params.values()
        for order_type in ("market", "limit"):
            placed = exchange.create_order(SYMBOL, order_type, "sell", 0.001, at, {**params, "reduceOnly": True})
            (shown,) = exchange.fetch_open_orders(SYMBOL)
            assert (shown["id"], shown[kind], shown["reduceOnly"]) == (placed["id"], at, True)
            assert shown["info"]["isTrigger"] is True
            exchange.cancel_order(placed["id"], SYMBOL)
            assert exchange.fetch_order(placed["id"], SYMBOL)["status"] == "canceled"
    assert exchange.fetch_open_orders(SYMBOL) == []


def test_a_stop_that_the_mark_has_met_closes_the_position(exchange: Any) -> None:
    exchange.create_order(SYMBOL, "market", "sell", 0.01, away(exchange, 0))
    wait_until(lambda: position(exchange) == pytest.approx(-0.01))
    met = {"stopLossPrice": away(exchange, -50), "reduceOnly": True}
    stop = exchange.create_order(SYMBOL, "market", "buy", 0.01, away(exchange, 0), met)
    wait_until(lambda: position(exchange) == 0.0)
    wait_until(lambda: exchange.fetch_order(stop["id"], SYMBOL)["status"] == "closed")


def test_exits_come_with_an_entry_or_belong_to_the_position(exchange: Any) -> None:
    exits = {
        "stopLoss": {"triggerPrice": away(exchange, -200), "type": "market"},
        "takeProfit": {"triggerPrice": away(exchange, 200)},
    }
    exchange.create_order(SYMBOL, "market", "buy", 0.01, away(exchange, 0), dict(exits))
    wait_until(lambda: position(exchange) == pytest.approx(0.01))
    shown = wait_until(lambda: len(found := exchange.fetch_open_orders(SYMBOL)) == 2 and found)
    assert {order["info"]["orderType"] for order in shown} == {"Stop Market", "Take Profit Limit"}
    exchange.cancel_orders([order["id"] for order in shown], SYMBOL)
    exchange.create_order(SYMBOL, "market", "buy", 0, away(exchange, 0), {**exits, "grouping": "positionTpsl"})
    shown = wait_until(lambda: len(found := exchange.fetch_open_orders(SYMBOL)) == 2 and found)
    assert all(order["info"]["isPositionTpsl"] for order in shown)
    exchange.create_order(SYMBOL, "market", "sell", 0.01, away(exchange, 0), {"reduceOnly": True})
    wait_until(lambda: exchange.fetch_open_orders(SYMBOL) == [])
    history = [order["info"]["status"] for order in exchange.fetch_orders(SYMBOL)]
    assert history.count("reduceOnlyCanceled") == 2


def test_streams_of_ccxt_pro(paper: Paper) -> None:
    """Watching returns: market data at once, orders and trades after a fill, balance after positions."""

    async def work() -> None:
        exchange = pro.hyperliquid(options(paper))
        try:
            await exchange.load_markets()
            book = await asyncio.wait_for(exchange.watch_order_book(SYMBOL), 10)
            assert book["bids"][0][0] < book["asks"][0][0]
            for watch in (exchange.watch_ticker, exchange.watch_trades):
                await asyncio.wait_for(watch(SYMBOL), 20)
            await asyncio.wait_for(exchange.watch_ohlcv(SYMBOL, "1m"), 20)
            orders, trades = (
                asyncio.ensure_future(watch(SYMBOL)) for watch in (exchange.watch_orders, exchange.watch_my_trades)
            )
            price, bought = book["asks"][0][0], 0.0
            while not orders.done():  # a first order may be older than the subscription
                await exchange.create_order(SYMBOL, "market", "buy", 0.002, price)
                bought += 0.002
                await asyncio.wait([orders], timeout=5)
            assert (await orders)[0]["symbol"] == SYMBOL
            assert (await asyncio.wait_for(trades, 15))[-1]["amount"] > 0
            await asyncio.wait_for(exchange.watch_positions([SYMBOL]), 15)
            assert (await asyncio.wait_for(exchange.watch_balance(), 15))["USDC"]["total"] > 0
            placed = await exchange.create_order_ws(
                SYMBOL, "limit", "buy", 0.001, round(price * 0.99), {"postOnly": True}
            )
            await exchange.cancel_orders_ws([placed["id"]], SYMBOL)
            with pytest.raises(ccxt.InvalidOrder):
                await exchange.create_order_ws(SYMBOL, "limit", "buy", 0.001, round(price * 1.01), {"postOnly": True})
            await exchange.create_order(SYMBOL, "market", "sell", bought, price, {"reduceOnly": True})
        finally:
            await exchange.close()

    asyncio.run(work())
