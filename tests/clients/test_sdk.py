"""hyperliquid-python-sdk trades on the gateway, unchanged: its only option is the address."""

import time
from typing import Any

import pytest

pytest.importorskip("hyperliquid", reason="the real clients are tested by `make test-clients`")

import eth_account
import requests
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info
from hyperliquid.utils.signing import sign_l1_action
from hyperliquid.utils.types import Cloid
from paper import Paper, wait_until

KEY = "0x" + "11" * 32
WALLET = eth_account.Account.from_key(KEY)
ME = WALLET.address
ALO, GTC, IOC = ({"limit": {"tif": tif}} for tif in ("Alo", "Gtc", "Ioc"))


class Bot:
    """The SDK with its streams."""

    def __init__(self, paper: Paper) -> None:
        self.info, self.exchange = Info(paper.url), Exchange(WALLET, paper.url)
        self.heard: dict[str, list[Any]] = {}
        for kind in ("orderUpdates", "userFills", "userEvents"):
            self.info.subscribe({"type": kind, "user": ME}, self.heard.setdefault(kind, []).append)
        for kind in ("l2Book", "bbo", "trades", "activeAssetCtx"):
            self.info.subscribe({"type": kind, "coin": "BTC"}, self.heard.setdefault(kind, []).append)

    def away(self, bps: float) -> float:
        """A price so far from the mid."""
        return float(round(float(self.info.all_mids()["BTC"]) * (1 + bps / 1e4)))

    def order(self, buy: bool, size: float, bps: float, kind: Any, **more: Any) -> Any:
        """The one status of an order."""
        answer = self.exchange.order("BTC", buy, size, self.away(bps), kind, **more)
        return answer["response"]["data"]["statuses"][0]

    def bid(self) -> float:
        """The best bid that the stream told last."""
        return float(self.heard["bbo"][-1]["data"]["bbo"][0]["px"])

    def position(self) -> float:
        """The position that the client sees."""
        held = self.info.user_state(ME)["assetPositions"]
        return next((float(item["position"]["szi"]) for item in held if item["position"]["coin"] == "BTC"), 0.0)

    def statuses(self, oid: int) -> list[str]:
        """What the stream said of an order."""
        updates = [update for message in self.heard["orderUpdates"] for update in message["data"]]
        return [update["status"] for update in updates if update["order"]["oid"] == oid]


@pytest.fixture(scope="module")
def bot(paper: Paper) -> Bot:
    return Bot(paper)


def test_an_order_rests_is_modified_and_cancelled(bot: Bot) -> None:
    oid = bot.order(True, 0.001, -20, ALO)["resting"]["oid"]
    assert [order["oid"] for order in bot.info.open_orders(ME)] == [oid]
    modified = bot.exchange.modify_order(oid, "BTC", True, 0.002, bot.away(-25), ALO)
    new = modified["response"]["data"]["statuses"][0]["resting"]["oid"]
    (order,) = bot.info.open_orders(ME)
    assert (order["oid"], order["sz"], new != oid) == (new, "0.002", True)
    assert bot.info.query_order_by_oid(ME, oid)["order"]["status"] == "canceled"
    assert bot.exchange.cancel("BTC", new)["response"]["data"]["statuses"] == ["success"]
    wait_until(lambda: bot.statuses(new) == ["open", "canceled"])
    assert bot.statuses(oid) == ["open", "canceled"]
    assert bot.info.open_orders(ME) == []


def test_a_cloid_names_an_order_over_a_modify(bot: Bot) -> None:
    cloid = Cloid.from_int(7)
    assert bot.order(True, 0.001, -30, GTC, cloid=cloid)["resting"]["cloid"] == cloid.to_raw()
    bot.exchange.modify_order(cloid, "BTC", True, 0.002, bot.away(-35), ALO)
    found = bot.info.query_order_by_cloid(ME, cloid)["order"]
    assert (found["status"], found["order"]["sz"]) == ("open", "0.002")
    assert bot.exchange.cancel_by_cloid("BTC", cloid)["response"]["data"]["statuses"] == ["success"]


