"""Runs one campaign and says what came of it: fills, the checks that failed, the proof of the log, what is left."""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from papertrader.cli.monitor_client import MonitorError, fetch_json
from papertrader.cli.supervisor import RunError, Supervisor
from papertrader.shared.log.bus import Bus
from papertrader.shared.log.kinds import decode
from papertrader.shared.log.subjects import STREAM, address
from tests.e2e.running import logged, wait_until
from tests.faults.bench.catalogue import (
    CHANGES,
    SPOILS,
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
from tests.faults.operators import processes_of
from tests.runs import papertrader

PATIENCE_S: Final = 300.0
DISK_MIB: Final = 768
COMPARED: Final = ("orders", "acks", "fills", "account", "markouts", "estimate", "calibration")
ACCOUNT: Final = "main"
NOTHING_LEFT: Final = "the log already holds the whole of this session"
SHIFTED_CLOCK: Final = Path(__file__).with_name("shifted_clock")


class Outcome(NamedTuple):
    """What a campaign left: what the folds said on its log, what the run said failed and that it noted, how `verify`
    ended, processes left over, and what a next start of the run said failed."""

    words: list[tuple[str, bytes]]
    said: tuple[str, ...]
    noted: tuple[str, ...]
    proved: int
    orphans: tuple[str, ...]
    again: tuple[str, ...]

    @property
    def fills(self) -> int:
        """How many fills there are."""
        return sum(subject.startswith("fills.") for subject, _ in self.words)


def run(directory: Path, tables: dict[str, Any], campaign: Campaign) -> Outcome:
    """Run a market to its end through a campaign, prove its log, and start it once more."""
    with own_disk(directory) if any(isinstance(fault, Disk) for fault in campaign) else contextlib.nullcontext():
        run_ = _Run(directory, tables)
        said: tuple[str, ...]
        try:
            said = run_.through(campaign)
        finally:
            run_.stop()
        orphans = tuple(processes_of(directory))
        proved = papertrader("verify", directory, "--json", timeout_s=900).returncode
        words = [word for word in logged(directory, ">") if _is_own(*word)]
        again = () if said else _once_more(directory, run_.tables)
        return Outcome(words, said, tuple(run_.noted), proved, orphans, again)


def _is_own(subject: str, payload: bytes) -> bool:
    """Whether a message of the log is a fold's of the account that trades, and not what a stranger has said."""
    try:
        where = address(subject)
        decode(where.kind, payload)
    except ValueError:
        return False
    return where.kind in COMPARED and where.account == ACCOUNT


def _once_more(directory: Path, tables: dict[str, Any]) -> tuple[str, ...]:
    """What a run says failed that is started once more when there is nothing left to do."""
    run_ = _Run(directory, tables)
    try:
        return tuple(text for text in run_.through(()) if NOTHING_LEFT not in text)
    finally:
        run_.stop()


def wrong(outcome: Outcome, undisturbed: Outcome, campaign: Campaign) -> str:
    """What is wrong with an outcome; empty if it is as undisturbed, or if the run has said that it is not, and why."""
    if outcome.orphans:
        return f"left behind: {outcome.orphans}"
    words = [words for kind, words in SPOILS.items() if any(isinstance(fault, kind) for fault in campaign)]
    if words:
        told = "\n".join(outcome.said)
        return "" if any(re.search(word, told) for word in words) else f"spoiled, and the run said: {outcome.said}"
    if outcome.said:
        return f"said without cause: {outcome.said}"
    if outcome.again:
        return f"the next start failed: {outcome.again}"
    if outcome.proved:
        return f"verify ended with {outcome.proved}"
    if any(isinstance(fault, CHANGES) for fault in campaign):
        told = any("a new epoch" in note or "have changed" in note for note in outcome.noted)
        return "" if told else "the settings changed, and nothing was said of an epoch"
    if outcome.words != undisturbed.words:
        return f"{outcome.fills} fills, {undisturbed.fills} undisturbed, or other words of folds; nothing was said"
    return ""


@contextlib.contextmanager
def own_disk(directory: Path) -> Iterator[None]:
    """A small disk for a run's directory; needs root."""
    directory.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(directory)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


class _Run:
    def __init__(self, directory: Path, tables: dict[str, Any]) -> None:
        self._directory, self.tables = directory, tables
        self._due: list[tuple[float, Callable[[], None]]] = []
        """What is to be undone, and when."""
        self._neighbours: list[subprocess.Popen[bytes]] = []
        self.noted: list[str] = []
        self.supervisor = self._started()

    def _started(self) -> Supervisor:
        supervisor = Supervisor(self._directory, self.tables, None, {})
        try:
            supervisor.start()
        except RunError:
            supervisor.stop()
            raise
        return supervisor

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
            return (str(error),)

    def _owned(self) -> bool:
        return all("owns" in process.log_tail() for process in self.supervisor.folds if process.name != "gateway")

    def _step(self) -> None:
        self._undo(time.monotonic())
        self.supervisor.revive()
        self._note()
        if lost := self.supervisor.lost:
            raise RunError(lost)
        time.sleep(0.1)

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
        deadline = time.monotonic() + 30
        while True:
            try:
                summary = fetch_json(self.supervisor.page, "/api/summary")
                final = bool(summary["markets"]) and all(market["final"] for market in summary["markets"])
                if final or time.monotonic() > deadline:
                    told = tuple(f"{name}: {cause}" for name, cause in causes(summary))
                    return told if final else (*told, "not folded to the end")
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
                self._later(fault.for_s, lambda: _send(pid, signal.SIGCONT))
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
            case Neighbour():
                self._neighbours.append(self._neighbour(fault))
            case Disk():
                ballast = self._directory / "ballast"
                _fill(ballast)
                self._later(fault.for_s, lambda: ballast.unlink(missing_ok=True))
            case Clock():
                process = next(process for process in self.supervisor.processes if process.name == fault.service)
                process.overrides = {"PYTHONPATH": str(SHIFTED_CLOCK), "SHIFTED_CLOCK_S": str(fault.by_s)}
                _send(process.pid, signal.SIGKILL)
            case Change():
                self._change(fault.fill_model)
            case Purge():
                asyncio.run(self._purge())

    def _change(self, fill_model: str) -> None:
        """Go on under another fill model, or as before where the run refuses: not everything has been folded."""
        self.supervisor.stop()
        before, self.tables = self.tables, {**self.tables, "fill_sim": {"fill_model": fill_model}}
        try:
            self.supervisor = self._started()
        except RunError as error:
            self.noted.append(str(error))
            self.tables = before
            self.supervisor = self._started()

    def _neighbour(self, fault: Neighbour) -> "subprocess.Popen[bytes]":
        assert self.supervisor.broker is not None
        command = [sys.executable, "-m", "tests.faults.neighbour", self.supervisor.broker.url, "", "trader", ""]
        return subprocess.Popen([*command, str(fault.for_s), str(fault.seed)], stdout=subprocess.DEVNULL)

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


def causes(summary: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The checks that fail, each with its cause, and the markets that no monitor owns."""
    for market in summary.get("unwatched", ()):
        yield market, "no monitor owns this market"
    for market in summary["markets"]:
        for name, check in market["checks"].items():
            if check["state"] == "fail":
                yield f"{market['venue']}.{market['asset']}.{market['account']} {name}", check["cause"]


def _fill(path: Path) -> None:
    """Write until the disk is full."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(bytes(2**20)):
            pass
