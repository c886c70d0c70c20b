"""Settings of the estimator."""

from typing import Annotated, TypeAlias

import msgspec

HalfLife: TypeAlias = Annotated[float, msgspec.Meta(ge=1, le=604_800)]


class EstimatorConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Priors, memories and rates of what is learned from the market and from own fills."""

    publish_interval_s: Annotated[
        float,
        msgspec.Meta(ge=0.05, le=60, description="an estimate is said this often, and after every fill or label, s"),
    ] = 1.0
    kappa_prior_mean: Annotated[
        float, msgspec.Meta(ge=200, le=25_000, description="prior mean of κ, 1/(fraction of price); 2500 is 4 bp")
    ] = 2500.0
    kappa_prior_strength: Annotated[
        float, msgspec.Meta(ge=1, le=1000, description="shape of the Gamma prior of κ: the fills that it is worth")
    ] = 5.0
    intensity_prior_per_s: Annotated[
        float, msgspec.Meta(gt=0, le=100, description="prior mean of A, fills per second per order at the mid")
    ] = 0.1
    intensity_prior_strength: Annotated[
        float, msgspec.Meta(gt=0, le=100, description="shape of the Gamma prior of A: the fills that it is worth")
    ] = 1.0
    kappa_half_life_s: Annotated[HalfLife, msgspec.Meta(description="half-life of fills and exposure behind κ, s")] = (
        1800.0
    )
    kappa_update_s: Annotated[
        float, msgspec.Meta(ge=0.05, le=600, description="κ is computed again this often, and after every fill, s")
    ] = 5.0
    sigma_half_life_s: Annotated[HalfLife, msgspec.Meta(description="half-life of the published volatility, s")] = 300.0
    sigma_short_half_life_s: Annotated[
        HalfLife, msgspec.Meta(description="half-life of the volatility that the regime is judged on, s")
    ] = 10.0
    sigma_history_half_life_s: Annotated[
        HalfLife, msgspec.Meta(description="half-life of the history behind the percentiles of volatility, s")
    ] = 1800.0
    regime_stay: Annotated[
        float, msgspec.Meta(ge=0.5, le=0.9999, description="probability that a regime lasts another second")
    ] = 0.98
    regime_reference_half_life_s: Annotated[
        HalfLife, msgspec.Meta(description="half-life with which the reference of the regimes follows the market, s")
    ] = 3600.0
    classifier_ready_moments: Annotated[
        int,
        msgspec.Meta(
            ge=30, le=1_000_000, description="market sweeps judged before toxicity may be more than the base rate"
        ),
    ] = 200
