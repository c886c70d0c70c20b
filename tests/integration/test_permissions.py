"""Who may say what, on a real broker with the users that the bootstrap step makes."""

import asyncio
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from papertrader.cli.bootstrap import create_log, make_keys
from papertrader.replay.log_file import read_log
from papertrader.shared.log.broker import executable, free_port
from papertrader.shared.log.bus import Bus, BusError
from papertrader.shared.log.kinds import ACCOUNT_KINDS, MARKET_DATA
from papertrader.shared.log.lease import BUCKET, Leases
from papertrader.shared.log.reader import LogReader
from papertrader.shared.log.subjects import STREAM, Market, subject
from papertrader.shared.messages import Fill
from papertrader.shared.service.bus_config import BusConfig
from papertrader.shared.service.config import Settings
from tests.unit.learning import fill as a_fill

MARKET = Market("synthetic", "SYN1")
SUBJECTS = {kind: subject(kind, MARKET, "main") for kind in (*MARKET_DATA, *ACCOUNT_KINDS)}
OWN_KINDS = {
    "feed": {"instrument", "book", "depth", "bbo", "trades", "ctx", "gap", "round"},
    "fill-sim": {"acks", "fills", "account"},
    "quoter": {"orders"},
    "estimator": {"estimate"},
    "outcome-tracker": {"markouts"},
    "calibration": {"calibration"},
    "monitor": {"checks", "control"},
    "operator": {"control"},
    "trader": {"orders"},
    "gateway": {"orders", "actions"},
    "archive": set(),
    "bootstrap": set(),
}
FOLDS = ("fill-sim", "quoter", "estimator", "outcome-tracker", "calibration", "monitor")


class Guarded(NamedTuple):
    """A broker with one user per service, and where their seeds lie."""

    url: str
    keys: Path


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    directory = tmp_path_factory.mktemp("guarded")
    make_keys(directory / "keys")
    port = free_port()
    configuration = directory / "nats.conf"
    configuration.write_text(
        f'host: 127.0.0.1\nport: {port}\njetstream {{ store_dir: "{directory}/js" }}\ninclude "keys/nats/users.conf"\n'
    )
    with (directory / "log").open("wb") as log:
        server = subprocess.Popen([executable(), "-c", str(configuration)], stderr=log)
    broker = Guarded(f"nats://127.0.0.1:{port}", directory / "keys")
    _make_log(broker)
    yield broker
    server.terminate()
    server.wait(10)


def _make_log(broker: Guarded) -> None:
    config = BusConfig(url=broker.url, nkey_seed_file=str(broker.keys / "bootstrap" / "seed"), max_bytes=2**24)
    deadline = time.monotonic() + 10
    while True:
        try:
            asyncio.run(create_log(config, Settings({})))
            return
        except BusError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


