"""One order in markets that move as venues move them, over a real broker: the right values, as in a replay."""

from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from papertrader.services.feed.market_source import MarketSource
from papertrader.services.feed.session_rounds import marker_of
from papertrader.services.fill_sim.__main__ import SERVICE
from papertrader.shared.log.broker import Broker
from papertrader.shared.log.bus import Bus
from papertrader.shared.log.subjects import subject
from papertrader.shared.messages import Account, Ack, Fill, Place
from papertrader.shared.service.checkpoint import CheckpointStore
from papertrader.shared.service.config import Settings
from papertrader.shared.service.roll import Roll
from papertrader.shared.service.runner import Runner
from tests import case_tapes as tapes
from tests.integration.counting import publisher_of
from tests.integration.counting_runner import folded_up_to
from tests.integration.wire import bounded, connected, entries

MIDNIGHT_MS = -(tapes.T0 % tapes.EIGHT_HOURS_MS) + tapes.EIGHT_HOURS_MS
RICH = {"initial_cash": 1e6, "leverage": 50.0, "taker_fee_bps": 0.0}


class Said(NamedTuple):
    """What the exchange said in the end."""

    acks: list[Ack]
    fills: list[Fill]
    account: Account


async def say(bus: Bus, source: MarketSource, order: Place) -> int:
    """Publish a session and, as soon as its time has come, an order; the last round's number."""
    publisher, sent, number = publisher_of(bus, source.market), False, -1
    for round_ in source.rounds():
        *market_data, marker = round_.messages
        end = marker_of(marker)
        if number >= 0 and not sent and order.ts <= end.ts:
            await bus.append(subject("orders", source.market, "main"), msgspec.json.encode(order), "order-1")
            sent = True
        await publisher.publish(market_data, end)
        number = end.round
    return number


async def heard(bus: Bus, folder: Path, source: MarketSource, order: Place, settings: dict[str, Any]) -> Said:
    """What the exchange says of it on the bus."""
    market = source.market
    roll = Roll(Settings({"fill_sim": settings}), lambda known: SERVICE.make_fold(known, market))
    runner = Runner(bus, SERVICE.name, market, roll, SERVICE.inputs, CheckpointStore(folder, SERVICE.name))
    await runner.start()
    await folded_up_to(runner, await say(bus, source, order))
    await runner.stop()
    said = {}
    for kind, struct in (("acks", Ack), ("fills", Fill), ("account", Account)):
        found = await entries(bus, subject(kind, market, "main"))
        said[kind] = [msgspec.json.decode(entry.payload, type=struct) for entry in found]
    return Said(said["acks"], said["fills"], said["account"][-1])


def on_the_bus(broker: Broker, folder: Path, frames: Any, order: Place, settings: dict[str, Any]) -> Said:
    path = frames if isinstance(frames, Path) else tapes.written(folder / "tape.txt", frames)
    found: list[Said] = []

    async def work() -> None:
        async with connected(broker) as bus:
            found.append(await heard(bus, folder, tapes.source_of(path), order, settings))

    bounded(work())
    return found[0]


def order(ms: int, side: Any, price: float, size: float, time_in_force: Any) -> Place:
    ts = (tapes.T0 + ms) * tapes.MS
    return Place(ts=ts, order_id=1, side=side, price=price, size=size, time_in_force=time_in_force)


@pytest.mark.parametrize("ticks", [0, 200])
def test_differences_tell_the_queue_however_far_the_market_has_moved(
    broker: Broker, tmp_path: Path, ticks: int
) -> None:
    frames, price = tapes.drifting(ticks), (999_999 - ticks - 3) / 10
    said = on_the_bus(broker, tmp_path, frames, order(frames[-1][0] - 1_500, "buy", price, 0.5, "post_only"), RICH)
    assert [(fill.price, fill.size, fill.maker) for fill in said.fills] == [(price, 0.5, True)]
    assert said.acks[0].queue_ahead == 2.0


def test_print_far_below_that_the_book_shows_fills_the_order_on_its_way(broker: Broker, tmp_path: Path) -> None:
    said = on_the_bus(broker, tmp_path, tapes.crashing(), order(2_000, "buy", 85.0, 1.0, "post_only"), RICH)
    assert [fill.price for fill in said.fills] == [85.0]
    assert said.account.mark_price == pytest.approx(74.1), "the loss is there at once"


@pytest.mark.parametrize(("hours", "funding"), [(8, -80.008), (4, 0.0)])
def test_binance_pays_at_the_time_that_it_names(broker: Broker, tmp_path: Path, hours: int, funding: float) -> None:
    middle_ms = MIDNIGHT_MS - tapes.EIGHT_HOURS_MS + hours * tapes.HOUR_MS
    tape = tapes.binance(tmp_path / "BTCUSDT.txt", middle_ms, MIDNIGHT_MS)
    said = on_the_bus(broker, tmp_path, tape, order(middle_ms - 50_000, "buy", 100_000.0, 1.0, "gtc"), RICH)
    assert (said.account.position, said.account.funding) == (1, pytest.approx(funding, rel=1e-12))


def test_hyperliquid_pays_every_hour_on_the_oracle(broker: Broker, tmp_path: Path) -> None:
    placed = order(tapes.HOUR_AT_MS - 50_000, "buy", 100_000.0, 1.0, "gtc")
    said = on_the_bus(broker, tmp_path, tapes.over_the_hour(), placed, RICH)
    assert said.account.funding == pytest.approx(-9.9, rel=1e-12)


def test_spot_coin_that_is_not_held_cannot_be_sold(broker: Broker, tmp_path: Path) -> None:
    said = on_the_bus(broker, tmp_path, tapes.spot("@107"), order(2_000, "sell", 0.19, 2_000.0, "ioc"), RICH)
    assert [(ack.status, ack.reason) for ack in said.acks] == [("rejected", "insufficient_balance")]
    assert (said.fills, said.account.position) == ([], 0)
