"""The closed loop, compiled: one pass over the events, one book, and the steps of all services.

What a service says in one round is heard in the next, in the order in which the bus delivers it, so that every
message is the same as on the bus. A round is heard when the one before it ends; then its events come one by one; at
its marker every service says what it has to say. The market data is folded once for all, since each service's own
book would hold the same.

What is done for every event or round and takes `Accounts` or `Said` is inlined: to pass so many arrays to a function,
counted or not, costs as much as ten events. It is inlined before it is compiled, since the compiler is slow.
"""

import numpy as np

from papertrader.replay.borrowed import borrowed
from papertrader.replay.hearing import (
    address_exchange,
    calibration_hears,
    estimator_hears,
    exchange_hears,
    hand_on,
    quoter_hears,
    say_account,
    say_calibration,
    say_estimate,
    say_markouts,
    say_orders,
    tracker_hears,
)
from papertrader.replay.plans import has_room_for_a_round, plan, reaches, watch
from papertrader.replay.world import ACCOUNTS, SAID, UNKNOWN, Accounts, Said, Scratch, outbox_of
from papertrader.services.calibration import kernel as calibration
from papertrader.services.estimator import kernel as estimator
from papertrader.services.estimator import queues, touch_fills
from papertrader.services.fill_sim import kernel as exchange
from papertrader.services.fill_sim.account import on_mid
from papertrader.services.fill_sim.matching import on_print as match_print
from papertrader.services.fill_sim.recent import note_message, note_orders, note_print
from papertrader.services.fill_sim.state import Exchange, Outbox, has_room
from papertrader.services.outcome_tracker import kernel as tracker
from papertrader.services.quoter import asking, decision, senses
from papertrader.services.quoter.own import BUILT_IN
from papertrader.services.quoter.own import note_print as remember_print
from papertrader.shared.kernels import njit
from papertrader.shared.market import features as market_features
from papertrader.shared.market.book import NEXT, apply_message
from papertrader.shared.market.events import GAP, PRINT, ROUND, RULES, SNAPSHOT, TOUCH, Events
from papertrader.shared.market.frozen import first_print, is_print
from papertrader.shared.market.records import Record, Records


@njit(cache=True)
def run(markets: Records, accounts: Accounts, said: Said, scratch: Scratch, events: Events, rounds: int) -> bool:
    """Fold the events from `progress.row` on, at most so many rounds or up to a RULES row; False if `said` has to grow.

    `markets` is a WORLD of shape (1,).
    """
    accounts, said, scratch, events = borrowed(accounts), borrowed(said), borrowed(scratch), borrowed(events)
    market = markets[0]
    progress, out = market.progress, outbox_of(said)
    last_round = progress.round + rounds
    row, end = np.uint64(progress.row), np.uint64(len(events))
    while row < end:
        if progress.begun == 0:
            if events[row].kind == RULES:
                break  # the caller takes it over, and goes on behind it
            begin_round(market, accounts, said, events, row)
        row = fold_market_data(market, accounts, out, events, row, end)
        if row == end:
            break
        progress.row = row
        marker = events[row]
        if marker.kind != ROUND or not pass_time(market, accounts, out, marker):
            return False
        speaks = out.counts[2] > progress.last[SAID]
        # where nothing was said in this round or the last one there is as much room as there was
        full = (speaks or progress.heard > 0) and not has_room_for_a_round(progress, out)
        if full or progress.round == last_round:
            return not full
        end_round(market, accounts, said, scratch, marker.ts, speaks)
        row += NEXT
    progress.row = row
    return True


@njit(cache=True, inline="always")
def fold_market_data(
    market: Record, accounts: Accounts, out: Outbox, events: Events, row: np.uint64, end: np.uint64
) -> np.uint64:
    """Fold events from `row` on up to the next marker; returns its row, or that of an event which needs room first."""
    progress = market.progress
    while row < end and events[row].kind != ROUND:
        event = events[row]
        if not pass_time(market, accounts, out, event):
            return row
        if event.kind <= TOUCH:
            if not has_room(out, len(accounts.exchange)):
                return row
            row = on_levels(market, accounts, out, events, row)
        elif event.kind == PRINT:
            if not reaches(progress, event):
                on_print(market, accounts.estimators, event)
            elif not match(market, accounts.exchange, accounts.exchange_settings, accounts.estimators, out, event):
                return row
        else:
            on_news(market, accounts.exchange, accounts.exchange_settings, out, event)
        row += NEXT
    return row


@njit(cache=True, inline="always")
def pass_time(market: Record, accounts: Accounts, out: Outbox, event: Record) -> bool:
    """Let what is due by an event's time take effect, mostly nothing; False if the exchange needs room first."""
    if event.ts < market.progress.watch_ts and event.kind != GAP:
        return True
    return on_time(market, accounts, out, event)


