"""The closed loop, compiled: one pass over the events, one book, and the steps of all services.

What a service says in one round is heard in the next, in the order in which the bus delivers it, so that every
message is the same as on the bus. A round is heard when the one before it ends; then its events come one by one; at
its marker every service says what it has to say. The market data is folded once for all, since each service's own
book would hold the same.
"""

from numba import njit

from replay.borrowed import borrowed, borrowed_accounts, borrowed_said, borrowed_scratch
from replay.hearing import (
    address_exchange,
    calibration_hears,
    close_round,
    estimator_hears,
    exchange_hears,
    quoter_hears,
    say_calibrations,
    say_estimates,
    say_markouts,
    say_orders,
    tracker_hears,
)
from replay.world import ACCOUNTS, ACKS, COUNTS, FILLS, SAID, Accounts, Said, Scratch
from services.calibration import kernel as calibration
from services.estimator import kernel as estimator
from services.fill_sim import kernel as exchange
from services.fill_sim.matching import on_print as match_print
from services.fill_sim.state import Exchange, Outbox, has_room
from services.outcome_tracker import kernel as tracker
from services.quoter import kernel as quoter
from shared import features as market_features
from shared.book import apply
from shared.events import GAP, MARK, PRINT, ROUND, Events
from shared.records import Record, Records


@njit(cache=True)
def run(markets: Records, accounts: Accounts, said: Said, scratch: Scratch, events: Events, rounds: int) -> bool:
    """Fold the events from `progress.row` on, at most so many rounds; False if `said` has to grow first.

    `markets` is a MARKET of shape (1,).
    """
    accounts, said, scratch = borrowed_accounts(accounts), borrowed_said(said), borrowed_scratch(scratch)
    return fold(markets[0], accounts, said, scratch, borrowed(events), rounds)


@njit(cache=True)
def fold(market: Record, accounts: Accounts, said: Said, scratch: Scratch, events: Events, rounds: int) -> bool:
    """As `run`, on arrays that are not counted."""
    progress, book = market.progress, market.book
    exchanges, exchange_settings, out = accounts.exchange, accounts.exchange_settings, said.exchange
    trackers, tracker_settings = accounts.trackers, accounts.tracker_settings
    estimators, estimator_settings = accounts.estimators, accounts.estimator_settings
    controllers, controller_settings = accounts.controllers, accounts.controller_settings
    quoters, quoter_settings = accounts.quoters, accounts.quoter_settings
    estimates, calibrations = scratch.estimates, scratch.calibrations
    targets, commands = scratch.targets, scratch.commands
    said_accounts, of_account = said.accounts, said.of_account
    # a tuple is handed on only where something was said: that alone costs as much as ten events
    last_round = progress.round + rounds
    for row in range(progress.row, len(events)):
        event = events[row]
        progress.row = row
        if progress.begun == 0:
            progress.begun = 1
            if progress.heard > 0:
                hear(market, accounts, said)
            else:
                estimator.begin_round(estimators, progress.previous_ts)
        due = max(event.ts, book.ts) >= progress.due_ts
        if due and not pass_time(market, exchanges, exchange_settings, event.ts, out):
            return False
        if event.last == 0:
            apply(book, event)
            continue
        if event.kind != ROUND:
            if event.kind == PRINT and matters(exchanges, event) and not has_room(out, len(exchanges)):
                return False
            if event.kind == GAP or event.ts > min(market.estimator_seconds.boundary, market.tracker_seconds.boundary):
                before_event(market, trackers, tracker_settings, estimators, estimator_settings, event)
            on_event(market, exchanges, exchange_settings, event)
            if event.kind == PRINT and matters(exchanges, event):
                match(market, exchanges, exchange_settings, out, event)
            continue
        if progress.round == last_round:
            return True
        if not has_room_for_a_round(progress, out):
            return False
        if progress.heard > 0:
            calibration_hears(progress, controllers, said)
            quoter_hears(progress, book.tick_size, quoters, quoter_settings, said)
        markouts_due = tracker.end_round(
            book, market.tracker_seconds, market.tracker, trackers, tracker_settings, event.ts
        )
        estimates_due = estimator.end_round(
            book,
            market.features,
            market.estimator_seconds,
            market.estimator,
            estimators,
            estimator_settings,
            event.ts,
            estimates,
        )
        calibrations_due = calibration.fold_round(
            controllers, controller_settings, progress.previous_ts, event.ts, calibrations
        )
        say_accounts(market, exchanges, exchange_settings, said_accounts, of_account, event.ts)
        if markouts_due > 0:
            say_markouts(progress, market.tracker, trackers, tracker_settings, said, event.ts)
        if estimates_due > 0:
            say_estimates(progress, estimators, estimates, said)
        if calibrations_due > 0:
            say_calibrations(progress, controllers, calibrations, said)
        for index in range(len(quoters)):
            sent = quoter.decide(
                quoters[index],
                quoter_settings[index],
                book,
                market.quoter,
                progress.previous_ts,
                event.ts,
                market.decision,
                targets,
                commands,
            )
            if sent > 0:
                say_orders(progress, index, commands[:sent], said)
        if out.counts[2] > progress.last[SAID]:
            address_exchange(progress, said)
        close_round(progress, event.ts)
    progress.row = len(events)
    return True


