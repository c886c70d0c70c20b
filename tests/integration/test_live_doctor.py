"""The doctor names the step of the way to a venue's data that is broken."""

from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.live.diagnosis import Step, diagnose
from papertrader.services.feed.venues.registry import live_venue
from papertrader.shared.log.broker import free_port
from tests.integration.wire import bounded
from tools.venue_server.faults import Fault
from tools.venue_server.frames import of_synthetic
from tools.venue_server.protocols import PROTOCOLS
from tools.venue_server.server import VenueServer


def steps(asset: str, fault: Fault | None = None, serve: bool = True, url: str = "") -> list[Step]:
    found: list[Step] = []

    async def examine() -> None:
        server = VenueServer(of_synthetic("hyperliquid", 600.0), PROTOCOLS["hyperliquid"])
        if serve:
            await server.start()
            if fault is not None:
                server.faults.start(fault, server.now_s())
        address = url or (server.url if serve else f"http://127.0.0.1:{free_port()}")
        config = FeedConfig(source="hyperliquid", assets=(asset,), venue_url=address)
        found.extend([step async for step in diagnose(config, live_venue(config))])
        if serve:
            await server.stop()

    bounded(examine())
    return found


def test_sound_connection_passes_every_step() -> None:
    found = steps("BTC")
    assert {step.state for step in found} == {"pass"}
    assert [step.name.split()[0] for step in found] == ["name", "port", "assets", "socket", "socket", "data", "clock"]


def test_name_that_cannot_be_resolved_is_the_last_step() -> None:
    assert [(step.name, step.state) for step in steps("BTC", serve=False, url="http://nowhere.invalid")] == [
        ("name nowhere.invalid", "fail")
    ]


def test_port_where_nobody_listens_is_named_with_a_remedy() -> None:
    *_, last = steps("BTC", serve=False)
    assert last.name.startswith("port")
    assert (last.state, "venue_url" in last.remedy) == ("fail", True)


def test_unknown_coin_is_named_with_the_closest_one() -> None:
    *_, last = steps("btc")
    assert (last.name, last.state) == ("assets", "fail")
    assert "'BTC'" in last.finding


def test_venue_that_sends_nothing_fails_at_the_data() -> None:
    found = {step.name: step for step in steps("BTC", Fault(0.0, "silence", 60.0))}
    assert found["data of BTC"].state == "fail"
    assert found["socket hyperliquid"].state == "pass"
