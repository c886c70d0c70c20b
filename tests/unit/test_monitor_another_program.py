"""Facts that another program has saved: what it said is no measure of what this one says; nothing else is forgotten."""

from typing import Any

import pytest

from papertrader.services.monitor.facts import hearing
from papertrader.services.monitor.facts.facts import AccountFacts, Tally, take_over
from tests.messages import account, estimate

OLD: dict[str, Any] = {"kappa_confidence": 0.8, "classifier_samples": 37}


def said(facts: AccountFacts, ts: int, **fields: Any) -> None:
    """A round in which an estimate is heard."""
    hearing.next_round(facts)
    hearing.on_estimate(facts, estimate(ts, **fields), ts)
    hearing.end_round(facts, ts)


@pytest.fixture
def facts() -> AccountFacts:
    """An account with 37 outcomes, just taken over; the other program's last word is still to be heard."""
    found = AccountFacts(resolved=Tally(37, 37, 37))
    said(found, 1, **OLD)
    take_over(found)
    said(found, 2, **OLD)
    return found


def test_confidence_is_not_compared_with_the_other_programs(facts: AccountFacts) -> None:
    said(facts, 3, kappa_confidence=0.5, classifier_samples=37)
    assert facts.confidence_falls == 0
    said(facts, 4, kappa_confidence=0.4, classifier_samples=37)
    assert facts.confidence_falls == 1


@pytest.mark.parametrize(("counted", "known"), [(0, 37), (37, 37)])
def test_classifier_that_began_anew_counts_on_from_the_other_programs_outcomes(
    facts: AccountFacts, counted: int, known: int
) -> None:
    said(facts, 3, kappa_confidence=0.5, classifier_samples=counted)
    assert (facts.classifier_samples.value, facts.classifier_samples.agrees) == (known, True)
    facts.resolved.now += 2
    said(facts, 4, kappa_confidence=0.5, classifier_samples=counted + 2)
    assert (facts.classifier_samples.value, facts.classifier_samples.agrees) == (known + 2, True)
    said(facts, 5, kappa_confidence=0.5, classifier_samples=counted)
    assert not facts.classifier_samples.agrees


def test_leverage_is_not_compared_with_the_other_programs() -> None:
    facts = AccountFacts()
    hearing.on_account(facts, account(1, position=1.0, notional=100.0, margin_used=10.0), 1)
    assert (facts.leverage_low, facts.leverage_high) == (10.0, 10.0)
    take_over(facts)
    hearing.on_account(facts, account(2, position=1.0, notional=100.0, margin_used=10.0), 2)
    hearing.end_round(facts, 2)
    hearing.on_account(facts, account(3, position=1.0, notional=100.0, margin_used=10.0, leverage=10.0), 3)
    assert (facts.leverage_low, facts.leverage_high) == (1.0, 1.0)
