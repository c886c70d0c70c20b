import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.publisher import Barrier, Publisher, SessionError
from papertrader.services.feed.service import Feed
from papertrader.services.feed.session_rounds import until
from papertrader.services.feed.sources import sources
from papertrader.shared.log.broker import Broker
from papertrader.shared.log.bus import Bus
from papertrader.shared.log.health import progress_subject
from papertrader.shared.log.subjects import STREAM, Market, subject
from papertrader.shared.log.tasks import REFUSED
from papertrader.shared.log.writes import NO_WRITES
from papertrader.shared.messages import RoundEnd
from tests.integration.counting import publish, publisher_of, session, undisturbed
from tests.integration.counting_runner import MARKET, folded_up_to, orders_on, runner_of, running
from tests.integration.processes import ServiceProcess, settings_file
from tests.integration.wire import Entry, become, bounded, connected, entries

FEED: dict[str, Any] = {
    "source": "synthetic",
    "speed": 0.0,
    "barrier": [],
    "synthetic": {"duration_s": 20.0},
}
Said = list[tuple[str, bytes]]


def wanted(market: Market, config: FeedConfig) -> list[tuple[RoundEnd, Said]]:
    """The rounds of a market, without a bus."""
    source = next(source for source in sources(config) if source.market == market)
    rounds = until((round_.messages for round_ in source.rounds()), 0, config.round_ms * 1_000_000)
    kinds = {"Instrument": "instrument", "Book": "book", "Depth": "depth", "Bbo": "bbo", "Trades": "trades"}
    kinds |= {"Context": "ctx", "Gap": "gap"}
    return [
        (
            msgspec.structs.replace(end, messages=len(market_data)),
            [(kinds[type(message).__name__], msgspec.json.encode(message)) for message in market_data],
        )
        for market_data, end in rounds
    ]


def closed(log: list[Entry]) -> list[tuple[RoundEnd, Said]]:
    """The rounds that the log closed; what a marker discards does not count."""
    rounds: list[tuple[RoundEnd, Said]] = []
    said: Said = []
    for entry in log:
        kind = entry.subject.rpartition(".")[2]
        if kind != "round":
            said.append((kind, entry.payload))
            continue
        end = msgspec.json.decode(entry.payload, type=RoundEnd)
        if not end.discard:
            rounds.append((end, said))
        said = []
    return rounds


async def last_round(bus: Bus, market: Market) -> RoundEnd | None:
    stored = await bus.last(subject("round", market))
    return None if stored is None else msgspec.json.decode(stored.payload, type=RoundEnd)


async def reached(bus: Bus, market: Market, share: float, rounds: list[tuple[RoundEnd, Said]]) -> None:
    number = rounds[int(share * (len(rounds) - 1))][0].round
    while True:
        end = await last_round(bus, market)
        if end is not None and end.round >= number:
            return


def test_feed_killed_twice_publishes_what_an_undisturbed_one_does(broker: Broker, tmp_path: Path) -> None:
    async def work() -> None:
        config = msgspec.convert(FEED, FeedConfig)
        markets = [source.market for source in sources(config)]
        expected = {market: wanted(market, config) for market in markets}
        settings = settings_file(tmp_path, {"bus": {"url": broker.url}, "feed": FEED})
        async with connected(broker) as bus:
            for share in (0.2, 0.6):
                process = ServiceProcess("papertrader.services.feed", settings)
                await asyncio.wait_for(reached(bus, markets[0], share, expected[markets[0]]), 60)
                process.kill()
                end = await last_round(bus, markets[0])
                assert end is not None
                assert not end.final
            code, said = await asyncio.to_thread(ServiceProcess("papertrader.services.feed", settings).ended)
            assert code == 0, said
            for market in markets:
                log = await entries(bus, f"md.{market}.>")
                assert closed(log) == expected[market]
                markers = [entry for entry in log if entry.subject.endswith(".round")]
                assert len(markers) == len(expected[market]) + 2, "one discarding marker per restart"

    bounded(work())


