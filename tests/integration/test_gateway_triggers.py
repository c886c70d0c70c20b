"""Orders with a trigger at the gateway: what is said on the log, and what a bot is told of what becomes of it."""

import asyncio
from typing import Any

import msgspec
import pytest

from papertrader.shared.log.broker import Broker
from papertrader.shared.log.bus import Bus
from papertrader.shared.messages import Cancel, Command, Place, Trigger
from tests.integration.door import MARKET, Door, append, opened, told, until
from tests.integration.wire import bounded, connected
from tests.messages import ack, fill
from tests.signing import ADDRESS, order, signed

STOP = {"trigger": {"isMarket": True, "triggerPx": "98.0", "tpsl": "sl"}}
PROFIT = {"trigger": {"isMarket": False, "triggerPx": "102.0", "tpsl": "tp"}}


def batch(grouping: Any, *wires: dict[str, Any]) -> dict[str, Any]:
    """An action that places several orders."""
    return {"type": "order", "orders": [order(**wire)["orders"][0] for wire in wires], "grouping": grouping}


def stop(**more: Any) -> dict[str, Any]:
    """A stop that sells at the market."""
    return {"price": "95.0", "b": False, "r": True, "t": STOP, **more}


def profit(**more: Any) -> dict[str, Any]:
    """A take-profit that sells at a limit."""
    return {"price": "102.0", "b": False, "r": True, "t": PROFIT, **more}


async def commands(bus: Bus, count: int) -> list[Any]:
    """So many commands of the account, once they are on the log."""
    found: list[Any] = []
    after = 0
    while len(found) < count:
        stored = await bus.next(f"orders.{MARKET}.main", after)
        if stored is None:
            await asyncio.sleep(0.01)
            continue
        found.append(msgspec.json.decode(stored.payload, type=Command))
        after = stored.sequence
    return found


async def answered(bus: Bus, command: Any, status: str, ts: int = 2 * 10**9, **more: Any) -> None:
    """Play the exchange: what it says of an order."""
    known = {name: getattr(command, name) for name in ("order_id", "side", "price", "size")}
    fields = {"status": status, "live_ts": 0, "reason": "none", **known, **more}
    await append(bus, "acks", ack(None, ts, **fields))


async def asked(door: Door, bus: Bus, action: dict[str, Any], before: int, *statuses: tuple[str, str]) -> Any:
    """The answers to an action whose commands the exchange answers so; `before` so many are on the log already."""
    asking = asyncio.ensure_future(door.post("exchange", signed(action)))
    for command, (status, reason) in zip((await commands(bus, before + len(statuses)))[before:], statuses, strict=True):
        await answered(bus, command, status, reason=reason)
    return (await asking)[1]["response"]["data"]["statuses"]


def test_a_stop_is_a_message_rests_in_the_venues_words_and_is_triggered(broker: Broker) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            await told(bus)
            async with opened(bus) as door, door.http.ws_connect(f"{door.url}/ws") as socket:
                await socket.send_json(
                    {"method": "subscribe", "subscription": {"type": "orderUpdates", "user": ADDRESS}}
                )
                action = batch("na", stop(c="0x" + "07" * 16))
                (status,) = await asked(door, bus, action, 0, ("waiting", "none"))
                (command,) = await commands(bus, 1)
                assert isinstance(command, Trigger)
                shape = (command.trigger, command.trigger_price, command.price, command.time_in_force, command.side)
                assert shape == ("stop", 98.0, 95.0, "ioc", "sell")
                assert (command.reduce_only, command.group, command.parent) == (True, 0, 0)
                assert status == {"resting": {"oid": command.order_id, "cloid": "0x" + "07" * 16}}
                (shown,) = await door.user("frontendOpenOrders")
                assert (shown["orderType"], shown["isTrigger"], shown["triggerPx"], shown["tif"]) == (
                    "Stop Market",
                    True,
                    "98.0",
                    None,
                )
                assert (shown["triggerCondition"], shown["limitPx"]) == ("Price below 98", "95.0")
                await answered(bus, command, "triggered", 3 * 10**9)
                await answered(bus, command, "accepted", 3 * 10**9, live_ts=3 * 10**9)
                await append(bus, "fills", fill(3 * 10**9, order_id=command.order_id, side="sell", position_after=-1.0))
                await answered(bus, command, "filled", 3 * 10**9, filled_size=1.0)
                heard: list[str] = []
                while heard[-1:] != ["filled"]:
                    frame = await socket.receive_json(timeout=5)
                    heard += [item["status"] for item in frame["data"]] if frame["channel"] == "orderUpdates" else []
                assert heard == ["open", "triggered", "open", "filled"]
                found = await door.user("orderStatus", oid=command.order_id)
                assert (found["order"]["status"], found["order"]["order"]["isTrigger"]) == ("filled", False)
                assert await door.user("frontendOpenOrders") == []

    bounded(work())


