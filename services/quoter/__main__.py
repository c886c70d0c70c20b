"""The quoter process: wiring only."""

from services.quoter.config import QuoterConfig
from services.quoter.metrics import METRICS, samples
from services.quoter.service import Quoter
from shared.runtime import Service, main

SERVICE = Service(
    name="quoter",
    inputs=("md", "estimate", "calibration", "account", "acks", "fills", "control"),
    make_fold=lambda settings, market: Quoter(market, settings.by_account("quoter", QuoterConfig)),
    metrics=METRICS,
    samples=samples,
)

if __name__ == "__main__":
    main(SERVICE)