def test_feed_of_a_finished_session_refuses_to_run_it_again(broker: Broker, tmp_path: Path) -> None:
    async def work() -> None:
        feed = {**FEED, "duration_s": 1.0}
        settings = settings_file(tmp_path, {"bus": {"url": broker.url}, "feed": feed})
        async with connected(broker) as bus:
            first = await asyncio.to_thread(ServiceProcess("papertrader.services.feed", settings).ended)
            assert first[0] == 0, first[1]
            before = await entries(bus)
            code, said = await asyncio.to_thread(ServiceProcess("papertrader.services.feed", settings).ended)
            assert code == REFUSED
            assert "the log already holds the whole of this session" in said
            settings = settings_file(tmp_path, {"bus": {"url": broker.url}, "feed": {**feed, "seed": 2}})
            code, said = await asyncio.to_thread(ServiceProcess("papertrader.services.feed", settings).ended)
            assert code == REFUSED
            assert "the log already holds another session of synthetic." in said
            assert await entries(bus) == before

    bounded(work())


def test_publisher_of_another_session_is_refused(broker: Broker) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            assert await publisher_of(bus, MARKET).resume() == -1
            await publish(bus, MARKET, session(3))
            assert await publisher_of(bus, MARKET).resume() == 3
            with pytest.raises(SessionError, match=r"another session of synthetic\.SYN1"):
                await Publisher(bus, MARKET, "other", Barrier((), 1.0, 1.0)).resume()

    bounded(work())


def test_feed_killed_before_its_first_marker_begins_again(broker: Broker, tmp_path: Path) -> None:
    async def work() -> None:
        parts = session(10)
        async with connected(broker) as bus, running(bus, tmp_path) as runner:
            for message in parts[0].market_data[:1]:
                await bus.append(subject("instrument", MARKET), msgspec.json.encode(message), "begun")
            assert await publisher_of(bus, MARKET).resume() == -1
            await publish(bus, MARKET, parts)
            await folded_up_to(runner, 10)
            assert await orders_on(bus) == undisturbed(parts)[0]
            assert runner.bad == {}

    bounded(work())


def test_feed_killed_while_it_repeats_a_round_publishes_it_again(broker: Broker, tmp_path: Path) -> None:
    """The discarding marker of a repeat must not pass for the round that it repeats."""

    class Dying(Publisher):
        async def _publish_once(self, market_data: Any, end: RoundEnd) -> bool:
            if self.repeats:
                raise SystemExit  # the process ends between the discarding marker and the repeat
            return False

    async def work() -> None:
        parts = session(10)
        async with connected(broker) as bus, running(bus, tmp_path) as runner:
            await publish(bus, MARKET, parts[:6])
            dying = Dying(bus, MARKET, "s", Barrier((), 1.0, 1.0))
            await dying.resume()
            with contextlib.suppress(SystemExit):
                await dying.publish(parts[6].market_data, parts[6].end)
            assert await publisher_of(bus, MARKET).resume() == 6
            await publish(bus, MARKET, parts[6:])
            await folded_up_to(runner, 10)
            assert await orders_on(bus) == undisturbed(parts)[0]

    bounded(work())


def test_feed_that_goes_on_waits_until_the_last_round_is_folded(broker: Broker) -> None:
    """When everything died at once within a round, a fold has yet to say what follows from it."""

    async def work() -> None:
        config = msgspec.convert(FEED | {"barrier": ["quoter"], "duration_s": 1.0}, FeedConfig)
        source = sources(config)[0]
        rounds = until((round_.messages for round_ in source.rounds()), 10**9, config.round_ms * 1_000_000)
        async with connected(broker) as bus, connected(broker, "fold") as fold:
            before = Publisher(bus, source.market, source.session, Barrier((), 1.0, 1.0))
            for market_data, end in itertools.islice(rounds, 5):
                await before.publish(market_data, end)
            feed = Feed(bus, config, [source])
            going_on = asyncio.create_task(feed.run())
            await become(lambda: feed.connected, "the feed to know where the log ends")
            await asyncio.sleep(0.3)
            assert await last_number(bus, source.market) == before.last_round
            await fold.publish(progress_subject("quoter", source.market), b"%d" % before.last_round)
            await reached(bus, source.market, 1.0, wanted(source.market, config)[:6])
            going_on.cancel()

    bounded(work())


