"""The broker exporter's process: wiring only."""

from pathlib import Path

from papertrader.services.broker_exporter.metrics import METRICS, Watched, samples
from papertrader.services.broker_exporter.refusals import Refusals
from papertrader.shared.log.subjects import Market
from papertrader.shared.service.bus_config import BusConfig
from papertrader.shared.service.config import Settings
from papertrader.shared.service.metrics import FoldCollector, registry_of
from papertrader.shared.service.process import Work, enter, stop_on_signals
from papertrader.shared.service.web import StatusServer


async def _serve(config: BusConfig) -> None:
    stop = stop_on_signals()
    watched = Watched(config.monitoring_url, Refusals(Path(config.broker_log)) if config.broker_log else None)
    registry = registry_of(FoldCollector(METRICS, samples, lambda: {Market("", ""): watched}))
    status = StatusServer(registry, lambda: "", lambda: "", config.host, config.metrics_port)
    status.start()
    await stop.wait()
    status.stop()


def _prepared(settings: Settings) -> Work:
    config = settings.section("bus", BusConfig)
    return lambda: _serve(config)


def main() -> None:
    """Answer scrapes until SIGTERM or SIGINT; how it ends `enter` says."""
    enter("broker-exporter", _prepared)


if __name__ == "__main__":
    main()
