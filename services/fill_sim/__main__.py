"""The fill-sim process: wiring only."""

from papertrader.services.fill_sim.config import FillSimConfig
from papertrader.services.fill_sim.metrics import METRICS, samples
from papertrader.services.fill_sim.service import FillSim, load_kernels
from papertrader.shared.log.subjects import Market
from papertrader.shared.service.config import Settings
from papertrader.shared.service.runtime import Service, main


def make_fold(settings: Settings, market: Market) -> FillSim:
    """The fold of a market, ready for its first message."""
    load_kernels()
    return FillSim(market, settings.by_account("fill_sim", FillSimConfig), settings.closed)


SERVICE = Service(
    name="fill-sim",
    inputs=("md", "orders", "estimate", "control"),
    make_fold=make_fold,
    metrics=METRICS,
    samples=samples,
)

if __name__ == "__main__":
    main(SERVICE)
