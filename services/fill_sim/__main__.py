"""The fill-sim process: wiring only."""

from services.fill_sim.config import FillSimConfig
from services.fill_sim.metrics import METRICS, samples
from services.fill_sim.service import FillSim
from shared.runtime import Service, main

SERVICE = Service(
    name="fill-sim",
    inputs=("md", "orders", "estimate", "control"),
    make_fold=lambda settings, market: FillSim(market, settings.by_account("fill_sim", FillSimConfig)),
    metrics=METRICS,
    samples=samples,
)

if __name__ == "__main__":
    main(SERVICE)
