"""How much the quoter cancels in a synthetic market of normal volatility, against the paper exchange."""

import pytest

from papertrader.services.feed.config import FeedConfig, SyntheticConfig
from papertrader.services.feed.sources import sources
from papertrader.services.fill_sim.config import FillSimConfig
from papertrader.services.fill_sim.service import FillSim
from papertrader.services.quoter.config import QuoterConfig
from papertrader.services.quoter.service import Quoter
from papertrader.shared.service.fold import Received, Round, canonical
from tests.quoter_session import calibration

NORMAL = SyntheticConfig(sigma_bps=(1.0, 1.0, 1.0, 1.0), informed_move_bps=3.0)
SECONDS = 300


@pytest.mark.parametrize(("cal_gamma", "most"), [(0.3, 0.6), (1.0, 0.45)])
def test_churn_in_a_normal_market_stays_bounded(cal_gamma: float, most: float) -> None:
    """Quotes move when three quarters of their distance are gone, so the tighter they are the more they move."""
    source = sources(FeedConfig(synthetic=NORMAL))[0]
    quoter = Quoter(source.market, {"main": QuoterConfig()})
    exchange = FillSim(source.market, {"main": FillSimConfig()})
    said = canonical([Received("calibration", "main", calibration(cal_gamma), 0)])
    previous_ts, start = 0, 0
    for cut in source.rounds():
        end = cut.messages[-1]
        start = start or end.ts
        if end.ts > start + SECONDS * 10**9:
            break
        round_ = Round(end.round, end.ts, previous_ts, said, tuple(cut.messages[:-1]))
        outputs = [*exchange.fold(round_), *quoter.fold(round_)]
        said = canonical(
            Received(output.kind, output.account, output.message, index) for index, output in enumerate(outputs)
        )
        previous_ts = end.ts
    state = quoter.quoter("main")
    assert state["placed"] > 50
    assert state["cancels"] / state["placed"] < most
    assert state["unanswered"] == 0
