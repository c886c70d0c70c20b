"""What users from outside may do on the broker: consumers of their own, limits, and nobody else's inbox."""

import asyncio
import contextlib
from typing import Any

import nats.errors
import pytest

from papertrader.services.broker_exporter.refusals import Refusals
from papertrader.shared.log.bus import Bus, BusError
from papertrader.shared.log.consumers import create
from papertrader.shared.log.subjects import STREAM, Market, subject
from papertrader.shared.log.users import MOST_OUTSIDE, OUTSIDE_API, OUTSIDERS
from papertrader.shared.service.permissions import LIMITS
from tests.integration.guarded import Guarded, delivering, login

MARKET = Market("synthetic", "SYN1")


@pytest.mark.parametrize("user", OUTSIDERS)
def test_outside_users_have_consumers_of_their_own_and_so_many(guarded: Guarded, user: str) -> None:
    other = "trader" if user == "operator" else "operator"

    async def attempt() -> tuple[list[str], list[str], int]:
        watched = await login(guarded, user)
        mine = [f"{OUTSIDE_API}.CONSUMER.{verb}.{STREAM}.{user}-0" for verb in ("CREATE", "DELETE")]
        others = [f"$JS.API.CONSUMER.CREATE.{STREAM}", f"$JS.API.CONSUMER.CREATE.{STREAM}.drawn"]
        others += [f"$JS.API.CONSUMER.{verb}.{STREAM}.{other}-0" for verb in ("CREATE", "DELETE", "INFO", "MSG.NEXT")]
        others += [f"$JS.API.CONSUMER.{verb}.{STREAM}" for verb in ("LIST", "NAMES")]
        others += [name.replace("$JS.API", OUTSIDE_API) for name in others]
        others += [f"$JS.FC.{STREAM}.{other}-0.abc", f"$JS.API.CONSUMER.CREATE.{STREAM}.{user}-0.fills.>"]
        refused = [name for name in mine if await watched.refused(name)]
        taken = [name for name in others if not await watched.refused(name)]
        made = 0

        async def take_all() -> None:
            nonlocal made
            while True:
                await create(watched.bus, STREAM, delivering(watched.bus.client.new_inbox()))
                made += 1

        with pytest.raises(BusError, match="reads in 64 places already"):
            await take_all()
        await watched.bus.close()
        return refused, taken, made

    refused, taken, made = asyncio.run(attempt())
    assert (refused, taken) == ([], [])
    assert MOST_OUTSIDE - 2 <= made <= MOST_OUTSIDE, "one that is there already counts"


@pytest.mark.parametrize("user", OUTSIDERS)
def test_outside_users_hear_what_is_said_and_no_inbox_or_request(guarded: Guarded, user: str) -> None:
    market = Market("synthetic", f"HEARD-{user}")

    async def listen() -> set[str]:
        watched, feed = await login(guarded, user), await login(guarded, "feed")
        heard: set[str] = set()

        async def hear(message: Any) -> None:
            heard.add(message.subject)

        await watched.bus.client.subscribe(">", cb=hear)
        await watched.bus.client.flush()
        for number in range(50):
            await feed.bus.append(subject("round", market), b"{}", f"{user}-heard-{number}")
            assert await feed.bus.last(subject("round", market)) is not None
            await feed.bus.publish("health.feed.w1", b"{}")
            await feed.bus.client.flush()
            await asyncio.sleep(0.1)
            if len(heard) > 1 and number > 3:
                break
        await watched.bus.close()
        await feed.bus.close()
        return heard

    assert asyncio.run(listen()) == {subject("round", market), "health.feed.w1"}


def test_limits_of_an_account_are_kept_by_the_broker_and_counted(guarded: Guarded) -> None:
    counter = Refusals(guarded.log)
    limits = LIMITS["trader"]

    async def attempt() -> None:
        watched = await login(guarded, "trader")
        many = [await login(guarded, "trader") for _ in range(limits["max_connections"] - 1)]
        with pytest.raises(BusError):
            await Bus.connect(guarded.url, "trader", timeout_s=1.0, nkeys_seed=guarded.seed("trader"))
        service = await login(guarded, "quoter")
        await service.bus.close()
        for bus in many:
            await bus.bus.close()
        large = await login(guarded, "trader")
        await large.bus.client.publish("orders.a.b.c", b"x" * (limits["max_payload"] + 1))
        await asyncio.sleep(0.2)
        await large.bus.close()
        many_ears = await login(guarded, "trader")
        for number in range(limits["max_subscriptions"] + 10):
            await many_ears.bus.client.subscribe(f"fills.many.{number}.main")
        with contextlib.suppress(nats.errors.Error):
            await many_ears.bus.client.flush()
        await asyncio.sleep(0.5)
        await many_ears.bus.close()
        assert await watched.refused("fills.a.b.c")
        await watched.bus.close()

    asyncio.run(attempt())
    counted = counter.counted()
    assert counted["connections"] >= 1
    assert counted["payload"] >= 1
    assert counted["subscriptions"] >= 1
    assert counted["publish"] == 1
