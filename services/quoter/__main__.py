"""The quoter process: wiring only."""

from papertrader.services.quoter.config import QuoterConfig
from papertrader.services.quoter.metrics import METRICS, samples
from papertrader.services.quoter.service import Quoter, load_kernels
from papertrader.shared.log.subjects import Market
from papertrader.shared.service.config import Settings
from papertrader.shared.service.runtime import Service, main


def make_fold(settings: Settings, market: Market) -> Quoter:
    """The fold of a market, ready for its first message."""
    load_kernels()
    return Quoter(market, settings.by_account("quoter", QuoterConfig), settings.closed)


SERVICE = Service(
    name="quoter",
    inputs=("md", "estimate", "calibration", "account", "acks", "fills", "control"),
    make_fold=make_fold,
    metrics=METRICS,
    samples=samples,
)

if __name__ == "__main__":
    main(SERVICE)
