"""A whole decision of the built-in strategy, and when it need not be made.

The strategy knows no time: asked the same again it would answer the same. So after a decision that changed nothing
the quoter is settled, and while it hears nothing, sees the same touch and senses the same another one is not made.
Forecasts go with an order, so they are made when one is sent.
"""

from papertrader.services.quoter.glft import fill_probability, lay
from papertrader.services.quoter.kernel import ASK, can_increase, look, may_quote
from papertrader.services.quoter.orders import answer_due_ts, reconcile
from papertrader.services.quoter.senses import write_fill_forecast
from papertrader.shared.kernels import njit
from papertrader.shared.market.commands import PLACE
from papertrader.shared.market.records import Record, Records


@njit(cache=True)
def is_settled(state: Record, settings: Record, book: Record, ts: int) -> bool:
    """Whether a decision would be made of what the last one was made of, which changed nothing."""
    return (
        state.settled == 1 and same_touch(state, book) and state.settled_increase == can_increase(state, settings, ts)
    )


@njit(cache=True, inline="always")
def same_touch(state: Record, book: Record) -> bool:
    """Whether the touch stands and leans as when the quoter settled, and is as toxic to either side."""
    same_prices = state.settled_bid == book.best_bid and state.settled_ask == book.best_ask
    same_toxicity = (
        state.settled_quotes == state.quotes
        and state.settled_excess_bid == state.excess_bid
        and state.settled_excess_ask == state.excess_ask
    )
    return same_prices and state.settled_lean == state.lean and same_toxicity


@njit(cache=True)
def settle(state: Record, settings: Record, book: Record, market: Record, ts: int) -> None:
    """Remember of what a decision was made that changed nothing, and until when another one need not be made.

    Until the book is stale or an answer is overdue the time changes nothing. Without margin rounds are counted.
    """
    state.settled = 1
    state.settled_bid, state.settled_ask = book.best_bid, book.best_ask
    state.settled_lean, state.settled_quotes = state.lean, state.quotes
    state.settled_excess_bid, state.settled_excess_ask = state.excess_bid, state.excess_ask
    state.settled_increase = can_increase(state, settings, ts)
    state.settled_gap_ts = market.gap_ts
    stale_ts = market.changed_ts + int(settings.stale_after_ms * 1e6)
    state.settled_until_ts = min(stale_ts, answer_due_ts(state, settings)) if state.settled_increase == 1 else 0


@njit(cache=True, inline="always")
def is_quiet(state: Record, book: Record, market: Record, ts: int) -> bool:
    """Whether a decision would find everything as it was when one changed nothing, but for the time, which is early."""
    in_time = ts < state.settled_until_ts and state.settled_gap_ts == market.gap_ts
    return state.settled == 1 and in_time and same_touch(state, book)


@njit(cache=True)
def decide_anew(
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
) -> int:
    """A decision of the built-in strategy where something may have changed; returns the number of commands written."""
    prepared = may_quote(state, settings, book, market, previous_ts, ts, commands)
    if prepared != ASK:
        return prepared
    if not is_settled(state, settings, book, ts):
        look(state, settings, book, market, ts, view)
        count = lay(view, settings, state.terms, targets)
        sent = reconcile(state, view, settings, targets, count, commands)
        if sent > 0:
            write_fill_forecast(state, book, features, view)
            forecast(view, commands, sent)
            return sent
    settle(state, settings, book, market, ts)
    return 0


@njit(cache=True)
def forecast(view: Record, commands: Records, count: int) -> None:
    """Send the forecasts of a fill, and of an adverse one, with every order."""
    for row in range(count):
        command = commands[row]
        if command.type == PLACE:
            command.p_fill = fill_probability(view, command.side, command.price)
            command.p_adverse = view.toxicity_bid if command.side > 0 else view.toxicity_ask
