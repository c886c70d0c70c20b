"""Brier skill and AUC with their intervals: by hand, and against definitions applied to all pairs."""

import math

import numpy as np
import pytest

from papertrader.shared.market import skill as skills

S = 1_000_000_000


def judged(outcomes, until_s=None):
    """`outcomes`: (second, log-odds, whether it happened)."""
    skill = np.zeros(1, dtype=skills.SKILL)[0]
    skills.start(skill)
    for second, score, happened in outcomes:
        skills.judge(skill, int((second + 1) * S), score, 1 / (1 + math.exp(-score)), happened)
    if until_s is None:
        skills.compute(skill)
    return skill


def test_nothing_is_known_at_the_start():
    skill = judged([], until_s=0)
    assert math.isnan(skill["skill"])
    assert math.isnan(skill["auc"])
    assert skill["judged"] == 0


def test_skill_by_hand():
    """Base rate one half, Brier of it 1/4; forecasts of 3/4 for what happened, 1/4 for what did not: Brier 1/16."""
    score = math.log(3)
    skill = judged([(0, score, True), (1, -score, False)])
    assert skill["skill"] == pytest.approx(1 - (1 / 16) / (1 / 4))
    assert skill["auc"] == 1.0
    assert math.isnan(skill["skill_low"]), "one block has no interval"


def test_forecasts_of_the_base_rate_have_no_skill_and_order_nothing():
    skill = judged([(i, 0.0, i % 2 == 0) for i in range(100)])
    assert skill["skill"] == pytest.approx(0)
    assert skill["auc"] == pytest.approx(0.5)


def random_outcomes(seed, count, slope, seconds):
    random = np.random.Generator(np.random.PCG64(seed))
    scores = np.round(random.normal(size=count) * 8) / 8 + 1 / 16
    happened = random.random(count) < 1 / (1 + np.exp(-slope * scores))
    return [(i * seconds / count, float(s), bool(h)) for i, (s, h) in enumerate(zip(scores, happened, strict=True))]


def auc_of_pairs(outcomes):
    yes = np.array([score for _, score, happened in outcomes if happened])
    no = np.array([score for _, score, happened in outcomes if not happened])
    return ((yes[:, None] > no).mean() + (yes[:, None] == no).mean() / 2) if len(yes) and len(no) else math.nan


def skill_of(outcomes):
    happened = np.array([h for _, _, h in outcomes])
    p = 1 / (1 + np.exp(-np.array([s for _, s, _ in outcomes])))
    rate = happened.mean()
    return 1 - ((p - happened) ** 2).mean() / (rate * (1 - rate))


def test_auc_and_skill_and_their_intervals_are_those_of_all_pairs_and_of_leaving_out_each_block():
    outcomes = random_outcomes(1, 400, 1.0, 240)
    skill = judged(outcomes)
    assert skill["judged"] == 400
    assert skill["auc"] == pytest.approx(auc_of_pairs(outcomes))
    assert skill["skill"] == pytest.approx(skill_of(outcomes))
    for name, of in (("auc", auc_of_pairs), ("skill", skill_of)):
        without = np.array([of([o for o in outcomes if o[0] // 30 != block]) for block in range(8)])
        error = math.sqrt(7 / 8 * ((without - without.mean()) ** 2).sum())
        assert skill[f"{name}_low"] == pytest.approx(skill[name] - 1.96 * error)
        assert skill[f"{name}_high"] == pytest.approx(skill[name] + 1.96 * error)


def test_long_session_merges_blocks_and_loses_nothing():
    outcomes = random_outcomes(2, 3000, 1.0, 3 * 960)
    skill = judged(outcomes)
    assert skill["block_ns"] == 120 * S
    assert skill["judged"] == 3000
    assert skill["auc"] == pytest.approx(auc_of_pairs(outcomes))
    assert skill["skill"] == pytest.approx(skill_of(outcomes))


def test_numbers_are_of_ended_blocks_only():
    skill = judged(random_outcomes(3, 100, 1.0, 29), until_s=29)
    assert skill["judged"] == 0
    skills.judge(skill, 40 * S, 0.0, 0.5, True)
    assert skill["judged"] == 100


def test_interval_of_forecasts_without_information_holds_half_most_of_the_time():
    held = 0
    for seed in range(60):
        skill = judged(random_outcomes(100 + seed, 300, 0.0, 600))
        held += skill["auc_low"] <= 0.5 <= skill["auc_high"]
    assert held >= 52
