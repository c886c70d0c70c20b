"""The synthetic market as it comes teaches: half of the fills are adverse, and what is earned cannot be told from 0."""

from pathlib import Path

import pytest

from papertrader.replay.sweep.outcomes import outcome


@pytest.mark.slow
def test_first_sight_shows_adverse_selection_and_prints_no_money(tmp_path: Path) -> None:
    """A quarter of an hour of both assets: the interval of PnL per hour holds 0, and less than a fee per turnover."""
    # a class built upon glft quotes as glft does, and is replayed over the services alone
    tables = {
        "feed": {"synthetic": {"duration_s": 900.0}},
        "quoter": {"strategy": "papertrader.strategies:Glft"},
    }
    found = outcome(tables, {}, tmp_path)
    assert found.fills > 200
    assert found.adverse_share is not None
    assert 0.35 < found.adverse_share < 0.6
    assert found.pnl_per_hour.low is not None
    assert found.pnl_per_hour.high is not None
    assert found.pnl_per_hour.low < 0 < found.pnl_per_hour.high
    assert abs(found.pnl) < found.fees
