"""How each message changes what is known of an account: one function per kind."""

from collections.abc import Callable
from typing import Any, Final

from papertrader.services.monitor.facts.facts import SECOND, WORKING_LIMIT, AccountFacts, Counted, Tally, WorkingOrder
from papertrader.services.monitor.facts.worlds import fee_per_notional
from papertrader.shared.market.moments import KEPT
from papertrader.shared.messages import (
    LABEL_HORIZON_S,
    Account,
    Ack,
    Calibration,
    Cancel,
    Command,
    Control,
    Estimate,
    Fill,
    Markout,
    Modify,
    Place,
    Trigger,
)

ROUNDING: float = 1e-12
"""Positions below this share of a fill are what floats leave of zero."""
LEAST_DEPARTURE: float = 1e-3
"""A toxicity this far from the base rate, or from before, is a forecast."""

REACHED: Final = ("queue_not_reached", "not_through", "coin")
"""Why an order that the market reached was not filled: its place in the line decided."""


def next_round(facts: AccountFacts) -> None:
    """Start a round: the tallies step back by one."""
    facts.fills.next_round()
    facts.resolved.next_round()


def on_control(facts: AccountFacts, control: Control, ts: int) -> None:
    """Remember whether quoting was paused by command; `reset` starts the account's own count of fills afresh."""
    facts.controls += 1
    facts.events.note(ts, "info", "control", f"{control.action} was commanded")
    if control.action in ("pause", "flatten"):
        facts.paused = "command"
    elif control.action == "resume":
        facts.paused = ""
        _forget_losses(facts)
    else:
        facts.reset_pending = True
        _forget_losses(facts)


def on_command(facts: AccountFacts, command: Command, ts: int) -> None:
    """Count an order, or a cancel or modify of one."""
    facts.order_ts = ts
    if isinstance(command, Place):
        _place(facts, command, ts)
        return
    if isinstance(command, Trigger):
        facts.orders_placed += 1
        facts.first_order_ts = facts.first_order_ts or ts
        return
    if isinstance(command, Cancel):
        facts.cancels += 1
        facts.races.on_cancel(command)
        facts.bids.fast_cancels += command.fast
    facts.modifies += isinstance(command, Modify)
    order = facts.working.get(command.order_id)
    if order is not None:
        order.asked_ts = order.asked_ts or ts


def _place(facts: AccountFacts, place: Place, ts: int) -> None:
    facts.orders_placed += 1
    facts.bids.on_place(place)
    facts.first_order_ts = facts.first_order_ts or ts
    facts.params_version = place.params_version
    if len(facts.working) < WORKING_LIMIT:
        facts.working[place.order_id] = WorkingOrder(
            place.side, place.price, place.size, ts, rests=place.time_in_force != "ioc", p_fill=place.p_fill
        )
    else:
        facts.working_overflow += 1


def on_ack(facts: AccountFacts, ack: Ack, ts: int) -> None:
    """Follow an order's life; an order that ended unfilled is counted under what kept it from filling."""
    order = facts.working.get(ack.order_id)
    if order is not None:
        order.asked_ts = 0
    facts.races.on_ack(ack)
    facts.bids.on_ack(ack)
    if ack.status == "accepted":
        _went_live(facts, ack, ts)
    elif ack.status == "modified":
        _changed(facts, ack)
    elif ack.status == "triggered":
        _triggered(facts, ack, ts)
    elif ack.status not in ("refused", "waiting"):
        _ended(facts, ack)
    if ack.status in ("rejected", "refused"):
        facts.events.note(ts, "warning", "order", f"an order was {ack.status}: {ack.reason.replace('_', ' ')}")


def _went_live(facts: AccountFacts, ack: Ack, ts: int) -> None:
    facts.accepted += 1
    facts.first_live_ts = facts.first_live_ts or ts
    order = facts.working.get(ack.order_id)
    if order is not None:
        order.live_ts, order.queue_ahead = ack.live_ts or ts, ack.queue_ahead


def _triggered(facts: AccountFacts, ack: Ack, ts: int) -> None:
    """An order that waited for the mark is one like any other from now on."""
    facts.events.note(ts, "info", "order", f"the mark has triggered a {ack.side} of {ack.size:g}")
    if len(facts.working) < WORKING_LIMIT:
        facts.working[ack.order_id] = WorkingOrder(ack.side, ack.price, ack.size, 0)


def _changed(facts: AccountFacts, ack: Ack) -> None:
    order = facts.working.get(ack.order_id)
    if order is not None:
        order.price, order.size, order.queue_ahead = ack.price, ack.size - ack.filled_size, ack.queue_ahead


