"""A decision of a strategy of one's own: it is asked through its address, and what it wants becomes commands.

The loop and the services are compiled once: a strategy is a function of its own beside them, compiled or of Python.
"""

from typing import Any, Final

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from papertrader.services.quoter.decision import decide_anew, is_quiet, settle
from papertrader.services.quoter.glft import fill_probability, outward_tick, step_ticks
from papertrader.services.quoter.kernel import ASK, look, may_quote
from papertrader.services.quoter.orders import (
    LIVE,
    SINGLE,
    admissible_size,
    cancel_all,
    index_of,
    open_size,
    reconcile,
    room,
)
from papertrader.services.quoter.orders import cancel as cancel_order
from papertrader.services.quoter.orders import place as place_order
from papertrader.services.quoter.own import BUILT_IN, SILENT, forget, show_orders
from papertrader.services.quoter.senses import sense, write_fill_forecast
from papertrader.services.quoter.wishes import (
    BELOW_FIRST_TICK,
    CANCEL,
    MODIFY,
    NO_ORDER,
    PLACE,
    POST_ONLY,
    QUOTE,
    TOO_MANY_LEVELS,
    check_row,
    complain_of,
)
from papertrader.shared.kernels import njit
from papertrader.shared.market import commands as sent_commands
from papertrader.shared.market.book import price_of
from papertrader.shared.market.records import Record, Records

TICK_TOLERANCE: Final = 1e-6


class WrongAnswerError(ValueError):
    """A strategy was asked and did not answer, or its answer makes no sense: `WISHED` says why."""


