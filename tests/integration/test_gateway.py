"""The gateway on a real broker, over HTTP and WebSocket; the exchange is played by what a test appends to the log."""

import asyncio
import time

import aiohttp
import pytest

from papertrader.cli.gateway_doctor import asked, findings
from papertrader.shared.log.broker import Broker
from tests.integration.door import SETTINGS, accepted, append, opened, said, told, until
from tests.integration.wire import bounded, connected
from tests.messages import account, ack, fill
from tests.signing import ADDRESS, KEY, address_of, order, signed


def test_an_order_is_a_message_and_its_answer_what_the_exchange_says(broker: Broker) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            await told(bus)
            async with opened(bus) as door:
                asking = asyncio.ensure_future(door.post("exchange", signed(order(c="0x" + "07" * 16))))
                placed = await accepted(bus)
                status, answer = await asking
                (action,) = await said(bus, "actions")
                assert (placed.side, placed.price, placed.time_in_force) == ("buy", 99.0, "post_only")
                assert 10**9 < placed.ts <= 2 * 10**9, "time has gone on since the round's end, by a second at most"
                assert action.orders[0].order_id == placed.order_id
                (resting,) = answer["response"]["data"]["statuses"]
                assert (status, resting) == (
                    200,
                    {"resting": {"oid": placed.order_id, "cloid": "0x" + "07" * 16}},
                )

    bounded(work())


def test_the_answer_comes_before_the_push_and_a_fill_before_its_order(broker: Broker) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            await told(bus)
            async with opened(bus) as door, door.http.ws_connect(f"{door.url}/ws") as socket:
                for kind in ("orderUpdates", "userFills"):
                    said_ = {"method": "subscribe", "subscription": {"type": kind, "user": ADDRESS}}
                    await socket.send_json(said_)
                payload = {"type": "action", "payload": signed(order(tif="Gtc", price="100.1"))}
                await socket.send_json({"method": "post", "id": 5, "request": payload})
                placed = await accepted(bus)
                done = ack(placed, 2 * 10**9, status="filled", filled_size=1.0)
                await append(bus, "acks", done)
                filled = fill(2 * 10**9, order_id=placed.order_id, price=100.1, maker=False, fee=0.045)
                await append(bus, "fills", filled)
                frames = [await socket.receive_json(timeout=5) for _ in range(7)]
                kinds = [frame["channel"] for frame in frames if frame["channel"] != "subscriptionResponse"]
                assert kinds == ["userFills", "post", "orderUpdates", "userFills", "orderUpdates"]
                (status,) = frames[3]["data"]["response"]["payload"]["response"]["data"]["statuses"]
                assert status == {"filled": {"totalSz": "1.0", "avgPx": "100.1", "oid": placed.order_id}}
                assert [frame["data"][0]["status"] for frame in (frames[4], frames[6])] == ["open", "filled"]
                assert frames[5]["data"]["fills"][0]["fee"] == "0.045"

    bounded(work())


def test_what_becomes_of_an_order_is_pushed_when_its_sender_has_left(broker: Broker) -> None:
    """He comes back on another connection: an answer that nobody waits for any more holds nothing back."""

    async def work() -> None:
        async with connected(broker) as bus:
            await told(bus)
            async with opened(bus) as door, door.http.ws_connect(f"{door.url}/ws") as other:
                await other.send_json(
                    {"method": "subscribe", "subscription": {"type": "orderUpdates", "user": ADDRESS}}
                )
                async with door.http.ws_connect(f"{door.url}/ws") as socket:
                    payload = {"type": "action", "payload": signed(order())}
                    await socket.send_json({"method": "post", "id": 5, "request": payload})
                    await until(lambda: door.gateway.exchange.requests["order"])
                placed = await accepted(bus)
                assert (await other.receive_json(timeout=5))["channel"] == "subscriptionResponse"
                update = await other.receive_json(timeout=5)
                assert (update["channel"], update["data"][0]["order"]["oid"]) == ("orderUpdates", placed.order_id)

    bounded(work())


def test_who_comes_before_any_market_is_told_to_come_again(broker: Broker) -> None:
    """A subscription of a coin that nobody knows yet would be refused for good."""

    async def work() -> None:
        async with connected(broker) as bus, opened(bus) as door:
            assert (await door.post("info", {"type": "meta"}))[0] == 503
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await door.http.ws_connect(f"{door.url}/ws")
            assert refused.value.status == 503
            await told(bus)
            await until(lambda: door.gateway.ledger.markets.clock_ts)
            async with door.http.ws_connect(f"{door.url}/ws") as socket:
                await socket.send_json({"method": "ping"})
                assert await socket.receive_json(timeout=5) == {"channel": "pong"}

    bounded(work())


