"""Data directories that older versions left are gone on with: same accounts, every message readable, the log proved.

`before-epochs` was written by the first version, `before-segments` by the last one whose log stayed with the broker:
a minute on a live venue with two accounts, ended with Ctrl-C.
"""

import asyncio
import json
import signal
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from papertrader.cli.monitor_client import fetch_json
from papertrader.replay.composition import MEMBERS
from papertrader.replay.log_file import extent, read_log
from papertrader.services.fill_sim.service import FillSim
from papertrader.shared.log.broker import Broker
from papertrader.shared.log.bus import Bus
from papertrader.shared.log.kinds import decode
from papertrader.shared.log.segments import Entry
from papertrader.shared.log.subjects import Market, address
from papertrader.shared.messages import Account
from papertrader.shared.service import epoch
from papertrader.shared.service.checkpoint import CheckpointStore
from papertrader.shared.service.config import load
from tests.e2e.running import venue_server, wait_until
from tests.faults.operators import event_s, started
from tests.runs import papertrader, verify

ALL = sorted((Path(__file__).parent / "installations").glob("*.tar.xz"))
MARKET = Market("hyperliquid", "BTC")
MONEY = ("position", "cash", "realised", "fees", "fills")


@pytest.fixture(params=ALL, ids=lambda path: path.name.partition(".")[0])
def directory(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A data directory as an older version left it."""
    with tarfile.open(request.param) as archive:
        archive.extractall(tmp_path / "data", filter="data")
    return tmp_path / "data"


def entries(directory: Path) -> list[Entry]:
    """The whole log."""

    async def read(url: str) -> list[Entry]:
        bus = await Bus.connect(url, "test", data_dir=directory)
        found = [entry async for entry in read_log(bus, *await extent(bus))]
        await bus.close()
        return found

    broker = Broker(directory / "nats")
    broker.start()
    try:
        return asyncio.run(read(broker.url))
    finally:
        broker.stop()


def money(log: list[Entry]) -> dict[str, dict[str, float]]:
    """What the last word of each account on the log says."""
    found = {}
    for entry in log:
        if entry.subject.startswith("account."):
            said = decode("account", entry.payload)
            assert isinstance(said, Account)
            found[address(entry.subject).account] = {name: getattr(said, name) for name in MONEY}
    return found


def test_every_message_is_readable_and_every_account_is_taken_over(directory: Path) -> None:
    log, seen = entries(directory), Counter[str]()
    for entry in log:
        if entry.subject == epoch.SUBJECT:
            epoch.decode(entry.payload)
        else:
            decode(address(entry.subject).kind, entry.payload)
            seen[address(entry.subject).kind] += 1
    assert seen["fills"] > 10
    assert seen["markouts"] > 10
    settings = load(directory / "settings.json", {})
    for name, member in MEMBERS.items():
        fold = member.make_fold(settings, MARKET)
        store = CheckpointStore(directory / "checkpoints", name, member.state_version)
        position, complaints = store.restore(MARKET, fold.state(), list(getattr(fold, "accounts", ())))
        assert (position is not None, complaints) == (True, []), name
        if isinstance(fold, FillSim):
            taken = {
                account: {field: pytest.approx(float(fold.account_states[field][row])) for field in MONEY}
                for row, account in enumerate(fold.accounts)
            }
    assert money(log) == taken


def with_venue(directory: Path, url: str) -> Path:
    """A settings file like that of the directory, with the venue at another address."""
    tables: dict[str, Any] = dict(load(directory / "settings.json", {}).tables)
    feed = {name: value for name, value in tables["feed"].items() if name in ("source", "assets")}
    kept = {name: tables[name] for name in ("accounts",) if name in tables}
    quoter = {"min_edge_bps": tables["quoter"]["min_edge_bps"]}
    path = directory.with_suffix(".json")
    path.write_bytes(msgspec.json.encode({**kept, "quoter": quoter, "feed": {**feed, "venue_url": url}}))
    return path


def failing(directory: Path) -> dict[str, dict[str, str]]:
    """The checks that the page of a run says fail, with their causes, by account; not what the books are like."""
    page = f"http://127.0.0.1:{load(directory / 'settings.json', {}).tables['monitor']['port']}"
    return {
        market["account"]: {
            name: check["cause"]
            for name, check in market["checks"].items()
            if check["state"] == "fail" and name != "data"
        }
        for market in fetch_json(page, "/api/summary")["markets"]
    }


@pytest.mark.long
def test_a_run_goes_on_with_the_same_accounts_and_is_proved_from_there(directory: Path) -> None:
    before = money(entries(directory))
    with venue_server("--venue", "hyperliquid", "--seed", 5) as url:
        settings = with_venue(directory, url)
        with started("run", "--settings", settings, "--data-dir", directory) as run:
            assert wait_until(lambda: event_s(directory) > 0 or run.poll() is not None, 120)
            assert run.poll() is None, run.communicate()
            assert wait_until(lambda: run.poll() is not None, 25) is False, run.communicate()
            checks = failing(directory)
            run.send_signal(signal.SIGINT)
            run.communicate(timeout=60)
    assert checks == {"alpha": {}, "beta": {}}
    log = entries(directory)
    after = money(log)
    assert set(after) == set(before) == {"alpha", "beta"}
    for account, then in before.items():
        assert after[account]["fills"] > then["fills"]
    fills = Counter(address(entry.subject).account for entry in log if entry.subject.startswith("fills."))
    assert {account: now["fills"] for account, now in after.items()} == dict(fills), "no fill is lost or told twice"
    found = verify(directory)
    assert found["epochs"]
    assert sum(found["verified"].values()) > 100
    assert not found["refused"]
    assert json.loads(papertrader("report", "--json", "--data-dir", directory).stdout)["markets"]
