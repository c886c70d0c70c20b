"""A whole decision of the built-in strategy, and when it need not be made.

The strategy knows no time: asked the same again it would answer the same. So after a decision that changed nothing
the quoter is settled, and while it hears nothing and sees the same touch another one is not made.
"""

from papertrader.services.quoter.glft import quote
from papertrader.services.quoter.kernel import ASK, can_increase, look, may_quote
from papertrader.services.quoter.orders import answer_due_ts, reconcile
from papertrader.services.quoter.senses import sense
from papertrader.shared.kernels import njit
from papertrader.shared.market.records import Record, Records


@njit(cache=True)
def is_settled(state: Record, settings: Record, book: Record, ts: int) -> bool:
    """Whether a decision would be made of what the last one was made of, which changed nothing."""
    return (
        state.settled == 1 and same_touch(state, book) and state.settled_increase == can_increase(state, settings, ts)
    )


@njit(cache=True, forceinline=True)
def same_touch(state: Record, book: Record) -> bool:
    """Whether the touch stands and leans as when the quoter settled, and lets the same sides be quoted."""
    same_prices = state.settled_bid == book.best_bid and state.settled_ask == book.best_ask
    return same_prices and state.settled_lean == state.lean and state.settled_quotes == state.quotes


@njit(cache=True)
def settle(state: Record, settings: Record, book: Record, market: Record, ts: int) -> None:
    """Remember of what a decision was made that changed nothing, and until when another one need not be made.

    Until the book is stale or an answer is overdue the time changes nothing. Without margin rounds are counted.
    """
    state.settled = 1
    state.settled_bid, state.settled_ask = book.best_bid, book.best_ask
    state.settled_lean, state.settled_quotes = state.lean, state.quotes
    state.settled_increase = can_increase(state, settings, ts)
    state.settled_gap_ts = market.gap_ts
    stale_ts = market.changed_ts + int(settings.stale_after_ms * 1e6)
    state.settled_until_ts = min(stale_ts, answer_due_ts(state, settings)) if state.settled_increase == 1 else 0


@njit(cache=True, forceinline=True)
def is_quiet(state: Record, book: Record, market: Record, ts: int) -> bool:
    """Whether a decision would find everything as it was when one changed nothing, but for the time, which is early."""
    in_time = ts < state.settled_until_ts and state.settled_gap_ts == market.gap_ts
    return state.settled == 1 and in_time and same_touch(state, book)


@njit(cache=True, forceinline=True)
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
) -> int:
    """A whole decision of the built-in strategy; returns the number of commands written."""
    sense(state, settings, book, features, ts)
    if is_quiet(state, book, market, ts):
        return 0
    return decide_anew(state, settings, book, features, market, previous_ts, ts, view, targets, commands)


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
    """`decide` where something may have changed."""
    prepared = may_quote(state, settings, book, market, previous_ts, ts, commands)
    if prepared != ASK:
        return prepared
    if not is_settled(state, settings, book, ts):
        look(state, settings, book, features, market, ts, view)
        count = quote(view, settings, state.terms, targets)
        sent = reconcile(state, view, settings, targets, count, commands)
        if sent > 0:
            return sent
    settle(state, settings, book, market, ts)
    return 0


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
) -> int:
    """`decide` for one account of many, for callers outside of kernels: arrays as in `see`."""
    return decide(
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
    )
