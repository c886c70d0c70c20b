"""Orders over the gateway: how long one takes on top of what is simulated, and how many one worker answers.

    python -m benchmarks.gateway [repetitions] [orders in each] [seconds of throughput in each]

Feed, fill-sim and gateway work on a venue server with a busy coin and a quiet one, of which nothing is heard for five
seconds at a time. The way of an order is from the request to the answer, which comes when the paper exchange has taken
it: after the simulated latency and until the round's end; a cancel's waits for prints that come late as well. The rate
is that of several bots who place and cancel on many connections without latency; it stands beside a bare aiohttp server
that sends the same bodies back, to the same client, both in turns.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import uvloop
from aiohttp import web
from coincurve import PrivateKey

from benchmarks.bus import Process, brokered
from benchmarks.feed_many_coins import answered
from benchmarks.figures import Row, percentile, ratios, spread
from papertrader.shared.log.broker import free_port
from tests.fuzz.talking import Http
from tests.signing import address_of, order, signed

BUSY, QUIET = "BUSY", "QUIET"
LATENCY_MS, ROUND_MS, LATE_PRINT_MS = 200, 50, 200
BOTS, CONNECTIONS = 8, 30
BID, ASK = 100.0, 100.1
KEYS = [PrivateKey(bytes([number]) * 32) for number in range(1, BOTS + 1)]
TAPE_S = 3_600
WARM_UP_S = 15.0


class Rate(NamedTuple):
    """Requests per second, and the server's processor time for one, s."""

    per_s: float
    cpu_s: float


class Ways(NamedTuple):
    """From request to answer, s."""

    orders: list[float]
    cancels: list[float]


def tape(path: Path) -> None:
    """A tape of a market with news ten times a second, and of one with a book every five seconds."""
    start_ms = 1_800_000_000_000
    lines = []
    for step in range(10 * TAPE_S):
        now_ms = start_ms + step * 100
        if step % 50 == 0:
            lines += [_book(QUIET, now_ms), _book(BUSY, now_ms)]
        sides = [{"px": str(price), "sz": f"{1 + step % 7}.0", "n": 1} for price in (BID, ASK)]
        lines.append(_line(now_ms, "bbo", {"coin": BUSY, "time": now_ms, "bbo": sides}))
    path.write_text("\n".join(lines) + "\n")


def _book(coin: str, now_ms: int) -> str:
    sides = [
        [{"px": f"{price + sign * level / 10:.1f}", "sz": "5.0", "n": 1} for level in range(20)]
        for price, sign in ((BID, -1), (ASK, 1))
    ]
    return _line(now_ms, "l2Book", {"coin": coin, "time": now_ms, "levels": sides})


def _line(now_ms: int, channel: str, data: dict[str, Any]) -> str:
    return f"{now_ms * 1_000_000} {json.dumps({'channel': channel, 'data': data})}"


@contextmanager
def gateway(latency_ms: int) -> Iterator[tuple[int, Process]]:
    """A gateway at work, with all that it needs: its port and its process."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = stack.enter_context(brokered(folder / "nats"))
        tape(folder / "tape")
        port, venue_port = free_port(), free_port()
        url = f"http://127.0.0.1:{venue_port}"
        venue = Process("tools.venue_server", "--tape", str(folder / "tape"), "--port", str(venue_port))
        stack.enter_context(venue.running())
        answered(f"{url}/control")
        settings = folder / "settings.json"
        settings.write_text(json.dumps(_tables(latency_ms, url, port, broker.url, folder)))
        for name in ("fill_sim", "feed"):
            stack.enter_context(Process(f"papertrader.services.{name}", "--settings", str(settings)).running())
        found = stack.enter_context(Process("papertrader.services.gateway", "--settings", str(settings)).running())
        time.sleep(WARM_UP_S)
        yield port, found


def _tables(latency_ms: int, venue: str, port: int, broker: str, folder: Path) -> dict[str, Any]:
    way = {f"{kind}_latency_ms": latency_ms for kind in ("placement", "modify", "cancel")}
    return {
        "bus": {"url": broker, "data_dir": str(folder)},
        "feed": {"source": "hyperliquid", "assets": [BUSY, QUIET], "venue_url": venue, "round_ms": ROUND_MS},
        "fill_sim": {**way, "response_latency_ms": 0, "late_print_ms": LATE_PRINT_MS, "initial_cash": 1e6},
        "quoter": {"strategy": "none"},
        "accounts": {f"bot{number}": {} for number in range(BOTS)},
        "gateway": {
            "port": port,
            "address_requests": 0,
            "accounts": {address_of(key): f"bot{number}" for number, key in enumerate(KEYS)},
        },
    }


class Trader:
    """A connection of a bot, on which it places an order far from the touch and cancels it, again and again."""

    def __init__(self, port: int, key: PrivateKey, coin: str) -> None:
        self._http = Http(port)
        self._key = key
        self._coin = coin
        self._asset = 0

    async def open(self) -> None:
        """Connect and look up the coin's id; whoever does not know the question has no ids."""
        _, answer = await self._http.post("info", b'{"type":"meta"}')
        universe = msgspec.json.decode(answer).get("universe", [{"name": self._coin}])
        self._asset = [item["name"] for item in universe].index(self._coin)

    async def place(self) -> int:
        """Place; the oid."""
        action = order(a=self._asset, price="90.0", size="1.0")
        return int((await self._ask(action))["resting"]["oid"])

    async def cancel(self, oid: int) -> None:
        """Cancel."""
        status = await self._ask({"type": "cancel", "cancels": [{"a": self._asset, "o": oid}]})
        assert status == "success", status

    async def echo(self) -> None:
        """Send what `place` sends."""
        await self._http.post("exchange", self._body(order(a=self._asset, price="90.0", size="1.0")))

    async def close(self) -> None:
        """Leave."""
        await self._http.close()

    def _body(self, action: dict[str, Any]) -> bytes:
        return msgspec.json.encode(signed(action, key=self._key))

    async def _ask(self, action: dict[str, Any]) -> Any:
        status, answer = await self._http.post("exchange", self._body(action))
        found = msgspec.json.decode(answer) if status == 200 else answer
        assert (status, found["status"]) == (200, "ok"), found
        return found["response"]["data"]["statuses"][0]


