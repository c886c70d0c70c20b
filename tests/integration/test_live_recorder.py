"""A recording over the full hour: two whole tapes, nothing missed between them."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.files.recorder import ROLL_NS, Manifest, record
from papertrader.services.feed.live.local_clock import LocalClock
from papertrader.services.feed.sources import sources
from papertrader.services.feed.venues.registry import live_venue
from papertrader.shared.market.tape import read_tape
from papertrader.shared.messages import Gap, Trades
from tests.integration.venues import QUICK
from tests.integration.wire import bounded
from tools.venue_server.frames import of_synthetic
from tools.venue_server.protocols import PROTOCOLS
from tools.venue_server.server import VenueServer

BEFORE_NS = 1_500_000_000


class ClockBeforeTheHour(LocalClock):
    """A receive clock that starts a second and a half before a full hour."""

    def __init__(self) -> None:
        super().__init__()
        now_ns = self.now_ns()
        self._offset_ns += (now_ns // ROLL_NS + 1) * ROLL_NS - BEFORE_NS - now_ns


@pytest.mark.parametrize(("venue", "asset"), [("hyperliquid", "BTC"), ("binance", "BTCUSDT")])
def test_recording_rolls_at_the_full_hour_and_reads_on_without_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, venue: str, asset: str
) -> None:
    monkeypatch.setattr("papertrader.services.feed.live.session.LocalClock", ClockBeforeTheHour)
    monkeypatch.setattr("papertrader.services.feed.files.recorder.LocalClock", ClockBeforeTheHour)

    async def run() -> None:
        server = VenueServer(of_synthetic(venue, 600.0), PROTOCOLS[venue], speed=10.0, delay_s=600.0)
        await server.start()
        config = FeedConfig(source=venue, assets=(asset,), venue_url=server.url, live=QUICK, duration_s=4.0)  # type: ignore[arg-type]
        await record(config, live_venue(config), tmp_path, asyncio.Event())
        await server.stop()

    bounded(run())
    manifest = msgspec.json.decode((tmp_path / "manifest.json").read_bytes(), type=Manifest)
    assert manifest.gaps == []
    first, second = manifest.tapes
    assert first.last_ns // ROLL_NS + 1 == second.first_ns // ROLL_NS
    start = datetime.fromtimestamp(second.first_ns // 1_000_000_000, UTC)
    assert second.file.endswith(f"{start:%Y%m%dT%H0000}.gz")
    for tape in manifest.tapes:
        assert len(list(read_tape(tmp_path / tape.file, Counter()))) == tape.frames > 10
    (source,) = sources(FeedConfig(source="tape", tapes=(tmp_path,)))
    messages = [message for round_ in source.rounds() for message in round_.messages]
    assert not any(isinstance(message, Gap) for message in messages)
    ids = [trade_id for message in messages if isinstance(message, Trades) for trade_id in message.trade_ids]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