def test_an_entry_with_exits_is_one_group_and_its_children_are_told_with_it(broker: Broker) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            await told(bus)
            async with opened(bus) as door:
                action = batch("normalTpsl", {"tif": "Gtc"}, profit(), stop())
                waits = ("waiting", "waits_for_parent")
                statuses = await asked(door, bus, action, 0, ("accepted", "none"), waits, waits)
                entry, first, second = await commands(bus, 3)
                assert isinstance(entry, Place)
                assert {(child.parent, child.group) for child in (first, second)} == {(entry.order_id,) * 2}
                assert statuses == [{"resting": {"oid": entry.order_id}}, "waitingForFill", "waitingForFill"]
                (shown,) = await door.user("frontendOpenOrders")
                assert [child["orderType"] for child in shown["children"]] == ["Take Profit Limit", "Stop Market"]
                assert (await door.user("orderStatus", oid=first.order_id))["order"]["status"] == "open"
                await append(bus, "fills", fill(3 * 10**9, order_id=entry.order_id))
                await answered(bus, entry, "filled", 3 * 10**9, filled_size=1.0)
                for child in (first, second):
                    await answered(bus, child, "waiting", 3 * 10**9)
                orders = door.gateway.ledger.accounts["main"].orders
                await until(lambda: len(orders.open()) == 2)
                shown_now = await door.user("frontendOpenOrders")
                assert {item["orderType"] for item in shown_now} == {"Take Profit Limit", "Stop Market"}
                await answered(bus, first, "cancelled", 4 * 10**9, reason="sibling_filled")
                await until(lambda: len(orders.open()) == 1)
                told_ = await door.user("orderStatus", oid=first.order_id)
                assert told_["order"]["status"] == "siblingFilledCanceled"

    bounded(work())


def test_what_waits_is_restored_from_the_log(broker: Broker) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            await told(bus)
            async with opened(bus) as door:
                waits = ("waiting", "waits_for_parent")
                await asked(
                    door,
                    bus,
                    batch("normalTpsl", {"tif": "Gtc"}, profit(), stop()),
                    0,
                    ("accepted", "none"),
                    waits,
                    waits,
                )
                await asked(door, bus, batch("na", stop(c="0x" + "07" * 16)), 3, ("waiting", "none"))
                before = [await door.user(kind) for kind in ("frontendOpenOrders", "historicalOrders")]
                assert [len(order["children"]) for order in before[0]] == [0, 2]
            async with opened(bus) as door:
                assert [await door.user(kind) for kind in ("frontendOpenOrders", "historicalOrders")] == before
                (*_, command) = await commands(bus, 4)
                await answered(bus, command, "triggered", 3 * 10**9)
                main = door.gateway.ledger.accounts["main"]
                await until(lambda: len(main.orders.open()) == 1)
                found = await door.user("orderStatus", oid="0x" + "07" * 16)
                assert found["order"]["status"] == "triggered"

    bounded(work())


