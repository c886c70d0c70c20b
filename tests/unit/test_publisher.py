import asyncio
import time
from collections.abc import Coroutine
from typing import Any

import msgspec
import pytest
from nats.aio.msg import Msg

from papertrader.services.feed.publisher import Barrier, Pace
from papertrader.services.feed.session_rounds import SETTLE_ROUNDS, until
from papertrader.shared.log.health import Heartbeat, MarketHealth
from papertrader.shared.log.subjects import Market
from papertrader.shared.messages import Context, Message, RoundEnd

MS = 1_000_000
ROUND_NS = 50 * MS
BTC, ETH = Market("synthetic", "BTC"), Market("synthetic", "ETH")
Rounds = list[tuple[tuple[Message, ...], RoundEnd]]


def source(*numbers: int) -> list[tuple[Message, ...]]:
    """Rounds with these numbers; the last one is marked final, as a source does."""
    return [
        (
            Context(ts=number * ROUND_NS, recv_ts=0),
            RoundEnd(
                ts=(number + 1) * ROUND_NS - 1,
                recv_ts=0,
                round=number,
                frame=number,
                session="s",
                final=number == numbers[-1],
            ),
        )
        for number in numbers
    ]


def test_rounds_pass_unchanged_and_only_the_last_settling_round_is_final() -> None:
    found = list(until(source(10, 11, 14), 0, ROUND_NS))
    assert [end.round for _, end in found] == [10, 11, 14, 15, 16, 17, 18]
    assert [end.final for _, end in found] == [False] * 6 + [True]
    assert [len(market_data) for market_data, _ in found] == [1, 1, 1] + [0] * SETTLE_ROUNDS
    assert [end.ts for _, end in found[2:5]] == [15 * ROUND_NS - 1, 16 * ROUND_NS - 1, 17 * ROUND_NS - 1]


def test_duration_ends_the_session_with_the_round_that_reaches_it() -> None:
    found = list(until(source(10, 11, 12, 13), 2 * ROUND_NS, ROUND_NS))
    assert [end.round for market_data, end in found if market_data] == [10, 11, 12]
    assert found[-1][1].final


def test_duration_longer_than_the_session_changes_nothing() -> None:
    assert list(until(source(10, 11), 10**15, ROUND_NS)) == list(until(source(10, 11), 0, ROUND_NS))


def test_source_without_rounds_has_none_to_settle() -> None:
    assert list(until([], 0, ROUND_NS)) == []


def test_round_without_its_marker_is_an_error() -> None:
    with pytest.raises(ValueError, match="ends with its marker"):
        list(until([(Context(ts=1, recv_ts=1),)], 0, ROUND_NS))


def test_pace_releases_event_time_at_a_multiple_of_real_time() -> None:
    async def paced() -> list[float]:
        pace, started, released = Pace(200.0), time.monotonic(), []
        for seconds in (0, 20, 40):
            await pace.wait(10**18 + seconds * 1_000 * MS)
            released.append(time.monotonic() - started)
        return released

    first, second, third = asyncio.run(paced())
    assert first < second < third
    assert 0.1 <= second < 10.0
    assert 0.2 <= third < 20.0


def test_pace_of_zero_never_waits() -> None:
    async def paced() -> float:
        pace, started = Pace(0.0), time.monotonic()
        for second in range(1_000):
            await pace.wait(second * 1_000 * MS)
        return time.monotonic() - started

    assert asyncio.run(paced()) < 5.0


def test_pace_that_fell_behind_catches_up_without_waiting() -> None:
    async def paced() -> float:
        pace = Pace(1.0)
        await pace.wait(0)
        await asyncio.sleep(0.5)
        started = time.monotonic()
        await pace.wait(300 * MS)
        await pace.wait(490 * MS)
        return time.monotonic() - started

    assert asyncio.run(paced()) < 0.25


