"""What `doctor --gateway` makes of a gateway's state."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from papertrader.cli.gateway_doctor import findings, url_of
from papertrader.cli.main import app
from papertrader.shared.log.broker import free_port

URL = "http://127.0.0.1:3001"
BTC = {"coin": "BTC", "asset": 0, "silent_s": 0.1, "ended": False}
STATE: dict[str, Any] = {
    "clock_ms": 1,
    "accounts": {"0xaa": "one"},
    "free": [],
    "agents": {},
    "markets": [BTC],
    "requests": {"order": 3},
    "questions": 4,
    "refusals": {},
    "recent": [],
    "behind_messages": 0,
}


def looks(**changes: Any) -> list[str]:
    """What stands in the way, with the remedy."""
    return [f"{item.text}: {item.remedy}" for item in findings(URL, STATE | changes) if not item.fine]


def refused(reason: str, text: str = "no", **changes: Any) -> dict[str, Any]:
    """A state in which something was refused lately."""
    last = {"reason": reason, "text": text, "action": "order", "addresses": ["0xbb", "0xcc"], "ahead_ms": 5, "age_s": 2}
    return {"recent": [last | changes], "refusals": {reason: 7}}


def test_a_gateway_on_which_a_bot_trades_is_fine() -> None:
    assert looks() == []
    assert {item.text for item in findings(URL, STATE)} >= {"BTC is asset 0", "0xaa has the account one"}


def test_orders_that_are_refused_are_daily_life() -> None:
    found = list(findings(URL, STATE | refused("order", "Insufficient margin")))
    assert all(item.fine for item in found)
    assert found[-1].text == "refused 7 times, 2 s ago at last: Insufficient margin"


def test_where_nothing_answers() -> None:
    (only,) = findings(URL, None)
    assert (only.fine, only.text) == (False, f"nothing answers at {URL}")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"markets": []}, "no market is known"),
        ({"markets": [BTC | {"silent_s": 60.0}]}, "no round has ended for 60.0 s"),
        ({"markets": [BTC | {"silent_s": None}]}, "no round has ended"),
        ({"markets": [BTC | {"ended": True}]}, "start another run"),
        ({"accounts": {}}, "--strategy none"),
        ({"requests": {}, "questions": 9}, "no signed request has come, and 9 questions"),
        (refused("unknown_signer"), "signed by 0xbb or 0xcc; known are 0xaa"),
        (refused("nonce", ahead_ms=-3_600_000), "-3600 s from this machine's clock"),
        (refused("nonce"), "the same request came twice"),
        (refused("expired", ahead_ms=90_000), "+90 s from"),
        (refused("order", "Unknown asset. asset=5"), "BTC 0. The bot has others"),
        (refused("body"), "refused 7 times, 2 s ago at last: no: what came is none"),
        (refused("no_answer"), "data has stopped"),
        (refused("vault"), "the signer's own"),
    ],
)
def test_what_stands_in_the_way_is_said_with_what_to_do(changes: dict[str, Any], words: str) -> None:
    (only,) = looks(**changes)
    assert words in only


def test_the_command_says_it_and_fails_where_nothing_answers(tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text(f"[gateway]\nport = {free_port()}\n")
    result = CliRunner().invoke(app, ["doctor", "--gateway", "--settings", str(settings), "--json"])
    assert result.exit_code == 1
    (only,) = json.loads(result.stdout)["findings"]
    assert only["text"].startswith("nothing answers at http://127.0.0.1:")
    result = CliRunner().invoke(app, ["doctor", "--gateway", "--url", "http://127.0.0.1:9"])
    assert (result.exit_code, "nothing answers at http://127.0.0.1:9" in result.stdout) == (1, True)


def test_the_address_is_that_of_the_settings() -> None:
    assert url_of({}) == URL
    assert url_of({"gateway": {"port": 4000}, "bus": {"host": "0.0.0.0"}}) == "http://0.0.0.0:4000"