@njit(cache=True)
def hear(market: Record, accounts: Accounts, said: Said) -> None:
    """Begin a round in which something is heard: exchange, estimator and outcome tracker take it in."""
    progress, estimators = market.progress, accounts.estimators
    exchange_hears(market, accounts.exchange, accounts.exchange_settings, said)
    plan(progress, market.exchange, accounts.exchange)
    estimator_hears(progress, estimators, accounts.estimator_settings, said)
    estimator.begin_round(estimators, progress.previous_ts)
    tracker_hears(progress, market.tracker, accounts.trackers, accounts.tracker_settings, said)


@njit(cache=True)
def before_event(
    market: Record,
    trackers: Records,
    tracker_settings: Records,
    estimators: Records,
    estimator_settings: Records,
    event: Record,
) -> None:
    """What an event changes before the book: the clocks, and a gap ends what was under way."""
    estimator.before_event(market.estimator_seconds, market.estimator, estimators, estimator_settings, event)
    tracker.before_event(market.book, market.tracker_seconds, market.tracker, trackers, tracker_settings, event)


@njit(cache=True)
def on_event(market: Record, exchanges: Records, exchange_settings: Records, event: Record) -> None:
    """Fold an event into the book, and what follows from it into the exchange and the shared part of the learners."""
    book, progress = market.book, market.progress
    progress.quoter_ts = max(progress.quoter_ts, event.ts)
    if apply(book, event):
        exchange.on_book(market.exchange, book, market.features, exchanges, exchange_settings, event)
        estimator.on_top(book, market.estimator_seconds, market.estimator)
        tracker.on_top(book, market.tracker_seconds, market.tracker)
        market.quoter.changed_ts = progress.quoter_ts
    elif event.kind == PRINT:
        market_features.on_print(market.features, event.ts, event.size, event.side)
        estimator.on_print(book, market.estimator_seconds, market.estimator, event)
    elif event.kind == MARK or event.kind == GAP:
        exchange.on_news(market.exchange, book, market.features, exchanges, event)
        if event.kind == GAP:
            market.quoter.gap_ts = progress.quoter_ts


@njit(cache=True)
def match(market: Record, exchanges: Records, exchange_settings: Records, out: Outbox, event: Record) -> None:
    """Match a print against the orders of every account that it reaches."""
    book, features = market.book, market.features
    for index in range(len(exchanges)):
        account = exchanges[index]
        if event.tick <= account.high_bid or event.tick >= account.low_ask:
            settings = exchange_settings[index]
            match_print(Exchange(market.exchange, book, features, account, settings, out, index), event)


@njit(cache=True)
def matters(exchanges: Records, event: Record) -> bool:
    """Whether a print reaches an own order of anybody."""
    for index in range(len(exchanges)):
        account = exchanges[index]
        if event.tick <= account.high_bid or event.tick >= account.low_ask:
            return True
    return False


@njit(cache=True)
def pass_time(market: Record, exchanges: Records, exchange_settings: Records, ts: int, out: Outbox) -> bool:
    """Let what is due at the exchange by `ts` take effect; False if that needs room first."""
    done = exchange.advance(market.exchange, market.book, market.features, exchanges, exchange_settings, ts, out)
    plan(market.progress, market.exchange, exchanges)
    return done


@njit(cache=True)
def plan(progress: Record, exchange_market: Record, exchanges: Records) -> None:
    """Note when something next happens at the exchange by itself."""
    due_ts = exchange_market.next_hour_ts
    for index in range(len(exchanges)):
        due_ts = min(due_ts, exchanges[index].next_ts)
    progress.due_ts = due_ts


@njit(cache=True)
def has_room_for_a_round(progress: Record, out: Outbox) -> bool:
    """Whether every array can take what a round may say; counts what the exchange has said."""
    progress.count[ACKS], progress.count[FILLS], progress.count[SAID] = out.counts[0], out.counts[1], out.counts[2]
    full = 0
    for kind in range(COUNTS):
        full += progress.count[kind] > progress.limit[kind]
    return full == 0


@njit(cache=True)
def say_accounts(
    market: Record, exchanges: Records, exchange_settings: Records, said: Records, addresses: Records, ts: int
) -> None:
    """The accounts that are due."""
    progress = market.progress
    for index in range(len(exchanges)):
        row = progress.count[ACCOUNTS]
        if exchange.end_round(market.exchange, exchanges[index], exchange_settings[index], ts, said[row]):
            addresses[row].account, addresses[row].round = index, progress.round
            progress.count[ACCOUNTS] += 1
