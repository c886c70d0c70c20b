"""The monitor process: the fold, the services' heartbeats and the web page."""

import asyncio
import time
from pathlib import Path

import msgspec
from nats.aio.msg import Msg

from papertrader.services.monitor.config import MonitorConfig
from papertrader.services.monitor.facts.heartbeats import Heartbeats
from papertrader.services.monitor.metrics import METRICS, samples
from papertrader.services.monitor.notices.watch import watch
from papertrader.services.monitor.page.guard import page_token
from papertrader.services.monitor.page.web import Operator, app, serve
from papertrader.services.monitor.service import Monitor
from papertrader.shared.log.heard import heartbeat_of
from papertrader.shared.log.subjects import Market, subject
from papertrader.shared.log.tasks import ended
from papertrader.shared.messages import Control
from papertrader.shared.service.outside import traded_outside
from papertrader.shared.service.runtime import Runtime, Service, main

LIVENESS_EVERY_S = 0.5


async def beside(runtime: Runtime) -> None:
    """Follow the heartbeats, serve the page and send notices until cancelled."""
    heartbeats = Heartbeats()

    async def hear(message: Msg) -> None:
        if (beat := heartbeat_of(message.subject, message.data)) is not None:
            heartbeats.hear(beat, time.monotonic())

    def unwatched() -> dict[str, str]:
        return heartbeats.unwatched(runtime.runners)

    await runtime.bus.subscribe("health.>", hear)
    config = runtime.settings.section("monitor", MonitorConfig)
    operator = Operator(page_token(Path(runtime.config.data_dir)), lambda *order: append(runtime, *order))
    application = app(
        lambda: monitors(runtime),
        settings=runtime.settings.tables,
        operator=operator,
        hosts=config.page_hosts,
        unwatched=unwatched,
    )
    page = await serve(application, config.port, runtime.config.host)
    notices = asyncio.ensure_future(watch(lambda: monitors(runtime), config))
    try:
        while True:
            if notices.done():
                notices.result()  # raises what was wrong with the settings
            for monitor in monitors(runtime):
                final = monitor.facts.market.final
                monitor.liveness = heartbeats.liveness(monitor.market, time.monotonic(), final)
            await asyncio.sleep(LIVENESS_EVERY_S)
    finally:
        await asyncio.gather(page.cleanup(), ended(notices))


async def append(runtime: Runtime, market: Market, account: str, control: Control) -> None:
    """Put an operator's command onto the log; raises BusError."""
    name = subject("control", market, account)
    await runtime.bus.append(name, msgspec.json.encode(control), f"control|{control.ts}")


def monitors(runtime: Runtime) -> list[Monitor]:
    """The folds of the owned markets, in the order of their names."""
    return [runner.fold for _, runner in sorted(runtime.runners.items()) if isinstance(runner.fold, Monitor)]


SERVICE = Service(
    name="monitor",
    inputs=("md", "orders", "acks", "fills", "account", "markouts", "estimate", "calibration", "control"),
    make_fold=lambda settings, market: Monitor(
        market, settings.by_account("monitor", MonitorConfig), traded_outside(settings)
    ),
    metrics=METRICS,
    samples=samples,
    beside=beside,
)

if __name__ == "__main__":
    main(SERVICE)
