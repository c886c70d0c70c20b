"""A key that nobody has seen trades with hyperliquid-python-sdk on an account of its own."""

import pytest

pytest.importorskip("hyperliquid", reason="the real clients are tested by `make test-clients`")

import eth_account
from hyperliquid.exchange import Exchange
from paper import Paper, wait_until
from test_sdk import ALO


def test_a_key_that_nobody_has_seen_trades_at_once(paper: Paper) -> None:
    """On an account of its own, which pages and checks show like any other; it is funded, closed, and then unknown."""
    wallet = eth_account.Account.from_key("0x" + "77" * 32)
    name = wallet.address.lower()
    exchange = Exchange(wallet, paper.url)
    assert exchange.info.user_state(name)["marginSummary"]["accountValue"] == "20000.0"
    assert exchange.market_open("BTC", True, 0.01)["response"]["data"]["statuses"][0]["filled"]["totalSz"] == "0.01"
    assert exchange.market_close("BTC")["response"]["data"]["statuses"][0]["filled"]["totalSz"] == "0.01"

    def agrees() -> bool:
        told = float(exchange.info.user_state(name)["marginSummary"]["accountValue"])
        return paper.account(name)["orders"] and told == pytest.approx(10_000 + paper.account(name)["equity"], abs=0.01)

    wait_until(agrees)
    paper.command("account", "fund", name, "500")
    wait_until(lambda: float(exchange.info.user_state(name)["marginSummary"]["accountValue"]) > 20_900)
    price = float(round(float(exchange.info.all_mids()["BTC"]) * 0.99))
    oid = exchange.order("BTC", True, 0.001, price, ALO)["response"]["data"]["statuses"][0]["resting"]["oid"]
    paper.command("account", "close", name)
    wait_until(lambda: exchange.info.query_order_by_oid(name, oid)["order"]["status"] == "canceled")
    assert exchange.update_leverage(3, "BTC") == {
        "status": "err",
        "response": f"User or API Wallet {name} does not exist.",
    }
