"""A hostile neighbour: somebody with the key of one user of the broker, who tries everything but what that user is for.

`python -m tests.faults.neighbour URL MONITORING USER SEED_FILE SECONDS SEED` disturbs for so long, or until it is
terminated, as its seed says, and prints how often the broker refused what. The user `exporter` has no key: it reaches
the broker's monitoring port alone. A user's own well-formed words are no attack: whoever has a key may say what it is
the key for. Without a seed file, on a broker that asks for none, it only does what no right forbids.
"""

import asyncio
import contextlib
import json
import random
import signal
import socket
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import nats.errors
from nats.js import api
from nats.js.errors import APIError

from papertrader.shared.log.bus import Bus, BusError
from papertrader.shared.log.consumers import create
from papertrader.shared.log.health import FOLDS
from papertrader.shared.log.kinds import KINDS
from papertrader.shared.log.lease import BUCKET
from papertrader.shared.log.subjects import STREAM, Market, subject

MARKET: Final = Market("synthetic", "SYN1")
ELSEWHERE: Final = Market("synthetic", "ELSEWHERE")
SENDERS: Final = ("trader", "operator", "gateway")
"""Users whose words are heard as those of many."""
PAUSE_S: Final = 0.05
GARBAGE: Final = (b"", b"{}", b"[1]", b"not even JSON", b'{"ts":1}', b"\xff\xfe\x00", b"9" * 6_000, b'{"a":' * 9_000)
ADMINISTRATION: Final = (
    f"$JS.API.STREAM.DELETE.{STREAM}",
    f"$JS.API.STREAM.PURGE.{STREAM}",
    f"$JS.API.STREAM.MSG.DELETE.{STREAM}",
    f"$JS.API.STREAM.DELETE.KV_{BUCKET}",
    "$JS.API.STREAM.CREATE.OTHER",
    f"$JS.API.CONSUMER.NAMES.{STREAM}",
    f"$JS.API.CONSUMER.DELETE.{STREAM}.operator-0",
    "$SYS.REQ.SERVER.PING",
)
FOREIGN: Final = (
    *(f"progress.{fold}.{MARKET}" for fold in FOLDS),
    *(f"health.{fold}.w1" for fold in FOLDS),
    *(f"$KV.{BUCKET}.a.{fold}.{MARKET}" for fold in FOLDS),
    *(f"$KV.{BUCKET}.m.{fold}.evil" for fold in FOLDS),
    f"refused.{MARKET}.main",
    "_INBOX_feed.a",
)
"""Subjects beside the log that are each somebody's own."""

Attack: TypeAlias = Callable[[], Awaitable[None]]
Asked: TypeAlias = Callable[[], bool]
"""Whether to go on."""


