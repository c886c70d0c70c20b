"""Accounts that are opened, funded and closed on a real broker while all services work: nobody misses it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from papertrader.cli.accounts import AccountError, change, closing, funding, opening
from papertrader.cli.connection import Broker as Named
from papertrader.replay.composition import MEMBERS
from papertrader.replay.verify import Verifier
from papertrader.services.feed.publisher import Barrier, Publisher
from papertrader.shared.log.broker import Broker
from papertrader.shared.log.bus import Bus
from papertrader.shared.log.health import FOLDS
from papertrader.shared.log.segments import Entry
from papertrader.shared.log.subjects import Market, subject
from papertrader.shared.messages import Account, Ack, Instrument, Message, Place, RoundEnd
from papertrader.shared.messages.accounts import Terms
from papertrader.shared.service.checkpoint import CheckpointStore
from papertrader.shared.service.config import Settings
from papertrader.shared.service.roll import Roll
from papertrader.shared.service.runner import Runner
from tests.integration.counting_runner import folded_up_to
from tests.integration.wire import bounded, connected, entries
from tests.unit.fill_sim_session import book, ns, place

BTC, ETH = Market("hyperliquid", "BTC"), Market("hyperliquid", "ETH")
SETTINGS = Settings({"quoter": {"strategy": "none"}})
BOT = "terms.all.all.bot"


def runner_of(bus: Bus, folder: Path, service: str, market: Market) -> Runner:
    member = MEMBERS[service]
    roll = Roll(SETTINGS, lambda known: member.make_fold(known, market))
    store = CheckpointStore(folder / "checkpoints", service, member.state_version)
    return Runner(bus, service, market, roll, member.inputs, store)


@asynccontextmanager
async def working(bus: Bus, folder: Path, market: Market) -> AsyncIterator[list[Runner]]:
    """A worker of every service owns a market; leaving they checkpoint."""
    runners = [runner_of(bus, folder, service, market) for service in FOLDS]
    for runner in runners:
        await runner.start()
    yield runners
    for runner in runners:
        await runner.stop()


async def say(bus: Bus, name: str, message: Message) -> None:
    await bus.append(name, msgspec.json.encode(message), "")


async def tell(bus: Bus, market: Market, number: int, runners: Sequence[Runner] = ()) -> None:
    """Publish a round of a second, and let these fold it."""
    begun = number * 1000
    data: tuple[Message, ...] = (book(begun + 900, [(99.9, 5.0)], [(100.1, 5.0)]),)
    if number == 0:
        data = (Instrument(ts=ns(1), tick_size=0.1, lot_size=0.001), *data)
    end = RoundEnd(ts=ns(begun + 1000), recv_ts=0, round=number, frame=number, session=str(market), messages=len(data))
    await Publisher(bus, market, str(market), Barrier((), 1.0, 1.0)).publish(data, end)
    for runner in runners:
        await folded_up_to(runner, number)
        assert runner.failure is None


async def last(bus: Bus, market: Market, account: str) -> Account:
    stored = await bus.last(subject("account", market, account))
    assert stored is not None
    return msgspec.json.decode(stored.payload, type=Account)


async def filled(bus: Bus, market: Market, account: str) -> list[float]:
    """What was filled of each order that has ended so."""
    acks = [msgspec.json.decode(entry.payload, type=Ack) for entry in await entries(bus, f"acks.{market}.{account}")]
    return [ack.filled_size for ack in acks if ack.status == "filled"]


def taking(number: int, order_id: int) -> Place:
    return place(number * 1000, order_id, "buy", 100.1, 1.0, time_in_force="ioc")


async def verified(bus: Bus) -> Verifier:
    """The whole log folded again."""
    verifier = Verifier(SETTINGS)
    for entry in await entries(bus):
        verifier.take(Entry(*entry))
    verifier.finish()
    return verifier


def test_every_worker_learns_of_an_account_also_one_that_begins_later(broker: Broker, tmp_path: Path) -> None:
    """BTC goes on when it is opened, its workers begin again twice; ETH is told of by nobody before round 6."""

    async def work() -> None:
        async with connected(broker) as bus:
            async with working(bus, tmp_path, BTC) as runners:
                for number in range(3):
                    await tell(bus, BTC, number, runners)
                await say(bus, f"terms.{BTC}.main", Terms(ts=1, balance=1.0))  # of one market, which nobody hears
                await say(bus, BOT, Terms(ts=1, balance=5_000.0, settings={"taker_fee_bps": 10.0}))
                await say(bus, f"orders.{BTC}.bot", taking(3, 1))
                await tell(bus, BTC, 3, runners)
            async with working(bus, tmp_path, BTC) as runners:
                await tell(bus, BTC, 4, runners)
                await say(bus, BOT, Terms(ts=2, balance=6_000.0, settings={"taker_fee_bps": 10.0}))
                await tell(bus, BTC, 5, runners)
                assert await filled(bus, BTC, "bot") == [1.0]
                await tell(bus, ETH, 0)
                async with working(bus, tmp_path, ETH) as others:
                    await say(bus, f"orders.{ETH}.bot", taking(1, 1))
                    for number in (1, 2, 3):
                        await tell(bus, ETH, number, others)
                assert await filled(bus, ETH, "bot") == [1.0]
                await say(bus, BOT, Terms(ts=3, balance=6_000.0, closed=True))
                await say(bus, f"orders.{BTC}.bot", taking(6, 2))
                await tell(bus, BTC, 6, runners)
            async with working(bus, tmp_path, BTC) as runners:
                await say(bus, f"orders.{BTC}.bot", taking(7, 3))
                for number in (7, 8, 9):
                    await tell(bus, BTC, number, runners)
            assert await filled(bus, BTC, "bot") == [1.0], "a closed account stays closed when its worker begins again"
            for market in (BTC, ETH):
                money = await last(bus, market, "bot")
                assert money.fees == pytest.approx(0.1001)
                assert money.equity == pytest.approx(6_000.0 - 0.1 - 0.1001), "in ETH, which it never heard, as well"
                assert (await last(bus, market, "main")).equity == 10_000.0
            verifier = await verified(bus)
            assert verifier.differences == []
            assert verifier.verified["account"] == len(await entries(bus, "account.>")) > 5
            assert verifier.inputs["terms"] == 4

    bounded(work())


def test_a_log_on_which_an_account_was_opened_a_round_later_is_another_one(broker: Broker, tmp_path: Path) -> None:
    """What `verify` would say if somebody moved it: nothing is taken from anywhere but its place."""

    async def work() -> None:
        async with connected(broker) as bus:
            async with working(bus, tmp_path, BTC) as runners:
                await tell(bus, BTC, 0, runners)
                await say(bus, BOT, Terms(ts=1, balance=5_000.0))
                for number in (1, 2, 3):
                    await tell(bus, BTC, number, runners)
            found = [Entry(*entry) for entry in await entries(bus)]
            place_ = next(index for index, entry in enumerate(found) if entry.subject == BOT)
            later = [index for index, entry in enumerate(found) if entry.subject == subject("round", BTC)][1]
            moved = [*found[:place_], *found[place_ + 1 : later + 1], found[place_], *found[later + 1 :]]
            verifier = Verifier(SETTINGS)
            for entry in moved:
                verifier.take(entry)
            assert any(item.subject == f"account.{BTC}.bot" for item in verifier.differences)

    bounded(work())


def test_the_command_line_opens_funds_and_closes(broker: Broker, tmp_path: Path) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            named = Named(broker.url, {}, None)

            async def done(changing: Any, name: str = "bot") -> str:
                told, text = await change(named, name, changing)
                assert told, text
                return text

            async def refused(changing: Any, why: str, name: str = "bot") -> None:
                with pytest.raises(ValueError, match=why):
                    await change(named, name, changing)

            async with working(bus, tmp_path, BTC) as runners:
                await tell(bus, BTC, 0, runners)
                rounds = asyncio.ensure_future(_go_on(bus, runners))
                await refused(lambda _: closing("bot"), "there is no account 'bot'")
                await refused(lambda _: opening("main", "", None, {}), "there is an account 'main' already", "main")
                await refused(lambda _: opening("bot", "0x12", None, {}), "no address")
                await refused(lambda _: opening("bot", "", None, {"fee_tier": 20}), "fee_tier")
                assert "5,000.00 in each market" in await done(lambda _: opening("bot", "", 5_000.0, {"fee_tier": 1}))
                await done(lambda ledger: funding("bot", 500.0, ledger.available))
                assert (await last(bus, BTC, "bot")).equity == 5_500.0
                await refused(lambda ledger: funding("bot", -5_501.0, ledger.available), "cannot be taken")
                await done(lambda ledger: funding("bot", -1_500.0, ledger.available))
                await done(lambda ledger: funding("main", 1.0, ledger.available), "main")
                assert (await last(bus, BTC, "main")).equity == 10_001.0
                assert "position and history stay" in await done(lambda _: closing("bot"))
                await refused(lambda _: closing("bot"), "is closed")
                await refused(lambda _: opening("bot", "", 1.0, {}), "open it without options")
                assert "open" in await done(lambda _: opening("bot", "", None, {}))
                rounds.cancel()
            assert (await last(bus, BTC, "bot")).equity == 4_000.0
            with pytest.raises(AccountError, match="did you mean bot"):
                await change(named, "bott", lambda _: closing("bott"))

    bounded(work())


async def _go_on(bus: Bus, runners: Sequence[Runner]) -> None:
    number = 1
    while True:
        await tell(bus, BTC, number, runners)
        number += 1
        await asyncio.sleep(0.05)
