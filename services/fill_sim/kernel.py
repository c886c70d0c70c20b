"""The paper exchange, event by event: one market, its accounts.

For every event, in this order: the clock moves on and what is due by then takes effect, in the order of its times;
the book changes; prints are matched; completed book messages move the queues. An order that goes live at the very time
of a print can be filled by it, one whose cancel takes effect then cannot.

At one instant: mark and oracle move; funding is paid; the maintenance margin is checked; who fails is liquidated;
orders that the mark has triggered are placed; orders go live, change and end; the book changes; prints are matched.

How this differs from a real exchange: our orders change nothing that others do; displayed size that was taken is there
again for the next taker; only the model `draws` fills an order that a book crosses without a print.
"""

from typing import Final

import numpy as np

from papertrader.services.fill_sim import draws
from papertrader.services.fill_sim.account import on_mid, write_account
from papertrader.services.fill_sim.auction import watch_levels
from papertrader.services.fill_sim.commands import flatten, hear
from papertrader.services.fill_sim.funding import begin_funding, hear_funding, hear_settlement, settle_funding
from papertrader.services.fill_sim.line import on_gap
from papertrader.services.fill_sim.margin import check_margin, check_margins
from papertrader.services.fill_sim.matching import fill_crossed, on_print
from papertrader.services.fill_sim.orders import reset, take_step
from papertrader.services.fill_sim.queue import on_level
from papertrader.services.fill_sim.recent import note_message, note_orders, note_print, orders_at
from papertrader.services.fill_sim.state import COMMANDS, DRAWS, ORDERS, Exchange, Outbox, has_room
from papertrader.services.fill_sim.triggers import check_at_mark, check_at_mid
from papertrader.shared.kernels import njit
from papertrader.shared.market import features as market_features
from papertrader.shared.market.commands import MODIFY
from papertrader.shared.market.events import FUNDING, GAP, MARK, ORACLE, PRINT, ROUND, SETTLEMENT, SNAPSHOT, TOUCH
from papertrader.shared.market.frozen import copy, first_print, freeze, is_print
from papertrader.shared.market.records import Integers, Record, Records, code
from papertrader.shared.messages import ControlAction

SECOND_NS: Final = 1_000_000_000
SAID_UNCHECKED: Final = ORDERS + COMMANDS
"""How much may have been said before the outbox can lack room for a step of every account."""
RESET_ACTION: Final = code(ControlAction, "reset")
FLATTEN_ACTION: Final = code(ControlAction, "flatten")


@njit(cache=True)
def fold_round(
    market: Records,
    book: Records,
    features: Records,
    accounts: Records,
    settings: Records,
    events: Records,
    start: int,
    end_ts: int,
    out: Outbox,
    said: Records,
    due: Integers,
) -> tuple[int, int]:
    """`fold_events`, for callers in Python: an array of one row is passed faster than the row.

    Once all is folded the messages of the accounts that are due are written into `said`, and in `due` whose they are;
    the second number returned is how many.
    """
    folded = fold_events(market[0], book[0], features[0], accounts, settings, events, start, end_ts, out)
    count = 0
    for index in range(len(accounts) if folded > len(events) else 0):
        if end_round(market[0], accounts[index], settings[index], end_ts, said[count]):
            due[count] = index
            count += 1
    return folded, count


@njit(cache=True)
def fold_events(
    market: Record,
    book: Record,
    features: Record,
    accounts: Records,
    settings: Records,
    events: Records,
    start: int,
    end_ts: int,
    out: Outbox,
) -> int:
    """Fold events[start:] and what is due up to `end_ts`, the clock at the round's end.

    Returns len(events) + 1 when all is folded; if less, the outbox has to be emptied before folding on from there.
    """
    if start == 0:
        market.before.fresh = 0
        met = first_print(events, np.uint64(0))
        meet_prints(market, book, features, accounts, events, met, market.before)
    for row in range(start, len(events)):
        event = events[row]
        # passing the outbox on costs more than all the rest of an event at which nothing is due
        before_ts = due_before(book, event)
        pressing = out.counts[2] > SAID_UNCHECKED or is_due(market, accounts, before_ts)
        if pressing and not advance(market, book, features, accounts, settings, before_ts, out):
            return row
        if market_features.follow(features, book, event):
            note_orders(market.recent, events, np.uint64(row))
            on_book(market, book, features, accounts, settings, event, out)
        elif event.kind == SNAPSHOT:
            market.recent.full = 1
        elif event.kind == PRINT:
            note_print(market.recent, event)
            for index in range(len(accounts)):
                account = accounts[index]
                if event.tick <= account.high_bid or event.tick >= account.low_ask:
                    on_print(Exchange(market, book, features, account, settings[index], out, index), event)
        elif event.kind >= MARK and event.kind != ROUND:
            on_news(market, book, features, accounts, settings, event, out)
    if not advance(market, book, features, accounts, settings, max(book.ts, end_ts), out):
        return len(events)
    book.ts = max(book.ts, end_ts)
    return len(events) + 1


