"""The calibration process: wiring only."""

from services.calibration.config import CalibrationConfig
from services.calibration.metrics import METRICS, samples
from services.calibration.service import Calibration
from shared.runtime import Service, main

SERVICE = Service(
    name="calibration",
    inputs=("fills", "acks", "markouts", "estimate"),
    make_fold=lambda settings, market: Calibration(market, settings.by_account("calibration", CalibrationConfig)),
    metrics=METRICS,
    samples=samples,
)

if __name__ == "__main__":
    main(SERVICE)
