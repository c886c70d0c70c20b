"""A run's data directory as data: while its broker runs, after it has ended, and when its port is another's."""

import json
from pathlib import Path

import msgspec
import pytest

import papertrader
from papertrader.cli.runs import noted
from papertrader.shared.log.broker import Broker, BrokerError
from tests.integration.wire import bounded, connected
from tests.messages import fill

SUBJECT = "fills.synthetic.SYN1.main"


@pytest.fixture
def run(tmp_path: Path) -> Broker:
    """A data directory with a log of two fills; its broker runs."""
    directory = tmp_path / "data"
    broker = Broker(directory / "nats")
    broker.start()
    (directory / "settings.json").write_text(json.dumps({"bus": {"url": broker.url}, "quoter": {"levels": 3}}))

    async def said() -> None:
        async with connected(broker) as bus:
            for number in (1, 2):
                await bus.append(SUBJECT, msgspec.json.encode(fill(number, fill_id=number)), f"fill-{number}")

    bounded(said())
    return broker


def test_data_directory_is_read_from_its_broker_while_that_runs(run: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    def second(_: Broker) -> None:
        raise BrokerError("a second broker on the same log")

    with monkeypatch.context() as patched:
        patched.setattr(Broker, "start", second)
        found = papertrader.load(run.directory.parent)
    assert found.fills["fill_id"].to_list() == [1, 2]
    assert found.settings["quoter"] == {"levels": 3}
    run.stop()


def test_run_that_goes_on_is_loaded_beside_its_note(run: Broker) -> None:
    directory = run.directory.parent
    with noted(directory, run.url, "", "synthetic"):
        assert papertrader.load(directory).fills["fill_id"].to_list() == [1, 2]
    run.stop()


def test_data_directory_of_an_ended_run_gets_a_broker_while_it_is_read(run: Broker) -> None:
    run.stop()
    assert papertrader.load(run.directory.parent).fills["fill_id"].to_list() == [1, 2]


def test_another_run_on_the_same_port_is_not_taken_for_this_one(run: Broker, tmp_path: Path) -> None:
    run.stop()
    other = Broker(tmp_path / "other" / "nats", run.port)
    other.start()
    try:
        assert papertrader.load(run.directory.parent).fills["fill_id"].to_list() == [1, 2]
    finally:
        other.stop()


def test_folder_that_holds_no_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(papertrader.RunError, match="holds no log"):
        papertrader.load(tmp_path)
