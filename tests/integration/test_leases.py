"""Leases on a real broker that dies."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from papertrader.shared.log import lease
from papertrader.shared.log.broker import Broker, free_port
from papertrader.shared.log.bus import Bus
from papertrader.shared.log.lease import BUCKET, RENEW_S, TTL_S, Leases
from papertrader.shared.log.subjects import Market
from papertrader.shared.log.tasks import ended
from papertrader.shared.log.writes import NO_ANSWER, NO_WRITES

MARKET = Market("venue", "A")


class Worker:
    """One worker of fill-sim, and what it holds."""

    def __init__(self, bus: Bus, name: str = "w1") -> None:
        self.bus = bus
        self.held: set[Market] = set()
        self.gains = 0
        self.leases = Leases(bus, "fill-sim", name, self.gain, self.lose)

    async def gain(self, market: Market) -> None:
        self.held.add(market)
        self.gains += 1

    async def lose(self, market: Market, _clean: bool) -> None:
        self.held.discard(market)

    async def wait(self, held: bool) -> None:
        async with asyncio.timeout(15):
            while (MARKET in self.held) is not held:  # noqa: ASYNC110 - what is waited for is what is tested
                await asyncio.sleep(0.05)

    async def renewed(self, after: int) -> int:
        """Wait until its membership is written later than a revision; the revision then."""
        async with asyncio.timeout(15):
            while (entry := self.leases._entries.get(self.leases._member_key)) is None or entry.revision <= after:  # noqa: ASYNC110 - what is waited for is what is tested
                await asyncio.sleep(0.05)
        return entry.revision


@contextlib.asynccontextmanager
async def working(directory: Path) -> Any:
    broker = Broker(directory, free_port())
    broker.start()
    worker = Worker(await Bus.connect(broker.url, "fill-sim"))
    await worker.leases.start()
    worker.leases.offer(MARKET)
    await worker.wait(held=True)
    try:
        yield broker, worker
    finally:
        await worker.leases.stop()
        await worker.bus.close()
        broker.stop()


async def _die_and_come_back(broker: Broker) -> None:
    os.kill(broker.pid, signal.SIGKILL)
    await asyncio.sleep(TTL_S + 1)
    broker.stop()
    broker.start()


def test_market_is_held_again_after_the_broker_died_even_if_rejoining_fails_at_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> tuple[int, bool]:
        async with working(tmp_path) as (broker, worker):
            watch, failures = lease.create, [TimeoutError(), TimeoutError()]

            async def fail_at_first(*arguments: Any, **options: Any) -> Any:
                if failures:
                    raise failures.pop()
                return await watch(*arguments, **options)

            monkeypatch.setattr(lease, "create", fail_at_first)
            await _die_and_come_back(broker)
            await asyncio.sleep(2)
            await worker.wait(held=True)
            await worker.renewed(await worker.renewed(0))
            held = worker.leases._entries[worker.leases._lease_key(MARKET)]
            return len(failures), held.holder == "w1" and MARKET in worker.held

    assert asyncio.run(run()) == (0, True)


def test_entries_that_never_expire_are_not_taken_for_workers(tmp_path: Path) -> None:
    """As a broker leaves them that was killed: found again after they had expired, and without an end."""

    async def run() -> int:
        async with working(tmp_path) as (_, worker):
            ghosts = [f"ghost{number}" for number in range(8)]
            for ghost in ghosts:
                await worker.bus.client.request(f"$KV.{BUCKET}.m.fill-sim.{ghost}", ghost.encode(), timeout=1)
            await worker.wait(held=False)
            await worker.bus.client.request(f"$KV.{BUCKET}.{worker.leases._lease_key(MARKET)}", b"ghost1", timeout=1)
            await worker.wait(held=True)
            return worker.gains

    assert asyncio.run(run()) == 2


def test_broker_that_takes_no_lease_is_told_and_costs_no_market(tmp_path: Path) -> None:
    """As when its disk was full: it refuses every write, and nobody is ahead."""

    async def run() -> tuple[str, str, int]:
        async with working(tmp_path) as (_, worker):
            bucket = (await worker.bus.jetstream.stream_info(f"KV_{BUCKET}")).config
            await worker.bus.jetstream.update_stream(bucket, max_msg_size=1)
            async with asyncio.timeout(10):
                while not worker.leases.refusal.complaint():  # noqa: ASYNC110 - what is waited for is what is tested
                    await asyncio.sleep(0.05)
            said = worker.leases.refusal.complaint()
            await worker.bus.jetstream.update_stream(bucket, max_msg_size=-1)
            await asyncio.sleep(2 * RENEW_S)
            return said, worker.leases.refusal.complaint(), worker.gains

    said, afterwards, gains = asyncio.run(run())
    assert said.startswith("the broker takes no message for 5 s: message size exceeds")
    assert (afterwards, gains) == ("", 1)


def test_broker_that_does_not_answer_who_renews_is_told(tmp_path: Path) -> None:
    """As one whose disk was full for a moment: it takes messages of the log, and none for leases any more."""

    async def work() -> None:
        async with working(tmp_path) as (broker, worker):
            assert not worker.leases.refusal.text
            os.kill(broker.pid, signal.SIGSTOP)
            try:
                async with asyncio.timeout(15):
                    while not (complaint := worker.leases.refusal.complaint()):  # noqa: ASYNC110 - this is tested
                        await asyncio.sleep(0.05)
            finally:
                os.kill(broker.pid, signal.SIGCONT)
            assert complaint.startswith(f"{NO_WRITES} for 5 s: {NO_ANSWER}")
            async with asyncio.timeout(15):
                while worker.leases.refusal.text:  # noqa: ASYNC110 - this is tested
                    await asyncio.sleep(0.05)

    asyncio.run(work())


def test_market_that_could_not_be_taken_up_is_not_held(tmp_path: Path) -> None:
    async def run() -> tuple[bool, BaseException | None]:
        async with working(tmp_path) as (_, worker):
            taken_up = worker.leases._gain

            async def fail(_market: Market) -> None:
                worker.leases._gain = taken_up
                raise TimeoutError

            worker.leases._gain = fail
            await worker.leases.surrender(MARKET)
            await worker.wait(held=False)
            await worker.wait(held=True)
            return worker.gains == 2, worker.leases.failure

    assert asyncio.run(run()) == (True, None)


def test_end_of_the_keeping_of_leases_is_told(tmp_path: Path) -> None:
    async def run() -> str:
        async with working(tmp_path) as (_, worker):

            async def fail(_market: Market) -> None:
                raise RuntimeError("a defect")

            worker.leases._gain = fail
            await worker.leases.surrender(MARKET)
            async with asyncio.timeout(10):
                while worker.leases.failure is None:  # noqa: ASYNC110 - what is waited for is what is tested
                    await asyncio.sleep(0.05)
            return str(worker.leases.failure)

    assert asyncio.run(run()) == "a defect"


def test_leases_cost_no_renewal_and_end_with_their_holder(tmp_path: Path) -> None:
    """A second worker takes the markets of one that is gone, and none of one that lives."""
    markets = [Market("venue", f"M{number}") for number in range(40)]

    async def run() -> tuple[set[int], int, int]:
        async with working(tmp_path) as (broker, first):
            for market in markets:
                first.leases.offer(market)
            while len(first.held) < len(markets) + 1:  # noqa: ASYNC110 - what is waited for is what is tested
                await asyncio.sleep(0.05)
            before = [entry.revision for key, entry in first.leases._entries.items() if key.startswith("a.")]
            await asyncio.sleep(TTL_S + 1)
            after = [entry.revision for key, entry in first.leases._entries.items() if key.startswith("a.")]
            second = Worker(await Bus.connect(broker.url, "fill-sim"), "w2")
            for market in (MARKET, *markets):
                second.leases.offer(market)
            await second.leases.start()
            while len(second.held) < len(markets) // 2:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            shared_by_both = len(first.held & second.held)
            assert first.leases._task is not None
            await ended(first.leases._task)  # it says nothing any more
            while len(second.held) < len(markets) + 1:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            await second.leases.stop()
            await second.bus.close()
            return set(after) - set(before), shared_by_both, len(second.held)

    assert asyncio.run(asyncio.wait_for(run(), 60)) == (set(), 0, 0)


def test_entries_of_another_form_are_counted_and_nobody_is_taken_for_a_worker(tmp_path: Path) -> None:
    async def run() -> tuple[int, list[str], bool]:
        async with working(tmp_path) as (_, worker):
            entries = {
                "m.fill-sim.evil": b"not evil",
                "m.fill-sim.evil2": b"ev il",
                "a.fill-sim.venue": b"evil",
                "a.fill-sim.venue.B": b"{}",
            }
            for key, value in entries.items():
                await worker.bus.client.request(f"$KV.{BUCKET}.{key}", value, timeout=1)
            await asyncio.sleep(1.0)
            return worker.leases.changes["refused"], worker.leases._workers(), MARKET in worker.held

    assert asyncio.run(run()) == (4, ["w1"], True)


def test_lease_that_somebody_has_written_over_is_kept_and_taken_again(tmp_path: Path) -> None:
    async def run() -> tuple[int, bool]:
        async with working(tmp_path) as (_, worker):
            key = worker.leases._lease_key(MARKET)
            await worker.bus.client.request(f"$KV.{BUCKET}.{key}", b'{"not":"a worker"}', timeout=1)
            await asyncio.sleep(1.0)
            assert MARKET in worker.held
            await worker.leases.surrender(MARKET)
            await worker.bus.client.request(f"$KV.{BUCKET}.{key}", b'{"not":"a worker"}', timeout=1)
            await worker.wait(held=True)
            return worker.gains, MARKET in worker.held

    assert asyncio.run(run()) == (2, True)
