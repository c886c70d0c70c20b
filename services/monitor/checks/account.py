"""Is the money right: PnL, margin; and would it survive a crash: checkpoints."""

from typing import Final

from papertrader.services.monitor.checks.case import RESTART, Case, fails, miscounted, passes, waits
from papertrader.services.monitor.facts.facts import AccountFacts
from papertrader.services.monitor.facts.hearing import value_of
from papertrader.services.monitor.facts.liveness import (
    ARCHIVE,
    ARCHIVE_FAILING,
    CHECKPOINT_FAILING,
    DISK_FULL,
    FILL_SIM,
    LOG_MISSING,
    STATEFUL,
    alive,
    ended,
)
from papertrader.shared.messages import Account, Check

RELATIVE_ROUNDING: Final = 1e-6


def account_trouble(case: Case) -> str:
    """Why the account cannot be relied on; empty if it can."""
    facts = case.facts
    if facts.account is None:
        return f"no account message after {case.settled} fills: fill-sim does not report it" if case.settled else ""
    counted = facts.account_fills
    if counted.value < case.settled and case.silent(counted.heard_ts):
        return f"no account message for {case.since_s(counted.heard_ts):.0f} s while fills arrive: fill-sim is mute"
    if wrong := miscounted(counted, case.settled):
        return f"the account of fill-sim holds {wrong} fills"
    return ""


def check_pnl(case: Case) -> Check:
    """Realised and unrealised PnL are non-zero after a round trip, and the identity holds to rounding."""
    if FILL_SIM in case.broken and case.facts.account is None:
        return waits("no account from fill-sim: see fills")
    if trouble := account_trouble(case):
        return fails(trouble, RESTART.format(service=FILL_SIM))
    facts, account = case.facts, case.facts.account
    if account is None:
        return waits("no fills yet: nothing to account for")
    numbers = {
        "realised": account.realised,
        "unrealised": account.unrealised,
        "total": account.total,
        "residual_of_turnover": facts.worst_residual,
        "round_trips": float(facts.round_trips),
    }
    if facts.worst_residual > case.config.residual_limit:
        return fails(
            f"the PnL identity of fill-sim is off by {facts.worst_residual:.2g} of turnover",
            "verify the log; report this as a defect of fill-sim",
            numbers,
        )
    if not facts.round_trips or (not case.silent(facts.round_trip_ts) and not _both_seen(facts)):
        return waits("no round trip yet: the position has not returned to 0 or changed its sign", numbers)
    if not _both_seen(facts):
        part = "unrealised" if facts.realised_seen else "realised"
        return fails(
            f"{part} PnL of fill-sim is still 0 after {facts.round_trips} round trips",
            "report this as a defect of fill-sim's account",
            numbers,
        )
    return passes(numbers)


def _both_seen(facts: AccountFacts) -> bool:
    return facts.realised_seen and facts.unrealised_seen


def check_margin(case: Case) -> Check:
    """Margin used is the position's value at the mark / leverage, and the account was never liquidated."""
    account = case.facts.account
    if account_trouble(case):
        return waits("no account that can be relied on: see pnl")
    if account is None:
        return waits("no account yet: waiting for fill-sim's first word")
    if account.liquidations:
        return _liquidated(account)
    leverage = account.leverage or case.config.leverage or case.facts.leverage_low
    expected = value_of(account) / leverage if leverage else 0.0
    numbers = {
        "position": account.position,
        "margin_used": account.margin_used,
        "expected": expected,
        "maintenance_margin": account.maintenance_margin,
    }
    has_position = account.position != 0
    if has_position != (account.margin_used != 0):
        return _margin_fails(f"margin used is {account.margin_used:g} at position {account.position:g}", numbers)
    if not case.facts.fills.now:
        return waits("no position yet: margin has nothing to follow", numbers)
    if has_position and abs(account.margin_used - expected) > RELATIVE_ROUNDING * expected:
        return _margin_fails(f"margin used is {account.margin_used:g}, value/leverage {expected:g}", numbers)
    if case.facts.leverage_high > case.facts.leverage_low * (1 + RELATIVE_ROUNDING):
        return _margin_fails("margin used did not move with the position", numbers)
    return passes(numbers)


def _liquidated(account: Account) -> Check:
    times = "once" if account.liquidations == 1 else f"{account.liquidations} times"
    return fails(
        f"the account was liquidated {times}: its equity fell below the maintenance margin",
        "lower leverage or max_position_notional, or stop earlier (max_loss); then reset the account",
        {"liquidations": float(account.liquidations), "equity": account.equity},
    )


def _margin_fails(observed: str, numbers: dict[str, float]) -> Check:
    return fails(
        f"{observed}: fill-sim's margin does not follow the position", "report this as a defect of fill-sim", numbers
    )


def _log_trouble(case: Case) -> Check | None:
    """A failing check if the archive is down, cannot seal, came too late, or sees the disk fill up."""
    if ARCHIVE in case.broken:
        return fails(case.broken[ARCHIVE], f"restart {ARCHIVE}; what is not sealed is still with the broker")
    bad = case.liveness[ARCHIVE].bad_messages if ARCHIVE in case.liveness else {}
    if bad.get(ARCHIVE_FAILING):
        cause = "the archive cannot write segments: the broker fills up, and takes nothing more when it is full"
        return fails(cause, "free the disk, or give back the right to write to it; archive's own log says what refused")
    if missing := bad.get(LOG_MISSING):
        cause = f"the log was purged: {missing} messages were gone before they could be sealed"
        return fails(cause, "find out who may purge the log; begin anew in another data directory to have it whole")
    if days := bad.get(DISK_FULL):
        remedy = "make room, or let [archive] keep_days or keep_bytes drop old segments"
        return fails(f"the disk of the segments is full within {days} day{'s' if days > 1 else ''}", remedy)
    return None


def check_checkpoints(case: Case) -> Check:
    """Every living service's newest checkpoint is under `checkpoint_limit_s` old and loads, and the log is kept.

    Checkpoints follow event time, so their age is judged only while rounds move.
    """
    if trouble := _log_trouble(case):
        return trouble
    services = {
        name: health
        for name, health in case.liveness.items()
        if name in STATEFUL and name not in case.broken and alive(health, case.config)
    }
    if not services:
        return waits("checkpoints are seen by the running monitor, not on the log")
    limit_s = case.config.checkpoint_limit_s
    numbers = {
        name: health.checkpoint_age_s for name, health in services.items() if health.checkpoint_age_s is not None
    }
    for name, health in services.items():
        age_s = health.uptime_s if health.checkpoint_age_s is None else health.checkpoint_age_s
        if health.bad_messages.get(CHECKPOINT_FAILING):
            return fails(
                f"{name} cannot write its checkpoint",
                f"free the disk, or give back the right to write to it: the log of {name} says what refused",
                numbers,
            )
        if not health.checkpoint_loads:
            return fails(f"the newest checkpoint of {name} does not load", f"restart {name} from the log", numbers)
        if age_s > limit_s and not case.broken and not ended(case.liveness):
            return fails(
                f"the newest checkpoint of {name} is {age_s:.0f} s old",
                f"look at the log of {name}: the checkpoint store may be full or unreachable",
                numbers,
            )
    missing = [name for name in services if name not in numbers]
    if missing:
        return waits(f"no checkpoint yet of {', '.join(missing)}", numbers)
    return passes(numbers)