@pytest.mark.parametrize(
    ("buy", "size", "bps", "kind", "more", "text"),
    [
        (True, 0.001, 50, ALO, {}, "Post only order would have immediately matched, bbo was "),
        (True, 0.001, -30, IOC, {}, "Order could not immediately match against any resting orders. asset=0"),
        (True, 0.00001, -10, GTC, {}, "Order must have minimum value of $10. asset=0"),
        (False, 0.001, 10, GTC, {"reduce_only": True}, "Reduce only order would increase position. asset=0"),
        (True, 50.0, -10, GTC, {}, "Insufficient margin to place order. asset=0"),
    ],
    ids=["post_only", "ioc", "minimum", "reduce_only", "margin"],
)
def test_what_the_venue_refuses_is_refused_in_its_words(
    bot: Bot, buy: bool, size: float, bps: float, kind: Any, more: dict[str, Any], text: str
) -> None:
    assert bot.order(buy, size, bps, kind, **more)["error"].startswith(text)


def test_off_the_tick_and_unknown_orders(bot: Bot) -> None:
    answer = bot.exchange.order("BTC", True, 0.001, bot.away(-10) + 0.5, GTC)
    assert answer["response"]["data"]["statuses"] == [{"error": "Price must be divisible by tick size. asset=0"}]
    gone = "Order was never placed, already canceled, or filled. asset=0"
    assert bot.exchange.cancel("BTC", 1)["response"]["data"]["statuses"] == [{"error": gone}]
    modified = bot.exchange.modify_order(1, "BTC", True, 0.001, bot.away(-10), ALO)
    assert modified["response"]["data"]["statuses"] == [{"error": "Cannot modify canceled or filled order"}]
    assert bot.info.query_order_by_oid(ME, 3) == {"status": "unknownOid"}


def test_a_batch_has_one_answer_each(bot: Bot) -> None:
    orders = [
        {"coin": "BTC", "is_buy": True, "sz": 0.001, "limit_px": bot.away(bps), "order_type": ALO, "reduce_only": False}
        for bps in (-40, 100, -41)
    ]
    statuses = bot.exchange.bulk_orders(orders)["response"]["data"]["statuses"]
    assert [next(iter(status)) for status in statuses] == ["resting", "error", "resting"]
    oids = [status["resting"]["oid"] for status in statuses if "resting" in status]
    cancelled = bot.exchange.bulk_cancel([{"coin": "BTC", "oid": oid} for oid in (*oids, 1)])
    assert [status if isinstance(status, str) else "error" for status in cancelled["response"]["data"]["statuses"]] == [
        "success",
        "success",
        "error",
    ]


def test_a_market_order_is_filled_and_closed(bot: Bot) -> None:
    before = bot.position()
    filled = bot.exchange.market_open("BTC", True, 0.01)["response"]["data"]["statuses"][0]["filled"]
    assert filled["totalSz"] == "0.01"
    wait_until(lambda: bot.position() == pytest.approx(before + 0.01))
    wait_until(lambda: bot.statuses(filled["oid"])[-1:] == ["filled"])
    bot.exchange.market_close("BTC")
    wait_until(lambda: bot.position() == 0.0)


def test_an_order_larger_than_what_is_shown_is_filled_in_part(bot: Bot) -> None:
    def part() -> Any:
        ask = bot.info.l2_snapshot("BTC")["levels"][1][0]
        if float(ask["sz"]) > 0.5:
            return None
        answer = bot.exchange.order("BTC", True, float(ask["sz"]) + 0.2, float(ask["px"]), GTC)
        status = answer["response"]["data"]["statuses"][0]
        if "filled" not in status or not 0 < float(status["filled"]["totalSz"]) < float(ask["sz"]) + 0.2:
            bot.exchange.bulk_cancel([{"coin": "BTC", "oid": order["oid"]} for order in bot.info.open_orders(ME)])
            bot.exchange.market_close("BTC")  # what was filled whole takes margin from the next try
            return None
        return status["filled"]

    filled = wait_until(part, 90)
    rest = bot.info.query_order_by_oid(ME, filled["oid"])["order"]
    if rest["status"] == "open":
        assert float(rest["order"]["sz"]) < float(rest["order"]["origSz"])
        bot.exchange.cancel("BTC", filled["oid"])
    bot.exchange.market_close("BTC")
    wait_until(lambda: bot.position() == 0.0)


