"""Runs the whole system on this machine: the broker, one process per service, and their restarts."""

import asyncio
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from papertrader.cli.bootstrap import create_log
from papertrader.cli.disk import Disk
from papertrader.cli.service_process import Deaths, ServiceProcess
from papertrader.replay.settings import effective
from papertrader.services.archive.config import ArchiveConfig
from papertrader.services.feed.config import LIVE_SOURCES
from papertrader.services.gateway.config import DEFAULT_PORT, GatewayConfig
from papertrader.shared.log.broker import Broker, BrokerError
from papertrader.shared.log.bus import BusError
from papertrader.shared.log.health import FOLDS
from papertrader.shared.log.ports import PortError, ReservedPort
from papertrader.shared.log.segments import SegmentError
from papertrader.shared.log.tasks import REFUSED
from papertrader.shared.log.writes import NO_ANSWER, NO_WRITES
from papertrader.shared.service.bus_config import BusConfig
from papertrader.shared.service.checkpoint import CheckpointError
from papertrader.shared.service.config import Settings, SettingsError
from papertrader.shared.service.data_directory import LEAST_FREE_BYTES, DataDirectory, DataDirectoryError

GATEWAY: Final = "gateway"
ARCHIVE: Final = "archive"
STOP_TIMEOUT_S: Final = 10.0
LAST_ROUND_S: Final = 0.5
"""So long the folds have for the round that the feed published last."""
LOOK_EVERY_S: Final = 2.0
SAY_AGAIN_S: Final = 30.0
DEFAULT_PAGE_PORT: Final = 8080
FIRST_METRICS_PORT: Final = 9101
BROKEN: Final = (DataDirectoryError, BrokerError, BusError, CheckpointError, SegmentError, SettingsError)
"""What a run does not start with; each says what to change."""


class RunError(RuntimeError):
    """A run that cannot begin or go on; the text says why, and where to look."""


