"""Every fault between a venue and the feed, with the whole system behind it: what each part of it shows.

The venue server's frames go through its faults, the live market and all folds, in virtual time.
"""

from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

import msgspec
import pytest

from papertrader.replay.composition import Composition
from papertrader.services.feed.metrics import BAD, GAPS, MESSAGES, samples
from papertrader.services.monitor.metrics import GAPS as MONITOR_GAPS
from papertrader.services.monitor.metrics import samples as monitor_samples
from papertrader.services.monitor.service import Monitor
from papertrader.shared.messages import Bbo, Book, Check, Fill, Gap, Markout, Trades
from papertrader.shared.service.config import Settings
from papertrader.shared.service.metrics import Metric, Sample
from tests.crossing import crossed
from tests.faulty_line import MARKET, FaultyLine
from tools.venue_server.faults import KINDS, Fault, Kind
from tools.venue_server.frames import COINS, of_synthetic

SESSION_S = 130.0
STRUCK_S = 60.0
ACCOUNT = "main"
OUTAGES: dict[Kind, tuple[float, str]] = {
    "drop": (12.0, "disconnected"),
    "close_1006": (0.0, "disconnected"),
    "dead": (12.0, "disconnected"),
    "stall": (12.0, "silence"),
    "silence": (12.0, "silence"),
}
"""How long each lasts, and the reason of the gap that it is."""
REFUSED: dict[Kind, str] = {
    "half_frame": "undecodable",
    "garbage": "",
    "crossed_book": "crossed_book",
    "clock_jump": "time_jumped",
    "reorder": "time_went_back",
}
"""Why the frames of each are refused; garbage for any reason."""
HARMLESS: tuple[Kind, ...] = ("duplicate", "slow_start", "sequence_gap")
"""Prints come once; a slow start concerns who connects; a lost frame of Hyperliquid is made good by the next one."""


class Story(NamedTuple):
    """What a session with one fault came to."""

    line: FaultyLine
    folds: Composition
    fills: list[Fill]
    markouts: list[Markout]
    causes: set[str]

    def gaps(self) -> list[Gap]:
        return [message for round_ in self.line.rounds for message in round_.messages if isinstance(message, Gap)]

    def monitor(self) -> Monitor:
        fold = self.folds.folds["monitor"]
        assert isinstance(fold, Monitor)
        return fold

    def checks(self) -> dict[str, Check]:
        return self.monitor().checklist(ACCOUNT).checks


@cache
def story(kind: Kind | None) -> Story:
    programme = of_synthetic("hyperliquid", SESSION_S, seed=5, assets=COINS[:1])
    duration_s = OUTAGES[kind][0] if kind in OUTAGES else 0.0 if kind == "clock_jump" else 1.0
    faults = [Fault(STRUCK_S, kind, duration_s)] if kind else []
    if kind == "slow_start":
        faults.append(Fault(STRUCK_S, "close_1006"))
    line = FaultyLine(programme.instruments["BTC"], faults, seed=5)
    line.play(list(programme.frames()))
    folds = Composition(Settings({}), MARKET)
    found = Story(line, folds, [], [], set())
    for round_ in line.rounds:
        *market_data, _ = round_.messages
        for spoken in folds.fold(market_data, round_.end):
            said = spoken.output.message
            if isinstance(said, Fill):
                found.fills.append(said)
            elif isinstance(said, Markout) and said.filled:
                found.markouts.append(said)
        if any(isinstance(message, Gap) for message in market_data):
            found.causes.add(found.checks()["fills"].cause)
    return found


def counted(found: Story, metric: Metric) -> Counter[str]:
    """The feed's samples of a metric by their last label."""
    return by_label(samples(MARKET, found.line.market), metric)


def by_label(taken: Iterable[Sample], metric: Metric) -> Counter[str]:
    return Counter({sample.labels[-1]: int(sample.value) for sample in taken if sample.metric == metric})


def true_prints() -> dict[int, tuple[float, float]]:
    return {
        trade_id: (message.prices[index], message.sizes[index])
        for round_ in story(None).line.rounds
        for message in round_.messages
        if isinstance(message, Trades)
        for index, trade_id in enumerate(message.trade_ids)
    }