async def last_number(bus: Bus, market: Market) -> int:
    """The last round of the log that is not the marker of one that comes again."""
    markers = [msgspec.json.decode(entry.payload, type=RoundEnd) for entry in await entries(bus, f"md.{market}.round")]
    return max(end.round for end in markers if not end.discard)


@contextlib.asynccontextmanager
async def paced(bus: Bus, barrier: Barrier) -> AsyncIterator[Publisher]:
    subscriptions = [
        await bus.subscribe("progress.>", barrier.on_progress),
        await bus.subscribe("health.>", barrier.on_heartbeat),
    ]
    yield Publisher(bus, MARKET, "s", barrier)
    for subscription in subscriptions:
        await subscription.unsubscribe()


def test_barrier_keeps_the_feed_and_a_fold_in_step(broker: Broker, tmp_path: Path) -> None:
    async def work() -> None:
        barrier = Barrier(("counter",), 60.0, 60.0)
        async with (
            connected(broker) as bus,
            connected(broker, "fold") as fold_bus,
            running(fold_bus, tmp_path) as runner,
            paced(bus, barrier) as publisher,
        ):
            for part in session(50):
                await publisher.publish(part.market_data, part.end)
                assert runner.position.round == part.end.round

    bounded(work())


def test_feed_goes_on_without_a_dead_fold_and_waits_again_when_it_is_back(broker: Broker, tmp_path: Path) -> None:
    async def work() -> None:
        parts, barrier = session(90), Barrier(("counter",), 1.5, 30.0)
        async with connected(broker) as bus, connected(broker, "fold") as fold_bus, paced(bus, barrier) as publisher:
            async with running(fold_bus, tmp_path):
                for part in parts[:20]:
                    await publisher.publish(part.market_data, part.end)
            for part in parts[20:40]:
                await publisher.publish(part.market_data, part.end)
            assert barrier.absences == 1
            assert barrier.absent(MARKET) == ["counter"]
            second = runner_of(fold_bus, tmp_path)
            await second.start()
            for part in parts[40:70]:
                await publisher.publish(part.market_data, part.end)
            await become(lambda: second.position.round == 70, "the fold to catch up")
            for part in parts[70:]:
                await publisher.publish(part.market_data, part.end)
                assert second.position.round >= part.end.round - 1
            assert second.position.round == 90, "waited for again"
            assert barrier.absent(MARKET) == []
            assert barrier.absences == 1
            await second.stop()

    bounded(work())


def test_feed_that_begins_while_the_broker_takes_no_message_says_so(broker: Broker) -> None:
    """Whoever started the broker starts it anew then: one whose disk was full takes no message ever after."""
    config = msgspec.convert(FEED, FeedConfig)
    source = sources(config)[0]

    async def work() -> None:
        async with connected(broker) as bus:
            await bus.append(subject("book", source.market), b"{}", "left-behind")
            stream = (await bus.jetstream.stream_info(STREAM)).config
            await bus.jetstream.update_stream(stream, max_msg_size=1)
            feed = Feed(bus, config, [source])
            running = asyncio.ensure_future(feed.run())
            await become(lambda: feed._unready().startswith(NO_WRITES), "the feed's complaint")
            assert not feed.connected
            await bus.jetstream.update_stream(stream, max_msg_size=-1)
            await running
            assert not feed._unready()

    bounded(work())
