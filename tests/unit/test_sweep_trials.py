"""Searches that learn: the same for the same seed, after a stop, and on a surface whose best place is known."""

from array import array
from collections.abc import Sequence
from pathlib import Path

import pytest

from papertrader.replay.sweep.outcomes import Blocks, Part
from papertrader.replay.sweep.search import Plan, check, front
from papertrader.replay.sweep.trials import Search, Tried, tried
from papertrader.replay.sweep.variants import Range, Variant
from papertrader.shared.service.config import SettingsError
from tests.unit.test_sweep_luck import with_minutes

AXES = {"a.x": Range(0.0, 10.0), "a.y": Range(1, 100, log=True, whole=True), "a.z": ["u", "v"]}


def search(sessions: int = 1, objectives: tuple[str, ...] = ("pnl",), asked: str = "one") -> Search:
    return Search(AXES, objectives, 1, sessions, asked)


def worth(variant: Variant) -> float:
    """Best at x = 7, y = 1 and z = v."""
    return -float((variant["a.x"] - 7.0) ** 2) - 0.1 * float(variant["a.y"]) + (5.0 if variant["a.z"] == "v" else 0.0)


def replayed(items: Sequence[tuple[Variant, int]]) -> list[Part]:
    """Ten minutes of the surface, in every session the same."""
    found = []
    for variant, session in items:
        starts = array("q", [600_000_000_000 * session + 60_000_000_000 * number for number in range(10)])
        blocks = Blocks(starts, array("q", [60] * 10), array("d", [worth(variant)] * 10))
        drawdown = float(variant["a.x"])
        found.append(Part(blocks, 10 * worth(variant), 0.0, 0.0, 0.0, 3, 2, 1.0, 1, drawdown))
    return found


def best(found: Tried) -> float:
    return max(item.pnl_per_hour.value for item in found.outcomes)


def test_choosing_by_what_came_before_finds_the_best_place_sooner_than_chance() -> None:
    chosen = tried(search(), 80, replayed)
    at_random = tried(search(), 10, replayed)
    assert len(chosen.outcomes) > 70
    assert best(chosen) > best(at_random)
    top = max(chosen.outcomes, key=lambda item: item.pnl_per_hour.value).variant
    assert abs(top["a.x"] - 7.0) < 1.0
    assert top["a.z"] == "v"


def test_search_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole = tried(search(), 35, replayed)
    tried(search(), 20, replayed, tmp_path / "kept.db")
    with pytest.raises(ZeroDivisionError):
        tried(search(), 35, lambda _: [1 // 0 for _ in "x"], tmp_path / "kept.db")  # type: ignore[arg-type]
    assert tried(search(), 35, replayed, tmp_path / "kept.db") == whole
    with pytest.raises(SettingsError, match=r"kept\.db holds another search"):
        tried(search(asked="two"), 35, replayed, tmp_path / "kept.db")


def test_trials_below_the_median_of_those_before_end_after_the_first_session() -> None:
    asked: list[int] = []

    def counted(items: Sequence[tuple[Variant, int]]) -> list[Part]:
        asked.extend(session for _, session in items)
        return replayed(items)

    found = tried(search(sessions=3), 40, counted)
    assert found.pruned > 5
    assert asked.count(0) == 40
    assert asked.count(2) == 40 - found.pruned
    assert all(len(item.blocks.pnl) == 30 for item in found.outcomes)


def test_with_several_objectives_no_trial_ends_early_and_the_front_is_what_none_beats() -> None:
    found = tried(search(sessions=2, objectives=("pnl", "drawdown")), 30, replayed)
    assert found.pruned == 0
    places = front(found.outcomes, ("pnl", "drawdown"))
    kept = [found.outcomes[place] for place in places]
    for item in found.outcomes:
        beaten = any(
            other.pnl_per_hour.value >= item.pnl_per_hour.value and other.max_drawdown < item.max_drawdown
            for other in found.outcomes
        )
        assert not (beaten and item in kept)
    assert len(places) >= 2


def test_front_by_hand() -> None:
    x = with_minutes([3.0])._replace(max_drawdown=2.0)
    y = with_minutes([1.0])._replace(max_drawdown=1.0)
    z = with_minutes([0.5])._replace(max_drawdown=1.5)
    assert front([x, y, z], ("pnl", "drawdown")) == [0, 1]
    assert front([x, y, z], ("pnl",)) == [0]
    assert front([x, y, z], ("adverse",)) == [0, 1, 2], "nothing is known of any"


@pytest.mark.parametrize(
    ("plan", "complaint"),
    [
        (Plan(AXES, trials=5, objectives=("luck",)), "--objective"),
        (Plan(AXES, objectives=("drawdown",)), "--trials"),
        (Plan(AXES, storage=Path("x.db")), "--trials"),
        (Plan(AXES, trials=5, random=5), "one or the other"),
        (Plan({}, trials=5), "name axes"),
        (Plan({"feed.seed": [1, 2]}, trials=5), "cannot be varied"),
    ],
)
def test_plan_that_cannot_be_carried_out_says_what_to_change(plan: Plan, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        check(plan)