def test_a_resting_order_at_the_touch_is_filled_as_a_maker(bot: Bot) -> None:
    """The newest fill of the stream that is a maker's, with the maker's fee."""

    def made() -> Any:
        bot.exchange.bulk_cancel([{"coin": "BTC", "oid": order["oid"]} for order in bot.info.open_orders(ME)])
        bid = float(bot.info.l2_snapshot("BTC")["levels"][0][0]["px"])
        answer = bot.exchange.order("BTC", True, 0.001, bid, ALO)["response"]["data"]["statuses"][0]
        if "resting" in answer:
            wait_until(lambda: bot.statuses(answer["resting"]["oid"])[-1:] == ["filled"] or bot.bid() > bid, 60)
        fills = [fill for message in bot.heard["userFills"] for fill in message["data"]["fills"]]
        return next((fill for fill in fills if not fill["crossed"]), None)

    fill = wait_until(made, 120)
    fee = float(fill["px"]) * float(fill["sz"]) * 1.5e-4
    assert float(fill["fee"]) == pytest.approx(fee, rel=1e-6, abs=5.1e-9), "eight decimals are told"
    bot.exchange.bulk_cancel([{"coin": "BTC", "oid": order["oid"]} for order in bot.info.open_orders(ME)])
    bot.exchange.market_close("BTC")
    wait_until(lambda: bot.position() == 0.0)


def test_a_request_counts_once_and_not_after_its_time(paper: Paper, bot: Bot) -> None:
    action, nonce = {"type": "noop"}, time.time_ns() // 1_000_000
    body = {"action": action, "nonce": nonce, "signature": sign_l1_action(WALLET, action, None, nonce, None, False)}
    assert paper.post("exchange", body) == {"status": "ok", "response": {"type": "default"}}
    assert paper.post("exchange", body) == {"status": "err", "response": f"Invalid nonce: duplicate nonce {nonce}"}
    late = sign_l1_action(WALLET, action, None, nonce + 1, nonce - 1, False)
    expired = {"action": action, "nonce": nonce + 1, "signature": late, "expiresAfter": nonce - 1}
    assert paper.post("exchange", expired) == {"status": "err", "response": "Action already expired"}
    stranger = eth_account.Account.from_key("0x" + "99" * 32)
    foreign = {**body, "signature": sign_l1_action(stranger, action, None, nonce, None, False)}
    told = paper.post("exchange", foreign)["response"]
    assert told == f"User or API Wallet {stranger.address.lower()} does not exist."


def test_an_agent_trades_for_its_account(paper: Paper, bot: Bot) -> None:
    answer, key = bot.exchange.approve_agent("helper")
    assert answer["status"] == "ok"
    agent = Exchange(eth_account.Account.from_key(key), paper.url, account_address=ME)
    status = agent.order("BTC", True, 0.001, bot.away(-50), ALO)["response"]["data"]["statuses"][0]
    assert [order["oid"] for order in bot.info.open_orders(ME)] == [status["resting"]["oid"]]
    assert [item["name"] for item in bot.info.extra_agents(ME)] == ["helper"]
    agent.cancel("BTC", status["resting"]["oid"])


