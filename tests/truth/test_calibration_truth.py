"""True forecasts are found to be true, wrong ones wrong, however early orders end."""

import numpy as np
import pytest

from papertrader.services.calibration import forecasts as fills
from papertrader.services.calibration import scores as scoring
from tests.unit.learning import S

LIVE = 1_000 * S


def judged(error, mean_life_s, orders=20_000, seed=1):
    """Orders with a known constant hazard and an independent end; `error` multiplies the hazard that is forecast."""
    random = np.random.Generator(np.random.PCG64(seed))
    forecasts = np.zeros(1, dtype=fills.FORECASTS)[0]
    for p in random.uniform(0.02, 0.6, orders):
        hazard = -np.log(1 - p) / 10
        filled_s, ended_s = random.exponential(1 / hazard), random.exponential(mean_life_s)
        end = LIVE + int(min(filled_s, ended_s, 1e6) * S)
        fills.judge(forecasts, 1 - (1 - p) ** error, LIVE, end, end if filled_s <= min(ended_s, 1e6) else 0)
    return forecasts


def test_true_forecasts_of_orders_that_stay_are_calibrated():
    scores = judged(error=1.0, mean_life_s=1e9)["scores"]
    assert scoring.expected_calibration_error(scores) < 0.02
    # the skill of knowing p exactly is Var(p)/(mean(p)(1 − mean(p))) for p uniform in [0.02, 0.6]
    assert scoring.skill(scores) == pytest.approx(0.58**2 / 12 / (0.31 * 0.69), abs=0.03)


@pytest.mark.parametrize("mean_life_s", [1.0, 5.0, 1e9])
@pytest.mark.parametrize("error", [0.5, 1.0, 2.0])
def test_filled_over_expected_tells_the_error_of_the_hazard_however_early_orders_end(error, mean_life_s):
    forecasts = judged(error, mean_life_s)
    assert forecasts["filled"] / forecasts["expected_fills"] == pytest.approx(1 / error, rel=0.08)


def test_wrong_forecasts_of_orders_that_stay_have_a_calibration_error():
    scores = judged(error=3.0, mean_life_s=1e9)["scores"]
    assert scoring.expected_calibration_error(scores) > 0.2
