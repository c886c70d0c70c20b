"""Runs one campaign and says what came of it: fills, the checks that failed, the proof of the log, what is left."""

import asyncio
import contextlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from nats.js.errors import APIError

from papertrader.cli.monitor_client import MonitorError, fetch_json
from papertrader.cli.supervisor import RunError, Supervisor
from papertrader.shared.log.broker import BrokerError
from papertrader.shared.log.bus import Bus
from papertrader.shared.log.subjects import STREAM
from tests.e2e.running import logged, process_of, wait_until
from tests.faults.bench.catalogue import (
    Campaign,
    Change,
    Clock,
    Corrupt,
    Crash,
    Disk,
    Fault,
    Freeze,
    Hostile,
    Kill,
    KillBroker,
    Neighbour,
    Purge,
    Restart,
)
from tests.faults.bench.children import apart, forked, verified
from tests.faults.bench.judging import Counts, Outcome, causes, holders_of, is_own, market_of
from tests.faults.operators import processes_of
from tests.runs import papertrader

PATIENCE_S: Final = 1_200.0
LAST_ROUNDS_S: Final = 120.0
DISK_MIB: Final = 768
SCRAPE_EVERY_S: Final = 0.5
ANSWER_S: Final = 1.0
NOTHING_LEFT: Final = "the log already holds the whole of this session"
FULL: Final = "No space left"
SLOW: Final = "did not start on port"
"""What is said of a broker that takes long to start, as on a machine with much else to do: an operator tries again."""
TRIES: Final = 3
SHIFTED_CLOCK: Final = Path(__file__).with_name("shifted_clock")


def run(directory: Path, tables: dict[str, Any], campaign: Campaign, exact: bool = True) -> Outcome:
    """Run a market to its end through a campaign, prove its log, and start it once more.

    Processes are started as a run does, or forked, if that need not be `exact`.
    """
    with own_disk(directory) if any(isinstance(fault, Disk) for fault in campaign) else contextlib.nullcontext():
        run_ = _Run(directory, tables, exact)
        said: tuple[str, ...]
        try:
            said = run_.through(campaign)
        finally:
            run_.stop()
        orphans = tuple({*processes_of(directory), *holders_of(directory)})
        proved = papertrader("verify", directory, "--json", timeout_s=900).returncode if exact else verified(directory)
        words = _words(directory) if exact else apart(_words, directory, folder=directory.parent)
        again, counts = ((), {}) if said else _once_more(directory, run_.tables, exact)
        return Outcome(words, said, tuple(run_.noted), proved, orphans, again, (run_.counts, counts))


def _words(directory: Path) -> list[tuple[str, bytes]]:
    return [word for word in logged(directory, ">") if is_own(*word)]


def _once_more(directory: Path, tables: dict[str, Any], exact: bool) -> tuple[tuple[str, ...], Counts]:
    """What a run says failed, and counts, that is started once more when there is nothing left to do."""
    run_ = _Run(directory, tables, exact)
    try:
        said = tuple(text for text in run_.through(()) if NOTHING_LEFT not in text)
        return (said, {}) if said else run_.counted()
    finally:
        run_.stop()


@contextlib.contextmanager
def own_disk(directory: Path) -> Iterator[None]:
    """A small disk for a run's directory, which keeps what was on it; needs root."""
    directory.mkdir(parents=True)
    kept = directory.with_name(f"{directory.name}-kept")
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(directory)], check=True)
    try:
        yield
    finally:
        shutil.copytree(directory, kept)
        subprocess.run(["umount", "--lazy", str(directory)], check=False)
        directory.rmdir()
        kept.rename(directory)


