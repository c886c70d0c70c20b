"""What a check judges, what it may answer, and the troubles that several checks ask about.

One broken wire fails one check. What depends on it passes on what it still knows, or waits and says for what.
"""

from typing import Final, NamedTuple

from papertrader.services.monitor.config import MonitorConfig
from papertrader.services.monitor.facts.facts import SECOND, AccountFacts, Counted, MarketFacts
from papertrader.services.monitor.facts.liveness import ESTIMATOR, Liveness
from papertrader.shared.messages import Check

RESTART: Final = "restart {service}; it resumes from its checkpoint"


class Case(NamedTuple):
    """Everything that a check may look at.

    `settled` and `matured` count the fills that everyone must have counted, and labelled, by now. `broken` names the
    services that are down or stuck; `account` is the account's name, and `outside` says that no quoter trades it.
    """

    account: str
    market: MarketFacts
    facts: AccountFacts
    config: MonitorConfig
    outside: bool
    liveness: Liveness
    broken: dict[str, str]
    settled: int
    matured: int

    def since_s(self, ts: int) -> float:
        """Seconds of event time since `ts`, as far as answers must have been heard."""
        return (self.market.answered_ts - ts) / SECOND

    def silent(self, ts: int) -> bool:
        """Whether something last heard at `ts` is missing for longer than the silence limit."""
        return self.since_s(ts) > self.config.silence_s


def passes(numbers: dict[str, float]) -> Check:
    """A check that passes."""
    return Check(state="pass", cause="", remedy="", numbers=numbers)


def waits(cause: str, numbers: dict[str, float] | None = None, remedy: str = "") -> Check:
    """A check that cannot be judged yet, and why."""
    return Check(state="waiting", cause=cause, remedy=remedy, numbers=numbers or {})


def fails(cause: str, remedy: str, numbers: dict[str, float] | None = None) -> Check:
    """A check that fails: the cause names the service, the remedy says what to do."""
    return Check(state="fail", cause=cause, remedy=remedy, numbers=numbers or {})


def down(case: Case, *services: str) -> Check | None:
    """A failing check if one of the services is down or stuck."""
    for service in services:
        if service in case.broken:
            return fails(case.broken[service], RESTART.format(service=service))
    return None


def estimator_trouble(case: Case) -> str:
    """Why the estimator's word cannot be relied on; empty if it can."""
    if ESTIMATOR in case.broken:
        return case.broken[ESTIMATOR]
    facts = case.facts
    if facts.estimate is None:
        waited_s = case.since_s(case.market.first_ts)
        return f"no estimate after {waited_s:.0f} s: the estimator is down" if case.silent(case.market.first_ts) else ""
    if case.silent(facts.kappa_fills.heard_ts):
        return f"no estimate for {case.since_s(facts.kappa_fills.heard_ts):.0f} s: the estimator is down"
    return ""


def no_estimate(case: Case) -> Check | None:
    """A waiting check if nothing is known from the estimator."""
    if estimator_trouble(case):
        return waits("no estimate from the estimator: see kappa")
    if case.facts.estimate is None:
        return waits("no estimate yet: waiting for the estimator's first word")
    return None


def miscounted(counted: Counted, due: int) -> str:
    """How a reported count is wrong; empty if it agrees with the log's."""
    if counted.heard_ts == 0:
        return ""
    if counted.value > counted.high:
        return f"{counted.value} of {counted.high}"
    if not counted.agrees or counted.value < due:
        return f"{counted.value} of {max(counted.low, due)}"
    return ""