def begun(services: tuple[str, ...], timeout_s: float, first_timeout_s: float) -> Barrier:
    """A barrier whose markets have published some rounds."""
    barrier = Barrier(services, timeout_s, first_timeout_s)
    for market in (BTC, ETH):
        barrier.published(market, 100)
    return barrier


def report(service: str, market: Market, number: int) -> Msg:
    return Msg(None, f"progress.{service}.{market}", data=str(number).encode())  # type: ignore[arg-type]


def beat(service: str, market: Market, number: int) -> Msg:
    health = MarketHealth(round=number, ts=0, checkpoint_ts=0, checkpoint_loads=True, checkpoints=0, bad={})
    content = Heartbeat(service=service, worker="w", markets={str(market): health})
    return Msg(None, f"health.{service}.w", data=msgspec.json.encode(content))  # type: ignore[arg-type]


def bounded(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 5))


async def is_waiting(task: "asyncio.Task[None]") -> bool:
    await asyncio.sleep(0.02)
    return not task.done()


def test_barrier_waits_until_every_service_has_folded_the_round() -> None:
    async def work() -> None:
        barrier = begun(("quoter", "fill-sim"), 60.0, 60.0)
        task = asyncio.create_task(barrier.wait(BTC, 7))
        await barrier.on_progress(report("quoter", BTC, 7))
        assert await is_waiting(task)
        await barrier.on_progress(report("fill-sim", BTC, 6))
        assert await is_waiting(task)
        await barrier.on_progress(report("fill-sim", BTC, 7))
        await task
        assert barrier.absences == 0

    bounded(work())


def test_barrier_that_all_have_passed_does_not_wait() -> None:
    async def work() -> None:
        barrier = begun(("quoter",), 60.0, 60.0)
        await barrier.on_progress(report("quoter", BTC, 9))
        await barrier.wait(BTC, 7)
        await Barrier((), 60.0, 60.0).wait(BTC, 7)

    bounded(work())


def test_barrier_takes_a_heartbeat_for_a_lost_report() -> None:
    async def work() -> None:
        barrier = begun(("quoter",), 60.0, 60.0)
        task = asyncio.create_task(barrier.wait(BTC, 7))
        await barrier.on_heartbeat(beat("quoter", BTC, 7))
        await task

    bounded(work())


def test_barrier_keeps_markets_and_strangers_apart() -> None:
    async def work() -> None:
        barrier = begun(("quoter",), 60.0, 60.0)
        btc, eth = asyncio.create_task(barrier.wait(BTC, 7)), asyncio.create_task(barrier.wait(ETH, 7))
        await barrier.on_progress(report("stranger", BTC, 7))
        await barrier.on_progress(report("quoter", ETH, 7))
        await eth
        assert await is_waiting(btc)
        await barrier.on_progress(report("quoter", BTC, 7))
        await btc

    bounded(work())


def test_barrier_goes_on_without_an_absent_service_and_waits_again_once_it_is_back() -> None:
    async def work() -> None:
        barrier = begun(("quoter", "fill-sim"), 0.5, 60.0)
        await barrier.on_progress(report("quoter", BTC, 6))
        await barrier.on_progress(report("fill-sim", BTC, 7))
        await barrier.wait(BTC, 7)
        assert barrier.absent(BTC) == ["quoter"]
        assert barrier.absences == 1
        await barrier.on_progress(report("fill-sim", BTC, 8))
        started = time.monotonic()
        await barrier.wait(BTC, 8)
        assert time.monotonic() - started < 0.4, "an absent service is not waited for again"
        await barrier.on_progress(report("quoter", BTC, 8))
        await barrier.on_progress(report("fill-sim", BTC, 9))
        task = asyncio.create_task(barrier.wait(BTC, 9))
        assert await is_waiting(task)
        assert barrier.absent(BTC) == []
        await barrier.on_progress(report("quoter", BTC, 9))
        await task
        assert barrier.absences == 1

    bounded(work())