async def ways(port: int, coin: str, orders: int) -> Ways:
    """The ways of so many orders and cancels, one after the other, some time apart."""
    trader, found = Trader(port, KEYS[0], coin), Ways([], [])
    await trader.open()
    for number in range(orders):
        await asyncio.sleep(3.1 + 0.037 * (number % 20) if coin == QUIET else 0.05 + 0.007 * (number % 10))
        started = time.perf_counter()
        oid = await trader.place()
        placed = time.perf_counter()
        await trader.cancel(oid)
        found.orders.append(placed - started)
        found.cancels.append(time.perf_counter() - placed)
    await trader.close()
    return found


async def rate(port: int, process: Process, seconds: float, work: Callable[[Trader], Awaitable[int]]) -> Rate:
    """How often `work` is done in a second on all connections; it says how many requests it was."""
    traders = [Trader(port, key, BUSY) for key in KEYS for _ in range(CONNECTIONS)]
    await asyncio.gather(*(trader.open() for trader in traders))
    ends, done = time.perf_counter() + seconds, 0

    async def go_on(trader: Trader) -> None:
        nonlocal done
        while time.perf_counter() < ends:
            count = await work(trader)
            done += count

    started, used = time.perf_counter(), process.cpu_s()
    await asyncio.gather(*map(go_on, traders))
    took, cpu_s = time.perf_counter() - started, process.cpu_s() - used
    for trader in traders:
        await trader.close()
    return Rate(done / took, cpu_s / done)


async def _both(trader: Trader) -> int:
    await trader.cancel(await trader.place())
    return 2


async def _echoed(trader: Trader) -> int:
    await trader.echo()
    return 1


def serve_echo(port: int) -> None:
    """A bare server that sends every body back."""

    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=await request.read(), content_type="application/json")

    async def forever() -> None:
        application = web.Application()
        application.router.add_post("/{path:.*}", echo)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await asyncio.Event().wait()

    uvloop.run(forever())


def rows(repetitions: int, orders: int, seconds: float) -> Iterator[Row]:
    """The lines of the table."""
    with gateway(LATENCY_MS) as (port, _):
        for coin in (BUSY, QUIET):
            count = orders if coin == BUSY else max(orders // 5, 5)
            measured = [uvloop.run(ways(port, coin, count)) for _ in range(repetitions)]
            yield from _way_rows(coin, measured)
    echo_port = free_port()
    bare = Process("benchmarks.gateway", "echo", str(echo_port))
    with gateway(0) as (port, worker), bare.running():
        pairs = [
            (
                uvloop.run(rate(port, worker, seconds, _both)),
                uvloop.run(rate(echo_port, bare, seconds, _echoed)),
            )
            for _ in range(repetitions)
        ]
    yield from _rate_rows(pairs)


def _way_rows(coin: str, measured: list[Ways]) -> Iterator[Row]:
    market = "a busy market" if coin == BUSY else "a market of which nothing is heard for 5 s"
    for what, simulated, against, seconds in (
        ("an order", LATENCY_MS + ROUND_MS, "latency and a round", [item.orders for item in measured]),
        (
            "a cancel",
            LATENCY_MS + LATE_PRINT_MS + ROUND_MS,
            "latency, the wait for late prints and a round",
            [item.cancels for item in measured],
        ),
    ):
        for share in (0.5, 0.99):
            found = [percentile(each, share) * 1e3 for each in seconds]
            yield Row(
                f"(g) {what} over HTTP in {market}, until its answer, p{share * 100:g}, ms; {len(seconds[0])} each",
                spread(found),
                f"simulated {against}: {simulated}",
                f"{spread([value - simulated for value in found])} more",
            )


def _rate_rows(pairs: list[tuple[Rate, Rate]]) -> Iterator[Row]:
    for name, scale, values in (
        ("orders and cancels per second of one gateway worker", 1.0, [(a.per_s, b.per_s) for a, b in pairs]),
        ("its processor time for one, µs", 1e6, [(a.cpu_s, b.cpu_s) for a, b in pairs]),
    ):
        ours, theirs = [mine for mine, _ in values], [other for _, other in values]
        yield Row(
            f"(g) {name}; {BOTS} bots on {BOTS * CONNECTIONS} connections",
            spread(ours, scale),
            f"bare aiohttp, the same bodies sent back: {spread(theirs, scale)}",
            spread(ratios(ours, theirs)),
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["echo"]:
        serve_echo(int(sys.argv[2]))
    else:
        given = [float(text) for text in sys.argv[1:]]
        repetitions, orders, seconds = (*given, *(3, 50, 10)[len(given) :])
        for row in rows(int(repetitions), int(orders), seconds):
            sys.stdout.write(f"{row}\n")
            sys.stdout.flush()
