"""Runs one campaign and says what came of it: fills, the checks that failed, the proof of the log, what is left."""

import asyncio
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from papertrader.cli.monitor_client import MonitorError, fetch_json
from papertrader.cli.show import failed
from papertrader.cli.supervisor import RunError, Supervisor
from papertrader.shared.log.bus import Bus
from papertrader.shared.log.subjects import STREAM
from tests.e2e.running import logged, wait_until
from tests.faults.bench.catalogue import (
    SPOILS,
    Campaign,
    Corrupt,
    Crash,
    Fault,
    Freeze,
    Hostile,
    Kill,
    KillBroker,
    Purge,
    Restart,
)
from tests.faults.operators import processes_of
from tests.runs import papertrader

PATIENCE_S = 300.0


class Outcome(NamedTuple):
    """What a campaign left: the fills of its log, what the run said failed, how `verify` ended, processes left over."""

    fills: list[tuple[str, bytes]]
    said: tuple[str, ...]
    proved: int
    orphans: tuple[str, ...]


def run(directory: Path, tables: dict[str, Any], campaign: Campaign) -> Outcome:
    """Run a market to its end through a campaign."""
    run_ = _Run(directory, tables)
    said: tuple[str, ...]
    try:
        said = run_.through(campaign)
    finally:
        run_.supervisor.stop()
    orphans = tuple(processes_of(directory))
    proved = papertrader("verify", directory, "--json", timeout_s=900).returncode
    return Outcome(logged(directory, "fills.>"), said, proved, orphans)


def wrong(outcome: Outcome, undisturbed: Outcome, campaign: Campaign) -> str:
    """What is wrong with an outcome; empty if it is as undisturbed, or if the run has said that it is not."""
    if outcome.orphans:
        return f"left behind: {outcome.orphans}"
    if any(isinstance(fault, SPOILS) for fault in campaign):
        return "" if outcome.said else "the log was spoiled and the run said nothing"
    if outcome.said:
        return f"said without cause: {outcome.said}"
    if outcome.fills != undisturbed.fills:
        return f"{len(outcome.fills)} fills, {len(undisturbed.fills)} undisturbed, or other ones; nothing was said"
    return "" if outcome.proved == 0 else f"verify ended with {outcome.proved}"


class _Run:
    def __init__(self, directory: Path, tables: dict[str, Any]) -> None:
        self._directory, self._tables = directory, tables
        self._frozen: list[tuple[float, int]] = []
        self.supervisor = self._started()

    def _started(self) -> Supervisor:
        supervisor = Supervisor(self._directory, self._tables, None, {})
        supervisor.start()
        return supervisor

    def through(self, campaign: Sequence[Fault]) -> tuple[str, ...]:
        """Strike as the campaign says, then let the run end; what it says failed."""
        assert wait_until(self._owned, PATIENCE_S), "nobody owns a market"
        started = time.monotonic()
        try:
            for fault in campaign:
                while time.monotonic() - started < fault.at_s:
                    self._step()
                self._strike(fault)
            deadline = time.monotonic() + PATIENCE_S
            while not self.supervisor.ended and time.monotonic() < deadline:
                self._step()
            return self._summary()
        except RunError as error:
            return (str(error),)

    def _owned(self) -> bool:
        return all("owns" in process.log_tail() for process in self.supervisor.folds if process.name != "gateway")

    def _step(self) -> None:
        for wakes_at, pid in list(self._frozen):
            if time.monotonic() >= wakes_at:
                _send(pid, signal.SIGCONT)
                self._frozen.remove((wakes_at, pid))
        self.supervisor.revive()
        if lost := self.supervisor.lost:
            raise RunError(lost)
        time.sleep(0.1)

    def _summary(self) -> tuple[str, ...]:
        deadline = time.monotonic() + 30
        while True:
            try:
                summary = fetch_json(self.supervisor.page, "/api/summary")
                final = bool(summary["markets"]) and all(market["final"] for market in summary["markets"])
                if final or time.monotonic() > deadline:
                    return tuple(failed(summary)) if final else (*failed(summary), "not folded to the end")
            except MonitorError as error:
                if time.monotonic() > deadline:
                    return (str(error),)
            self._step()

    def _strike(self, fault: Fault) -> None:
        match fault:
            case Kill():
                _send(self._pid(fault.service), signal.SIGKILL)
            case Freeze():
                pid = self._pid(fault.service)
                _send(pid, signal.SIGSTOP)
                self._frozen.append((time.monotonic() + fault.for_s, pid))
            case KillBroker():
                assert self.supervisor.broker is not None
                _send(self.supervisor.broker.pid, signal.SIGKILL)
            case Corrupt():
                for path in (self._directory / "checkpoints" / fault.service).glob("*.checkpoint"):
                    content = bytearray(path.read_bytes())
                    content[int(fault.place * len(content))] ^= 1
                    path.write_bytes(content)
                _send(self._pid(fault.service), signal.SIGKILL)
            case Restart():
                self.supervisor.stop()
                self.supervisor = self._started()
            case Crash():
                for process in self.supervisor.processes:
                    _send(process.pid, signal.SIGKILL)
                if self.supervisor.broker is not None:
                    _send(self.supervisor.broker.pid, signal.SIGKILL)
                self.supervisor.stop()
                self.supervisor = self._started()
            case Hostile():
                asyncio.run(self._say(fault.subject, fault.payload))
            case Purge():
                asyncio.run(self._purge())

    def _pid(self, service: str) -> int:
        return next(process.pid for process in self.supervisor.processes if process.name == service)

    async def _say(self, subject: str, payload: bytes) -> None:
        assert self.supervisor.broker is not None
        bus = await Bus.connect(self.supervisor.broker.url, "stranger")
        await bus.publish(subject, payload)
        await bus.close()

    async def _purge(self) -> None:
        assert self.supervisor.broker is not None
        bus = await Bus.connect(self.supervisor.broker.url, "stranger")
        await bus.jetstream.purge_stream(STREAM)
        await bus.close()


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
