"""Where notices go out: a thread per address, so that no slow or broken address holds up the monitor or another."""

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from papertrader.services.monitor.notices.news import Notice, told
from papertrader.shared.service.config import SettingsError

log = logging.getLogger(__name__)

WAITING: Final = 1_000
"""Notices that wait for one address; the oldest are dropped, and counted, when there are more."""
LONGEST_WAIT_S: Final = 600.0
LEAVING_S: Final = 4.0
OUTCOMES: Final = ("delivered", "failed", "dropped")


class Address(Protocol):
    """Somebody who is told: an address of Apprise."""

    service_name: str

    def notify(self, *, body: str, title: str) -> bool:
        """Deliver a message; whether that was possible."""
        ...


class Outcome(NamedTuple):
    """What became of notices of a market at a service: an attempt that `failed` is repeated."""

    market: str
    service: str
    outcome: str


def addresses(file: str) -> list[Any]:
    """The addresses in a file of Apprise's URLs, one a line. Raises SettingsError, without the URL: it is secret."""
    if "://" in file:
        raise SettingsError(
            "[monitor]: notices must be a file that holds Apprise URLs: URLs are secret, settings are shown"
        )
    try:
        lines = Path(file).read_text().splitlines()
    except OSError as error:
        raise SettingsError(f"[monitor]: notices = {file!r} cannot be read: {error.strerror}") from None
    try:
        from apprise import Apprise
    except ModuleNotFoundError:
        raise SettingsError("[monitor]: notices are sent by Apprise: pip install 'papertrader[notices]'") from None
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.strip().startswith("#"):
            continue
        address = Apprise.instantiate(line.strip())
        if address is None:
            raise SettingsError(f"[monitor]: line {number} of {file} is no URL that Apprise knows")
        found.append(address)
    if not found:
        raise SettingsError(f"[monitor]: {file} holds no URL, one a line, e.g. json://127.0.0.1:8000")
    return found


class Outbox:
    """One address. What comes while it waits `every_s` becomes one message; what cannot be delivered is tried again."""

    def __init__(self, address: Address, every_s: float) -> None:
        self.counts: Counter[Outcome] = Counter()
        self.service = str(address.service_name)
        self._address, self._every_s = address, every_s
        self._waiting: deque[Notice] = deque()
        self._lock, self._some, self._leave = threading.Lock(), threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="notices", daemon=True)

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def put(self, notices: Iterable[Notice]) -> None:
        """Hand over notices; never waits."""
        with self._lock:
            self._waiting.extend(notices)
            while len(self._waiting) > WAITING:
                self._count([self._waiting.popleft()], "dropped")
            if self._waiting:
                self._some.set()

    def stop(self) -> None:
        """Try once more to deliver what waits, for a moment; then leave."""
        self._leave.set()
        self._some.set()
        self._thread.join(LEAVING_S)

    def _run(self) -> None:
        wait_s = self._every_s
        while not self._leave.is_set():
            self._some.wait()
            wait_s = self._every_s if self._deliver() else min(2 * wait_s, LONGEST_WAIT_S)
            self._leave.wait(wait_s)
        self._deliver()

    def _deliver(self) -> bool:
        with self._lock:
            notices = list(self._waiting)
            self._waiting.clear()
            self._some.clear()
        if not notices:
            return True
        title, body = told(notices)
        started = time.monotonic()
        try:
            delivered = self._address.notify(body=body, title=title)
        except Exception:
            log.exception("%s broke on a notice", self.service)
            delivered = False
        if not delivered:
            took_s = time.monotonic() - started
            log.warning("%d notices not delivered by %s (%.1f s)", len(notices), self.service, took_s)
            with self._lock:
                self._waiting.extendleft(reversed(notices))
                self._some.set()
        self._count(notices, "delivered" if delivered else "failed")
        return delivered

    def _count(self, notices: Iterable[Notice], outcome: str) -> None:
        for notice in notices:
            self.counts[Outcome(notice.market, self.service, outcome)] += 1
