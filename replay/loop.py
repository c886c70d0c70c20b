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
from replay.world import ACCOUNTS, ACKS, COUNTS, FILLS, SAID, UNKNOWN, Accounts, Said, Scratch
from services.calibration import kernel as calibration
from services.estimator import kernel as estimator
from services.fill_sim import kernel as exchange
from services.fill_sim.matching import on_print as match_print
from services.fill_sim.state import Exchange, Outbox, has_room
from services.outcome_tracker import kernel as tracker
from services.quoter import kernel as quoter
from shared import features as market_features
from shared.book import NO_ASK, apply, apply_message
from shared.events import GAP, PRINT, ROUND, TOUCH, Events
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
    said_accounts, exchange_said = said.accounts, out.counts
    # a tuple is handed on only where something was said: that alone costs as much as ten events
    last_round = progress.round + rounds
    row = progress.row
    while row < len(events):
        event = events[row]
        if progress.begun == 0:
            progress.begun = 1
            if progress.heard > 0:
                hear(market, accounts, said)
            for index in range(len(estimators)):
                estimator.begin_round(estimators[index], progress.previous_ts)
        due = max(event.ts, book.ts) >= progress.due_ts
        if due and not pass_time(market, exchanges, exchange_settings, event.ts, out):
            progress.row = row
            return False
        if event.kind != ROUND:
            if reaches(progress, event) and not has_room(out, len(exchanges)):
                progress.row = row
                return False
            if event.kind == GAP or event.ts > min(market.estimator_seconds.boundary, market.tracker_seconds.boundary):
                before_event(market, trackers, tracker_settings, estimators, estimator_settings, event)
            if event.kind <= TOUCH:
                row = apply_message(book, events, row)
                progress.quoter_ts = max(progress.quoter_ts, event.ts)
                market.quoter.changed_ts = progress.quoter_ts
                if progress.best_bid != book.best_bid or progress.best_ask != book.best_ask:
                    on_top(market)
                if event.kind != TOUCH or progress.high_bid >= book.best_bid or progress.low_ask <= book.best_ask:
                    exchange.on_levels(book, exchanges, exchange_settings, event)
            elif event.kind == PRINT:
                on_print(market, event)
                if reaches(progress, event):
                    match(market, exchanges, exchange_settings, out, event)
            else:
                on_news(market, exchanges, event)
            row += 1
            continue
        speaks = exchange_said[2] > progress.last[SAID]
        # where nothing was said in this round or the last one there is as much room as there was
        full = (speaks or progress.heard > 0) and not has_room_for_a_round(progress, out)
        if full or progress.round == last_round:
            progress.row = row
            return not full
        if progress.heard > 0:
            calibration_hears(progress, controllers, said)
            quoter_hears(progress, book.tick_size, quoters, quoter_settings, said)
        if event.ts > min(market.estimator_seconds.boundary, market.tracker_seconds.boundary):
            close_seconds(market, trackers, tracker_settings, estimators, estimator_settings, event.ts)
        book.ts = max(book.ts, event.ts)
        for index in range(len(exchanges)):
            if tracker.is_due(trackers[index], event.ts):
                speaks = True
                say_markouts(progress, index, market.tracker, trackers[index], tracker_settings[index], said, event.ts)
            if estimator.end_round_of(
                book,
                market.features,
                market.estimator,
                estimators[index],
                estimator_settings[index],
                event.ts,
                estimates[index],
            ):
                speaks = True
                say_estimate(progress, index, estimates[index], said)
            if calibration.end_round(
                controllers[index], controller_settings[index], progress.previous_ts, event.ts, calibrations[index]
            ):
                speaks = True
                say_calibration(progress, index, calibrations[index], said)
            account = said_accounts[progress.count[ACCOUNTS]]
            if exchange.end_round(market.exchange, exchanges[index], exchange_settings[index], event.ts, account):
                speaks = True
                say_account(progress, index, said)
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
                speaks = True
                say_orders(progress, index, commands[:sent], said)
        if speaks or progress.heard > 0:
            address_exchange(progress, said)
            hand_on(progress)
        progress.round += 1
        progress.previous_ts = event.ts
        progress.begun = 0
        row += 1
    progress.row = row
    return True


