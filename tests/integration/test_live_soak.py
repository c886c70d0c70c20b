"""A long life at speed: faults all the time, and nothing may grow."""

import asyncio
import gc
import itertools
import os
import random
from collections import Counter
from pathlib import Path

import pytest

from papertrader.services.feed.venues.config import LiveConfig
from papertrader.shared.messages import Bbo, Gap, RoundEnd
from tests.integration.venues import following
from tests.integration.wire import bounded
from tools.venue_server.faults import KINDS, Fault
from tools.venue_server.frames import of_synthetic

pytestmark = pytest.mark.long

SPEED = 20.0
EVENT_S = 1_800.0 if os.environ.get("SLOW_TESTS") else 300.0
"""Event time of the soak: half an hour, or five minutes where nobody asked for the slow tests."""
EVERY_S = 10.0
"""Event time between two faults."""
LIVE = LiveConfig(
    ping_s=0.05, receive_timeout_s=0.2, data_timeout_s=0.8, reconnect_base_s=0.02, reconnect_cap_s=0.1, idle_ms=100
)
MAX_GROWTH_BYTES = 8 * 2**20


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def script() -> list[Fault]:
    """A fault every ten seconds of event time, in wall time; no jump so long that the session ends before it does."""
    draw = random.Random(7)
    times = itertools.takewhile(lambda at: at < EVENT_S - 3 * EVERY_S, itertools.count(EVERY_S, EVERY_S))
    return [
        Fault(
            at / SPEED, draw.choice(KINDS), draw.choice((0.0, 1.0, 5.0)) / SPEED, draw.choice((-30_000, 5_000, 60_000))
        )
        for at in times
    ]


def test_soak_of_three_markets_under_faults_stays_flat_and_ends_with_good_data() -> None:
    faults = script()

    async def soak() -> None:
        tasks, files = len(asyncio.all_tasks()), open_files()
        programme = of_synthetic("hyperliquid", EVENT_S)
        seen: dict[str, Counter[str]] = {asset: Counter() for asset in programme.instruments}
        ends: dict[str, RoundEnd] = {}
        touches: dict[str, Bbo] = {}
        memory: list[int] = []
        async with following(
            programme, LIVE, gap_after_ms=150, speed=SPEED, delay_s=EVENT_S, script=faults, seed=3
        ) as found:
            while not found.server.ended.is_set():
                await asyncio.sleep(0.25)
                memory.append(resident_bytes())
                for asset, market in found.session.markets.items():
                    while market.backlog:
                        round_ = market.backlog.popleft()
                        before, ends[asset] = ends.get(asset), round_.end
                        assert before is None or (round_.end.round > before.round and round_.end.ts > before.ts)
                        for message in round_.messages:
                            seen[asset][type(message).__name__] += 1
                            if isinstance(message, Bbo):
                                touches[asset] = message
                            assert not isinstance(message, Gap) or message.to_ts >= message.from_ts
            await asyncio.sleep(0.3)
            assert sum(found.server.faults.counts.values()) == len(faults)
            for asset, market in found.session.markets.items():
                assert market.gaps.total() > len(faults) / 10
                assert seen[asset]["Bbo"] > 0.3 * EVENT_S / 0.1
                assert market.event_ns(0) - touches[asset].ts < 5e9  # the last touch is from the end of the session
        gc.collect()
        await asyncio.sleep(0.2)
        assert len(asyncio.all_tasks()) == tasks
        assert open_files() <= files + 1
        settled = memory[len(memory) // 3 :]
        assert settled[-1] - settled[0] < MAX_GROWTH_BYTES, [value >> 20 for value in memory[::20]]

    bounded(soak(), EVENT_S / SPEED + 60)