def test_orders_are_cancelled_by_the_clock_that_was_set(bot: Bot) -> None:
    oid = bot.order(True, 0.001, -40, ALO)["resting"]["oid"]
    assert "at least 5 seconds" in bot.exchange.schedule_cancel(time.time_ns() // 1_000_000 + 1_000)["response"]
    assert bot.exchange.schedule_cancel(time.time_ns() // 1_000_000 + 5_500)["status"] == "ok"
    wait_until(lambda: bot.statuses(oid) == ["open", "scheduledCancel"], 15)


def test_what_paper_cannot_mean_is_refused_by_name(bot: Bot) -> None:
    refused = bot.exchange.withdraw_from_bridge(1.0, "0x" + "22" * 20)
    assert refused["status"] == "err"
    assert "withdraw3" in refused["response"]
    assert bot.exchange.update_leverage(5, "BTC")["status"] == "ok"


def trigger(price: float, tpsl: str, market: bool = True) -> dict[str, Any]:
    """What an order waits for: the mark at a price."""
    return {"trigger": {"triggerPx": price, "isMarket": market, "tpsl": tpsl}}


def test_a_stop_rests_and_is_cancelled(bot: Bot) -> None:
    at = bot.away(-100)
    oid = bot.order(False, 0.001, -200, trigger(at, "sl"))["resting"]["oid"]
    (shown,) = bot.info.frontend_open_orders(ME)
    assert (shown["oid"], shown["orderType"], shown["isTrigger"]) == (oid, "Stop Market", True)
    assert (float(shown["triggerPx"]), shown["triggerCondition"]) == (at, f"Price below {at:.0f}")
    assert bot.exchange.cancel("BTC", oid)["response"]["data"]["statuses"] == ["success"]
    wait_until(lambda: bot.statuses(oid) == ["open", "canceled"])
    wrong = bot.order(False, 0.001, -50, trigger(at, "sl"))
    assert wrong["error"] == "Invalid TP/SL price. asset=0", "a market stop that sells has its limit below its trigger"


def test_a_take_profit_whose_price_is_there_is_triggered_at_once(bot: Bot) -> None:
    bot.exchange.market_open("BTC", True, 0.01)
    wait_until(lambda: bot.position() == pytest.approx(0.01))
    oid = bot.order(False, 0.01, -100, trigger(bot.away(-50), "tp"), reduce_only=True)["resting"]["oid"]
    wait_until(lambda: bot.position() == 0.0)
    wait_until(lambda: bot.statuses(oid)[-1:] == ["filled"])
    told = bot.statuses(oid)
    assert (told[:2], set(told[2:-1])) == (["open", "triggered"], {"open"}), "once for each part that is filled"
    found = bot.info.query_order_by_oid(ME, oid)["order"]
    assert (found["status"], found["order"]["isTrigger"]) == ("filled", False)


def test_an_entry_with_exits_closes_at_the_one_that_the_mark_meets_first(bot: Bot) -> None:
    """Both exits are so near that the recorded market meets one of them; the other one is cancelled with it."""
    wire: dict[str, Any] = {"coin": "BTC", "sz": 0.01, "reduce_only": True, "is_buy": False}
    entry = {**wire, "is_buy": True, "reduce_only": False, "limit_px": bot.away(100), "order_type": IOC}
    exits = [
        {**wire, "limit_px": bot.away(-200), "order_type": trigger(bot.away(bps), kind)}
        for bps, kind in ((3, "tp"), (-3, "sl"))
    ]
    answer = bot.exchange.bulk_orders([entry, *exits], grouping="normalTpsl")
    first, *others = answer["response"]["data"]["statuses"]
    assert (first["filled"]["totalSz"], others) == ("0.01", ["waitingForTrigger"] * 2)
    wait_until(lambda: bot.position() == 0.0, 240)

    def ends() -> list[str]:
        history = bot.info.historical_orders(ME)
        return sorted(item["status"] for item in history[:2])

    wait_until(lambda: ends() == ["filled", "siblingFilledCanceled"])
    assert bot.info.frontend_open_orders(ME) == []


def test_unknown_questions_and_broken_bodies_are_told_as_the_venue_does(paper: Paper) -> None:
    for door, body in (("info", b'{"type":"nothing"}'), ("info", b"{"), ("exchange", b"[]"), ("exchange", b"\xff")):
        answer = requests.post(f"{paper.url}/{door}", data=body, timeout=10)
        assert (answer.status_code, answer.text[:21]) == (422, "Failed to deserialize")


def test_market_data_arrives(bot: Bot) -> None:
    for kind in ("l2Book", "bbo", "trades", "activeAssetCtx"):
        wait_until(lambda kind=kind: len(bot.heard[kind]) > 1, 30)
    books = [message["data"] for message in bot.heard["l2Book"]]
    assert {len(side) for book in books for side in book["levels"]} == {20}, "whatever the touch did since"
    book = books[-1]
    assert book["coin"] == "BTC"
    assert all("." in level["px"] and "." in level["sz"] for side in book["levels"] for level in side)
    assert float(book["levels"][0][0]["px"]) < float(book["levels"][1][0]["px"])


def test_two_markets_have_two_ids(bot: Bot) -> None:
    names = [item["name"] for item in bot.info.meta()["universe"]]
    assert sorted(names) == ["BTC", "ETH"]
    price = float(f"{float(bot.info.all_mids()['ETH']) * 0.99:.5g}")
    status = bot.exchange.order("ETH", True, 0.01, price, ALO)["response"]["data"]["statuses"][0]
    assert bot.exchange.cancel("ETH", status["resting"]["oid"])["response"]["data"]["statuses"] == ["success"]


def test_a_gateway_that_dies_comes_back_with_everything(paper: Paper, bot: Bot) -> None:
    oid = bot.order(True, 0.001, -60, ALO, cloid=Cloid.from_int(99))["resting"]["oid"]
    fills, history = bot.info.user_fills(ME), bot.info.historical_orders(ME)
    agents = bot.info.extra_agents(ME)
    action, nonce = {"type": "noop"}, time.time_ns() // 1_000_000
    body = {"action": action, "nonce": nonce, "signature": sign_l1_action(WALLET, action, None, nonce, None, False)}
    assert paper.post("exchange", body)["status"] == "ok"
    paper.kill_gateway()
    again = Bot(paper)
    assert again.info.user_fills(ME) == fills
    assert again.info.historical_orders(ME) == history
    assert again.info.extra_agents(ME) == agents
    assert again.info.query_order_by_cloid(ME, Cloid.from_int(99))["order"]["order"]["oid"] == oid
    assert paper.post("exchange", body)["response"] == f"Invalid nonce: duplicate nonce {nonce}"
    assert again.exchange.cancel("BTC", oid)["response"]["data"]["statuses"] == ["success"]
    wait_until(lambda: again.statuses(oid) == ["canceled"])


def test_the_clients_view_is_the_accounts(paper: Paper, bot: Bot) -> None:
    """Position, fees, profit and account value, to the cent, by the monitor, which knows nothing of the gateway."""
    again = Bot(paper)
    again.exchange.market_open("BTC", False, 0.004)

    def same() -> bool:
        state, told = again.info.user_state(ME), paper.account("official")
        fills = again.info.user_fills(ME)
        ours = {
            "position": again.position(),
            "fees": sum(float(fill["fee"]) for fill in fills),
            "realised": sum(float(fill["closedPnl"]) for fill in fills),
        }
        theirs = {"position": told["position"], "fees": told["pnl"]["fees"], "realised": told["pnl"]["realised"]}
        eth = paper.account("official", "ETH")["equity"] or 0.0
        value = float(state["marginSummary"]["accountValue"])
        return ours == pytest.approx(theirs, abs=0.005) and value == pytest.approx(told["equity"] + eth, abs=0.005)

    wait_until(same, 20)
    again.exchange.market_close("BTC")
    wait_until(lambda: again.position() == 0.0 and same(), 20)
    assert again.info.open_orders(ME) == []
