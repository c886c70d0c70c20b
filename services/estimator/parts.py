"""The parts of an estimate: computed when it is said, and written into its record."""

from papertrader.services.estimator import classifier as prefill
from papertrader.services.estimator import kappa as intensity
from papertrader.services.estimator import regime as regimes
from papertrader.services.estimator import sigma as volatility
from papertrader.shared.kernels import njit
from papertrader.shared.market import features as market_features
from papertrader.shared.market import logistic
from papertrader.shared.market.records import Record


@njit(cache=True)
def write_toxicity(fills: Record, estimator: Record, out: Record) -> None:
    """What is known of adverse moves, and how well it held."""
    out.toxicity_bid, out.toxicity_ask = estimator.toxicity_bid, estimator.toxicity_ask
    out.adverse_base_rate = prefill.base_rate(estimator.classifier, fills.model_5s)
    out.classifier_samples = estimator.classifier.heard
    out.classifier_moments = prefill.samples(estimator.classifier)
    out.classifier_ready = estimator.trusted == 1
    out.toxicity_weights[:] = estimator.classifier.weights[:]
    long, short = fills.skill_5s, fills.skill_1s
    out.toxicity_moments, out.toxicity_dropped = long.judged, fills.dropped
    out.toxicity_skill, out.toxicity_skill_low, out.toxicity_skill_high = long.skill, long.skill_low, long.skill_high
    out.toxicity_auc, out.toxicity_auc_low, out.toxicity_auc_high = long.auc, long.auc_low, long.auc_high
    out.toxicity_skill_1s, out.toxicity_auc_1s = short.skill, short.auc


@njit(cache=True)
def write_fill_forecast(forecaster: Record, own: Record, out: Record) -> None:
    """What the forecast of a fill is made of, and how well it held."""
    out.fill_weights[:] = forecaster.model.weights[:]
    judged = forecaster.shadows.judged
    out.fill_moments, out.fill_auc = judged.judged, judged.auc
    out.fill_skill, out.fill_skill_low, out.fill_skill_high = judged.skill, judged.skill_low, judged.skill_high
    out.own_orders_judged, out.own_fills_expected, out.own_orders_filled = own.judged.judged, own.expected, own.filled
    out.own_fill_skill = own.judged.skill
    out.own_fill_skill_low, out.own_fill_skill_high = own.judged.skill_low, own.judged.skill_high


@njit(cache=True)
def write_kappa(kappa: Record, settings: Record, out: Record) -> None:
    """Fill intensity, own and of the market."""
    out.kappa, out.kappa_sd, out.intensity = kappa.mean, kappa.sd, kappa.intensity
    out.own_fills = kappa.own_fills
    out.moments = kappa.moments.count
    out.kappa_confidence = intensity.confidence(kappa.moments.count)
    out.exposure_s = kappa.exposure_s.sum()
    out.market_kappa = intensity.market_kappa(kappa, settings.kappa_prior_mean, settings.kappa_prior_strength)
    out.market_prints = kappa.market_prints
    out.dropped = kappa.dropped


@njit(cache=True)
def write_sigma(sigma: Record, out: Record) -> None:
    """Volatility."""
    out.sigma_bps = volatility.realised_bps(sigma)
    out.sigma_bipower_bps = volatility.bipower_bps(sigma)
    out.jump_ratio = volatility.jump_ratio(sigma)
    out.sigma_p10_bps = volatility.percentile_bps(sigma, 0.1)
    out.sigma_p90_bps = volatility.percentile_bps(sigma, 0.9)


@njit(cache=True)
def write_regime(regime: Record, out: Record) -> None:
    """The regime."""
    out.regime = regime.state
    out.regime_probabilities[:] = regime.probabilities[:]
    out.regime_seconds[:] = regime.seconds[:]
    out.regime_changes = regime.changes
    out.regime_known = regimes.is_known(regime)
    out.regime_unchanged_s = regime.unchanged
    out.regime_sigma_ratio = regime.sigma_ratio


@njit(cache=True)
def compute_kappa(estimator: Record, settings: Record, clock: int) -> None:
    """Compute κ and A from what was counted so far."""
    intensity.compute(
        estimator.kappa,
        settings.kappa_prior_mean,
        settings.kappa_prior_strength,
        settings.intensity_prior_per_s,
        settings.intensity_prior_strength,
    )
    estimator.kappa.computed_ts = clock


@njit(cache=True)
def forecast_toxicity(book: Record, features: Record, market: Record, estimator: Record, settings: Record) -> None:
    """The forecast for a fill of either side now; the base rate until it has shown skill out of sample.

    * so many sweeps were judged, and
    * the whole interval of the AUC lies above one half, and the skill above 0.
    """
    judged, own = market.touch_fills.skill_5s, estimator.classifier
    enough = judged.judged >= settings.classifier_ready_moments
    estimator.trusted = enough and judged.auc_low > 0.5 and judged.skill > 0
    prefill.write_weights(own, market.touch_fills.model_5s, estimator.trusted == 1)
    if not estimator.trusted:
        estimator.toxicity_bid = estimator.toxicity_ask = logistic.probability(own.weights[0])
        return
    market_features.look(features, book, market.features)
    estimator.toxicity_bid = prefill.toxicity(own.weights, market.features, 1, own.inputs)
    estimator.toxicity_ask = prefill.toxicity(own.weights, market.features, -1, own.inputs)
