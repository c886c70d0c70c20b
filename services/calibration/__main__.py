"""The calibration process: wiring only."""

from papertrader.services.calibration.config import CalibrationConfig
from papertrader.services.calibration.metrics import METRICS, samples
from papertrader.services.calibration.service import Calibration
from papertrader.shared.service.runtime import Service, main

SERVICE = Service(
    name="calibration",
    inputs=("fills", "acks", "markouts", "estimate", "gap"),
    make_fold=lambda settings, market: Calibration(market, settings.by_account("calibration", CalibrationConfig)),
    metrics=METRICS,
    samples=samples,
)

if __name__ == "__main__":
    main(SERVICE)