def _ask(
    _context: Any,
    address: Any,
    now: Any,
    book: Any,
    features: Any,
    printed: Any,
    own: Any,
    quoter: Any,
    settings: Any,
    memory: Any,
    out: Any,
) -> Any:
    """Call a strategy's function by its address: a compiled one's, or one that C makes for Python.

    Records are handed over as what they are, pointers; settings and memory as numbers, since their layout is only
    known to the strategy. What it raises goes on to the caller.
    """

    def call(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = [types.voidptr if kind == types.int64 else kind for kind in signature.args[1:]]
        pointer = context.get_value_type(types.voidptr)
        values = [
            builder.inttoptr(value, pointer) if kind == types.voidptr else value
            for value, kind in zip(arguments[1:], kinds, strict=True)
        ]
        form = context.call_conv.get_function_type(types.none, kinds)
        function = builder.inttoptr(arguments[0], form.as_pointer())
        status, _ = context.call_conv.call_function(builder, function, types.none, kinds, values)
        with cgutils.if_unlikely(builder, status.is_error):  # type: ignore[no-untyped-call]
            context.call_conv.return_status_propagate(builder, status)
        return context.get_dummy_value()

    return types.none(address, now, book, features, printed, own, quoter, settings, memory, out), call


ask: Any = intrinsic(_ask)


def _copy(_context: Any, target: Any, source: Any, size: Any) -> Any:
    """Copy so many bytes from one address to another."""

    def copy(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        pointer = context.get_value_type(types.voidptr)
        into, out_of = (builder.inttoptr(address, pointer) for address in arguments[:2])
        cgutils.raw_memcpy(builder, into, out_of, arguments[2], 1)  # type: ignore[no-untyped-call]
        return context.get_dummy_value()

    return types.none(target, source, size), copy


copy_bytes: Any = intrinsic(_copy)


@njit(cache=True)
def decide(
    state: Record,
    settings: Record,
    book: Record,
    features: Record,
    market: Record,
    previous_ts: int,
    ts: int,
    view: Record,
    targets: Records,
    commands: Records,
    printed: Record,
    own: Record,
    out: Record,
    binding: Record,
) -> int:
    """A whole decision of any strategy; returns the number of commands written."""
    sense(state, settings, book, features, ts)
    if is_quiet(state, book, market, ts):
        return 0
    if binding.address == BUILT_IN:
        return decide_anew(state, settings, book, features, market, previous_ts, ts, view, targets, commands)
    return decide_own(
        state, settings, book, features, market, previous_ts, ts, view, targets, commands, printed, own, out, binding
    )


@njit(cache=True)
def decide_own(
    state: Record,
    settings: Record,
    book: Record,
    features: Record,
    market: Record,
    previous_ts: int,
    ts: int,
    view: Record,
    targets: Records,
    commands: Records,
    printed: Record,
    own: Record,
    out: Record,
    binding: Record,
) -> int:
    """`decide` of a strategy of one's own, where something may have changed; raises what it raises."""
    prepared = may_quote(state, settings, book, market, previous_ts, ts, commands)
    if prepared != ASK:
        return prepared
    if binding.address == SILENT:
        return cancel_all(state, ts, commands)
    look(state, settings, book, market, ts, view)
    view.fill_bid = np.nan
    if binding.eager == 1:
        write_fill_forecast(state, book, features, view)
    show_orders(own, state, book, printed)
    out.asked, out.wrong, out.count, out.keeps, out.sleeps_until = 1, 0, 0, 0, 0
    copy_bytes(binding.before, binding.memory, binding.memory_size)
    ask(binding.address, view, book, features, printed, own, state, binding.settings, binding.memory, out)
    forget(own, printed)
    sent = obey(state, settings, view, targets, commands, own, out)
    if out.wrong != 0:
        raise WrongAnswerError
    out.asked = 0
    if sent > 0:
        write_forecasts(state, book, features, view, commands, sent)
    elif out.sleeps_until > ts:
        settle(state, settings, book, market, ts)
        state.settled_until_ts = min(state.settled_until_ts, out.sleeps_until)
    return sent


@njit(cache=True)
def obey(
    state: Record, settings: Record, view: Record, targets: Records, commands: Records, own: Record, out: Record
) -> int:
    """Turn what a strategy wants into commands; returns how many, none where something is wrong."""
    check(state, settings, view, out)
    if out.wrong != 0:
        return 0
    sent = 0
    if out.keeps == 0:
        sent = reconcile(state, view, settings, targets, lay(view, targets, out), commands)
    for index in range(out.count):
        if out.rows[index].kind != QUOTE:
            sent += send(state, view, out.rows[index], targets[0], own, commands[sent])
    for index in range(sent):
        if commands[index].type == sent_commands.PLACE:
            own.whole[index_of(state.orders, commands[index].order_id)] = commands[index].size
    if sent > 0:
        state.last_command_ts = view.ts
    return sent


@njit(cache=True)
def check(state: Record, settings: Record, view: Record, out: Record) -> None:
    """Complain of what cannot be done whatever the market: too many quotes, no price of the grid, an unknown order."""
    bids, asks = 0, 0
    for index in range(out.count):
        row = out.rows[index]
        check_row(out, index)
        if row.kind == QUOTE:
            bids, asks = bids + (row.side > 0), asks + (row.side < 0)
            if max(bids, asks) > settings.levels:
                complain_of(out, TOO_MANY_LEVELS, index, settings.levels)
        if row.kind != CANCEL and out.wrong == 0 and tick_of(state, view, row) < 1:
            complain_of(out, BELOW_FIRST_TICK, index, row.price)
        if row.kind >= MODIFY and not 0 < row.order_id < state.next_order_id:
            complain_of(out, NO_ORDER, index, row.order_id)


@njit(cache=True)
def tick_of(state: Record, view: Record, wish: Record) -> int:
    """The tick that a wish's price is put on: outward where the order is to rest, within its limit where it takes."""
    side = wish.side
    if wish.kind == MODIFY:
        row = index_of(state.orders, wish.order_id)
        side = state.orders[row].side if row >= 0 else 1
    if wish.time_in_force == POST_ONLY:
        return int(outward_tick(view, side, wish.price))
    scaled = wish.price * view.ticks_per_unit if view.ticks_per_unit > 0 else wish.price / view.tick_size
    tick = int(np.floor(scaled + TICK_TOLERANCE)) if side > 0 else int(np.ceil(scaled - TICK_TOLERANCE))
    step = step_ticks(tick, view.ticks_per_unit, view.significant_figures)
    return int(tick // step * step if side > 0 else -(-tick // step) * step)


@njit(cache=True)
def lay(view: Record, targets: Records, out: Record) -> int:
    """The quotes that are wanted, on the grid, as targets; returns how many."""
    bids, asks = 0, 0
    for index in range(out.count):
        row = out.rows[index]
        if row.kind == QUOTE:
            target = targets[bids + asks]
            target.side, target.level = row.side, bids if row.side > 0 else asks
            target.tick, target.size = outward_tick(view, row.side, row.price), row.size
            target.p_fill, target.p_adverse, target.priority_bps = row.p_fill, row.p_adverse, row.priority_bps
            bids, asks = bids + (row.side > 0), asks + (row.side < 0)
    return bids + asks


@njit(cache=True)
def send(state: Record, view: Record, wish: Record, target: Record, own: Record, command: Record) -> int:
    """Send a single order, or change or cancel one; returns the number of commands.

    0 where the cap leaves no room, or the order has ended or has a command under way.
    """
    if wish.kind == PLACE:
        return int(send_order(state, view, wish, target, command))
    row = index_of(state.orders, wish.order_id)
    if row < 0 or state.orders[row].status != LIVE:
        return 0
    if wish.kind == CANCEL:
        cancel_order(state, row, view.ts, command)
        return 1
    return int(send_change(state, view, wish, row, own, command))


@njit(cache=True)
def send_order(state: Record, view: Record, wish: Record, target: Record, command: Record) -> bool:
    """Send a single order, as large as the cap allows with everything that may still fill."""
    target.side, target.level, target.tick = wish.side, SINGLE, tick_of(state, view, wish)
    target.p_fill, target.p_adverse, target.priority_bps = wish.p_fill, wish.p_adverse, wish.priority_bps
    room_left = room(view, wish.side) - open_size(state.orders[: state.rows], wish.side)
    size = admissible_size(view, wish.size, room_left, target.tick)
    if size <= 0 or not place_order(state, view, target, size, command):
        return False
    command.time_in_force, command.reduce_only = wish.time_in_force, wish.reduce_only
    return True


@njit(cache=True)
def send_change(state: Record, view: Record, wish: Record, row: int, own: Record, command: Record) -> bool:
    """Ask for another price and size of an open order; its row changes when the exchange has said so."""
    order, tick = state.orders[row], tick_of(state, view, wish)
    room_left = room(view, order.side) - open_size(state.orders[: state.rows], order.side) + order.size
    size = admissible_size(view, wish.size, room_left, tick)
    if size <= 0:
        return False
    command.type, command.ts, command.order_id = sent_commands.MODIFY, view.ts, order.id
    command.price, command.size = price_of(view, tick), size + own.whole[row] - order.size
    command.side, command.time_in_force, command.reduce_only, command.params_version = 0, 0, 0, 0
    command.mid, command.p_fill, command.p_adverse, command.priority_bps = np.nan, np.nan, np.nan, 0.0
    order.level, order.command_ts, state.settled = SINGLE, view.ts, 0
    return True


@njit(cache=True)
def write_forecasts(state: Record, book: Record, features: Record, view: Record, commands: Records, count: int) -> None:
    """Send the quoter's forecasts with every order for which the strategy gave none."""
    if np.isnan(view.fill_bid):
        write_fill_forecast(state, book, features, view)
    for row in range(count):
        command = commands[row]
        if command.type != sent_commands.PLACE:
            continue
        if np.isnan(command.p_fill):
            command.p_fill = fill_probability(view, command.side, command.price)
        if np.isnan(command.p_adverse):
            command.p_adverse = view.toxicity_bid if command.side > 0 else view.toxicity_ask


@njit(cache=True)
def decide_for(
    quoters: Records,
    index: int,
    settings: Records,
    books_: Records,
    features: Records,
    markets: Records,
    previous_ts: int,
    ts: int,
    views: Records,
    targets: Records,
    commands: Records,
    printed: Records,
    owns: Records,
    outs: Records,
    bindings: Records,
) -> int:
    """`decide` for one account of many, for callers outside of kernels: arrays as in `see`."""
    return int(
        decide(
            quoters[index],
            settings[index],
            books_[0],
            features[0],
            markets[0],
            previous_ts,
            ts,
            views[0],
            targets,
            commands,
            printed[0],
            owns[index],
            outs[index],
            bindings[index],
        )
    )
