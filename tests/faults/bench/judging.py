"""What came of a campaign, and whether that is as it must be."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from papertrader.cli.show import unowned
from papertrader.shared.log.kinds import decode
from papertrader.shared.log.subjects import address
from tests.faults.bench.catalogue import CHANGES, SPOILS, Campaign

COMPARED: Final = ("orders", "acks", "fills", "account", "markouts", "estimate", "calibration", "checks")
ACCOUNT: Final = "main"

Counts: TypeAlias = dict[str, dict[str, int]]
"""The five counts of one thing, by market: fills, and who has seen them."""


class Outcome(NamedTuple):
    """What a campaign left: what the folds said on its log, what the run said failed and that it noted, how `verify`
    ended, processes left over, what a next start of the run said failed, and what the monitor counted at the end and
    after the next start, by market."""

    words: list[tuple[str, bytes]]
    said: tuple[str, ...]
    noted: tuple[str, ...]
    proved: int
    orphans: tuple[str, ...]
    again: tuple[str, ...]
    counts: tuple[Counts, Counts] = ({}, {})

    @property
    def fills(self) -> int:
        """How many fills there are."""
        return sum(subject.startswith("fills.") for subject, _ in self.words)


def wrong(outcome: Outcome, undisturbed: Outcome, campaign: Campaign) -> str:
    """What is wrong with an outcome; empty if it is as undisturbed, or if the run has said that it is not, and why."""
    if outcome.orphans:
        return f"left behind: {outcome.orphans}"
    words = [words for kind, words in SPOILS.items() if any(isinstance(fault, kind) for fault in campaign)]
    if words and outcome.said:
        told = "\n".join(outcome.said)
        return "" if any(re.search(word, told) for word in words) else f"spoiled, and the run said: {outcome.said}"
    if outcome.said:
        return f"said without cause: {outcome.said}"
    if outcome.again:
        return f"the next start failed: {outcome.again}"
    for counts in outcome.counts:
        if miscounted := miscounts(counts, outcome):
            return miscounted
    if outcome.proved:
        return f"verify ended with {outcome.proved}"
    if any(isinstance(fault, CHANGES) for fault in campaign):
        told = any("a new epoch" in note or "have changed" in note for note in outcome.noted)
        return "" if told else "the settings changed, and nothing was said of an epoch"
    if outcome.words != undisturbed.words:
        return f"{outcome.fills} fills, {undisturbed.fills} undisturbed, or other words of folds; nothing was said"
    return ""


def miscounts(counts: Counts, outcome: Outcome) -> str:
    """What the monitor counted otherwise than the log has it; empty if nothing."""
    for market, five in counts.items():
        logged_ = sum(subject == f"fills.{market}" for subject, _ in outcome.words)
        if any(count != logged_ for count in five.values()):
            return f"{market} has {logged_} fills on the log, and the monitor counts {five}"
    return "" if counts else "the monitor counts nothing"


def is_own(subject: str, payload: bytes) -> bool:
    """Whether a message of the log is a fold's of the account that trades, and not what a stranger has said."""
    try:
        where = address(subject)
        decode(where.kind, payload)
    except ValueError:
        return False
    return where.kind in COMPARED and where.account == ACCOUNT


def holders_of(directory: Path) -> Iterator[str]:
    """The processes whose standard output lies below a directory, the broker's watcher left out."""
    for path in Path("/proc").glob("[0-9]*/fd/1"):
        with contextlib.suppress(OSError):
            if path.readlink().is_relative_to(directory):
                yield f"process {path.parts[2]}, which writes to {path.readlink()}"


def market_of(entry: dict[str, Any]) -> str:
    """An account of a market, as subjects name it."""
    return f"{entry['venue']}.{entry['asset']}.{entry['account']}"


def causes(summary: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The checks that fail, each with its cause, and the markets that no monitor owns."""
    for market, why in summary.get("unwatched", {}).items():
        yield market, unowned(why)
    for market in summary["markets"]:
        for name, check in market["checks"].items():
            if check["state"] == "fail":
                yield f"{market_of(market)} {name}", check["cause"]
