"""One feed process that follows 178 coins: its CPU, its memory, and how long data takes to the log.

    python -m benchmarks.feed_many_coins [coins] [seconds]

A venue server plays 178 synthetic coins, about 13 frames a second each: three times what the venue sends. The feed
follows them with the default rounds of 50 ms and publishes on a real broker. The delay of a round runs from the receipt
of its last frame to its arrival at a subscriber, and holds the wait for the end of the round.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import msgspec

from papertrader.shared.log.broker import Broker, free_port
from papertrader.shared.log.bus import Bus
from papertrader.shared.messages import RoundEnd

WARM_UP_S = 15.0
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def resident_mib(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def started(module: str, *arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", module, *arguments], stderr=subprocess.DEVNULL)


def answered(url: str) -> None:
    """Wait until the server answers."""
    while True:
        try:
            urllib.request.urlopen(url, timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)


async def measure(broker: Broker, feed_pid: int, seconds: float) -> dict[str, Any]:
    decoder = msgspec.json.Decoder(RoundEnd)
    delays_ms: list[float] = []
    markets: set[str] = set()
    messages = 0

    async def on_message(message: Any) -> None:
        nonlocal messages
        messages += 1
        if message.subject.endswith(".round"):
            markets.add(message.subject)
            delays_ms.append((time.time_ns() - decoder.decode(message.data).recv_ts) * 1e-6)

    bus = await Bus.connect(broker.url, "bench")
    await asyncio.sleep(WARM_UP_S)
    await bus.subscribe("md.>", on_message)
    before = cpu_s(feed_pid)
    await asyncio.sleep(seconds)
    used = cpu_s(feed_pid) - before
    await bus.close()
    delays_ms.sort()
    return {
        "markets": len(markets),
        "messages_per_s": round(messages / seconds),
        "rounds_per_s": round(len(delays_ms) / seconds),
        "feed_cpu_percent": round(100 * used / seconds, 1),
        "feed_resident_mib": round(resident_mib(feed_pid)),
        "delay_ms_median": round(statistics.median(delays_ms), 1),
        "delay_ms_p99": round(delays_ms[int(0.99 * len(delays_ms))], 1),
    }


def main(coins: int, seconds: float) -> dict[str, Any]:
    """Measure and return the numbers."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        broker = Broker(Path(folder) / "nats")
        broker.start()
        venue = started("tools.venue_server", "--coins", str(coins), "--port", str(port), "--duration", "3600")
        url = f"http://127.0.0.1:{port}"
        answered(f"{url}/control")
        names = [f"C{number:03}" for number in range(1, coins + 1)]
        settings = Path(folder) / "settings.json"
        feed_settings = {"source": "hyperliquid", "assets": names, "venue_url": url}
        settings.write_text(json.dumps({"bus": {"url": broker.url}, "feed": feed_settings}))
        feed = started("papertrader.services.feed", "--settings", str(settings))
        try:
            return asyncio.run(measure(broker, feed.pid, seconds))
        finally:
            for process in (feed, venue):
                process.terminate()
                process.wait()
            broker.stop()


if __name__ == "__main__":
    wanted = [float(argument) for argument in sys.argv[1:]]
    numbers = main(int(wanted[0]) if wanted else 178, wanted[1] if len(wanted) > 1 else 20.0)
    print(json.dumps(numbers, indent=1))  # noqa: T201
