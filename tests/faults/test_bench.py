"""The bench for faults: what it draws, how it shrinks, and two campaigns."""

from pathlib import Path

import pytest

from tests import runs
from tests.faults.bench.catalogue import MOST_FAULTS, Kill, Purge, campaign_of, draw, text_of
from tests.faults.bench.running import run, wrong
from tests.faults.bench.shrinking import shrunk
from tests.faults.bench.tables import market


def test_campaign_follows_from_its_seed_and_can_be_written_down() -> None:
    drawn = [draw(seed) for seed in range(200)]
    assert drawn == [draw(seed) for seed in range(200)]
    assert {len(campaign) for campaign in drawn} == set(range(1, MOST_FAULTS + 1))
    assert len({type(fault) for campaign in drawn for fault in campaign}) == 7
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
def test_two_campaigns_are_as_undisturbed_and_a_purge_is_said(tmp_path: Path) -> None:
    undisturbed = run(tmp_path / "calm", market(None), ())
    assert undisturbed.fills
    assert not wrong(undisturbed, undisturbed, ())
    for seed in (1, 2):
        campaign = draw(seed)
        assert not wrong(run(tmp_path / f"seed{seed}", market(None), campaign), undisturbed, campaign), campaign
    campaign = (Purge(at_s=5.0),)
    runs._verified.add(tmp_path / "purged")  # it cannot be proved, which is what it has to say
    assert not wrong(run(tmp_path / "purged", market(None), campaign), undisturbed, campaign)