class Watched:
    """A bus whose complaints of the broker are kept."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.refusals: list[str] = []
        self.bus.client._error_cb = self._on_error

    async def _on_error(self, error: Exception) -> None:
        self.refusals.append(str(error).lower())

    async def refused(self, name: str) -> bool:
        """Whether the broker refuses to take a message on this subject."""
        self.refusals.clear()
        await self.bus.client.publish(name, b"{}")
        await self.bus.client.flush()
        await asyncio.sleep(0.02)
        return any("permissions violation for publish" in refusal for refusal in self.refusals)


async def login(broker: Guarded, user: str) -> Watched:
    return Watched(await Bus.connect(broker.url, user, nkeys_seed=str(broker.keys / user / "seed")))


def test_connect_without_a_key_is_refused(guarded: Guarded) -> None:
    with pytest.raises(BusError):
        asyncio.run(Bus.connect(guarded.url, "quoter", timeout_s=1.0))


@pytest.mark.parametrize("user", OWN_KINDS)
def test_append_outside_a_users_kinds_is_refused(guarded: Guarded, user: str) -> None:
    async def attempt() -> set[str]:
        watched = await login(guarded, user)
        allowed = {kind for kind, name in SUBJECTS.items() if not await watched.refused(name)}
        await watched.bus.close()
        return allowed

    assert asyncio.run(attempt()) == OWN_KINDS[user]


def test_forged_fill_never_reaches_the_log(guarded: Guarded) -> None:
    async def forge() -> tuple[bool, bool]:
        quoter, reader = await login(guarded, "quoter"), await login(guarded, "monitor")
        name = subject("fills", MARKET, "forged")
        refused = await quoter.refused(name)
        stored = await reader.bus.last(name)
        await quoter.bus.close()
        await reader.bus.close()
        return refused, stored is None

    assert asyncio.run(forge()) == (True, True)


def test_operator_reads_the_whole_log(guarded: Guarded) -> None:
    async def read() -> list[tuple[str, bytes]]:
        operator = await login(guarded, "operator")
        name = subject("control", MARKET, "read")
        sequence = await operator.bus.append(name, b"{}", "read-1")
        found = [(entry.subject, entry.payload) async for entry in read_log(operator.bus, 1, sequence)]
        await operator.bus.close()
        assert len(found) == sequence
        assert not operator.refusals
        return found[-1:]

    assert asyncio.run(read()) == [(subject("control", MARKET, "read"), b"{}")]


def test_answer_sent_to_a_subject_of_the_log_is_no_message(guarded: Guarded) -> None:
    """The broker answers wherever it is asked to, and so writes for the quoter; but not what the quoter wants."""
    market = Market("synthetic", "REPLY")
    forged, order = subject("fills", market, "main"), subject("orders", market, "main")
    fill = msgspec.json.encode(a_fill(1))

    async def forge() -> list[bytes]:
        quoter, reader = await login(guarded, "quoter"), await login(guarded, "monitor")
        await quoter.bus.append(order, fill, "an order that looks like a fill")
        asks = {"$JS.API.STREAM.MSG.GET": {"last_by_subj": order}, "$JS.API.DIRECT.GET": {"last_by_subj": order}}
        for name, query in asks.items():
            await quoter.bus.client.publish(f"{name}.{STREAM}", msgspec.json.encode(query), reply=forged)
        await quoter.bus.client.publish(order, fill, reply=forged)
        await quoter.bus.client.flush()
        await asyncio.sleep(0.3)
        found, after = [], 0
        while (stored := await reader.bus.next(forged, after)) is not None:
            found.append(stored.payload)
            after = stored.sequence
        await quoter.bus.close()
        await reader.bus.close()
        return found

    found = asyncio.run(forge())
    assert found, "the broker answers nothing there: then the rule about answers can go"
    for payload in found:
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(payload, type=Fill)


def test_lease_of_a_fold_cannot_be_delivered_as_a_fill(guarded: Guarded) -> None:
    market = Market("synthetic", "DELIVERED")
    forged = subject("fills", market, "main")

    async def forge() -> bool:
        quoter, reader = await login(guarded, "quoter"), await login(guarded, "monitor")
        client = quoter.bus.client
        config = {"deliver_subject": forged, "filter_subject": f"$KV.{BUCKET}.m.quoter.>", "ack_policy": "none"}
        request = {"stream_name": f"KV_{BUCKET}", "config": config}
        await client.request(f"$KV.{BUCKET}.m.quoter.forger", b"{}", timeout=1)
        await client.request(f"$JS.API.CONSUMER.CREATE.KV_{BUCKET}", msgspec.json.encode(request), timeout=1)
        await asyncio.sleep(0.5)
        stored = await reader.bus.last(forged)
        await quoter.bus.close()
        await reader.bus.close()
        return stored is None

    assert asyncio.run(forge())


@pytest.mark.parametrize("user", OWN_KINDS)
def test_administration_of_the_broker_is_refused(guarded: Guarded, user: str) -> None:
    async def attempt() -> list[str]:
        watched = await login(guarded, user)
        names = [f"$JS.API.STREAM.{verb}.{STREAM}" for verb in ("DELETE", "PURGE", "MSG.DELETE")]
        names += [f"$JS.API.STREAM.DELETE.KV_{BUCKET}", "$JS.API.STREAM.CREATE.OTHER", "$SYS.REQ.SERVER.PING"]
        if user != "bootstrap":
            names += [f"$JS.API.STREAM.UPDATE.{STREAM}", f"$JS.API.STREAM.CREATE.KV_{BUCKET}"]
        names += [f"$JS.API.STREAM.UPDATE.KV_{BUCKET}", f"$JS.API.DIRECT.GET.{STREAM}"]
        taken = [name for name in names if not await watched.refused(name)]
        await watched.bus.close()
        return taken

    own = [f"$JS.API.STREAM.PURGE.{STREAM}"] if user == "archive" else []
    assert asyncio.run(attempt()) == own, "the archive alone lets the broker forget"


@pytest.mark.parametrize("user", FOLDS)
def test_leases_and_heartbeats_of_another_service_are_refused(guarded: Guarded, user: str) -> None:
    other = "quoter" if user != "quoter" else "fill-sim"

    async def attempt() -> list[str]:
        watched = await login(guarded, user)
        names = [f"$KV.{BUCKET}.a.{other}.synthetic.SYN1", f"$KV.{BUCKET}.m.{other}.w1"]
        names += [f"health.{other}.w1", f"progress.{other}.{MARKET}"]
        taken = [name for name in names if not await watched.refused(name)]
        await watched.bus.close()
        return taken

    assert asyncio.run(attempt()) == []


@pytest.mark.parametrize("user", FOLDS)
def test_inbox_of_another_service_cannot_be_read(guarded: Guarded, user: str) -> None:
    async def attempt() -> bool:
        watched = await login(guarded, user)
        other = "_INBOX_feed.>"
        await watched.bus.client.subscribe(other)
        await watched.bus.client.flush()
        await asyncio.sleep(0.02)
        refused = any("permissions violation for subscription" in refusal for refusal in watched.refusals)
        await watched.bus.close()
        return refused

    assert asyncio.run(attempt())


@pytest.mark.parametrize("user", FOLDS)
def test_everything_that_a_fold_does_is_allowed(guarded: Guarded, user: str) -> None:
    """A lease, reading the log, the last message of a subject, a fenced append, a heartbeat: no complaint."""
    market = Market("synthetic", user.upper())

    async def work() -> tuple[list[str], list[Market], list[bytes]]:
        feed, watched = await login(guarded, "feed"), await login(guarded, user)
        gained: list[Market] = []
        heard: list[bytes] = []
        owned, told = asyncio.Event(), asyncio.Event()

        async def gain(market: Market) -> None:
            gained.append(market)
            owned.set()

        async def lose(_market: Market, _clean: bool) -> None:
            gained.clear()

        async def hear(_sequence: int, _name: str, payload: bytes) -> None:
            heard.append(payload)
            told.set()

        await watched.bus.create_stream(2**24)
        leases = Leases(watched.bus, user, "w1", gain, lose)
        await leases.start()
        leases.offer(market)
        reader = LogReader(watched.bus, [f"md.{market}.>", f"control.{market}.*"], 0, hear)
        await reader.start()
        await feed.bus.append(subject("instrument", market), b"first", f"{user}-1")
        for kind in OWN_KINDS[user]:
            name = subject(kind, market, "main")
            assert await watched.bus.last(name) is None
            await watched.bus.append(name, b"{}", f"{user}|{kind}", 0)
        await watched.bus.publish(f"health.{user}.w1", b"{}")
        await watched.bus.publish(f"progress.{user}.{market}", b"1")
        async with asyncio.timeout(5):
            await asyncio.gather(owned.wait(), told.wait())
        held = list(gained)
        await reader.stop()
        await leases.stop()
        await watched.bus.close()
        await feed.bus.close()
        return watched.refusals, held, heard[:1]

    assert asyncio.run(asyncio.wait_for(work(), 20)) == ([], [market], [b"first"])


def test_keys_made_twice_stay_the_same(tmp_path: Path) -> None:
    make_keys(tmp_path)
    users = (tmp_path / "nats" / "users.conf").read_text()
    make_keys(tmp_path)
    assert (tmp_path / "nats" / "users.conf").read_text() == users


def test_seed_files_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    make_keys(tmp_path)
    modes = {path.stat().st_mode & 0o777 for path in tmp_path.glob("*/seed")}
    assert modes == {0o400}
