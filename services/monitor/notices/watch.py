"""Looks at the monitors every few seconds and hands what is new to the outboxes."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from papertrader.services.monitor.config import MonitorConfig
from papertrader.services.monitor.notices.news import DAY, Notice, Seen, news, seen
from papertrader.services.monitor.notices.outbox import OUTCOMES, Outbox, Outcome, addresses
from papertrader.services.monitor.service import Monitor

LOOK_EVERY_S: Final = 2.0


class Watch:
    """What was seen of every account, now and when its day began. An account that is new tells nothing but that."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], Seen] = {}
        self._days: dict[tuple[str, str], Seen] = {}

    def look(self, monitors: Iterable[Monitor]) -> list[Notice]:
        """What is new since the last look."""
        found: list[Notice] = []
        for monitor in monitors:
            if monitor.facts.market.ts:
                for account, config in monitor.accounts.items():
                    found += self._look(monitor, account, config)
        return found

    def _look(self, monitor: Monitor, account: str, config: MonitorConfig) -> list[Notice]:
        key = str(monitor.market), account
        before = self._seen.get(key)
        now = seen(monitor, account, before or Seen())
        self._seen[key] = now
        if before is None:
            self._days[key] = now
            return [Notice("checks", *key, "is watched from now on")] if "checks" in config.notices_about else []
        notices = list(news(*key, before, now, self._days[key], config))
        if now.ts // DAY > before.ts // DAY:
            self._days[key] = before._replace(ts=now.ts // DAY * DAY)
        return notices


async def watch(monitors: Callable[[], Sequence[Monitor]], config: MonitorConfig) -> None:
    """Tell what is new until cancelled, to the addresses that the settings name; without any, do nothing."""
    if not config.notices:
        return
    outboxes = [Outbox(address, config.notices_every_s) for address in addresses(config.notices)]
    for outbox in outboxes:
        outbox.start()
    watching = Watch()
    try:
        while True:
            _look(watching, monitors(), outboxes)
            await asyncio.sleep(LOOK_EVERY_S)
    finally:
        _look(watching, monitors(), outboxes)
        await asyncio.gather(*(asyncio.to_thread(outbox.stop) for outbox in outboxes))


def _look(watching: Watch, monitors: Sequence[Monitor], outboxes: Sequence[Outbox]) -> None:
    notices = watching.look(monitors)
    counts: Counter[Outcome] = Counter()
    for outbox in outboxes:
        outbox.put(notices)
        counts.update(outbox.counts)
    keys = [(service, outcome) for service in {outbox.service for outbox in outboxes} for outcome in OUTCOMES]
    for monitor in monitors:
        monitor.delivered = {key: counts[Outcome(str(monitor.market), *key)] for key in keys}
