"""What the heartbeats of the other services tell of a market that nobody owns."""

import msgspec

from papertrader.services.monitor.facts.heartbeats import Heartbeats
from papertrader.shared.log.health import Heartbeat, MarketHealth
from tests.unit.monitoring import MARKET


def test_market_that_no_monitor_owns_has_the_cause_that_others_know() -> None:
    """Its instrument went with the log: a monitor that is started again cannot find it."""
    beats = Heartbeats()
    health = MarketHealth(round=7, ts=0, checkpoint_ts=0, checkpoint_loads=True, checkpoints=0, bad={})
    purged = msgspec.structs.replace(health, bad={"log_purged": 1})
    beats.hear(Heartbeat(service="feed", worker="f", markets={str(MARKET): health}), 0.0)
    beats.hear(Heartbeat(service="quoter", worker="q", markets={str(MARKET): purged}), 0.0)
    assert "purged" in beats.unwatched([])[str(MARKET)]


def test_market_that_no_worker_owns_is_seen_in_the_heartbeats() -> None:
    beats = Heartbeats()
    health = MarketHealth(round=7, ts=0, checkpoint_ts=0, checkpoint_loads=True, checkpoints=0, bad={})
    for now_s in (0.0, 11.0):
        beats.hear(Heartbeat(service="feed", worker="f", markets={str(MARKET): health}), now_s)
        beats.hear(Heartbeat(service="quoter", worker="q", markets={}), now_s)
        liveness = beats.liveness(MARKET, now_s, False)
    assert liveness["quoter"].unowned_s == 11.0
    assert beats.unwatched([]) == {str(MARKET): ""}
    assert beats.unwatched([MARKET]) == {}
    beats.hear(Heartbeat(service="quoter", worker="q", markets={str(MARKET): health}), 12.0)
    assert beats.liveness(MARKET, 12.0, False)["quoter"].unowned_s is None