def test_exits_go_with_an_entry_that_finds_nothing_to_take(broker: Broker) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            await told(bus)
            async with opened(bus) as door:
                action = batch("normalTpsl", {"tif": "Ioc"}, stop())
                asking = asyncio.ensure_future(door.post("exchange", signed(action)))
                entry, child = await commands(bus, 2)
                await answered(bus, child, "waiting", reason="waits_for_parent")
                await answered(bus, entry, "expired", reason="no_liquidity")
                await answered(bus, child, "cancelled", reason="parent_ended")
                first, second = (await asking)[1]["response"]["data"]["statuses"]
                assert first["error"].startswith("Order could not immediately match")
                assert second["error"].startswith("The order was canceled with its parent")

    bounded(work())


def test_exits_of_a_position_have_its_size(broker: Broker) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            await told(bus)
            async with opened(bus) as door:
                action = batch("positionTpsl", profit(size="0"), stop(size="0"))
                statuses = await asked(door, bus, action, 0, ("waiting", "none"), ("rejected", "reduce_only"))
                first, second = await commands(bus, 2)
                assert all(item.whole_position and item.group == first.order_id for item in (first, second))
                refused = {"error": "Reduce only order would increase position. asset=0"}
                assert statuses == ["waitingForTrigger", refused]
                (shown,) = await door.user("frontendOpenOrders")
                assert (shown["isPositionTpsl"], shown["sz"], shown["reduceOnly"]) == (True, "0.0", True)

    bounded(work())


def test_a_stop_is_modified_in_one_step_and_cancelled_but_not_fast(broker: Broker) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            await told(bus)
            async with opened(bus) as door:
                cloid = "0x" + "07" * 16
                await asked(door, bus, batch("na", stop(c=cloid)), 0, ("waiting", "none"))
                (old,) = await commands(bus, 1)
                wire = order(**stop(price="94.0"))["orders"][0]
                plain = {"type": "batchModify", "modifies": [{"oid": old.order_id, "order": wire}]}
                (refused,) = await asked(door, bus, plain, 1)
                assert "always_place" in refused["error"]
                (status,) = await asked(door, bus, {**plain, "a": True}, 1, ("waiting", "none"))
                new = (await commands(bus, 2))[-1]
                assert (new.replaces, new.price) == (old.order_id, 94.0)
                assert status == {"resting": {"oid": new.order_id, "cloid": cloid}}
                await answered(bus, old, "cancelled", reason="never_triggered")
                cancel = {"type": "cancel", "cancels": [{"a": 0, "o": new.order_id}]}
                (refused,) = await asked(door, bus, {**cancel, "f": True}, 2)
                assert refused["error"].startswith("Fast cancel")
                assert await asked_to_cancel(door, bus, cancel, new) == ["success"]
                assert (await door.user("orderStatus", oid=old.order_id))["order"]["status"] == "canceled"

    bounded(work())


@pytest.mark.parametrize("gone", [False, True])
def test_what_becomes_another_order_is_cancelled_first(broker: Broker, gone: bool) -> None:
    """A stop becomes a post-only order without `a`; where it was triggered meanwhile, no second order appears."""

    async def work() -> None:
        async with connected(broker) as bus:
            await told(bus)
            async with opened(bus) as door:
                cloid = "0x" + "07" * 16
                await asked(door, bus, batch("na", stop(c=cloid)), 0, ("waiting", "none"))
                (old,) = await commands(bus, 1)
                wire = order(price="103.0", b=False, r=True)["orders"][0]
                modify = {"type": "modify", "oid": old.order_id, "order": wire}
                asking = asyncio.ensure_future(door.post("exchange", signed(modify)))
                cancel = (await commands(bus, 2))[-1]
                assert (type(cancel), cancel.order_id) == (Cancel, old.order_id)
                if gone:
                    await answered(bus, old, "triggered", 3 * 10**9)
                    await append(bus, "fills", fill(3 * 10**9, order_id=old.order_id, side="sell", position_after=-1.0))
                    await answered(bus, old, "filled", 3 * 10**9, filled_size=1.0)
                    assert (await asking)[1] == {"status": "err", "response": "Cannot modify canceled or filled order"}
                    assert len(await commands(bus, 2)) == 2
                    return
                await answered(bus, old, "cancelled", reason="never_triggered")
                new = (await commands(bus, 3))[-1]
                assert (type(new), new.side, new.price, new.reduce_only) == (Place, "sell", 103.0, True)
                await answered(bus, new, "accepted", 3 * 10**9, live_ts=3 * 10**9)
                assert (await asking)[1]["status"] == "ok"
                (shown,) = await door.user("openOrders")
                assert (shown["oid"], shown["cloid"]) == (new.order_id, cloid)
                assert door.gateway.ledger.accounts["main"].requests == 2, "one request, however many commands"

    bounded(work())