def last_touch(found: Story) -> Bbo:
    touches = [message for round_ in found.line.rounds for message in round_.messages if isinstance(message, Bbo)]
    return msgspec.structs.replace(touches[-1], recv_ts=0)


def test_every_fault_has_its_place() -> None:
    assert sorted((*OUTAGES, *REFUSED, *HARMLESS)) == sorted(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_market_recovers_and_the_system_goes_on_with_good_data(kind: Kind) -> None:
    """The last touch is the undisturbed one, every loop runs on, and at the end no check fails."""
    found = story(kind)
    assert last_touch(found) == last_touch(story(None))
    struck_ts = story(None).line.rounds[0].end.ts + int((STRUCK_S + 30.0) * 1e9)
    assert any(fill.ts > struck_ts for fill in found.fills)
    assert {name: check.cause for name, check in found.checks().items() if check.state == "fail"} == {}
    assert found.monitor().facts.accounts[ACCOUNT].fills.now == len(found.fills)


@pytest.mark.parametrize("kind", KINDS)
def test_no_fill_is_invented(kind: Kind) -> None:
    """Every fill is on a print that happened, of at most its size, or on a book that crossed; the market was seen."""
    found, known = story(kind), true_prints()
    shown = [item for round_ in found.line.rounds for item in round_.messages if isinstance(item, Book | Bbo)]
    assert len({fill.fill_id for fill in found.fills}) == len(found.fills)
    for fill in found.fills:
        if fill.trade_id == 0:
            assert crossed(fill, shown)
        else:
            assert fill.size <= known[fill.trade_id][1] + 1e-9
        assert not any(gap.from_ts < fill.ts < gap.to_ts for gap in found.gaps())


@pytest.mark.parametrize("kind", KINDS)
def test_markouts_over_the_gap_are_unresolved_and_all_others_resolved(kind: Kind) -> None:
    found = story(kind)
    gaps = found.gaps()
    end_ts = found.line.rounds[-1].end.ts
    crossing = 0
    for markout in found.markouts:
        due_ts = markout.fill_ts + int(markout.horizon_s * 1e9)
        crosses = any(gap.from_ts < due_ts and gap.to_ts > markout.fill_ts for gap in gaps)
        crossing += crosses
        assert markout.resolved == (not crosses) or due_ts > end_ts
    assert (crossing > 0) == bool(gaps)


@pytest.mark.parametrize("kind", OUTAGES)
def test_outage_is_a_gap_which_feed_and_monitor_count_and_the_checklist_names(kind: Kind) -> None:
    found, (duration_s, reason) = story(kind), OUTAGES[kind]
    gaps = found.gaps()
    assert {gap.reason for gap in gaps} == {reason}
    missed_s = sum(gap.to_ts - gap.from_ts for gap in gaps) * 1e-9
    assert duration_s - 1.0 <= missed_s <= duration_s + 2.0
    assert counted(found, GAPS)[reason] == 1
    assert by_label(monitor_samples(MARKET, found.monitor()), MONITOR_GAPS).total() == len(gaps)
    assert any(cause.startswith("the market data is missing") for cause in found.causes)


@pytest.mark.parametrize("kind", REFUSED)
def test_frames_that_are_wrong_are_refused_and_counted_by_reason(kind: Kind) -> None:
    found = story(kind)
    bad = counted(found, BAD) + found.line.adapter.bad[""]
    assert bad[REFUSED[kind]] > 0 if REFUSED[kind] else bad.total() > 0
    assert not found.gaps()


def test_undisturbed_session_refuses_nothing_and_has_no_gap() -> None:
    found = story(None)
    assert not found.gaps()
    assert not found.line.bad
    assert counted(found, BAD).total() == 0
    assert counted(found, MESSAGES)["bbo"] > 1_000


def test_repeated_prints_are_heard_once() -> None:
    assert counted(story("duplicate"), MESSAGES)["trades"] == counted(story(None), MESSAGES)["trades"]


def test_slow_start_is_part_of_the_outage_before_it() -> None:
    assert {gap.reason for gap in story("slow_start").gaps()} == {"disconnected"}
