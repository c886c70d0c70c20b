"""The feed and the recorder as processes, killed and started again, on a real broker and a venue server."""

import asyncio
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from papertrader.services.feed.files.recorder import Manifest
from papertrader.shared.log.broker import Broker
from papertrader.shared.log.bus import Bus
from papertrader.shared.log.kinds import MARKET_DATA
from papertrader.shared.log.reader import LogReader
from papertrader.shared.log.subjects import address
from papertrader.shared.log.tasks import REFUSED
from papertrader.shared.market.tape import read_tape
from papertrader.shared.messages import Gap, Instrument, RoundEnd
from tests.integration.processes import ServiceProcess, settings_file
from tests.integration.wire import become, bounded, connected
from tools.venue_server.frames import of_synthetic
from tools.venue_server.protocols import PROTOCOLS
from tools.venue_server.server import VenueServer

pytestmark = pytest.mark.long

PAPERTRADER = Path(sys.executable).with_name("papertrader")
decoders = {kind: msgspec.json.Decoder(struct) for kind, struct in MARKET_DATA.items()}


async def serve(venue: str = "hyperliquid", port: int = 0) -> VenueServer:
    server = VenueServer(of_synthetic(venue, 600.0), PROTOCOLS[venue])
    await server.start(port)
    return server


async def market_data(bus: Bus) -> list[Any]:
    """Everything on the log under md, in order."""
    found: list[Any] = []

    async def keep(_sequence: int, name: str, payload: bytes) -> None:
        found.append(decoders[address(name).kind].decode(payload))

    reader = LogReader(bus, ["md.>"], 0, keep)
    await reader.start()
    last = await bus.last("md.hyperliquid.BTC.round")
    await become(lambda: last is not None and reader.sequence >= last.sequence, "the whole log")
    await reader.stop()
    return found


def test_live_feed_killed_and_started_again_goes_on_in_the_same_log_with_a_gap(broker: Broker, tmp_path: Path) -> None:
    async def live() -> None:
        server = await serve()
        feed_settings = {"source": "hyperliquid", "assets": ["BTC"], "venue_url": server.url}
        settings = settings_file(tmp_path, {"bus": {"url": broker.url}, "feed": feed_settings})
        async with connected(broker) as bus:

            async def rounds_after(number: int) -> int:
                while True:
                    stored = await bus.last("md.hyperliquid.BTC.round")
                    if stored is not None and msgspec.json.decode(stored.payload, type=RoundEnd).round > number:
                        return msgspec.json.decode(stored.payload, type=RoundEnd).round
                    await asyncio.sleep(0.05)

            first = ServiceProcess("papertrader.services.feed", settings)
            number = await rounds_after(await rounds_after(0) + 20)
            first.kill()
            await asyncio.sleep(0.5)
            second = ServiceProcess("papertrader.services.feed", settings)
            await rounds_after(await rounds_after(number + 5) + 20)
            assert await asyncio.to_thread(second.stop) == 0
            found = await market_data(bus)
        await server.stop()
        ends = [end for end in found if isinstance(end, RoundEnd) and not end.discard]
        assert [end.round for end in ends] == sorted({end.round for end in ends})
        assert len({end.session for end in ends}) == 2
        (gap,) = [message for message in found if isinstance(message, Gap)]
        before = max(end.ts for end in ends if end.session == ends[0].session)
        assert (gap.from_ts, gap.reason) == (before, "restarted")
        assert sum(isinstance(message, Instrument) for message in found) == 2

    bounded(live(), 90)


def test_log_of_a_tape_is_not_gone_on_with_live(broker: Broker, tmp_path: Path) -> None:
    async def live() -> None:
        server = await serve()
        async with connected(broker) as bus:
            end = RoundEnd(ts=1, recv_ts=1, round=1, frame=1, session="a-tape")
            await bus.append("md.hyperliquid.BTC.round", msgspec.json.encode(end), "1")
            feed_settings = {"source": "hyperliquid", "assets": ["BTC"], "venue_url": server.url}
            settings = settings_file(tmp_path, {"bus": {"url": broker.url}, "feed": feed_settings})
            code, said = await asyncio.to_thread(ServiceProcess("papertrader.services.feed", settings).ended)
        await server.stop()
        assert code == REFUSED
        assert "another session of hyperliquid.BTC" in said

    bounded(live())


@pytest.mark.parametrize(("source", "asset"), [("hyperliquid", "BTC"), ("binance", "BTCUSDT")])
def test_recorder_killed_loses_at_most_a_second_and_mends_its_tape(tmp_path: Path, source: str, asset: str) -> None:
    async def record() -> None:
        server = await serve(source)
        command = [str(PAPERTRADER), "record", "--source", source, "--assets", asset, "--venue-url", server.url]
        command += ["--output", str(tmp_path)]
        first = await asyncio.to_thread(subprocess.Popen, command, stderr=subprocess.DEVNULL)
        await become(lambda: any(path.stat().st_size > 2_500 for path in tmp_path.glob("*.part")), "a tape")
        first.kill()
        killed_ns = time.time_ns()
        await asyncio.to_thread(first.wait)
        again = [*command, "--duration", "1.5"]
        assert await asyncio.to_thread(subprocess.call, again, stderr=subprocess.DEVNULL) == 0
        await server.stop()
        manifest = msgspec.json.decode((tmp_path / "manifest.json").read_bytes(), type=Manifest)
        repaired, whole = manifest.tapes
        assert (repaired.repaired, whole.repaired) == (True, False)
        assert killed_ns - 1_000_000_000 < repaired.last_ns < killed_ns
        assert [gap.reason for gap in manifest.gaps] == ["stopped"]
        for tape in manifest.tapes:
            assert len(list(read_tape(tmp_path / tape.file, Counter()))) == tape.frames

    bounded(record())
    assert not list(tmp_path.glob("*.part*"))