def test_a_market_that_stands_still_is_no_answer(broker: Broker) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            await told(bus)
            async with opened(bus) as door:
                status, text = await door.post("exchange", signed(order()))
                assert (status, "has not answered in time" in text) == (504, True)
                assert door.gateway.exchange.refusals["no_answer"] == 1

    bounded(work())


def test_everything_is_restored_from_the_log(broker: Broker) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            await told(bus)
            body = signed(order(c="0x" + "07" * 16))
            async with opened(bus) as door:
                asking = asyncio.ensure_future(door.post("exchange", body))
                placed = await accepted(bus)
                await asking
                filled = fill(3 * 10**9, order_id=placed.order_id, size=0.25, position_after=0.25)
                await append(bus, "fills", filled)
                await append(bus, "account", account(3 * 10**9, position=0.25, equity=9_999.5))
                await until(lambda: door.gateway.ledger.accounts["main"].trades)
                before = [await door.user(kind) for kind in ("openOrders", "userFills", "historicalOrders")]
            async with opened(bus) as door:
                assert [await door.user(kind) for kind in ("openOrders", "userFills", "historicalOrders")] == before
                assert before[0][0]["sz"] == "0.75"
                assert (await door.user("clearinghouseState"))["marginSummary"]["accountValue"] == "9999.5"
                _, answer = await door.post("exchange", body)
                assert answer["response"] == f"Invalid nonce: duplicate nonce {body['nonce']}"

    bounded(work())


def test_who_asks_too_much_is_told_so_and_may_still_ask_now_and_then(broker: Broker) -> None:
    """Of a batch every element counts, cancels have more, trading earns more, and it is known after a restart."""

    async def work() -> None:
        async with connected(broker) as bus:
            await told(bus)
            tables = {**SETTINGS, "gateway": {"address_requests": 3, "accounts": {ADDRESS: "main"}}}
            cancels = {"type": "cancel", "cancels": [{"a": 0, "o": number} for number in (1, 2)]}
            async with opened(bus, tables) as door:
                main = door.gateway.ledger.accounts["main"]
                assert (await door.post("exchange", signed({"type": "noop"})))[1]["status"] == "ok"
                assert (await door.post("exchange", signed(cancels)))[1]["status"] == "ok"
                await until(lambda: main.requests == 3)
                assert (await door.post("exchange", signed({"type": "noop"})))[1]["status"] == "ok", "one every 10 s"
                await until(lambda: main.requests == 4)
                told_ = "Too many cumulative requests sent (5 > 3) for cumulative volume traded $0.00."
                assert (await door.post("exchange", signed({"type": "noop"})))[1]["response"].startswith(told_)
                assert (await door.post("exchange", signed(cancels)))[1]["status"] == "ok", "of cancels twice as many"
                await until(lambda: main.requests == 6)
            async with opened(bus, tables) as door:
                assert (await door.user("userRateLimit"))["nRequestsUsed"] == 6
                await append(bus, "account", account(3 * 10**9, turnover=100.0))
                await until(lambda: door.gateway.ledger.accounts["main"].turnover == 100.0)
                assert (await door.post("exchange", signed({"type": "noop"})))[1]["status"] == "ok"
                assert door.gateway.ledger.accounts["main"].beyond_at_s < 0

    bounded(work())


def test_who_asks_too_much_over_http_is_answered_429_and_the_doctor_says_why(broker: Broker) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            await told(bus)
            async with opened(bus, {**SETTINGS, "gateway": {"ip_weight": 41}}) as door:
                assert [(await door.post("info", {"type": "meta"}))[0] for _ in range(3)] == [200, 200, 429]
                assert (await door.post("exchange", signed({"type": "noop"})))[1]["status"] == "ok"
                assert await door.post("info", {"type": "meta"}) == (429, "null")
                state = await asyncio.to_thread(asked, door.url)
                assert state is not None
                assert any("gateway.ip_weight" in item.remedy for item in findings(door.url, state))

    bounded(work())


def test_a_gateway_says_what_stands_in_a_bots_way(broker: Broker) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            await told(bus)
            named = {**SETTINGS, "gateway": {"accounts": {ADDRESS: "main"}}}
            async with opened(bus, named) as door:
                other = type(KEY)(b"\x22" * 32)
                late = time.time_ns() // 1_000_000 - 3 * 86_400_000
                await door.post("exchange", signed({"type": "noop"}, key=other))
                await door.post("exchange", signed({"type": "noop"}, nonce=late))
                await door.post("exchange", signed(order(a=7)))
                state = await asyncio.to_thread(asked, door.url)
                assert state is not None
                assert [item["reason"] for item in state["recent"]] == ["order", "nonce", "unknown_signer"]
                assert (state["accounts"], state["free"]) == ({ADDRESS: "main"}, [])
                said_ = "\n".join(f"{item.text}: {item.remedy}" for item in findings(door.url, state) if not item.fine)
                assert all(words in said_ for words in (address_of(other), "-259200 s from", "ids are those"))

    bounded(work())
