"""The fill-sim process: wiring only."""

from papertrader.services.fill_sim.config import FillSimConfig
from papertrader.services.fill_sim.metrics import METRICS, samples
from papertrader.services.fill_sim.service import FillSim
from papertrader.shared.service.runtime import Service, main

SERVICE = Service(
    name="fill-sim",
    inputs=("md", "orders", "estimate", "control"),
    make_fold=lambda settings, market: FillSim(market, settings.by_account("fill_sim", FillSimConfig), settings.closed),
    metrics=METRICS,
    samples=samples,
)

if __name__ == "__main__":
    main(SERVICE)