@njit(cache=True)
def meet_prints(
    market: Record, book: Record, features: Record, accounts: Records, events: Records, row: np.uint64, known: Record
) -> None:
    """Write down the market before a round's prints, the first of them at `row`, if one may fill an order.

    `known` may be fresh already, by whom else the book serves.
    """
    one = np.uint64(1)
    while is_print(events, row):
        for index in range(len(accounts)):
            if may_fill(accounts[index], events[row]):
                if known.fresh == 1:
                    copy(known, market.before)
                else:
                    freeze(market.before, features, book)
                return
        row = first_print(events, row + one)


@njit(cache=True)
def may_fill(account: Record, event: Record) -> bool:
    """Whether a print may fill an order: it reaches one, or there is one under way to another price."""
    for slot in range(account.commands_count):
        if account.commands[slot].type == MODIFY:
            return True
    return bool(event.tick <= account.high_bid or event.tick >= account.low_ask)


@njit(cache=True)
def due_before(book: Record, event: Record) -> int:
    """Up to when what is due takes effect before an event: its time, but news of an instant come before all else then.

    MARK begins a context whose other rows belong to it: nothing takes effect between them.
    """
    if event.kind == MARK:
        return max(book.ts, event.ts - 1)
    if event.kind == ORACLE or event.kind == SETTLEMENT or event.kind == FUNDING:
        return -1
    return max(book.ts, event.ts)


@njit(cache=True)
def is_due(market: Record, accounts: Records, clock: int) -> bool:
    """Whether anything takes effect by `clock`."""
    for index in range(len(accounts)):
        if accounts[index].next_ts <= clock:
            return True
    return clock >= market.next_funding_ts


@njit(cache=True)
def advance(
    market: Record,
    book: Record,
    features: Record,
    accounts: Records,
    settings: Records,
    ts: int,
    out: Outbox,
) -> bool:
    """Let what is due by `ts` take effect, in order; False if the outbox has to be emptied first.

    Funding comes before the orders of its instant, and after it who holds too much is liquidated.
    """
    if market.next_funding_ts == 0 and ts > 0:
        begin_funding(market, ts)
    while 0 < market.next_funding_ts <= ts:
        funding_ts = market.next_funding_ts
        if not take_steps(market, book, features, accounts, settings, funding_ts - 1, out):
            return False
        settle_funding(market, accounts)
        check_margins(market, accounts, settings, funding_ts)
    return take_steps(market, book, features, accounts, settings, ts, out)


@njit(cache=True)
def take_steps(
    market: Record,
    book: Record,
    features: Record,
    accounts: Records,
    settings: Records,
    clock: int,
    out: Outbox,
) -> bool:
    """Take every step that is due by `clock`, one account after the other; False if the outbox has to be emptied."""
    for index in range(len(accounts)):
        account = accounts[index]
        while account.next_ts <= clock:
            if not has_room(out, len(accounts)):
                return False
            take_step(Exchange(market, book, features, account, settings[index], out, index))
    return has_room(out, len(accounts))


@njit(cache=True)
def on_book(
    market: Record, book: Record, features: Record, accounts: Records, settings: Records, event: Record, out: Outbox
) -> None:
    """Fold a completed book message: the mid, and every order's queue."""
    on_mid(market, book)
    full = market.recent.full == 1 or event.kind == SNAPSHOT
    note_message(market.recent, event)
    on_levels(market.recent, book, accounts, settings, event, full)
    on_crossing(market, book, features, accounts, settings, event, out)


