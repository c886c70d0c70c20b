"""The twin finds what was done to a record of real orders, its times made 200 ms too early, and foretells its fills."""

from pathlib import Path

import pytest

from papertrader.replay.judge.readers import bitstamp
from papertrader.replay.twin.readers import read_record
from papertrader.replay.twin.twin import twin
from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.sources import sources
from papertrader.services.fill_sim.config import FillSimConfig
from tests.level3_session import write_session


@pytest.mark.long
@pytest.mark.parametrize("latency_ms", [0, 200])
def test_wrong_latency_is_found_and_fills_are_foretold(latency_ms: int, tape_dir: Path, tmp_path: Path) -> None:
    """Every 16th passive order of four hours near the touch, in a feed of Hyperliquid's pace."""
    data = bitstamp.read(tape_dir / "bitstamp-l3-20150501-0000-0400.log.xz")
    session = write_session(data, tmp_path, every=16, latency_ms=latency_ms, within_bps=30.0)
    (source,) = sources(FeedConfig(source="tape", tapes=(session.tape,)))
    found = twin(source, read_record([session.orders, session.fills]), FillSimConfig())
    latency, odds, _ = found.fitted
    assert latency.low <= latency_ms <= latency.high
    assert latency.value == pytest.approx(latency_ms, abs=10.0)
    assert odds.low <= 0.79 <= odds.high, "as the places of all orders near the touch have it"
    assert found.as_fitted.fills_ratio.value == pytest.approx(1.0, abs=0.03)
    assert found.as_fitted.both == found.as_fitted.live_fills