@njit(cache=True)
def on_time(market: Record, accounts: Accounts, out: Outbox, event: Record) -> bool:
    """What is due at the exchange takes effect, ended seconds are closed, and a gap ends what was under way."""
    progress, exchanges, settings = market.progress, accounts.exchange, accounts.exchange_settings
    if event.ts >= progress.due_ts:
        before_ts = exchange.due_before(market.book, event)
        done = exchange.advance(market.exchange, market.book, market.features, exchanges, settings, before_ts, out)
        plan(market, exchanges)
        if not done:
            return False
    before_event(market, accounts, event)
    if event.kind == GAP:
        calibration.on_gap(accounts.controllers, event.id, event.ts)
    watch(market)
    return True


@njit(cache=True)
def before_event(market: Record, accounts: Accounts, event: Record) -> None:
    """What an event changes before the book: the clocks, and a gap ends what was under way."""
    estimator.before_event(
        market.book,
        market.features,
        market.estimator_seconds,
        market.estimator,
        accounts.estimators,
        accounts.estimator_settings,
        event,
    )
    tracker.before_event(
        market.book, market.tracker_seconds, market.tracker, accounts.trackers, accounts.tracker_settings, event
    )


@njit(cache=True, inline="always")
def begin_round(market: Record, accounts: Accounts, said: Said, events: Events, row: np.uint64) -> None:
    """Begin the round whose events begin at `row`: whatever was said in the last one is heard."""
    progress = market.progress
    progress.begun = 1
    if progress.heard > 0:
        hear(market, accounts, said)
    touch_fills.begin_round(market.estimator.touch_fills)
    market.exchange.before.fresh = 0
    met = first_print(events, row)
    if is_print(events, met):
        observed = market.estimator.touch_fills
        touch_fills.meet_prints(observed, market.features, market.book, events, met)
        exchange.meet_prints(
            market.exchange, market.book, market.features, accounts.exchange, events, met, observed.before
        )
    for index in range(len(accounts.estimators)):
        estimator.begin_round(accounts.estimators[index], progress.previous_ts)


@njit(cache=True)
def hear(market: Record, accounts: Accounts, said: Said) -> None:
    """Exchange, estimator and outcome tracker take in what was said in the last round."""
    progress, accounts, said = market.progress, borrowed(accounts), borrowed(said)
    exchange_hears(market, accounts.exchange, accounts.exchange_settings, said)
    plan(market, accounts.exchange)
    estimator_hears(progress, market.book, market.estimator, accounts.estimators, said)
    tracker_hears(progress, market.tracker, accounts.trackers, accounts.tracker_settings, said)


@njit(cache=True)
def hear_late(market: Record, accounts: Accounts, said: Said) -> None:
    """Calibration and quoter take in what was said in the last round."""
    progress, accounts, said = market.progress, borrowed(accounts), borrowed(said)
    calibration_hears(progress, accounts.controllers, said)
    quoter_hears(progress, market, accounts, said)


@njit(cache=True, inline="always")
def end_round(market: Record, accounts: Accounts, said: Said, scratch: Scratch, ts: int, speaks: bool) -> None:
    """End a round: every service says what it has to say; `speaks`: the exchange has said something already."""
    progress, book = market.progress, market.book
    heard = progress.heard > 0
    if heard:
        hear_late(market, accounts, said)
    book.ts = max(book.ts, ts)
    touch_fills.end_round(market.estimator.touch_fills)
    touch_fills.settle(market.estimator.touch_fills, ts, market.estimator.mid)
    for index in range(len(accounts.exchange)):
        learned = say_what_was_learned(market, accounts, said, scratch, index, ts)
        acted = say_money_and_orders(market, accounts, said, scratch, index, ts)
        speaks = speaks or learned or acted
    if speaks or heard:
        address_exchange(progress, said)
        hand_on(progress)
    progress.round += 1
    progress.previous_ts = ts
    progress.begun = 0


@njit(cache=True, inline="always")
def say_what_was_learned(market: Record, accounts: Accounts, said: Said, scratch: Scratch, index: int, ts: int) -> bool:
    """One account's markouts, estimate and calibration, if they are due; whether anything was said."""
    progress, estimate, spoken = market.progress, scratch.estimates[index], scratch.calibrations[index]
    learner, controller = accounts.estimators[index], accounts.controllers[index]
    settled = tracker.is_due(accounts.trackers[index], ts)
    if settled:
        settings = accounts.tracker_settings[index]
        say_markouts(progress, index, market.tracker, accounts.trackers[index], settings, said, ts)
    estimated = estimator.end_round_of(
        market.book, market.features, market.estimator, learner, accounts.estimator_settings[index], ts, estimate
    )
    if estimated:
        say_estimate(progress, index, estimate, said)
    calibrated = calibration.end_round(
        controller, accounts.controller_settings[index], progress.previous_ts, ts, spoken
    )
    if calibrated:
        say_calibration(progress, index, spoken, said)
    return settled or estimated or calibrated