def _ended(facts: AccountFacts, ack: Ack) -> None:
    order = facts.working.pop(ack.order_id, None)
    if (order is None or order.rests) and (ack.filled_size > 0 or ack.reason in REACHED):
        facts.joined += 1
        facts.joined_unknown += ack.queue_ahead is None
    facts.worlds.add(ack, fee_per_notional(facts.account))
    if ack.status == "rejected":
        _count(facts.rejected, ack.reason)
    elif ack.filled_size == 0:
        _count(facts.unfilled, ack.reason)
    else:
        facts.filled_ended += 1


def _count(reasons: dict[str, int], reason: str) -> None:
    reasons[reason] = reasons.get(reason, 0) + 1


def on_fill(facts: AccountFacts, fill: Fill, ts: int) -> None:
    """Count a fill, follow the position and notice round trips: a position that returned to 0 or changed its sign."""
    facts.fills.now += 1
    facts.races.on_fill(fill)
    facts.bids.on_fill(fill)
    facts.fills_by_minute[0] += 1
    facts.buys += fill.side == "buy"
    facts.first_fill_ts = facts.first_fill_ts or ts
    facts.fill_ts = ts
    facts.forecast_missing = fill.toxicity is None
    facts.through_since_fill, facts.quoted_since_fill_s = 0, 0.0
    order = facts.working.get(fill.order_id)
    if order is not None:
        order.size, order.filled = max(order.size - fill.size, 0.0), True
    position = fill.position_after if abs(fill.position_after) > ROUNDING * fill.size else 0.0
    if facts.position != 0 and facts.position * position <= 0:
        facts.round_trips += 1
        facts.round_trip_ts = ts
    facts.position = position


def on_markout(facts: AccountFacts, markout: Markout, ts: int) -> None:
    """Count the label of a fill: every fill gets exactly one, at the label horizon."""
    if not markout.filled or markout.horizon_s != LABEL_HORIZON_S:
        return
    facts.races.on_markout(markout)
    if markout.resolved:
        facts.resolved.now += 1
        facts.adverse += markout.adverse
        _count_moment(facts, markout)
        facts.first_outcome_ts = facts.first_outcome_ts or ts
    else:
        facts.unresolved += 1


def _count_moment(facts: AccountFacts, markout: Markout) -> None:
    """A sweep is one outcome, however many fills it made: that of the first which is resolved."""
    moment = (markout.fill_ts, markout.side)
    if moment in facts.recent_moments:
        return
    facts.recent_moments = [*facts.recent_moments[1 - KEPT :], moment]
    facts.outcome_moments += 1
    facts.adverse_moments += markout.adverse


def on_estimate(facts: AccountFacts, estimate: Estimate, ts: int) -> None:
    """Keep the estimate and the counts that it carries."""
    last = facts.estimate
    if facts.estimate_of_another:
        anew = last is not None and estimate.classifier_samples < last.classifier_samples
        facts.outcomes_of_another = facts.resolved_by_another if anew else facts.outcomes_of_another
        facts.estimate_of_another, last = False, None
    if estimate.regime_known and (last is None or not last.regime_known or estimate.regime != last.regime):
        facts.events.note(ts, "info", "regime", f"the market is {estimate.regime}")
    if last is not None and estimate.kappa_confidence < last.kappa_confidence:
        facts.confidence_falls += 1
    if estimate.classifier_ready:
        facts.ready_ts = facts.ready_ts or ts
        facts.departure = _departure(estimate, last)
        facts.departed_ts = ts if facts.departure >= LEAST_DEPARTURE else facts.departed_ts
    facts.first_estimate = facts.first_estimate or estimate
    facts.estimate = estimate
    facts.kappa_fills = _counted(estimate.own_fills, facts.fills, ts)
    facts.classifier_samples = _counted(estimate.classifier_samples + facts.outcomes_of_another, facts.resolved, ts)


def _departure(estimate: Estimate, last: Estimate | None) -> float:
    """How far a forecast is from saying nothing: from the base rate and from 0.5, from the other side, from before."""
    bid, ask, base = estimate.toxicity_bid, estimate.toxicity_ask, estimate.adverse_base_rate
    from_nothing = max(min(abs(side - base), abs(side - 0.5)) for side in (bid, ask))
    moved = 0.0
    if last is not None and last.classifier_ready and last.classifier_samples == estimate.classifier_samples:
        moved = max(abs(bid - last.toxicity_bid), abs(ask - last.toxicity_ask))
    return max(from_nothing, abs(bid - ask), moved)


