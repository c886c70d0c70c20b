"""Who may say what, on a real broker with the users that the bootstrap step makes."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from papertrader.cli.bootstrap import make_keys
from papertrader.replay.log_file import read_log
from papertrader.shared.log.bus import Bus, BusError
from papertrader.shared.log.consumers import create
from papertrader.shared.log.kinds import ACCOUNT_KINDS, MARKET_DATA
from papertrader.shared.log.lease import BUCKET, Leases
from papertrader.shared.log.reader import LogReader
from papertrader.shared.log.subjects import STREAM, Market, subject
from papertrader.shared.messages import Fill
from tests.integration.guarded import LOG_BYTES, Guarded, delivering, login
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
    "operator": {"control", "terms"},
    "trader": {"orders"},
    "gateway": {"orders", "actions", "terms"},
    "archive": set(),
    "bootstrap": set(),
}
FOLDS = ("fill-sim", "quoter", "estimator", "outcome-tracker", "calibration", "monitor")


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
        config: Any = {"deliver_subject": forged, "filter_subject": f"$KV.{BUCKET}.m.quoter.>", "ack_policy": "none"}
        request: Any = {"stream_name": f"KV_{BUCKET}", "config": config}
        await client.request(f"$KV.{BUCKET}.m.quoter.forger", b"{}", timeout=1)
        request["config"]["name"] = "forger"
        await client.request(f"$JS.API.CONSUMER.CREATE.KV_{BUCKET}.forger", msgspec.json.encode(request), timeout=1)
        await asyncio.sleep(0.5)
        stored = await reader.bus.last(forged)
        await quoter.bus.close()
        await reader.bus.close()
        return stored is None

    assert asyncio.run(forge())


@pytest.mark.parametrize("user", ["trader", "quoter"])
def test_no_word_of_a_user_becomes_an_order_to_the_broker(guarded: Guarded, user: str) -> None:
    """A consumer delivers, and the broker answers, wherever it is told to: not as a request that it obeys itself."""
    market = Market("synthetic", f"ORDER-{user}")
    api_names = [f"$JS.API.STREAM.{verb}.{STREAM}" for verb in ("DELETE", "PURGE", "UPDATE", "MSG.DELETE")]
    api_names += ["$JS.API.STREAM.CREATE.OTHER", f"$JS.API.STREAM.DELETE.KV_{BUCKET}"]
    told = ("{}", '{"seq":1}', f'{{"name":"{STREAM}","subjects":["nothing"]}}', '{"name":"OTHER","subjects":["other"]}')

    async def attempt() -> tuple[tuple[int, int], tuple[int, int], list[str]]:
        watched, reader = await login(guarded, user), await login(guarded, "monitor")
        made: list[str] = []
        first, last = await reader.bus.extent()
        for number, text in enumerate(told):
            for name in api_names:
                await watched.bus.client.publish(subject("orders", market, "main"), text.encode(), reply=name)
            await watched.bus.append(subject("orders", market, "main"), text.encode(), f"{user}-told-{number}")
        for name in api_names:
            filtered = delivering(name, filter_subject=subject("orders", market, "main"))
            made.append((await create(watched.bus, STREAM, filtered))[0])
        await asyncio.sleep(1.0)
        for name in made:
            await watched.bus.jetstream.delete_consumer(STREAM, name)
        after = await reader.bus.extent()
        subjects = (await reader.bus.jetstream.stream_info(STREAM)).config.subjects or []
        await watched.bus.close()
        await reader.bus.close()
        return (first, last), after, subjects

    before, after, subjects = asyncio.run(attempt())
    assert after[0] == before[0]
    assert after[1] == before[1] + len(told) * (len(api_names) + 1)
    assert "nothing" not in subjects


def test_consumer_of_another_service_cannot_be_named(guarded: Guarded) -> None:
    """Who has been told no name cannot ask for one either."""

    async def attempt() -> list[str]:
        watched = await login(guarded, "quoter")
        names = [f"$JS.API.CONSUMER.{verb}.{STREAM}" for verb in ("LIST", "NAMES")]
        names += [f"$JS.API.CONSUMER.INFO.{STREAM}.x", "$JS.API.STREAM.LIST", "$JS.EVENT.ADVISORY.CONSUMER.x"]
        taken = [name for name in names if not await watched.refused(name)]
        for listened in ("$JS.>", "$JS.EVENT.ADVISORY.>", "_INBOX_feed.>", "$JS.API.>"):
            watched.refusals.clear()
            await watched.bus.client.subscribe(listened)
            await watched.bus.client.flush()
            await asyncio.sleep(0.02)
            taken += [] if watched.refusals else [listened]
        await watched.bus.close()
        return taken

    assert asyncio.run(attempt()) == []


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

        await watched.bus.create_stream(LOG_BYTES)
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


def test_password_of_grafana_is_drawn_once_and_kept(tmp_path: Path) -> None:
    drawn = []
    for name in ("one", "one", "other"):
        make_keys(tmp_path / name)
        drawn.append((tmp_path / name / "grafana" / "password").read_text())
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(drawn[0]) >= 32
