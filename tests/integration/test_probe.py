"""A probe finds the delays that a venue's server has been given."""

import asyncio
import sys
import time
import tomllib
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.live.latency_settings import implied
from papertrader.services.feed.live.probe import Probed, probe
from papertrader.services.feed.venues.registry import live_venue
from papertrader.services.fill_sim.config import FillSimConfig
from papertrader.shared.service.config import Settings
from tests.integration.wire import bounded
from tools.venue_server import binance
from tools.venue_server.frames import of_synthetic
from tools.venue_server.protocols import PROTOCOLS
from tools.venue_server.server import VenueServer

ANSWER_MS = 120.0
AGE_MS = 400.0
MACHINE_MS = 60.0
"""What a busy machine may add."""


def server(venue: str, age_ms: float = AGE_MS) -> VenueServer:
    programme = of_synthetic(venue, 600.0)
    return VenueServer(programme, PROTOCOLS[venue], delay_s=age_ms / 1e3, answer_s=ANSWER_MS / 1e3)


def measured(venue: str, duration_s: float, age_ms: float = AGE_MS) -> Probed:
    found: list[Probed] = []

    async def work() -> None:
        served = server(venue, age_ms)
        await served.start()
        asset = next(iter(served.programme.instruments))
        config = FeedConfig(source=venue, assets=(asset,), venue_url=served.url)  # type: ignore[arg-type]
        try:
            found.append(await probe(config, live_venue(config), duration_s))
        finally:
            await served.stop()

    bounded(work())
    return found[0]


@pytest.mark.parametrize("venue", ["hyperliquid", "binance"])
def test_round_trips_and_ages_are_those_of_the_server(venue: str) -> None:
    """Both clocks are this machine's, so none is ahead, where the venue tells its own."""
    found = measured(venue, 6.0)
    assert found.trips is not None
    assert found.data is not None
    assert found.trips.n >= 4
    assert ANSWER_MS <= found.trips.p50 < ANSWER_MS + MACHINE_MS
    assert AGE_MS - 2 <= found.data.p50 < AGE_MS + MACHINE_MS
    assert found.clock_ms == (0.0 if venue == "binance" else None), "half of a round trip is no error"


def test_a_clock_that_is_wrong_by_more_than_the_way_is_corrected(monkeypatch: pytest.MonkeyPatch) -> None:
    """The venue's clock, and its data's, are 3 s behind: 3.4 s old by this machine's, 0.4 s by the venue's."""
    now_ns = time.time_ns
    monkeypatch.setattr(binance, "time", SimpleNamespace(time_ns=lambda: now_ns() - 3_000_000_000))
    found = measured("binance", 6.0, AGE_MS + 3_000)
    assert found.clock_ms == pytest.approx(3_000 - ANSWER_MS / 2, abs=MACHINE_MS)
    assert found.data is not None
    assert found.data.p50 == pytest.approx(AGE_MS + ANSWER_MS / 2, abs=MACHINE_MS)


def test_command_writes_settings_that_the_paper_exchange_reads(tmp_path: Path) -> None:
    path = tmp_path / "latencies.toml"

    async def work() -> bytes:
        served = server("hyperliquid")
        await served.start()
        command = ["probe", "--assets", "BTC", "--venue-url", served.url, "--duration", "6"]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "papertrader.cli.main", *command, "--json", "--write-settings", str(path)),
            stdout=asyncio.subprocess.PIPE,
        )
        told, _ = await process.communicate()
        await served.stop()
        assert process.returncode == 0
        return told

    told: list[bytes] = []

    async def keep() -> None:
        told.append(await work())

    bounded(keep())
    found = msgspec.json.decode(told[0])
    assert found["round_trip_ms"]["p50"] >= ANSWER_MS
    config = Settings(tomllib.loads(path.read_text())).section("fill_sim", FillSimConfig)
    assert config.response_latency_ms is not None
    assert [list(knot) for knot in config.latencies("hyperliquid").response] == found["settings"]["response_latency_ms"]  # type: ignore[union-attr]
    assert "measured on" in path.read_text()


def test_too_little_implies_nothing() -> None:
    assert implied("hyperliquid", measured("hyperliquid", 0.2)) == []
