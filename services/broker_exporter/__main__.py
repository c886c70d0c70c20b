"""The broker exporter's process: wiring only."""

import asyncio
import sys
from pathlib import Path

from papertrader.services.broker_exporter.metrics import METRICS, Watched, samples
from papertrader.services.broker_exporter.refusals import Refusals
from papertrader.shared.log.ports import PortError
from papertrader.shared.log.subjects import Market
from papertrader.shared.service.bus_config import BusConfig
from papertrader.shared.service.config import SettingsError, load
from papertrader.shared.service.metrics import FoldCollector, registry_of
from papertrader.shared.service.runtime import parse_arguments, stop_on_signals
from papertrader.shared.service.web import StatusServer


async def _serve(config: BusConfig) -> None:
    stop = stop_on_signals()
    watched = Watched(config.monitoring_url, Refusals(Path(config.broker_log)) if config.broker_log else None)
    registry = registry_of(FoldCollector(METRICS, samples, lambda: {Market("", ""): watched}))
    status = StatusServer(registry, lambda: "", lambda: "", config.host, config.metrics_port)
    status.start()
    await stop.wait()
    status.stop()


def main() -> None:
    """Answer scrapes until SIGTERM or SIGINT."""
    arguments = parse_arguments("broker-exporter")
    try:
        asyncio.run(_serve(load(arguments.settings).section("bus", BusConfig)))
    except (SettingsError, PortError) as error:
        sys.exit(f"broker-exporter: {error}")


if __name__ == "__main__":
    main()
