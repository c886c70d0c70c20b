"""The twin finds what was done to a record of real orders: its times made 200 ms too early."""

from pathlib import Path

import pytest

from papertrader.replay.judge.readers import bitstamp
from papertrader.replay.twin.appearances import appeared
from papertrader.replay.twin.fit import by_appearance
from papertrader.replay.twin.readers import read_record
from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.sources import sources
from tests.level3_session import write_session


@pytest.mark.long
@pytest.mark.parametrize("latency_ms", [0, 200])
def test_wrong_latency_is_found(latency_ms: int, tape_dir: Path, tmp_path: Path) -> None:
    """Every 16th passive order of four hours near the touch, in a feed of Hyperliquid's pace."""
    data = bitstamp.read(tape_dir / "bitstamp-l3-20150501-0000-0400.log.xz")
    session = write_session(data, tmp_path, every=16, latency_ms=latency_ms, within_bps=30.0)
    record = read_record([session.orders, session.fills])
    (source,) = sources(FeedConfig(source="tape", tapes=(session.tape,)))
    fitted = by_appearance(appeared(source, record.orders))
    assert fitted is not None
    assert fitted.low <= latency_ms <= fitted.high
    assert fitted.value == pytest.approx(latency_ms, abs=10.0)
