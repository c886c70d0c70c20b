"""The outcome-tracker process: wiring only."""

from papertrader.services.outcome_tracker.config import OutcomeTrackerConfig
from papertrader.services.outcome_tracker.metrics import METRICS, samples
from papertrader.services.outcome_tracker.service import OutcomeTracker
from papertrader.shared.service.runtime import Service, main

SERVICE = Service(
    name="outcome-tracker",
    inputs=("md", "fills", "acks"),
    make_fold=lambda settings, market: OutcomeTracker(
        market, settings.by_account("outcome_tracker", OutcomeTrackerConfig)
    ),
    metrics=METRICS,
    samples=samples,
)

if __name__ == "__main__":
    main(SERVICE)