@njit(cache=True, inline="always")
def say_money_and_orders(market: Record, accounts: Accounts, said: Said, scratch: Scratch, index: int, ts: int) -> bool:
    """One account's money, if it is due, and the orders that it wants; whether anything was said."""
    progress, commands = market.progress, scratch.commands
    account, settings = accounts.exchange[index], accounts.exchange_settings[index]
    reckoned = exchange.end_round(market.exchange, account, settings, ts, said.account.rows[progress.count[ACCOUNTS]])
    if account.next_ts <= ts:  # it is to be liquidated
        progress.due_ts, progress.watch_ts = 0, 0
    if reckoned:
        say_account(progress, index, said)
    sent = decide(market, accounts, scratch, index, ts)
    if sent > 0:
        say_orders(progress, index, commands[:sent], said)
    return reckoned or sent > 0


@njit(cache=True, inline="always")
def decide(market: Record, accounts: Accounts, scratch: Scratch, index: int, ts: int) -> int:
    """One account's decision, which is `asking.decide`: what is done every round is written out."""
    state, settings, binding = accounts.quoters[index], accounts.quoter_settings[index], accounts.bindings[index]
    book, features, previous_ts = market.book, market.features, market.progress.previous_ts
    senses.sense(state, settings, book, features, ts)
    if decision.is_quiet(state, book, market.quoter, ts):
        return 0
    view, targets, commands = market.decision, scratch.targets, scratch.commands
    seen = (state, settings, book, features, market.quoter, previous_ts, ts, view, targets, commands)
    if binding.address == BUILT_IN:
        return decision.decide_anew(*seen)
    return asking.decide_own(*seen, market.printed, accounts.owns[index], accounts.outs[index], binding)


@njit(cache=True, inline="always")
def on_levels(market: Record, accounts: Accounts, out: Outbox, events: Events, row: np.uint64) -> np.uint64:
    """Fold the rest of a book message, levels or touches; returns its last row."""
    book, progress, event, recent = market.book, market.progress, events[row], market.exchange.recent
    queues.on_message(market.estimator.queues, book, events, row)
    row = apply_message(book, events, row)
    market.quoter.changed_ts = book.ts
    if progress.best_bid != book.best_bid or progress.best_ask != book.best_ask:
        on_top(market, accounts.estimators)
    note_message(recent, event)
    note_orders(recent, events, row)
    if event.kind != TOUCH or progress.high_bid >= book.best_bid or progress.low_ask <= book.best_ask:
        exchange.on_levels(recent, book, accounts.exchange, accounts.exchange_settings, event, event.kind == SNAPSHOT)
    crossing = progress.high_bid >= book.best_ask or progress.low_ask <= book.best_bid
    if crossing or progress.crossing == 1:
        cross(market, accounts.exchange, accounts.exchange_settings, out, event)
    progress.crossing = crossing
    return row


@njit(cache=True)
def cross(market: Record, exchanges: Records, exchange_settings: Records, out: Outbox, event: Record) -> None:
    """Let a completed book message fill the orders that it crosses."""
    exchange.on_crossing(market.exchange, market.book, market.features, exchanges, exchange_settings, event, out)
    plan(market, exchanges)


@njit(cache=True)
def on_top(market: Record, estimators: Records) -> None:
    """What follows from a touch at new prices; where the prices are the same, so is the mid."""
    book, progress = market.book, market.progress
    progress.best_bid, progress.best_ask = book.best_bid, book.best_ask
    market_features.on_top(market.features, book)
    on_mid(market.exchange, book)
    estimator.on_top(book, market.estimator_seconds, market.estimator, estimators)
    tracker.on_top(book, market.tracker_seconds, market.tracker)


@njit(cache=True)
def on_print(market: Record, estimators: Records, event: Record) -> None:
    """Fold a print into the shared part of every service."""
    book = market.book
    note_print(market.exchange.recent, event)
    if market.follows_prints == 1:
        remember_print(market.printed, book, event)
    market_features.follow(market.features, book, event)
    estimator.on_print(book, market.estimator_seconds, market.estimator, estimators, event)


@njit(cache=True)
def on_news(market: Record, exchanges: Records, exchange_settings: Records, out: Outbox, event: Record) -> None:
    """Fold a row of the venue's context or a gap into the shared part of every service."""
    book, progress = market.book, market.progress
    market_features.follow(market.features, book, event)
    exchange.on_news(market.exchange, book, market.features, exchanges, exchange_settings, event, out)
    plan(market, exchanges)
    if event.kind == GAP:
        market.quoter.gap_ts = book.ts
        progress.best_bid = UNKNOWN


@njit(cache=True)
def match(
    market: Record, exchanges: Records, exchange_settings: Records, estimators: Records, out: Outbox, event: Record
) -> bool:
    """Fold a print and match it against the orders of every account that it reaches; False if that needs room first."""
    if not has_room(out, len(exchanges)):
        return False
    on_print(market, estimators, event)
    book, features = market.book, market.features
    for index in range(len(exchanges)):
        account = exchanges[index]
        if event.tick <= account.high_bid or event.tick >= account.low_ask:
            settings = exchange_settings[index]
            match_print(Exchange(market.exchange, book, features, account, settings, out, index), event)
    plan(market, exchanges)
    return True
