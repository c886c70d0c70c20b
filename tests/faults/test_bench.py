"""The bench for faults: what it draws, how it shrinks, and two campaigns."""

from pathlib import Path

import pytest

from tests import runs
from tests.faults.bench.catalogue import (
    KINDS,
    MOST_FAULTS,
    Change,
    Clock,
    Disk,
    Kill,
    Neighbour,
    Purge,
    campaign_of,
    draw,
    text_of,
)
from tests.faults.bench.judging import wrong
from tests.faults.bench.running import run
from tests.faults.bench.shrinking import shrunk
from tests.faults.bench.tables import market


def test_campaign_follows_from_its_seed_and_can_be_written_down() -> None:
    drawn = [draw(seed) for seed in range(200)]
    assert drawn == [draw(seed) for seed in range(200)]
    assert {len(campaign) for campaign in drawn} == set(range(1, MOST_FAULTS + 1))
    assert {type(fault) for campaign in drawn for fault in campaign} == set(KINDS)
    assert all(campaign_of(text_of(campaign)) == campaign for campaign in drawn)


@pytest.mark.parametrize("guilty", [(0,), (11,), (3, 7), (0, 5, 11)])
def test_failing_campaign_is_shrunk_to_the_faults_that_make_it_fail(guilty: tuple[int, ...]) -> None:
    campaign = tuple(Kill(at_s=float(number), service="quoter") for number in range(12))
    tried = 0

    def fails(part: tuple[object, ...]) -> bool:
        nonlocal tried
        tried += 1
        return all(campaign[number] in part for number in guilty)

    assert shrunk(campaign, fails) == tuple(campaign[number] for number in guilty)
    assert tried < 100


@pytest.mark.long
def test_campaigns_are_as_undisturbed_and_what_spoils_a_run_is_said(tmp_path: Path) -> None:
    undisturbed = run(tmp_path / "calm", market(None), ())
    assert undisturbed.fills
    assert not wrong(undisturbed, undisturbed, ())
    quiet = [kind for kind in KINDS if kind is not Purge and kind is not Disk]
    campaigns = [draw(seed, quiet) for seed in (1, 2)]
    campaigns += [
        (Clock(at_s=2.0, service="quoter", by_s=-86_400.0), Neighbour(at_s=1.0, for_s=10.0, seed=1)),
        (Change(at_s=6.0, fill_model="flat"),),
        (Purge(at_s=5.0),),
    ]
    for number, campaign in enumerate(campaigns):
        directory = tmp_path / f"campaign{number}"
        outcome = run(directory, market(None), campaign)
        assert not wrong(outcome, undisturbed, campaign), campaign
        runs._verified.add(directory)  # or cannot be proved, and has said so