def test_barrier_gives_a_service_that_never_answered_more_time() -> None:
    async def work() -> None:
        barrier = begun(("quoter",), 0.01, 0.2)
        started = time.monotonic()
        await barrier.wait(BTC, 1)
        assert time.monotonic() - started >= 0.19
        assert barrier.absent(BTC) == ["quoter"]

    bounded(work())


def test_barrier_hears_of_a_service_that_restarted_from_an_older_round() -> None:
    async def work() -> None:
        barrier = begun(("quoter",), 60.0, 60.0)
        await barrier.on_progress(report("quoter", BTC, 7))
        await barrier.on_progress(report("quoter", BTC, 3))
        task = asyncio.create_task(barrier.wait(BTC, 8))
        assert await is_waiting(task)
        await barrier.on_progress(report("quoter", BTC, 8))
        await task

    bounded(work())


def test_barrier_is_not_set_back_by_a_heartbeat_that_a_report_has_overtaken() -> None:
    """They come by two subscriptions: the later may be heard first, and nobody would say it again for a second."""

    async def work() -> None:
        barrier = begun(("quoter",), 60.0, 60.0)
        await barrier.on_progress(report("quoter", BTC, 8))
        await barrier.on_heartbeat(beat("quoter", BTC, 7))
        await asyncio.wait_for(barrier.wait(BTC, 8), 5.0)
        assert barrier.absences == 0

    bounded(work())


def test_barrier_does_not_take_a_service_for_back_that_is_far_behind() -> None:
    async def work() -> None:
        barrier = begun(("quoter",), 0.01, 0.01)
        for number in (7, 8, 9):
            await barrier.wait(BTC, number)
            await barrier.on_progress(report("quoter", BTC, number - 4))
        assert barrier.absences == 1
        await barrier.on_progress(report("quoter", BTC, 8))
        assert barrier.absent(BTC) == [], "one round behind is back"

    bounded(work())


@pytest.mark.parametrize(
    ("subject", "payload"),
    [
        ("progress.quoter.synthetic.BTC", b"101"),
        ("progress.quoter.synthetic.BTC", b"99999999999999999999"),
        ("progress.quoter.synthetic.BTC", b"-1"),
        ("progress.quoter.synthetic.BTC", b"seven"),
        ("progress.quoter", b"7"),
        ("orders.quoter.synthetic.BTC", b"7"),
        ("progress.nobody.synthetic.BTC", b"7"),
    ],
)
def test_report_that_cannot_be_true_moves_nothing_and_is_counted(subject: str, payload: bytes) -> None:
    """A consumer of anybody may deliver a message of the log where progress is heard: it keeps its own subject."""

    async def work() -> None:
        barrier = begun(("quoter",), 0.05, 0.05)
        await barrier.on_progress(Msg(None, subject, data=payload))  # type: ignore[arg-type]
        assert barrier.refused == 1
        await barrier.wait(BTC, 7)
        assert barrier.absences == 1

    asyncio.run(work())


@pytest.mark.parametrize("subject", ["health.quoter.other-7", "orders.quoter.host-7", "health.feed.host-7"])
def test_heartbeat_that_was_not_said_by_its_worker_moves_nothing(subject: str) -> None:
    async def work() -> None:
        health = MarketHealth(round=7, ts=0, checkpoint_ts=0, checkpoint_loads=True, checkpoints=0, bad={})
        beat = Heartbeat(service="quoter", worker="host-7", markets={str(BTC): health})
        barrier = begun(("quoter",), 0.05, 0.05)
        await barrier.on_heartbeat(Msg(None, subject, data=msgspec.json.encode(beat)))  # type: ignore[arg-type]
        await barrier.on_heartbeat(Msg(None, subject, data=b"{"))  # type: ignore[arg-type]
        assert barrier.refused == 2
        await barrier.wait(BTC, 7)
        assert barrier.absences == 1

    asyncio.run(work())