class Neighbour:
    """One connection with a key, and what it does with it."""

    def __init__(self, url: str, user: str, seed_file: str, chance: random.Random) -> None:
        self.refusals: Counter[str] = Counter()
        self._url, self._user, self._seed_file, self._chance = url, user, seed_file, chance
        self._own = [kind for kind, row in KINDS.items() if user in row.writers]
        self._numbers = iter(range(10**9))
        self._consumers: list[str] = []

    async def disturb(self, more: Asked) -> None:
        """Attack, one thing after another."""
        self._bus = await self._login()
        weights = {self._nonsense: 6, self._looks: 4, self._connections: 1}
        if self._seed_file:
            weights |= {self._words: 6, self._answers: 4, self._deliveries: 2, self._listens: 1}
        while more():
            attack: Attack = self._chance.choices(list(weights), list(weights.values()))[0]
            with contextlib.suppress(nats.errors.Error, APIError, BusError, OSError, TimeoutError):
                await attack()
            await asyncio.sleep(PAUSE_S)
        await self._bus.close()

    async def _login(self) -> Bus:
        login = {"nkeys_seed": self._seed_file} if self._seed_file else {}
        bus = await Bus.connect(self._url, self._user, **login)
        bus.client._error_cb = self._on_error
        return bus

    async def _on_error(self, error: Exception) -> None:
        if "permissions violation" in (text := str(error).lower()):
            self.refusals["subscribe" if "subscription" in text else "publish"] += 1

    def _payload(self) -> bytes:
        return self._chance.choice((*GARBAGE, b"%d" % self._chance.randrange(10**12)))

    async def _words(self) -> None:
        """Say what is another's to say."""
        kind = self._chance.choice([kind for kind in KINDS if kind not in self._own])
        name = self._chance.choice((subject(kind, MARKET, "main"), *ADMINISTRATION, *FOREIGN))
        if name.startswith((f"health.{self._user}", f"progress.{self._user}")):
            return
        if self._user == "archive" and ".PURGE." in name:
            return
        if name.startswith(f"$KV.{BUCKET}.") and f".{self._user}." in name:
            return
        await self._bus.client.publish(name, self._payload())

    async def _nonsense(self) -> None:
        """Say what makes no sense where one may speak: a service's key is no other than the service's own, which nobody
        can hold back from garbling what it says, so it garbles another market's.
        """
        for own in self._own:
            where = MARKET if self._user in SENDERS else ELSEWHERE
            name = subject(own, where, self._chance.choice(("main", "stranger")))
            await self._bus.client.publish(name, self._garbage())

    def _garbage(self) -> bytes:
        return self._chance.choice([payload for payload in GARBAGE if payload != b"{}"])

    async def _answers(self) -> None:
        """Have the broker answer where others listen."""
        where = self._chance.choice((*FOREIGN, *ADMINISTRATION, subject("fills", MARKET, "stranger")))
        query = json.dumps({"last_by_subj": subject("round", MARKET)}).encode()
        await self._bus.client.publish(f"{self._bus.api}.STREAM.MSG.GET.{STREAM}", query, reply=where)
        for own in self._own[:1]:
            await self._bus.client.publish(subject(own, MARKET, "stranger"), self._garbage(), reply=where)

    async def _deliveries(self) -> None:
        """Have a part of the log delivered where others listen."""
        config = api.ConsumerConfig(
            deliver_subject=self._chance.choice((*FOREIGN, *ADMINISTRATION, subject("orders", MARKET, "main"))),
            filter_subject=subject("orders", MARKET, "stranger"),
            ack_policy=api.AckPolicy.NONE,
            mem_storage=True,
            inactive_threshold=5.0,
        )
        name, _ = await create(self._bus, STREAM, config)
        self._consumers.append(name)
        if len(self._consumers) > 2:
            await self._bus.jetstream.delete_consumer(STREAM, self._consumers.pop(0))

    async def _looks(self) -> None:
        """Ask much at once."""
        query = json.dumps({"last_by_subj": ">"}).encode()
        for _ in range(10):
            await self._bus.client.publish(
                f"{self._bus.api}.STREAM.MSG.GET.{STREAM}", query, reply=f"_INBOX_{self._user}.x"
            )

    async def _connections(self) -> None:
        """Come and go, say nothing, or nonsense."""
        place = urlsplit(self._url)
        for said in (b"", b"GET / HTTP/1.0\r\n\r\n", b"PUB " + b"a" * 5_000 + b"\r\n", b"\0" * 100):
            with socket.create_connection((place.hostname, place.port), 2) as line:
                line.sendall(said)
        other = await self._login()
        await other.close()

    async def _listens(self) -> None:
        """Listen to what is not one's own."""
        for name in ("_INBOX_feed.>", "$JS.>", "$SYS.>", ">"):
            subscription = await self._bus.client.subscribe(name)
            await self._bus.client.flush()
            with contextlib.suppress(nats.errors.Error):
                await subscription.unsubscribe()


def _pages(monitoring: str, more: Asked, chance: random.Random) -> None:
    """What reaches the monitoring port alone: whole pages, half requests."""
    place = urlsplit(monitoring)
    halves: list[socket.socket] = []
    while more():
        page = chance.choice(
            ("varz", "connz?subs=1&limit=10000", "jsz?consumers=1&config=1", "subsz?subs=1", "stacksz")
        )
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{monitoring}/{page}", timeout=5).read()
            halves.append(socket.create_connection((place.hostname, place.port), 2))
            halves[-1].sendall(b"GET /varz HT")
        if len(halves) > 50:
            halves.pop(0).close()
        time.sleep(0.1)
    for half in halves:
        half.close()


def main(url: str, monitoring: str, user: str, seed_file: str, seconds: str, seed: str) -> None:
    """Disturb, then tell what was refused."""
    chance, until = random.Random(seed), time.monotonic() + float(seconds)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    refusals: Any = {}

    def more() -> bool:
        return time.monotonic() < until and not ended.is_set()

    if user == "exporter":
        _pages(monitoring, more, chance)
    else:
        neighbour = Neighbour(url, user, seed_file, chance)
        try:
            asyncio.run(neighbour.disturb(more))
        except BusError as error:  # the run has ended before it was disturbed
            sys.exit(str(error))
        refusals = neighbour.refusals
    sys.stdout.write(json.dumps(refusals) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
