"""The quoter process: wiring only."""

from papertrader.services.quoter.config import QuoterConfig
from papertrader.services.quoter.metrics import METRICS, samples
from papertrader.services.quoter.service import Quoter
from papertrader.shared.service.runtime import Service, main

SERVICE = Service(
    name="quoter",
    inputs=("md", "estimate", "calibration", "account", "acks", "fills", "control"),
    make_fold=lambda settings, market: Quoter(market, settings.by_account("quoter", QuoterConfig), settings.closed),
    metrics=METRICS,
    samples=samples,
)

if __name__ == "__main__":
    main(SERVICE)