def test_without_a_nothing_becomes_an_order_that_takes_or_waits(broker: Broker) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            await told(bus)
            async with opened(bus) as door:
                await asked(door, bus, batch("na", {"price": "90.0"}), 0, ("accepted", "none"))
                (old,) = await commands(bus, 1)
                for wire, word in (
                    (order(tif="Ioc"), "IOC"),
                    (order(**stop()), "trigger"),
                    (order("101.0"), "Post only"),
                ):
                    modify = {"type": "modify", "oid": old.order_id, "order": wire["orders"][0]}
                    assert word in (await door.post("exchange", signed(modify)))[1]["response"]
                always = {"type": "modify", "oid": old.order_id, "order": order(**stop())["orders"][0], "a": True}
                asking = asyncio.ensure_future(door.post("exchange", signed(always)))
                await commands(bus, 2)
                await answered(bus, old, "cancelled", reason="never_touched")
                waiting = (await commands(bus, 3))[-1]
                await answered(bus, waiting, "waiting", 3 * 10**9)
                assert (await asking)[1]["status"] == "ok"
                assert isinstance(waiting, Trigger)

    bounded(work())


def test_a_bid_and_a_fast_cancel_reach_the_exchange_and_a_bid_for_what_is_not_sold_does_not(broker: Broker) -> None:
    """12345 in 1e-8 is 1.2345 bp. All of an action are IOC, or all are post-only and not reduce-only."""

    async def work() -> None:
        async with connected(broker) as bus:
            await told(bus)
            async with opened(bus) as door:
                (status,) = await asked(door, bus, batch({"p": 12345}, {"price": "90.0"}), 0, ("accepted", "none"))
                (bid,) = await commands(bus, 1)
                assert (bid.priority_bps, bid.time_in_force) == (1.2345, "post_only")
                assert "resting" in status
                mixed = batch({"p": 5}, {"price": "90.0"}, {"price": "90.0", "tif": "Gtc"})
                for action in (mixed, batch({"p": 5}, {"price": "90.0", "r": True}), batch({"p": 5}, stop())):
                    assert all(item["error"].startswith("Priority is") for item in await asked(door, bus, action, 1))
                cancel = {"type": "cancel", "cancels": [{"a": 0, "o": bid.order_id}], "f": True}
                assert await asked_to_cancel(door, bus, cancel, bid) == ["success"]
                assert (await commands(bus, 2))[-1].fast

    bounded(work())


async def asked_to_cancel(door: Door, bus: Bus, action: dict[str, Any], command: Any) -> Any:
    """The answers to a cancel that the exchange obeys."""
    asking = asyncio.ensure_future(door.post("exchange", signed(action)))
    await asyncio.sleep(0.1)
    await answered(bus, command, "cancelled", reason="never_triggered")
    return (await asking)[1]["response"]["data"]["statuses"]


def test_what_cannot_be_a_group_is_refused_and_nothing_goes_without_its_parent(broker: Broker) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            await told(bus)
            async with opened(bus) as door:
                (refused,) = await asked(door, bus, batch("positionTpsl", {"tif": "Gtc"}), 0)
                assert refused["error"].startswith("Only trigger orders")
                both = await asked(door, bus, batch("normalTpsl", {"price": "-1", "tif": "Gtc"}, stop()), 0)
                assert both == [{"error": "Order has invalid price."}] * 2
                status, _ = await door.post("exchange", signed(batch("strange", stop())))
                assert status == 422
                bad = {"trigger": {**STOP["trigger"], "triggerPx": "-3"}}
                (refused,) = await asked(door, bus, batch({"p": 5}, stop(t=bad)), 0)
                assert refused["error"] == "Invalid TP/SL price. asset=0"

    bounded(work())