@njit(cache=True)
def hear(market: Record, accounts: Accounts, said: Said) -> None:
    """Begin a round in which something is heard: exchange, estimator and outcome tracker take it in."""
    progress = market.progress
    exchange_hears(market, accounts.exchange, accounts.exchange_settings, said)
    plan(progress, market.exchange, accounts.exchange)
    estimator_hears(progress, accounts.estimators, accounts.estimator_settings, said)
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
def close_seconds(
    market: Record,
    trackers: Records,
    tracker_settings: Records,
    estimators: Records,
    estimator_settings: Records,
    ts: int,
) -> None:
    """Close the seconds that ended before the end of a round."""
    tracker.close_seconds(market.tracker_seconds, market.tracker, trackers, tracker_settings, ts)
    estimator.close_seconds(market.estimator_seconds, market.estimator, estimators, estimator_settings, ts)


@njit(cache=True)
def on_top(market: Record) -> None:
    """What follows from a touch at new prices; where the prices are the same, so is the mid."""
    book, progress = market.book, market.progress
    progress.best_bid, progress.best_ask = book.best_bid, book.best_ask
    exchange.on_top(market.exchange, book, market.features)
    estimator.on_top(book, market.estimator_seconds, market.estimator)
    tracker.on_top(book, market.tracker_seconds, market.tracker)


@njit(cache=True)
def on_print(market: Record, event: Record) -> None:
    """Fold a print into the shared part of every service."""
    book, progress = market.book, market.progress
    progress.quoter_ts = max(progress.quoter_ts, event.ts)
    book.ts = max(book.ts, event.ts)
    market_features.on_print(market.features, event.ts, event.size, event.side)
    estimator.on_print(book, market.estimator_seconds, market.estimator, event)


@njit(cache=True)
def on_news(market: Record, exchanges: Records, event: Record) -> None:
    """Fold a mark price, a funding rate or a gap into the shared part of every service."""
    book, progress = market.book, market.progress
    progress.quoter_ts = max(progress.quoter_ts, event.ts)
    apply(book, event)
    exchange.on_news(market.exchange, book, market.features, exchanges, event)
    if event.kind == GAP:
        market.quoter.gap_ts = progress.quoter_ts
        progress.best_bid = UNKNOWN


@njit(cache=True)
def match(market: Record, exchanges: Records, exchange_settings: Records, out: Outbox, event: Record) -> None:
    """Match a print against the orders of every account that it reaches."""
    book, features = market.book, market.features
    for index in range(len(exchanges)):
        account = exchanges[index]
        if event.tick <= account.high_bid or event.tick >= account.low_ask:
            settings = exchange_settings[index]
            match_print(Exchange(market.exchange, book, features, account, settings, out, index), event)
    plan(market.progress, market.exchange, exchanges)


@njit(cache=True)
def reaches(progress: Record, event: Record) -> bool:
    """Whether a print reaches an own order of anybody."""
    return event.kind == PRINT and (event.tick <= progress.high_bid or event.tick >= progress.low_ask)


@njit(cache=True)
def pass_time(market: Record, exchanges: Records, exchange_settings: Records, ts: int, out: Outbox) -> bool:
    """Let what is due at the exchange by `ts` take effect; False if that needs room first."""
    done = exchange.advance(market.exchange, market.book, market.features, exchanges, exchange_settings, ts, out)
    plan(market.progress, market.exchange, exchanges)
    return done


@njit(cache=True)
def plan(progress: Record, exchange_market: Record, exchanges: Records) -> None:
    """Note when something next happens at the exchange by itself, and which prices reach own orders."""
    due_ts, high_bid, low_ask = exchange_market.next_hour_ts, 0, NO_ASK
    for index in range(len(exchanges)):
        account = exchanges[index]
        due_ts = min(due_ts, account.next_ts)
        high_bid, low_ask = max(high_bid, account.high_bid), min(low_ask, account.low_ask)
    progress.due_ts, progress.high_bid, progress.low_ask = due_ts, high_bid, low_ask


@njit(cache=True)
def has_room_for_a_round(progress: Record, out: Outbox) -> bool:
    """Whether every array can take what a round may say; counts what the exchange has said."""
    progress.count[ACKS], progress.count[FILLS], progress.count[SAID] = out.counts[0], out.counts[1], out.counts[2]
    full = 0
    for kind in range(COUNTS):
        full += progress.count[kind] > progress.limit[kind]
    return full == 0
