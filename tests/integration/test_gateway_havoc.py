"""Faults of the venue's server: each strikes when it is armed, and changes nothing but what a bot is told."""

import asyncio
import time
from typing import Any

import aiohttp
import pytest

from papertrader.shared.log.broker import Broker
from tests.integration.door import SETTINGS, accepted, append, opened, said, told
from tests.integration.wire import bounded, connected
from tests.messages import fill
from tests.signing import ADDRESS, order, signed


def armed(**faults: Any) -> dict[str, Any]:
    """Settings with these faults."""
    return {**SETTINGS, "gateway": {"answer_timeout_s": 1.0, "accounts": {ADDRESS: "main"}, **faults}}


def wanted(kind: str) -> dict[str, Any]:
    """A subscription of the user's."""
    return {"method": "subscribe", "subscription": {"type": kind, "user": ADDRESS}}


def test_a_busy_server_answers_429_and_takes_nothing(broker: Broker) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            await told(bus)
            async with opened(bus, armed(havoc_busy_share=1.0)) as door, door.http.ws_connect(f"{door.url}/ws") as ws:
                assert await door.post("exchange", signed(order())) == (429, "null")
                assert (await door.post("info", {"type": "meta"}))[0] == 429
                payload = {"type": "action", "payload": signed(order())}
                await ws.send_json({"method": "post", "id": 5, "request": payload})
                response = (await ws.receive_json(timeout=5))["data"]["response"]
                assert response == {"type": "error", "payload": "429 Too Many Requests"}
                assert await said(bus, "orders") == []
                assert door.gateway.havoc.struck["busy"] == 3

    bounded(work())


def test_a_late_answer_comes_after_what_is_pushed_of_it(broker: Broker) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            await told(bus)
            async with (
                opened(bus, armed(havoc_late_share=1.0, havoc_late_s=0.5)) as door,
                door.http.ws_connect(f"{door.url}/ws") as ws,
            ):
                await ws.send_json(wanted("orderUpdates"))
                started = time.monotonic()
                asking = asyncio.ensure_future(door.post("exchange", signed(order())))
                placed = await accepted(bus)
                assert (await ws.receive_json(timeout=5))["channel"] == "subscriptionResponse"
                assert (await ws.receive_json(timeout=5))["data"][0]["order"]["oid"] == placed.order_id
                assert not asking.done()
                assert (await asking)[0] == 200
                assert time.monotonic() - started >= 0.5

    bounded(work())


def test_a_fill_is_told_twice_and_counted_once(broker: Broker) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            await told(bus)
            async with opened(bus, armed(havoc_double_share=1.0)) as door, door.http.ws_connect(f"{door.url}/ws") as ws:
                await ws.send_json(wanted("userFills"))
                await append(bus, "fills", fill(2 * 10**9))
                frames = [await ws.receive_json(timeout=5) for _ in range(4)]
                assert frames[2] == frames[3]
                assert len(await door.user("userFills")) == 1

    bounded(work())


def test_sockets_are_closed_in_their_time(broker: Broker) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            await told(bus)
            async with opened(bus, armed(havoc_close_s=0.2)) as door, door.http.ws_connect(f"{door.url}/ws") as ws:
                started = time.monotonic()
                message = await ws.receive(timeout=5)
                assert message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
                assert time.monotonic() - started == pytest.approx(0.2, abs=0.5)
                assert (await door.post("info", {"type": "meta"}))[0] == 200

    bounded(work())


def test_draws_follow_from_the_seed(broker: Broker) -> None:
    async def statuses(bus: Any) -> list[int]:
        async with opened(bus, armed(havoc_busy_share=0.5, havoc_seed=7)) as door:
            return [(await door.post("info", {"type": "meta"}))[0] for _ in range(20)]

    async def work() -> None:
        async with connected(broker) as bus:
            await told(bus)
            first = await statuses(bus)
            assert set(first) == {200, 429}
            assert await statuses(bus) == first

    bounded(work())
