"""A gateway on a real broker, and who asks it; the exchange is played by what a test appends to the log."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec

from papertrader.services.gateway.server import serve
from papertrader.services.gateway.service import Gateway
from papertrader.shared.log.broker import free_port
from papertrader.shared.log.bus import Bus
from papertrader.shared.messages import Book, Instrument, Message, Place, RoundEnd
from papertrader.shared.messages.actions import SignedAction
from papertrader.shared.service.config import Settings
from tests.messages import ack
from tests.signing import ADDRESS

MARKET = "hyperliquid.BTC"
SETTINGS: dict[str, Any] = {"quoter": {"strategy": "none"}, "gateway": {"answer_timeout_s": 1.0}}


async def append(bus: Bus, kind: str, message: Message) -> None:
    """A message on the log, of the market or of its account `main`."""
    name = f"md.{MARKET}.{kind}" if kind in ("round", "book", "instrument") else f"{kind}.{MARKET}.main"
    await bus.append(name, msgspec.json.encode(message), "")


async def told(bus: Bus) -> None:
    """A market with a book, in which a round has ended at 1 s."""
    await append(bus, "instrument", Instrument(ts=1, tick_size=0.1, lot_size=0.001))
    levels = {"bid_prices": [99.9], "bid_sizes": [1.0], "ask_prices": [100.1], "ask_sizes": [2.0]}
    await append(bus, "book", Book(ts=10**9, recv_ts=1, **levels))
    await append(bus, "round", RoundEnd(ts=10**9, recv_ts=1, round=1, frame=1, session="s", messages=2))


class Door:
    """A client of a gateway."""

    def __init__(self, http: aiohttp.ClientSession, url: str, gateway: Gateway) -> None:
        self.http, self.url, self.gateway = http, url, gateway

    async def post(self, door: str, body: Any) -> tuple[int, Any]:
        """A request's status and answer."""
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        async with self.http.post(f"{self.url}/{door}", data=data) as answer:
            text = await answer.read()
            return answer.status, msgspec.json.decode(text) if answer.status == 200 else text.decode()

    async def user(self, kind: str, **more: Any) -> Any:
        """The answer to a question about the user."""
        return (await self.post("info", {"type": kind, "user": ADDRESS, **more}))[1]


@asynccontextmanager
async def opened(bus: Bus, tables: dict[str, Any] = SETTINGS) -> AsyncIterator[Door]:
    """A gateway at work."""
    gateway, port = Gateway(bus, Settings(tables)), free_port()
    await gateway.restore()
    doors = await serve(gateway, "127.0.0.1", port)
    pushing = asyncio.ensure_future(gateway.push())
    async with aiohttp.ClientSession() as http:
        yield Door(http, f"http://127.0.0.1:{port}", gateway)
    pushing.cancel()
    await doors.cleanup()
    await gateway.leave()


async def said(bus: Bus, kind: str) -> list[Any]:
    """What stands on the log of the account."""
    name, struct = (f"orders.{MARKET}.main", Place) if kind == "orders" else ("actions.all.all.main", SignedAction)
    found, after = [], 0
    while (stored := await bus.next(name, after)) is not None:
        found.append(msgspec.json.decode(stored.payload, type=struct))
        after = stored.sequence
    return found


async def until(condition: Callable[[], Any]) -> None:
    """Wait for something to become true."""
    while not condition():  # noqa: ASYNC110 - what is waited for has no event
        await asyncio.sleep(0.005)


async def accepted(bus: Bus, **changes: Any) -> Place:
    """Play the exchange: the next order is accepted."""
    placed: list[Place] = []
    while not placed:
        await asyncio.sleep(0.01)
        placed = await said(bus, "orders")
    await append(bus, "acks", ack(placed[-1], 2 * 10**9, **changes))
    return placed[-1]