@njit(cache=True)
def on_levels(recent: Record, book: Record, accounts: Records, settings: Records, event: Record, full: bool) -> None:
    """Fold a completed book message into every order's queue; a touch says nothing of orders behind it.

    `full`: the message shows every level that the venue publishes.
    """
    for index in range(len(accounts)):
        account = accounts[index]
        if account.bids > 0:
            watch_levels(account, book, settings[index], event.ts)
        if event.kind == TOUCH and account.high_bid < book.best_bid and account.low_ask > book.best_ask:
            continue
        for slot in range(account.orders_count):
            order = account.orders[slot]
            if order.row < 0:
                on_level(order, book, settings[index], event)
            elif order.in_front == 0:
                orders = orders_at(recent, order.side, order.tick)
                draws.on_level(order, account.draws[order.row], book, settings[index], event, full, orders)


@njit(cache=True)
def on_crossing(
    market: Record, book: Record, features: Record, accounts: Records, settings: Records, event: Record, out: Outbox
) -> None:
    """Fill the orders that a completed message crosses; the outbox has room for a step of every account."""
    for index in range(len(accounts)):
        if settings[index].fill_model == DRAWS:
            fill_crossed(Exchange(market, book, features, accounts[index], settings[index], out, index), event)


@njit(cache=True)
def on_news(
    market: Record, book: Record, features: Record, accounts: Records, settings: Records, event: Record, out: Outbox
) -> None:
    """Fold a row of the venue's context, or a gap: after one, own orders are at the back of their queues."""
    if event.kind == MARK:
        if event.size > 0:
            market.mark = event.size
    elif event.kind == ORACLE:
        if event.size > 0:
            market.oracle = event.size
    elif event.kind == SETTLEMENT:
        if 0 < market.next_funding_ts <= book.ts and event.id != market.next_funding_ts:
            settle_funding(market, accounts)
        hear_settlement(market, event, book.ts)
    elif event.kind == FUNDING:
        hear_funding(market, event, book.ts)
        check_margins(market, accounts, settings, book.ts)
        check_at_mark(market, accounts, book.ts)
    elif event.kind == GAP:
        for index in range(len(accounts)):
            account = accounts[index]
            exchange = Exchange(market, book, features, account, settings[index], out, index)
            for slot in range(account.orders_count):
                on_gap(exchange, account.orders[slot], event.ts)
    for index in range(len(accounts)):
        accounts[index].changed = 1


@njit(cache=True)
def hear_all(
    market: Records,
    book: Records,
    features: Records,
    accounts: Records,
    settings: Records,
    index: int,
    commands: Records,
    start: int,
    heard_ts: int,
    out: Outbox,
) -> int:
    """Hear one account's commands[start:] and return how many are heard, as `fold_events` does.

    `heard_ts` is the clock when the round began. The commands' rows are written to.
    """
    exchange = Exchange(market[0], book[0], features[0], accounts[index], settings[index], out, index)
    for row in range(start, len(commands)):
        if not has_room(out, len(accounts)):
            return row
        hear(exchange, commands[row], heard_ts)
    return len(commands)


@njit(cache=True)
def control(
    market: Records,
    book: Records,
    features: Records,
    accounts: Records,
    settings: Records,
    index: int,
    action: int,
    heard_ts: int,
    out: Outbox,
) -> None:
    """Obey an operator: `flatten` and `reset`; `pause` and `resume` are the quoter's. The outbox must be empty."""
    exchange = Exchange(market[0], book[0], features[0], accounts[index], settings[index], out, index)
    if action == RESET_ACTION:
        reset(exchange, heard_ts)
    elif action == FLATTEN_ACTION:
        flatten(exchange, heard_ts)


@njit(cache=True)
def end_round(market: Record, account: Record, settings: Record, ts: int, out: Record) -> bool:
    """Write the account's message if it is due: after a fill at once, else once a second when something changed.

    Where the venue says no mark, the mid is: then margin and triggers are checked here, once a round.
    """
    check_at_mid(market, account, ts)
    if account.position != 0 and market.mark == 0:
        check_margin(account, market, settings, ts)
    moved = account.mid != market.mid and account.position != 0
    due = account.filled_in_round == 1 or ((account.changed == 1 or moved) and ts - account.published_ts >= SECOND_NS)
    if not due or not market.mid > 0:
        return False
    account.filled_in_round, account.changed, account.published_ts = 0, 0, ts
    write_account(account, market, settings, ts, out)
    return True
