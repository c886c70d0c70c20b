"""Bots as simple as can be: they trade over HTTP, hear over a WebSocket, and survive what happens to both."""

import asyncio
import contextlib
import random
from collections import Counter
from typing import Any, Final

import aiohttp
import msgspec
from coincurve import PrivateKey

from tests.signing import address_of, order, signed

SIZE: Final = 0.001
PATIENCE_S: Final = 15.0
BROKEN: Final = (aiohttp.ClientError, ConnectionError, TimeoutError, ValueError)
LIVE: Final = ("open", "triggered")


class Bot:
    """One bot. What it knows of its orders and fills is what it was answered and what its stream told it."""

    def __init__(self, url: str, number: int) -> None:
        self.key = PrivateKey(bytes([number]) * 32)
        self.address = address_of(self.key)
        self.name = f"bot{number}"
        self.answers: Counter[str] = Counter()
        self.placed: set[str] = set()
        """The cloid of every order that it sent, whatever it was answered."""
        self.taken: set[str] = set()
        """Those that it was told are taken."""
        self.fills: dict[int, dict[str, Any]] = {}
        self.statuses: dict[str, str] = {}
        """What the stream said last, by cloid."""
        self.quiet = False
        self._url = url
        self._chance = random.Random(number)
        self._number = number
        self._touch: list[float] = []
        self._resting: dict[str, int] = {}

    async def live(self, ended: asyncio.Event, left: asyncio.Event) -> None:
        """Trade until the end, then take everything back, and listen until it may leave."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(PATIENCE_S)) as self._http:
            hearing = asyncio.ensure_future(self._hear())
            try:
                while not ended.is_set():
                    await asyncio.sleep(self._chance.uniform(0.02, 0.2))
                    if self._touch:
                        await self._act()
                await self._withdraw()
                self.quiet = True
                await left.wait()
            finally:
                hearing.cancel()
                await asyncio.wait([hearing])

    async def ask(self, kind: str, **more: Any) -> Any:
        """A question about itself, asked until it is answered."""
        while True:
            with contextlib.suppress(*BROKEN):
                body = {"type": kind, "user": self.address, **more}
                async with self._http.post(f"{self._url}/info", data=msgspec.json.encode(body)) as answer:
                    if answer.status == 200:
                        return msgspec.json.decode(await answer.read())
            await asyncio.sleep(0.2)

    async def _act(self) -> None:
        """Place, cancel or change something."""
        what, chance = self._chance.random(), self._chance
        if what < 0.7 or not self._resting:
            buys, tif = chance.random() < 0.5, chance.choice(("Alo", "Alo", "Gtc", "Ioc"))
            near = self._touch[0 if (tif == "Alo") == buys else 1]
            price = near - (1 if buys else -1) * chance.choice((0, 0, 1, 5)) * (tif == "Alo")
            await self._place(buys, price, tif)
            return
        cloid, oid = chance.choice(list(self._resting.items()))
        self._resting.pop(cloid)
        if what < 0.9:
            await self._send({"type": "cancel", "cancels": [{"a": 0, "o": oid}]})
            return
        new = self._cloid()
        buys = chance.random() < 0.5
        action = self._order(buys, self._touch[0 if buys else 1], "Alo", new)
        await self._send({"type": "modify", "oid": oid, "order": action["orders"][0]})

    def _cloid(self) -> str:
        cloid = f"0x{self._number:04x}{len(self.placed):028x}"
        self.placed.add(cloid)
        return cloid

    def _order(self, buys: bool, price: float, tif: str, cloid: str) -> dict[str, Any]:
        return order(price=f"{price:.1f}", size=str(SIZE), tif=tif, b=buys, c=cloid)

    async def _place(self, buys: bool, price: float, tif: str) -> None:
        """Place an order; one whose answer was lost is asked for, never sent again."""
        cloid = self._cloid()
        answer = await self._send(self._order(buys, price, tif, cloid))
        if answer is None:
            found = await self.ask("orderStatus", oid=cloid)
            self.answers[found["status"]] += 1
            return
        (status,) = answer["response"]["data"]["statuses"]
        (what,) = status
        self.answers[what] += 1
        if what in ("resting", "filled"):
            self.taken.add(cloid)
        if what == "resting":
            self._resting[cloid] = status["resting"]["oid"]

    async def _send(self, action: dict[str, Any]) -> Any:
        """The answer to a signed request, None where nobody knows what became of it."""
        body = msgspec.json.encode(signed(action, key=self.key))
        try:
            async with self._http.post(f"{self._url}/exchange", data=body) as answer:
                found = msgspec.json.decode(await answer.read()) if answer.status == 200 else None
        except BROKEN:
            found = None
        self.answers["lost" if found is None else found["status"]] += 1
        return found if found is not None and found["status"] == "ok" else None

    async def _withdraw(self) -> None:
        """Cancel what still rests, until nothing does."""
        while found := await self.ask("openOrders"):
            await self._send({"type": "cancel", "cancels": [{"a": 0, "o": item["oid"]} for item in found]})
            await asyncio.sleep(0.5)

    async def _hear(self) -> None:
        """Listen, and connect again whenever the line breaks."""
        while True:
            with contextlib.suppress(*BROKEN):
                async with self._http.ws_connect(f"{self._url}/ws", heartbeat=5) as socket:
                    for kind in ("userFills", "orderUpdates"):
                        wanted = {"type": kind, "user": self.address}
                        await socket.send_json({"method": "subscribe", "subscription": wanted})
                    await socket.send_json({"method": "subscribe", "subscription": {"type": "bbo", "coin": "BTC"}})
                    async for message in socket:
                        self._take(msgspec.json.decode(message.data))
            self.answers["reconnected"] += 1
            await asyncio.sleep(0.2)

    def _take(self, frame: dict[str, Any]) -> None:
        kind, data = frame["channel"], frame["data"]
        if kind == "bbo" and all(data["bbo"]):
            self._touch = [float(side["px"]) for side in data["bbo"]]
        elif kind == "userFills":
            self.fills |= {fill["tid"]: fill for fill in data["fills"]}
        elif kind == "orderUpdates":
            for update in data:
                cloid = update["order"].get("cloid", "")
                self.statuses[cloid] = update["status"]
                if update["status"] not in LIVE:
                    self._resting.pop(cloid, None)