class _Run:
    def __init__(self, directory: Path, tables: dict[str, Any], exact: bool = True) -> None:
        self._directory, self.tables, self._exact = directory, tables, exact
        self.counts: Counts = {}
        self._scrape_at = 0.0
        self._due: list[tuple[float, Callable[[], None]]] = []
        """What is to be undone, and when."""
        self._neighbours: list[subprocess.Popen[bytes]] = []
        self.noted: list[str] = []
        self.supervisor = self._started()

    def _started(self, tries: int = TRIES) -> Supervisor:
        supervisor = Supervisor(self._directory, self.tables, None, {})
        if not self._exact:
            for process in supervisor.processes:
                process.spawn = forked
        monitor = process_of(supervisor, "monitor")
        self._scraped = itertools.cycle(one for process in supervisor.folds for one in (monitor, process))
        try:
            supervisor.start()
        except RunError as error:
            supervisor.stop()
            if SLOW not in str(error) or not tries:
                raise
            return self._started(tries - 1)
        return supervisor

    def _started_again(self) -> Supervisor:
        """Started; whoever is told that the disk is full makes room first."""
        try:
            return self._started()
        except RunError as error:
            if FULL not in str(error):
                raise
            self.noted.append(str(error))
            self._undo(float("inf"))
            return self._started()

    def stop(self) -> None:
        """End everything that was started, and undo what is still to be undone."""
        self._undo(float("inf"))
        self._note()
        self.supervisor.stop()
        for neighbour in self._neighbours:
            neighbour.kill()
            neighbour.wait()

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
            return self.counted()[0] if NOTHING_LEFT in str(error) else (str(error),)

    def _owned(self) -> bool:
        return all("owns" in process.log_tail() for process in self.supervisor.folds if process.name != "gateway")

    def _step(self) -> None:
        self._undo(time.monotonic())
        self.supervisor.revive()
        self._scrape()
        self._note()
        if lost := self.supervisor.lost:
            raise RunError(lost)
        time.sleep(0.1)

    def _scrape(self) -> None:
        """Ask for metrics as Prometheus does: whoever asks must change nothing."""
        if time.monotonic() < self._scrape_at:
            return
        self._scrape_at = time.monotonic() + SCRAPE_EVERY_S
        process = next(self._scraped)
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{process.metrics_port}/metrics", timeout=0.2).close()

    def _undo(self, now: float) -> None:
        for entry in [entry for entry in self._due if entry[0] <= now]:
            entry[1]()
            self._due.remove(entry)

    def _note(self) -> None:
        while self.supervisor.notes:
            self.noted.append(self.supervisor.notes.pop(0))

    def _later(self, after_s: float, undo: Callable[[], None]) -> None:
        self._due.append((time.monotonic() + after_s, undo))

    def _summary(self) -> tuple[str, ...]:
        deadline = time.monotonic() + LAST_ROUNDS_S
        while True:
            try:
                summary = fetch_json(self.supervisor.page, "/api/summary")
                final = bool(summary["markets"]) and all(market["final"] for market in summary["markets"])
                if final or time.monotonic() > deadline:
                    self.counts = {market_of(market): market["counts"] for market in summary["markets"]}
                    told = tuple(f"{name}: {cause}" for name, cause in causes(summary))
                    return told if final else (*told, "not folded to the end")
            except MonitorError as error:
                if time.monotonic() > deadline:
                    return (str(error),)
            self._step()

    def counted(self) -> tuple[tuple[str, ...], Counts]:
        """What the monitor counts that has remembered everything; nothing is left to be folded."""
        if not wait_until(self._remembered, PATIENCE_S):
            return (f"the monitor remembers nothing: {self.counts}",), {}
        return (), self.counts

    def _remembered(self) -> bool:
        self._scrape()
        try:
            markets = fetch_json(self.supervisor.page, "/api/summary")["markets"]
        except MonitorError:
            return False
        self.counts = {market_of(market): market["counts"] for market in markets}
        return bool(markets) and all(market["final"] for market in markets)

    def _strike(self, fault: Fault) -> None:
        self._note()  # before another supervisor is in this one's place
        match fault:
            case Kill():
                _send(self._pid(fault.service), signal.SIGKILL)
            case Freeze():
                pid = self._pid(fault.service)
                _send(pid, signal.SIGSTOP)
                self._later(fault.for_s, lambda: _send(pid, signal.SIGCONT))
            case KillBroker():
                self._kill_broker()
            case Corrupt():
                for path in (self._directory / "checkpoints" / fault.service).glob("*.checkpoint"):
                    content = bytearray(path.read_bytes())
                    content[min(int(fault.place * len(content)), len(content) - 1)] ^= 1
                    path.write_bytes(content)
                _send(self._pid(fault.service), signal.SIGKILL)
            case Restart():
                self.supervisor.stop()
                self.supervisor = self._started_again()
            case Crash():
                for process in self.supervisor.processes:
                    _send(process.pid, signal.SIGKILL)
                self._kill_broker()
                self.supervisor.stop()
                self.supervisor = self._started_again()
            case Hostile():
                asyncio.run(_say(self._reach_broker(), fault.subject, fault.payload))
            case Neighbour():
                self._neighbours.append(self._neighbour(fault))
            case Disk():
                ballast = self._directory / "ballast"
                _fill(ballast)
                self._later(fault.for_s, lambda: ballast.unlink(missing_ok=True))
            case Clock():
                process = next(process for process in self.supervisor.processes if process.name == fault.service)
                process.spawn = subprocess.Popen
                process.overrides = {"PYTHONPATH": str(SHIFTED_CLOCK), "SHIFTED_CLOCK_S": str(fault.by_s)}
                _send(process.pid, signal.SIGKILL)
            case Change():
                self._change(fault.fill_model)
            case Purge():
                with contextlib.suppress(APIError):  # a full disk keeps it from that
                    asyncio.run(_purge(self._reach_broker()))

    def _kill_broker(self) -> None:
        assert self.supervisor.broker is not None
        with contextlib.suppress(BrokerError):  # it has not come back from the last fault
            _send(self.supervisor.broker.pid, signal.SIGKILL)

    def _change(self, fill_model: str) -> None:
        """Go on under another fill model, or as before where the run refuses: not everything has been folded."""
        self.supervisor.stop()
        before, self.tables = self.tables, {**self.tables, "fill_sim": {"fill_model": fill_model}}
        try:
            self.supervisor = self._started_again()
        except RunError as error:
            self.noted.append(str(error))
            self.tables = before
            self.supervisor = self._started_again()

    def _neighbour(self, fault: Neighbour) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "tests.faults.neighbour", self._reach_broker(), "", "trader", ""]
        return subprocess.Popen([*command, str(fault.for_s), str(fault.seed)], stdout=subprocess.DEVNULL)

    def _pid(self, service: str) -> int:
        return next(process.pid for process in self.supervisor.processes if process.name == service)

    def _reach_broker(self) -> str:
        """Let a broker that was killed be started again, and answer; where. Nobody speaks to one that is not there."""
        assert self.supervisor.broker is not None
        deadline = time.monotonic() + PATIENCE_S
        while not _answers(self.supervisor.broker.url):
            assert time.monotonic() < deadline, "the broker does not answer"
            self._step()
        return self.supervisor.broker.url


def _answers(url: str) -> bool:
    """Whether a broker is there, and speaks first, as NATS servers do."""
    place = urlsplit(url)
    try:
        with socket.create_connection((place.hostname, place.port), ANSWER_S) as line:
            line.settimeout(ANSWER_S)
            return line.recv(4) == b"INFO"
    except OSError:
        return False


async def _say(url: str, subject: str, payload: bytes) -> None:
    bus = await Bus.connect(url, "stranger")
    await bus.publish(subject, payload)
    await bus.close()


async def _purge(url: str) -> None:
    bus = await Bus.connect(url, "stranger")
    await bus.jetstream.purge_stream(STREAM)
    await bus.close()


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _fill(path: Path) -> None:
    """Write until the disk is full."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(bytes(2**20)):
            pass
