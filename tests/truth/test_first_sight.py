"""The synthetic market as it comes teaches: about half of the fills are adverse, and hardly anything is earned."""

from pathlib import Path

import pytest

from papertrader.replay.replay import composed
from papertrader.replay.session import sessions
from papertrader.services.feed.config import FeedConfig, SyntheticConfig
from papertrader.shared.messages import LABEL_HORIZON_S
from papertrader.shared.service.config import Settings


@pytest.mark.slow
@pytest.mark.parametrize("asset", ["SYN1", "SYN2"])
def test_first_sight_shows_adverse_selection_and_prints_no_money(asset: str, tmp_path: Path) -> None:
    feed = FeedConfig(assets=(asset,), synthetic=SyntheticConfig(duration_s=900.0))
    (session,) = sessions(feed, tmp_path)
    replayed = composed(session, Settings({}))
    account, markouts = replayed.records("account")[-1], replayed.records("markouts")
    labels = markouts[(markouts["horizon_s"] == LABEL_HORIZON_S) & (markouts["filled"] == 1)]
    assert len(labels) > 100
    assert 0.35 < labels["adverse"].mean() < 0.6
    assert abs(account["total"] / account["turnover"] * 1e4) < 2.0, "bp of turnover, before which the fee is 1.5"
