"""Logs that released versions have written stay readable: every message of every kind is decoded by this version."""

from collections import Counter
from pathlib import Path

import pytest

from papertrader.replay.log_file import read_file
from papertrader.shared.log.kinds import decode
from papertrader.shared.log.subjects import address
from papertrader.shared.service import epoch

LOGS = sorted((Path(__file__).parent / "logs").glob("*.log.gz"))
KINDS = {"acks", "account", "bbo", "book", "calibration", "checks", "ctx", "estimate", "fills", "instrument"}
KINDS |= {"markouts", "orders", "round", "trades"}


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.name)
def test_every_message_of_a_log_of_an_older_version_is_readable(path: Path) -> None:
    seen = Counter[str]()
    for entry in read_file(path):
        if entry.subject == epoch.SUBJECT:
            epoch.decode(entry.payload)
            continue
        kind = address(entry.subject).kind
        decode(kind, entry.payload)
        seen[kind] += 1
    assert set(seen) >= KINDS


def test_there_is_a_log_of_each_form() -> None:
    assert LOGS
