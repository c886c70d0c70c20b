"""Prometheus metrics of the estimator."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from papertrader.services.estimator import classifier, kappa, queues, sigma
from papertrader.services.estimator import regime as regimes
from papertrader.services.estimator.service import Estimator
from papertrader.shared.log.subjects import Market
from papertrader.shared.market.records import record_dtype
from papertrader.shared.messages import REGIMES, Estimate
from papertrader.shared.service.metrics import ACCOUNT, Metric, Sample

REGIME = (*ACCOUNT, "regime")
SIDE = (*ACCOUNT, "side")
HORIZON = (*ACCOUNT, "horizon")
BOUND = (*ACCOUNT, "horizon", "bound")
ENDS = (*ACCOUNT, "bound")
OF = (*ACCOUNT, "of")

KAPPA = Metric("paper_kappa", "gauge", "Posterior mean of the decay of fill intensity, 1/(fraction of price)")
KAPPA_SD = Metric("paper_kappa_sd", "gauge", "Posterior standard deviation of kappa")
KAPPA_CONFIDENCE = Metric("paper_kappa_confidence", "gauge", "n/(n+10) of the moments with own fills")
OWN_FILLS = Metric("paper_own_fills", "counter", "Own fills heard, each counted once")
MOMENTS = Metric("paper_moments", "counter", "Times at which resting orders filled: all of one taker are one")
OWN_VOLUME = Metric("paper_own_fill_volume", "counter", "Size of own fills heard, base units")
INTENSITY = Metric("paper_intensity_per_second", "gauge", "Fills per second of one order at the mid: A")
EXPOSURE = Metric("paper_exposure_seconds", "gauge", "Seconds of live orders behind kappa, with forgetting")
WORKING = Metric("paper_working_orders", "gauge", "Orders that are live as far as the acks tell")
MARKET_KAPPA = Metric("paper_market_kappa", "gauge", "Kappa from the reach of public prints")
MARKET_PRINTS = Metric("paper_market_prints", "counter", "Public prints heard")
SIGMA = Metric("paper_sigma_bps", "gauge", "Realised volatility, bp per square root second")
SIGMA_BIPOWER = Metric("paper_sigma_bipower_bps", "gauge", "Volatility without jumps, bp per square root second")
SIGMA_SHORT = Metric("paper_sigma_short_bps", "gauge", "Volatility that the regime is judged on, bp per root second")
JUMP_RATIO = Metric("paper_jump_ratio", "gauge", "Realised over bipower variance")
REGIME_PROBABILITY = Metric("paper_regime_probability", "gauge", "Probability of each regime", REGIME)
REGIME_SECONDS = Metric("paper_regime_seconds", "counter", "Seconds in which the regime was the most probable", REGIME)
REGIME_KNOWN = Metric("paper_regime_known", "gauge", "0 until enough was seen to say what is normal in this market")
REGIME_UNCHANGED = Metric("paper_regime_unchanged_seconds", "gauge", "Seconds since the most probable regime changed")
REGIME_CHANGES = Metric("paper_regime_changes", "counter", "Changes of the most probable regime")
TOXICITY = Metric("paper_toxicity", "gauge", "P(adverse | this side is filled now)", SIDE)
CLASSIFIER_SAMPLES = Metric("paper_classifier_samples", "counter", "Own moments that the classifier learned from")
CLASSIFIER_READY = Metric("paper_classifier_ready", "gauge", "0 while toxicity is the base rate")
BASE_RATE = Metric(
    "paper_adverse_base_rate", "gauge", "Share of adverse outcomes: own ones, and four at the rate of market sweeps"
)
SWEEPS_JUDGED = Metric("paper_toxicity_moments", "counter", "Market sweeps whose toxicity forecast was judged", HORIZON)
SWEEPS_DROPPED = Metric(
    "paper_toxicity_moments_dropped", "counter", "Market sweeps whose outcome a gap or lack of room lost"
)
TOXICITY_SKILL = Metric("paper_toxicity_skill", "gauge", "Out-of-sample Brier skill on market sweeps", BOUND)
TOXICITY_AUC = Metric("paper_toxicity_auc", "gauge", "Out-of-sample area under the ROC curve on sweeps", BOUND)
CANCEL_ODDS = Metric("paper_cancel_odds", "gauge", "How likely a cancel is ahead over how likely it is behind", ENDS)
JOIN_SHARE = Metric("paper_join_share", "gauge", "Mean share ahead of what joins a level between two books", ENDS)
QUEUE_KNOWN = Metric("paper_queue_known", "gauge", "0 while the feed does not tell it: it is the prior", OF)
QUEUE_EVIDENCE = Metric("paper_queue_evidence", "counter", "Cancels and intervals that were learned from", OF)
VERSION = Metric("paper_estimates", "counter", "Estimates said")
DROPPED = Metric("paper_estimator_dropped", "counter", "Orders and fills not used: no room in the table or no mid")
RETURNS_DROPPED = Metric("paper_returns_dropped", "counter", "One-second returns dropped because of a gap")

METRICS: tuple[Metric, ...] = (
    KAPPA,
    KAPPA_SD,
    KAPPA_CONFIDENCE,
    OWN_FILLS,
    MOMENTS,
    OWN_VOLUME,
    INTENSITY,
    EXPOSURE,
    WORKING,
    MARKET_KAPPA,
    MARKET_PRINTS,
    SIGMA,
    SIGMA_BIPOWER,
    SIGMA_SHORT,
    JUMP_RATIO,
    REGIME_PROBABILITY,
    REGIME_SECONDS,
    REGIME_KNOWN,
    REGIME_UNCHANGED,
    REGIME_CHANGES,
    TOXICITY,
    CLASSIFIER_SAMPLES,
    CLASSIFIER_READY,
    BASE_RATE,
    SWEEPS_JUDGED,
    SWEEPS_DROPPED,
    TOXICITY_SKILL,
    TOXICITY_AUC,
    CANCEL_ODDS,
    JOIN_SHARE,
    QUEUE_KNOWN,
    QUEUE_EVIDENCE,
    VERSION,
    DROPPED,
    RETURNS_DROPPED,
)


def samples(market: Market, fold: Estimator) -> Iterator[Sample]:
    """Every metric of every account of one market."""
    for account, estimator, settings in zip(fold.accounts, fold.estimators, fold.settings, strict=True):
        labels = (*market, account)
        yield from _kappa(labels, estimator["kappa"], settings)
        yield from _sigma(labels, estimator["sigma"])
        yield from _regime(labels, estimator["regime"])
        yield from _classifier(labels, estimator, fold.market_state[0]["touch_fills"])
        yield from _queues(labels, fold.market_state[0]["queues"])
        yield Sample(VERSION, labels, float(estimator["version"]))
        yield Sample(RETURNS_DROPPED, labels, float(fold.seconds["dropped"][0]))


def _kappa(labels: tuple[str, ...], state: Any, settings: Any) -> Iterator[Sample]:
    fields = {
        KAPPA: "mean",
        KAPPA_SD: "sd",
        INTENSITY: "intensity",
        OWN_FILLS: "own_fills",
        OWN_VOLUME: "own_volume",
        WORKING: "working",
        MARKET_PRINTS: "market_prints",
        DROPPED: "dropped",
    }
    for metric, field in fields.items():
        yield Sample(metric, labels, float(state[field]))
    moments = int(state["moments"]["count"])
    yield Sample(MOMENTS, labels, float(moments))
    yield Sample(KAPPA_CONFIDENCE, labels, kappa.confidence(moments))
    yield Sample(EXPOSURE, labels, float(state["exposure_s"].sum()))
    prior = settings["kappa_prior_mean"], settings["kappa_prior_strength"]
    yield Sample(MARKET_KAPPA, labels, float(kappa.market_kappa(state, *prior)))


def _sigma(labels: tuple[str, ...], state: Any) -> Iterator[Sample]:
    yield Sample(SIGMA, labels, float(sigma.realised_bps(state)))
    yield Sample(SIGMA_BIPOWER, labels, float(sigma.bipower_bps(state)))
    yield Sample(SIGMA_SHORT, labels, float(sigma.short_bps(state)))
    yield Sample(JUMP_RATIO, labels, float(sigma.jump_ratio(state)))


def _regime(labels: tuple[str, ...], state: Any) -> Iterator[Sample]:
    for index, regime in enumerate(REGIMES):
        yield Sample(REGIME_PROBABILITY, (*labels, regime), float(state["probabilities"][index]))
        yield Sample(REGIME_SECONDS, (*labels, regime), float(state["seconds"][index]))
    yield Sample(REGIME_KNOWN, labels, float(regimes.is_known(state)))
    yield Sample(REGIME_UNCHANGED, labels, float(state["unchanged"]))
    yield Sample(REGIME_CHANGES, labels, float(state["changes"]))


def _classifier(labels: tuple[str, ...], estimator: Any, fills: Any) -> Iterator[Sample]:
    state = estimator["classifier"]
    for side in ("bid", "ask"):
        yield Sample(TOXICITY, (*labels, side), float(estimator[f"toxicity_{side}"]))
    yield Sample(CLASSIFIER_SAMPLES, labels, float(classifier.samples(state)))
    yield Sample(CLASSIFIER_READY, labels, float(estimator["trusted"]))
    yield Sample(BASE_RATE, labels, float(classifier.base_rate(state, fills["model_5s"])))
    yield Sample(SWEEPS_DROPPED, labels, float(fills["dropped"]))
    for horizon in ("1s", "5s"):
        judged = fills[f"skill_{horizon}"]
        yield Sample(SWEEPS_JUDGED, (*labels, horizon), float(judged["judged"]))
        for bound, suffix in (("estimate", ""), ("low", "_low"), ("high", "_high")):
            yield Sample(TOXICITY_SKILL, (*labels, horizon, bound), float(judged[f"skill{suffix}"]))
            yield Sample(TOXICITY_AUC, (*labels, horizon, bound), float(judged[f"auc{suffix}"]))


def _queues(labels: tuple[str, ...], state: Any) -> Iterator[Sample]:
    said = np.zeros(1, dtype=record_dtype(Estimate))[0]
    queues.write(state, said)
    for metric, name in ((CANCEL_ODDS, "cancel_odds"), (JOIN_SHARE, "join_share")):
        for bound, suffix in (("estimate", ""), ("low", "_low"), ("high", "_high")):
            yield Sample(metric, (*labels, bound), float(said[f"{name}{suffix}"]))
        yield Sample(QUEUE_KNOWN, (*labels, name), float(said[f"{name}_known"]))
    for name, evidence in (("cancel_odds", "cancels_seen"), ("join_share", "joins_seen")):
        yield Sample(QUEUE_EVIDENCE, (*labels, name), float(said[evidence]))
