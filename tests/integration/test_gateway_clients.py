"""What single clients were seen to ask of the gateway, in the bytes that they sent."""

import asyncio
import time
from typing import Any

import pytest

from papertrader.services.gateway.server import PUSH_AFTER_S
from papertrader.shared.log.broker import Broker
from tests.integration.door import accepted, append, opened, said, told
from tests.integration.wire import bounded, connected
from tests.messages import ack
from tests.signing import order, signed

USER = b'"user":"0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"'


@pytest.mark.parametrize(
    ("subscription", "keys"),
    [
        (b'{"type":"webData2",' + USER + b"}", {"clearinghouseState", "openOrders", "meta", "assetCtxs", "serverTime"}),
        (b'{"type":"webData3",' + USER + b"}", {"userState", "perpDexStates"}),
        (b'{"type":"assetCtxs","dex":""}', {"dex", "ctxs"}),
        (b'{"type":"allDexsAssetCtxs"}', {"ctxs"}),
    ],
    ids=["webData2", "webData3", "assetCtxs", "allDexsAssetCtxs"],
)
def test_overviews_arrive_at_once_and_again(broker: Broker, subscription: bytes, keys: set[str]) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            await told(bus)
            async with opened(bus) as door, door.http.ws_connect(f"{door.url}/ws") as socket:
                await socket.send_bytes(b'{"method":"subscribe","subscription":' + subscription + b"}")
                assert (await socket.receive_json(timeout=5))["channel"] == "subscriptionResponse"
                first, again = [await socket.receive_json(timeout=5) for _ in range(2)]
                assert first["channel"] == again["channel"] == subscription.split(b'"')[3].decode()
                assert keys <= set(first["data"])

    bounded(work())


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (b'{"type":"userDexAbstraction",' + USER + b"}", False),
        (b'{"type":"delegatorHistory",' + USER + b"}", []),
        (
            b'{"type":"marginTable","id":50}',
            {"description": "", "marginTiers": [{"lowerBound": "0.0", "maxLeverage": 50}]},
        ),
    ],
    ids=["userDexAbstraction", "delegatorHistory", "marginTable"],
)
def test_questions_that_clients_check_the_shape_of(broker: Broker, body: bytes, answer: Any) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            await told(bus)
            async with opened(bus) as door:
                assert await door.post("info", body) == (200, answer)

    bounded(work())


@pytest.mark.parametrize(
    ("body", "keys"),
    [
        (b'{"type":"userFees",' + USER + b"}", {"feeTrialEscrow", "stakingLink", "activeStakingDiscount"}),
        (b'{"type":"referral",' + USER + b"}", {"builderRewards", "referrerState", "rewardHistory", "tokenToState"}),
        (b'{"type":"outcomeMeta"}', {"outcomes", "questions", "deployers", "feeScale"}),
    ],
    ids=["userFees", "referral", "outcomeMeta"],
)
def test_answers_have_all_that_typed_clients_validate(broker: Broker, body: bytes, keys: set[str]) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            await told(bus)
            async with opened(bus) as door:
                assert keys <= set((await door.post("info", body))[1])

    bounded(work())


def test_the_news_of_a_refused_order_leave_time_to_take_its_answer(broker: Broker) -> None:
    """nautilus takes both from one socket in two tasks: news that follow at once overtake the answer there."""

    async def work() -> None:
        async with connected(broker) as bus:
            await told(bus)
            async with opened(bus) as door, door.http.ws_connect(f"{door.url}/ws") as socket:
                await socket.send_bytes(b'{"method":"subscribe","subscription":{"type":"orderUpdates",' + USER + b"}}")
                await socket.receive_json(timeout=5)
                payload = {"type": "action", "payload": signed(order())}
                await socket.send_json({"method": "post", "id": 1, "request": payload})
                await accepted(bus, status="rejected", reason="post_only_would_cross")
                answer = await socket.receive_json(timeout=5)
                answered = time.monotonic()
                update = await socket.receive_json(timeout=5)
                assert time.monotonic() - answered >= 0.8 * PUSH_AFTER_S
                assert (answer["channel"], update["data"][0]["status"]) == ("post", "badAloPxRejected")

    bounded(work())


def test_each_request_of_an_order_is_answered_before_its_news(broker: Broker) -> None:
    """A cancel that comes while the news of the placing still wait is answered first, too."""

    async def work() -> None:
        async with connected(broker) as bus:
            await told(bus)
            async with opened(bus) as door, door.http.ws_connect(f"{door.url}/ws") as socket:
                await socket.send_bytes(b'{"method":"subscribe","subscription":{"type":"orderUpdates",' + USER + b"}}")
                payload = {"type": "action", "payload": signed(order())}
                await socket.send_json({"method": "post", "id": 1, "request": payload})
                placed = await accepted(bus)
                await socket.receive_json(timeout=5)
                (status,) = (await socket.receive_json(timeout=5))["data"]["response"]["payload"]["response"]["data"][
                    "statuses"
                ]
                action = {"type": "cancel", "cancels": [{"a": 0, "o": status["resting"]["oid"]}]}
                payload = {"type": "action", "payload": signed(action)}
                await socket.send_json({"method": "post", "id": 2, "request": payload})
                while len(await said(bus, "actions")) < 2:  # noqa: ASYNC110 - the log has no such event
                    await asyncio.sleep(0.005)
                await asyncio.sleep(2 * PUSH_AFTER_S)
                await append(bus, "acks", ack(placed, 3 * 10**9, status="cancelled"))
                frames = [await socket.receive_json(timeout=5) for _ in range(3)]
                told_ = [
                    frame["data"][0]["status"] if frame["channel"] == "orderUpdates" else "answer" for frame in frames
                ]
                assert told_ == ["open", "answer", "canceled"]

    bounded(work())
