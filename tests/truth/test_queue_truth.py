"""What is learned of queues, beside the places of all orders, on a feed of Hyperliquid's pace that is made of them."""

from pathlib import Path

import pytest

from papertrader.replay.judge.odds import odds_of
from papertrader.replay.judge.readers import bitstamp
from papertrader.replay.replay import composed, in_the_loop
from papertrader.replay.session import sessions
from papertrader.services.feed.config import FeedConfig
from papertrader.shared.service.config import Settings
from tests.level3_session import write_session
from tests.unit.test_replay_loop import replayed_bytes, states

JOIN_SHARE = 0.487
"""Of growths within 540 ms, by when each order that stayed had come."""


def test_odds_and_share_are_those_of_the_orders_and_new_orders_take_them(tape_dir: Path, tmp_path: Path) -> None:
    data = bitstamp.read(tape_dir / "bitstamp-l3-20150501-0000-0400.log.xz")
    truth = odds_of(data)
    assert truth is not None
    tape = write_session(data, tmp_path, every=100).tape
    (session,) = sessions(FeedConfig(source="tape", tapes=(tape,), duration_s=7200.0), tmp_path)
    learning = Settings({"fill_sim": {"learned_queue": True}})
    looped, over_services = in_the_loop(session, learning), composed(session, learning)
    assert replayed_bytes(over_services) == replayed_bytes(looped)
    assert dict(states(over_services)) == dict(states(looped))
    last = looped.records("estimate")[-1]
    assert last["cancel_odds_known"]
    assert last["cancel_odds_low"] < truth.value < last["cancel_odds_high"] < 2.0
    assert last["cancels_single_share"] > 0.8
    assert last["join_share_known"]
    assert last["join_share_low"] < JOIN_SHARE < last["join_share_high"]
    learned = looped.folds["fill-sim"].state()["accounts"]["learned"][0]
    assert learned["cancel_odds"] == pytest.approx(last["cancel_odds"])
    assert learned["single"] == last["cancels_single_share"]
