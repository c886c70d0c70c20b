"""So many broken bodies and frames against one gateway on a real broker, and what must be true afterwards."""

import asyncio
import logging
import random
import time
from collections import Counter
from typing import Any, Final

import msgspec

from papertrader.shared.log.broker import Broker
from papertrader.shared.messages.actions import SignedAction
from tests.fuzz.bodies import body, frame
from tests.fuzz.talking import BINARY, PING, TEXT, Http, Socket
from tests.integration.door import SETTINGS, Door, opened, said, told, until
from tests.integration.wire import connected, entries
from tests.signing import ADDRESS, signed

CLIENTS: Final = 4
NO_LIMITS: Final = {"address_requests": 0}
ANSWERS: Final = (200, 422)
SHOWN: Final = ("openOrders", "historicalOrders", "userFills", "userFunding", "clearinghouseState", "extraAgents")
FRAMES_BETWEEN_PINGS: Final = 50
FRAMES_OF_A_SOCKET: Final = 5_000


class Faults(logging.Handler):
    """What went wrong inside: whatever is logged as an error, by the server or by the event loop."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.found.append(self.format(record))


class Attack:
    """What was sent and answered."""

    def __init__(self, door: Door, seed: int) -> None:
        self._port = int(door.url.rpartition(":")[2])
        self._seed = seed
        self.counts: Counter[str] = Counter()
        self.refused: set[int] = set()
        """Nonces of requests that were refused as a whole."""

    async def run(self, wanted: int) -> None:
        """Send them all; half by HTTP and half by WebSocket."""
        each = wanted // (2 * CLIENTS)
        clients = [work(each, number) for number in range(CLIENTS) for work in (self._by_http, self._by_socket)]
        await asyncio.gather(*clients)

    async def _by_http(self, count: int, number: int) -> None:
        chance, http = random.Random(f"{self._seed} http {number}"), Http(self._port)
        for _ in range(count):
            door = "exchange" if chance.random() < 0.6 else "info"
            raw = body(chance, door)
            status, answer = await http.post(door, raw)
            assert status in ANSWERS, (status, answer, raw)
            self.counts[f"{door} {status}"] += 1
            if door == "exchange":
                self._note(raw, answer)
        assert http.opened == 1, "the connection broke"
        await http.close()

    def _note(self, raw: bytes, answer: bytes) -> None:
        """A `modify` is noted before the paper exchange refuses it, and so is what paper cannot mean."""
        if answer.startswith(b'{"status":"ok"') or b"means nothing on paper" in answer:
            self.counts["yes"] += 1
            return
        try:
            request = msgspec.json.decode(raw)
            if request["action"]["type"] != "modify" and isinstance(request["nonce"], int):
                self.refused.add(request["nonce"])
        except (ValueError, TypeError, KeyError, RecursionError):
            return

    async def _by_socket(self, count: int, number: int) -> None:
        chance, socket = random.Random(f"{self._seed} socket {number}"), Socket(self._port)
        for done in range(count):
            if done % FRAMES_OF_A_SOCKET == 0:
                if done:
                    await socket.close()
                await socket.open()
            kind = chance.choices((TEXT, BINARY, PING), (90, 8, 2))[0]
            raw = frame(chance)[: 125 if kind == PING else None]
            # text that is no UTF-8 ends a connection, as the protocol says: such frames go as bytes
            await socket.send(raw, BINARY if kind == TEXT and not _is_text(raw) else kind)
            self.counts["frame"] += 1
            if done % FRAMES_BETWEEN_PINGS == 0:
                await socket.reached()
                assert not socket.closed.is_set(), raw
        await socket.reached()
        self.counts["heard"] += socket.heard
        await socket.close()


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


async def shown(door: Door) -> list[Any]:
    """What the gateway shows of the account."""
    return [await door.user(kind) for kind in SHOWN]


async def attacked(broker: Broker, wanted: int, seed: int) -> Counter[str]:
    """Attack a gateway; raises AssertionError if anything is not as it was."""
    faults = Faults()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.found.append(str(context)))
    logging.getLogger().addHandler(faults)
    tables = {**SETTINGS, "gateway": {"accounts": {ADDRESS: "main"}, "answer_timeout_s": 60.0, **NO_LIMITS}}
    try:
        async with connected(broker) as bus:
            await told(bus)
            async with opened(bus, tables) as door:
                before, attack = await shown(door), Attack(door, seed)
                await attack.run(wanted)
                assert faults.found == [], faults.found[:3]
                assert await shown(door) == before
                assert (await said(bus, "orders"), door.gateway.failure, door.gateway.ledger.malformed) == (
                    [],
                    None,
                    {},
                )
                started = time.monotonic()
                assert (await door.post("exchange", signed({"type": "noop"})))[0] == 200
                assert time.monotonic() - started < 1
                await asyncio.wait_for(until(lambda: not door.gateway.streams.connections), 10)
            logged = [
                msgspec.json.decode(entry.payload, type=SignedAction) for entry in await entries(bus, "actions.>")
            ]
            assert not {action.nonce for action in logged} & attack.refused, [
                a for a in logged if a.nonce in attack.refused
            ][:3]
            assert faults.found == [], faults.found[:3]
    finally:
        logging.getLogger().removeHandler(faults)
    return attack.counts