def on_calibration(facts: AccountFacts, calibration: Calibration, ts: int) -> None:
    """Keep the calibration and the counts that it carries."""
    facts.first_calibration = facts.first_calibration or calibration
    facts.calibration = calibration
    facts.controller_fills = _counted(calibration.fills, facts.fills, ts)
    facts.controller_outcomes = _counted(calibration.outcomes_resolved, facts.resolved, ts)


def on_account(facts: AccountFacts, account: Account, ts: int) -> None:
    """Keep the account, its worst residual, and whether margin moved with the position.

    Two identities must hold: total = spread + inventory − fees + funding, whose residual the account carries, and
    total = realised + unrealised − fees + funding.
    """
    _follow_exposure(facts, account, ts)
    if facts.account is not None and account.liquidations > facts.account.liquidations:
        facts.events.note(ts, "error", "liquidation", "the account was liquidated: its equity fell below maintenance")
    facts.account = account
    facts.account_fills = _counted(account.fills, facts.fills, ts)
    parts = account.realised + account.unrealised - account.fees + account.funding
    residual = max(abs(account.residual), abs(account.total - parts))
    facts.worst_residual = max(facts.worst_residual, residual / max(account.turnover, 1.0))
    facts.realised_seen |= account.realised != 0
    facts.unrealised_seen |= account.unrealised != 0
    _follow_equity(facts, account.equity)
    if account.position != 0 and account.margin_used > 0:
        # where the account says the leverage, which falls as the position grows, the rest must be 1
        leverage = value_of(account) / account.margin_used / (account.leverage or 1.0)
        if facts.account_of_another:
            facts.account_of_another, facts.leverage_low, facts.leverage_high = False, 0.0, 0.0
        facts.leverage_low = min(facts.leverage_low or leverage, leverage)
        facts.leverage_high = max(facts.leverage_high, leverage)


def _follow_exposure(facts: AccountFacts, account: Account, ts: int) -> None:
    """The position's value, settlement currency: its peak, and its sum over the seconds that it was held."""
    if facts.account is not None:
        held_s = (ts - facts.account_ts) / SECOND
        facts.exposure_sum_s += value_of(facts.account) * held_s
    facts.exposure_peak = max(facts.exposure_peak, value_of(account))
    facts.account_ts = ts


def value_of(account: Account) -> float:
    """The position's value at the mark; accounts of old logs do not say it, and were linear."""
    return account.notional or abs(account.position) * account.mark_price


def _follow_equity(facts: AccountFacts, equity: float) -> None:
    """The worst loss and drawdown since the start or the last resume, as fractions: the quoter's limits latch."""
    facts.first_equity = facts.first_equity or equity
    facts.peak_equity = max(facts.peak_equity, equity)
    if facts.first_equity > 0:
        facts.worst_loss = max(facts.worst_loss, 1 - equity / facts.first_equity)
        facts.worst_drawdown = max(facts.worst_drawdown, 1 - equity / facts.peak_equity)


def _forget_losses(facts: AccountFacts) -> None:
    facts.first_equity = facts.peak_equity = facts.worst_loss = facts.worst_drawdown = 0.0


def _counted(value: int, tally: Tally, ts: int) -> Counted:
    """A count as heard; `high` is raised when the round's own messages have been counted."""
    return Counted(value, tally.before_that, tally.now, ts)


def end_round(facts: AccountFacts, ts: int) -> None:
    """Close a round: counts heard in it may already hold what the log said in it."""
    for counted, tally in (
        (facts.kappa_fills, facts.fills),
        (facts.controller_fills, facts.fills),
        (facts.account_fills, facts.fills),
        (facts.classifier_samples, facts.resolved),
        (facts.controller_outcomes, facts.resolved),
    ):
        if counted.heard_ts == ts:
            counted.high = tally.now
    _allow_for_reset(facts, ts)
    if facts.another_heard:
        facts.another_heard, facts.estimate_of_another, facts.account_of_another = False, True, True


def _allow_for_reset(facts: AccountFacts, ts: int) -> None:
    counted = facts.account_fills
    if facts.reset_fills and counted.heard_ts == ts and counted.value < counted.low:
        counted.value += facts.reset_fills
    if facts.reset_pending:
        facts.reset_fills, facts.reset_pending = facts.fills.now, False


HEARING: dict[str, Callable[[AccountFacts, Any, int], None]] = {
    "control": on_control,
    "calibration": on_calibration,
    "estimate": on_estimate,
    "account": on_account,
    "acks": on_ack,
    "fills": on_fill,
    "markouts": on_markout,
    "orders": on_command,
}