class Supervisor:
    """The broker (unless one is given) and all services, in a directory of their own."""

    def __init__(
        self, directory: Path, tables: Mapping[str, Any], nats: str | None, workers: Mapping[str, int]
    ) -> None:
        self.directory = directory
        self.broker = None if nats else Broker(directory / "nats")
        self.broker_deaths = Deaths()
        self._broker_missing = ""
        """Why the broker could not be started again; empty while there is one."""
        self.notes: list[str] = []
        """What the operator should know of the start."""
        self.url = url = nats or (self.broker.url if self.broker else "")
        page = self._port("monitor", tables.get("monitor", {}).get("port"), DEFAULT_PAGE_PORT)
        self.page = f"http://127.0.0.1:{page.number}"
        gateway = self._gateway_port(tables)
        self.gateway = f"http://127.0.0.1:{gateway.number}" if gateway else ""
        """Where bots trade; empty without a gateway."""
        self.settings = directory / "settings.json"
        self._held: DataDirectory | None = None
        self._disk: Disk | None = None
        self._tables = {
            **tables,
            "bus": {**tables.get("bus", {}), "url": url, "data_dir": str(directory)},
            "monitor": {**tables.get("monitor", {}), "port": page.number},
            GATEWAY: {**tables.get(GATEWAY, {}), **({"port": gateway.number} if gateway else {})},
        }
        logs = directory / "logs"
        archive = [ARCHIVE] if Settings(tables).section(ARCHIVE, ArchiveConfig).enabled else []
        services = (*FOLDS, *([GATEWAY] if gateway else []), *archive, "feed")
        names = [(name, worker) for name in services for worker in range(workers.get(name, 1))]
        self.processes = [
            ServiceProcess(name, worker, self.settings, logs, ReservedPort.wanted(FIRST_METRICS_PORT + index))
            for index, (name, worker) in enumerate(names)
        ]
        for name, port in (("monitor", page), (GATEWAY, gateway)):
            if port is not None:
                next(process for process in self.processes if process.name == name).reserved.append(port)
        self.feed = self.processes[-1]
        self._started = 0.0
        self._look_again_at = 0.0

    def _gateway_port(self, tables: Mapping[str, Any]) -> ReservedPort | None:
        """The port of the gateway, None if there is to be none."""
        enabled = Settings(tables).section(GATEWAY, GatewayConfig).enabled
        return self._port(GATEWAY, tables.get(GATEWAY, {}).get("port"), DEFAULT_PORT) if enabled else None

    def _port(self, section: str, wanted: int | None, default: int) -> ReservedPort:
        """The port of a service: what was asked for, or any that is free where nothing was asked for."""
        if wanted is not None:
            try:
                return ReservedPort(wanted)
            except PortError as error:
                self._stop_broker()
                raise RunError(f"[{section}] {error}: choose another port, 0 for any that is free") from None
        port = ReservedPort.wanted(default)
        if port.number != default:
            what = "page" if section == "monitor" else section
            self.notes.append(f"port {default} is in use: the {what} is on {port.number}")
        return port

    def start(self) -> None:
        """Take the directory, start the broker and every service; raises RunError if one of these cannot be."""
        self._started = time.monotonic()
        try:
            if self._held is None:
                self._held = DataDirectory(self.directory, "papertrader run", self.page)
            self.processes[0].log.parent.mkdir(exist_ok=True)
            self.settings.write_bytes(orjson.dumps(effective(self._tables), option=orjson.OPT_INDENT_2, default=str))
            if self.broker:
                self.broker.start([self._held.descriptor])
            settings = Settings(self._tables)
            changed = asyncio.run(create_log(settings.section("bus", BusConfig), settings))
            self.notes += [f"a new epoch of the log begins: {line}" for line in changed]
            self._disk = Disk(self.directory, settings.section(ARCHIVE, ArchiveConfig))
            self.notes += self._disk.at_start(settings.section("bus", BusConfig)) if self.broker else []
        except (
            DataDirectoryError,
            BrokerError,
            BusError,
            CheckpointError,
            SegmentError,
            SettingsError,
            OSError,
        ) as error:
            raise RunError(str(error)) from None
        for process in self.processes:
            process.inherited = (self._held.descriptor,)
            process.start()

    def revive(self) -> list[str]:
        """Restart what died; what was restarted now, and of what it had died. A feed that has ended stays so."""
        self.notes += self._disk.news() if self._disk else []
        revived = self._revive_broker()
        mortal = [process for process in self.processes if process is not self.feed or not self.ended]
        self.feed.overrides = self._rest_of_duration()
        return revived + [f"{process.label} ({process.deaths.cause})" for process in mortal if process.revive()]

    def _revive_broker(self) -> list[str]:
        if self.broker is None:
            return []
        if self.broker.exit_code is None and not self._broker_missing:
            self._mend_broker()
            return []
        if self._broker_missing and (time.monotonic() < self._look_again_at or self._waits_for_room()):
            return []
        self.broker_deaths.note(self.broker.exit_code or 1)
        if self.broker_deaths.too_many:
            return []
        return [self.restart_broker(self._broker_missing or self.broker_deaths.cause)]

    def _mend_broker(self) -> None:
        """Start a broker anew that takes no message: once its disk was full it never writes again by itself.

        Whoever notices says so: the feed, or a fold that the feed waits for and that can take no lease.
        """
        now = time.monotonic()
        if now < self._look_again_at:
            return
        self._look_again_at = now + LOOK_EVERY_S
        said = (_complaint(process.metrics_port) for process in (self.feed, *self.folds))
        if not (refused := next((text for text in said if NO_WRITES in text), "")):
            return
        assert self.broker is not None
        if (NO_ANSWER in refused and not self.broker.in_trouble) or self._waits_for_room():
            return  # what is only slow would not be any faster
        self.notes.append(f"{self.restart_broker(refused)} was started again")
        self._look_again_at = now + SAY_AGAIN_S

    def _waits_for_room(self) -> bool:
        """Whether the disk is full, so that no broker can write: that is said, and looked at again later."""
        if (free := shutil.disk_usage(self.directory).free) >= LEAST_FREE_BYTES:
            return False
        self.notes.append(f"the disk of {self.directory} is full ({free / 2**20:.0f} MiB left): the run waits")
        self._look_again_at = time.monotonic() + SAY_AGAIN_S
        return True

    def restart_broker(self, cause: str) -> str:
        """Start the own broker anew; what is to be said of it. One that does not start is tried again later."""
        if self.broker is not None and self._held is not None:
            try:
                self.broker.restart([self._held.descriptor])
            except BrokerError as error:
                self._broker_missing = f"it did not start: {error}"
                self._look_again_at = time.monotonic() + LOOK_EVERY_S
                return f"the broker ({cause}; and it does not start: {error})"
        self._broker_missing = ""
        return f"the broker ({cause})"

    @property
    def ended(self) -> bool:
        """Whether the feed has ended for good: its source has, or to start it once more would not help."""
        code = self.feed.exit_code
        return code is not None and (code in (0, REFUSED) or self.feed.deaths.too_many)

    @property
    def lost(self) -> str:
        """Why the run cannot go on, with the end of the log of what keeps it from that; empty while it can."""
        if self.broker is not None and self.broker_deaths.too_many:
            return f"the broker {self.broker_deaths}: it is not started again. Its log ends:\n{self.broker.log_tail()}"
        for process in self.processes:
            code = process.exit_code
            if code is None or (process is self.feed and code == 0):
                continue
            if code == REFUSED:
                return f"the {process.label} ended with an error:\n{process.log_tail()}"
            if process.deaths.too_many:
                return (
                    f"the {process.label} {process.deaths}: it is not started again. With --data-dir the run can be "
                    f"gone on with. The end of its log:\n{process.log_tail()}"
                )
        return ""

    def _rest_of_duration(self) -> dict[str, str]:
        """A live feed that is started again has only the rest of its time; a recorded one counts from its beginning."""
        feed = self._tables.get("feed", {})
        if feed.get("source") not in LIVE_SOURCES or not feed.get("duration_s"):
            return {}
        rest_s = float(feed["duration_s"]) - (time.monotonic() - self._started)
        return {"PAPER_FEED_DURATION_S": f"{max(rest_s, 1.0):.3f}"}

    @property
    def folds(self) -> list[ServiceProcess]:
        """The processes of the folds."""
        return [process for process in self.processes if process.name in FOLDS]

    def stop(self) -> None:
        """Stop what is no fold, then the folds, then the broker; whoever wants directory and ports may have them."""
        for group in ([process for process in self.processes if process not in self.folds], self.folds):
            for process in group:
                process.signal_stop()
            for process in group:
                process.wait_stopped(STOP_TIMEOUT_S)
            if self.feed in group and self._held is not None:
                time.sleep(LAST_ROUND_S)
        self._stop_broker()
        for process in self.processes:
            for port in process.reserved:
                port.release()
        if self._held is not None:
            self._held.release()
            self._held = None

    def _stop_broker(self) -> None:
        if self.broker:
            self.broker.stop()


def _complaint(port: int) -> str:
    """What a service says is wrong with it, empty if nothing or if it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=0.5):
            return ""
    except urllib.error.HTTPError as error:
        with error:
            return str(error.read(500).decode(errors="replace")).strip()
    except OSError:
        return ""
