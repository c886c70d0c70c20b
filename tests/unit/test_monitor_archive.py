"""The archive as the monitor sees it: what it says of itself fails the check `checkpoints`, with the cause."""

import pytest

from papertrader.services.monitor.config import MonitorConfig
from papertrader.services.monitor.facts.heartbeats import Heartbeats
from papertrader.services.monitor.facts.liveness import ServiceHealth, broken
from papertrader.shared.log.health import Heartbeat, MarketHealth
from tests.unit.monitoring import MARKET
from tests.unit.test_monitor_checks import ACCOUNT, failing, healthy, monitored


@pytest.mark.parametrize(
    ("bad", "cause"),
    [
        ({"archive_failing": 3}, "the archive cannot write segments"),
        ({"log_missing": 7}, "the log was purged: 7 messages were gone before they could be sealed"),
        ({"disk_full_within_days": 2}, "the disk of the segments is full within 2 days"),
        ({"disk_full_within_days": 1}, "full within 1 day"),
    ],
)
def test_trouble_of_the_archive_fails_checkpoints(bad: dict[str, int], cause: str) -> None:
    archive = ServiceHealth(heartbeat_age_s=0.5, uptime_s=600.0, bad_messages=bad)
    check = monitored().checklist(ACCOUNT, healthy() | {"archive": archive}).checks["checkpoints"]
    assert (check.state, cause in check.cause, bool(check.remedy)) == ("fail", True, True)


def test_an_archive_that_is_well_or_was_never_heard_fails_nothing() -> None:
    well = ServiceHealth(heartbeat_age_s=0.5, uptime_s=600.0, round_age_s=900.0)
    assert failing(monitored().checklist(ACCOUNT, healthy() | {"archive": well})) == {}
    assert failing(monitored().checklist(ACCOUNT, healthy())) == {}


def test_an_archive_that_falls_silent_is_down() -> None:
    beats = Heartbeats()
    health = MarketHealth(round=0, ts=0, checkpoint_ts=0, checkpoint_loads=True, checkpoints=0, bad={})
    beats.hear(Heartbeat(service="monitor", worker="m", markets={}), 0.0)
    assert "archive" not in beats.liveness(MARKET, 0.0, False)
    beats.hear(Heartbeat(service="archive", worker="a", markets={str(MARKET): health}), 0.0)
    for now_s in (0.0, 30.0):
        beats.hear(Heartbeat(service="monitor", worker="m", markets={}), now_s)
        found = broken(beats.liveness(MARKET, now_s, False), MonitorConfig())
        assert ("archive" in found) is (now_s == 30.0)
    down = ServiceHealth(heartbeat_age_s=30.0, uptime_s=600.0)
    check = monitored().checklist(ACCOUNT, healthy() | {"archive": down}).checks["checkpoints"]
    assert "archive is down: no heartbeat for 30 s" in check.cause
