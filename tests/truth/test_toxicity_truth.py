"""Toxicity in synthetic markets whose truth is known: skill is found where the book tells what comes, else none."""

from typing import Any

import numpy as np
import pytest

from papertrader.services.estimator import classifier as prefill
from papertrader.services.estimator import touch_fills
from papertrader.services.estimator.config import EstimatorConfig
from papertrader.services.estimator.service import Estimator
from papertrader.services.feed.config import FeedConfig, SyntheticConfig
from papertrader.services.feed.sources import sources
from papertrader.shared.market import logistic
from papertrader.shared.messages import Estimate
from papertrader.shared.service.fold import Round

SECONDS = 900.0


def last_estimate(informed_share: float, seed: int = 1) -> Estimate:
    """What the estimator says after a quarter of an hour of a market of even volatility."""
    config = SyntheticConfig(
        sigma_bps=(0.5, 0.5, 0.5, 0.5),
        informed_share=informed_share,
        informed_move_bps=3.0,
        duration_s=SECONDS,
        trade_rate=4.0,
    )
    source = sources(FeedConfig(synthetic=config, seed=seed))[0]
    fold = Estimator(source.market, {"main": EstimatorConfig()})
    previous_ts, said = 0, None
    for cut in source.rounds():
        end: Any = cut.messages[-1]
        for output in fold.fold(Round(end.round, end.ts, previous_ts, (), tuple(cut.messages[:-1]))):
            said = output.message
        previous_ts = end.ts
    assert isinstance(said, Estimate)
    return said


def test_informed_flow_that_leans_on_the_book_gives_skill_and_is_used() -> None:
    estimate = last_estimate(informed_share=0.2)
    assert estimate.toxicity_moments > 1000
    assert estimate.toxicity_skill_low is not None
    assert estimate.toxicity_skill_low > 0
    assert estimate.toxicity_auc_low is not None
    assert estimate.toxicity_auc_low > 0.55
    assert estimate.classifier_ready


@pytest.mark.parametrize("seed", [1, 2])
def test_market_without_informed_flow_gives_none_and_the_base_rate_is_used(seed: int) -> None:
    estimate = last_estimate(informed_share=0.0, seed=seed)
    assert estimate.toxicity_auc_low is not None
    assert estimate.toxicity_auc_low < 0.5
    assert not estimate.classifier_ready
    assert estimate.toxicity_bid == pytest.approx(estimate.adverse_base_rate)
    assert estimate.toxicity_ask == pytest.approx(estimate.adverse_base_rate)


def test_own_outcomes_recover_how_own_fills_differ_from_the_markets() -> None:
    """Truth: log-odds of own fills are 0.8 + 1.2 times the market's score. The truth lies within what is not known."""
    random = np.random.Generator(np.random.PCG64(2))
    market = np.zeros(1, dtype=touch_fills.MODEL)[0]
    logistic.start(market, np.array([-0.5, 2.0, 0, 0, 0, 0, 0, 0, 0]), np.full(9, 0.1))
    classifier = np.zeros(1, dtype=prefill.CLASSIFIER)[0]
    prefill.start(classifier)
    for _ in range(1500):
        leaning = random.uniform(-1, 1)
        score = -0.5 + 2.0 * leaning
        adverse = random.random() < 1 / (1 + np.exp(-(0.8 + 1.2 * score)))
        prefill.record_outcome(classifier, market, -1, np.array([leaning, 0, 0, 0, 0, 0, 0, 0]), bool(adverse))
    assert classifier["own"]["weights"] == pytest.approx([0.8, 1.2], abs=0.2)
