"""The gateway's process: wiring only."""

import asyncio
import gc
import logging
from pathlib import Path
from typing import Final

import msgspec
from aiohttp import web

from papertrader.services.gateway.certificates import AUTHORITY_FILE, server_context
from papertrader.services.gateway.metrics import METRICS, samples
from papertrader.services.gateway.server import serve, serve_tls
from papertrader.services.gateway.service import Gateway, identities_of
from papertrader.shared.log.bus import Bus
from papertrader.shared.log.health import HEARTBEAT_EVERY_S, Heartbeat, heartbeat_subject, worker_name
from papertrader.shared.log.ports import PortError
from papertrader.shared.log.subjects import Market
from papertrader.shared.log.tasks import STOP_LIMIT_S, ended, leave_within
from papertrader.shared.service.bus_config import BusConfig
from papertrader.shared.service.config import Settings
from papertrader.shared.service.metrics import FoldCollector, registry_of
from papertrader.shared.service.process import Work, enter, stop_on_signals
from papertrader.shared.service.web import StatusServer

log = logging.getLogger("gateway")
COLLECT_EVERY: Final = 50_000
"""Objects made and kept between two collections: a request makes hundreds, and next to none of them in circles."""


async def _serve(settings: Settings, config: BusConfig) -> None:
    stop = stop_on_signals()
    bus = await Bus.connect(config.url, "gateway", data_dir=Path(config.data_dir), **config.login())
    await bus.create_stream(*config.limits)
    gateway = Gateway(bus, settings)
    await gateway.restore()
    gc.freeze()  # what was loaded and restored stays: no collection has to walk through it
    gc.set_threshold(COLLECT_EVERY)
    host, port = config.host, gateway.config.port
    doors = await serve(gateway, host, port)
    log.info("answers on http://%s:%d", host, port)
    if gateway.config.tls_port:
        await _serve_tls(gateway, doors, config)
    status = _status(gateway, bus, config)
    status.start()
    tasks = [asyncio.ensure_future(work) for work in (stop.wait(), gateway.push(), _beat(bus))]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    leave_within(STOP_LIMIT_S)
    await asyncio.gather(*map(ended, pending))
    await doors.cleanup()
    await gateway.leave()
    await bus.close()
    status.stop()
    for task in done:
        task.result()


async def _serve_tls(gateway: Gateway, doors: web.AppRunner, config: BusConfig) -> None:
    """Answer with TLS, too; raises PortError for a port or a directory that cannot be had."""
    directory = Path(config.data_dir)
    try:
        context = server_context(directory, gateway.config.tls_names)
    except OSError as error:
        raise PortError(f"no certificate for gateway.tls_port: {error}") from error
    port = await serve_tls(doors, config.host, gateway.config.tls_port, context)
    log.info("answers on https://%s:%d to who trusts %s", config.host, port, directory / AUTHORITY_FILE)


def _status(gateway: Gateway, bus: Bus, config: BusConfig) -> StatusServer:
    registry = registry_of(FoldCollector(METRICS, samples, lambda: {Market("", ""): gateway}))
    unready = lambda: "" if bus.client.is_connected else "not connected to NATS"  # noqa: E731
    return StatusServer(registry, lambda: "", unready, config.host, config.metrics_port)


async def _beat(bus: Bus) -> None:
    """Say once a second that the gateway is alive."""
    worker = worker_name()
    beat = msgspec.json.encode(Heartbeat(service="gateway", worker=worker, markets={}))
    while True:
        await bus.publish(heartbeat_subject("gateway", worker), beat)
        await asyncio.sleep(HEARTBEAT_EVERY_S)


def _prepared(settings: Settings) -> Work:
    config = settings.section("bus", BusConfig)
    identities_of(settings)
    return lambda: _serve(settings, config)


def main() -> None:
    """Answer until SIGTERM or SIGINT; how it ends `enter` says."""
    enter("gateway", _prepared)


if __name__ == "__main__":
    main()
