"""The estimator process: wiring only."""

from papertrader.services.estimator.config import EstimatorConfig
from papertrader.services.estimator.metrics import METRICS, samples
from papertrader.services.estimator.service import Estimator
from papertrader.shared.service.runtime import Service, main

SERVICE = Service(
    name="estimator",
    inputs=("md", "fills", "acks", "markouts"),
    make_fold=lambda settings, market: Estimator(market, settings.by_account("estimator", EstimatorConfig)),
    metrics=METRICS,
    samples=samples,
)

if __name__ == "__main__":
    main(SERVICE)
