"""One account's quoting: what it has heard, and when it must not quote.

The steps are pure functions over records, so that the service and a compiled loop run the same ones:
hear (`on_events`, `on_estimate`, ...), then `may_quote`, then a strategy's targets, then `reconcile`.
`decision` has all of that for the built-in strategy, `asking` for one's own.
"""

from typing import Final, Literal, TypeAlias, get_args

import numpy as np

from papertrader.services.quoter.config import MAX_LEVELS
from papertrader.services.quoter.glft import TARGET, TERMS
from papertrader.services.quoter.orders import ORDER, ORDERS, cancel_all, give_up_unanswered
from papertrader.services.quoter.senses import ASKS, BIDS, LEAN_STEPS, SENSE_NS
from papertrader.shared.kernels import njit
from papertrader.shared.market import book as books
from papertrader.shared.market import features as market_features
from papertrader.shared.market import fill_forecast
from papertrader.shared.market.events import GAP, PRINT, Events
from papertrader.shared.market.money import inverse_size, quote_value
from papertrader.shared.market.records import Record, Records, code
from papertrader.shared.messages import FEATURES, FILL_INPUTS, REGIMES, ControlAction, Instrument

NoQuote: TypeAlias = Literal[
    "none",
    "no_market",
    "stale_book",
    "gap",
    "no_margin",
    "paused",
    "loss_limit",
    "drawdown_limit",
    "strategy_error",
]
"""Why there are no quotes; with `no_margin` there are still quotes that reduce the position."""
NO_QUOTE_REASONS: Final = get_args(NoQuote)[1:]

NONE: Final = code(NoQuote, "none")
NO_MARKET: Final = code(NoQuote, "no_market")
STALE_BOOK: Final = code(NoQuote, "stale_book")
IN_GAP: Final = code(NoQuote, "gap")
NO_MARGIN: Final = code(NoQuote, "no_margin")
PAUSED: Final = code(NoQuote, "paused")
LOSS_LIMIT: Final = code(NoQuote, "loss_limit")
DRAWDOWN_LIMIT: Final = code(NoQuote, "drawdown_limit")
STRATEGY_ERROR: Final = code(NoQuote, "strategy_error")

PAUSE: Final = code(ControlAction, "pause")
RESUME: Final = code(ControlAction, "resume")
FLATTEN: Final = code(ControlAction, "flatten")
RESET: Final = code(ControlAction, "reset")

ASK: Final = -1
"""`prepare` says: the strategy is to be asked now."""

MARKET_STATE: Final = np.dtype(
    [
        ("changed_ts", "i8"),  # when the book last changed
        ("gap_ts", "i8"),  # end of the last gap
        ("significant_figures", "i8"),
        ("lot_size", "f8"),  # 0 before the instrument is known
        ("min_notional", "f8"),  # quote currency
        ("inverse_size", "f8"),  # quote currency of an inverse contract, 0 for any other market
        ("spot", "i1"),
    ],
    align=True,
)
"""What all accounts of a market share beside the book."""
QUOTER: Final = np.dtype(
    [
        ("orders", ORDER, (ORDERS,)),
        ("rows", "i8"),  # those that were ever in use come first, so many
        ("settled", "i1"),  # nothing was heard since a decision that changed nothing, made at this touch:
        ("settled_bid", "i8"),
        ("settled_ask", "i8"),
        ("settled_lean", "i8"),  # which leaned so much
        ("settled_quotes", "i1"),  # and let these sides be quoted
        ("settled_excess_bid", "i8"),  # at this toxicity
        ("settled_excess_ask", "i8"),
        ("settled_increase", "i1"),  # and when the margin did or did not allow to add
        ("settled_gap_ts", "i8"),  # after this gap
        ("settled_until_ts", "i8"),  # before this the time alone changes nothing
        ("terms", TERMS),
        ("next_order_id", "i8"),
        ("last_command_ts", "i8"),
        ("margin_rejected_ts", "i8"),  # −1: never
        ("params_version", "i8"),
        ("placed", "i8"),
        ("cancels", "i8"),
        ("rejected", "i8"),
        ("unanswered", "i8"),  # orders and cancels given up
        ("table_full", "i8"),  # orders that found no row
        ("no_quote_rounds", "i8", (len(get_args(NoQuote)),)),
        ("position", "f8"),
        ("equity", "f8"),
        ("first_equity", "f8"),  # what a loss is measured from
        ("peak_equity", "f8"),
        ("margin_available", "f8"),
        ("kappa", "f8"),
        ("intensity", "f8"),
        ("sigma_bps", "f8"),
        ("toxicity_bid", "f8"),
        ("toxicity_ask", "f8"),
        ("adverse_base_rate", "f8"),
        ("cal_gamma", "f8"),
        ("maker_fee_bps", "f8"),
        ("toxicity_weights", "f8", (FEATURES + 1,)),
        ("fill_weights", "f8", (FILL_INPUTS,)),
        ("toxicity_trusted", "i1"),
        ("sensed_ts", "i8"),  # when the next six were sensed
        ("lean", "i8"),  # the touch imbalance in quarters
        ("quotes", "i1"),  # the sides that toxicity lets be quoted: 1 bids, 2 asks
        ("now_bid", "f8"),  # toxicity of the sides now
        ("now_ask", "f8"),
        ("excess_bid", "i8"),  # how far it lies above the base rate, in twentieths
        ("excess_ask", "i8"),
        ("vector", "f8", (FEATURES,)),  # the market's features as of the last round
        ("facing", "f8", (FEATURES + 1,)),  # room for the computation
        ("regime", "i1"),
        ("paused", "i1"),  # NONE or the reason that holds until a resume
    ],
    align=True,
)
"""Everything that one account's quoter remembers."""

STARTING_CAL_GAMMA: Final = 0.3
STARTING_MAKER_FEE_BPS: Final = 1.5
"""Until the account has been heard of, a round after there is a market."""
TARGETS: Final = 2 * MAX_LEVELS


def new_market() -> Records:
    """A market of which nothing is known, shape (1,)."""
    market = np.zeros(1, dtype=MARKET_STATE)
    market["gap_ts"] = -1
    return market


def learn_rules(market: Records, instrument: Instrument) -> None:
    """Take over the instrument's rules."""
    for name in ("lot_size", "min_notional", "significant_figures"):
        market[name] = getattr(instrument, name)
    market["inverse_size"], market["spot"] = inverse_size(instrument), instrument.kind == "spot"


def new_quoter(settings: Record) -> Records:
    """An account that has heard nothing: it quotes with the priors; shape (1,)."""
    state = np.zeros(1, dtype=QUOTER)
    state["next_order_id"] = 1
    state["last_command_ts"] = state["margin_rejected_ts"] = -1
    for name in ("equity", "first_equity", "peak_equity", "margin_available"):
        state[name] = np.nan
    state["kappa"], state["intensity"] = settings["prior_kappa"], settings["prior_intensity"]
    state["sigma_bps"] = settings["prior_sigma_bps"]
    for name in ("toxicity_bid", "toxicity_ask", "adverse_base_rate"):
        state[name] = settings["prior_adverse_rate"]
    state["cal_gamma"] = STARTING_CAL_GAMMA
    state["maker_fee_bps"] = STARTING_MAKER_FEE_BPS
    state["fill_weights"] = fill_forecast.PRIOR
    state["quotes"] = BIDS | ASKS
    state["sensed_ts"] = -SENSE_NS
    state["regime"] = REGIMES.index("normal")
    return state


def new_targets() -> Records:
    """Room for the targets of one decision, shape (16,)."""
    return np.zeros(TARGETS, dtype=TARGET)


@njit(cache=True)
def on_events(book: Record, features: Record, market: Record, events: Events, clock: int) -> None:
    """Fold the market data of a round that ends at `clock` into the book and the features."""
    for index in range(len(events)):
        event = events[index]
        if books.apply(book, event):
            market.changed_ts = book.ts
            market_features.on_top(features, book)
        elif event.kind == PRINT:
            market_features.on_print(features, event.ts, event.size, event.side)
        elif event.kind == GAP:
            market.gap_ts = book.ts
            market_features.on_gap(features)
    book.ts = max(book.ts, clock)


@njit(cache=True)
def on_estimate(state: Record, estimate: Record) -> None:
    """Take over what the estimator knows."""
    state.settled = 0
    state.params_version = estimate.version
    state.kappa, state.intensity, state.sigma_bps = estimate.kappa, estimate.intensity, estimate.sigma_bps
    state.toxicity_bid, state.toxicity_ask = estimate.toxicity_bid, estimate.toxicity_ask
    state.adverse_base_rate = estimate.adverse_base_rate
    state.toxicity_trusted, state.sensed_ts = estimate.classifier_ready, -SENSE_NS
    state.toxicity_weights[:] = estimate.toxicity_weights[:]
    if estimate.fill_moments > 0:
        state.fill_weights[:] = estimate.fill_weights[:]
    state.regime = estimate.regime


@njit(cache=True)
def on_calibration(state: Record, calibration: Record) -> None:
    """Take over how bold to be."""
    state.settled = 0
    state.cal_gamma = calibration.cal_gamma


@njit(cache=True)
def on_account(state: Record, settings: Record, account: Record) -> None:
    """Take over position, margin, equity and fee, and pause at a limit until a resume.

    * loss: the share of the first equity that is lost reaches `max_loss`;
    * drawdown: equity lies the share `max_drawdown` or more below its peak.
    """
    state.settled = 0
    state.position, state.margin_available = account.position, account.margin_available
    state.equity = account.equity
    if not np.isnan(account.maker_fee_bps):
        state.maker_fee_bps = account.maker_fee_bps
    if np.isnan(state.first_equity):
        state.first_equity = state.peak_equity = account.equity
    state.peak_equity = max(state.peak_equity, account.equity)
    if state.paused != NONE:
        return
    if settings.max_loss < 1 and account.equity <= (1 - settings.max_loss) * state.first_equity:
        state.paused = LOSS_LIMIT
    elif settings.max_drawdown < 1 and account.equity <= (1 - settings.max_drawdown) * state.peak_equity:
        state.paused = DRAWDOWN_LIMIT


@njit(cache=True)
def on_control(state: Record, action: int) -> None:
    """An operator's command, heard after what the exchange said in the same round.

    After a resume losses are measured from the equity as it is then, after a reset from the first one that is heard.
    """
    state.settled = 0
    if action in (PAUSE, FLATTEN):
        state.paused = PAUSED
    elif action in (RESUME, RESET):
        if action == RESET:
            state.position, state.equity, state.margin_available = 0.0, np.nan, np.nan
        state.paused = NONE
        state.first_equity = state.peak_equity = state.equity


@njit(cache=True)
def can_increase(state: Record, settings: Record, ts: int) -> bool:
    """Whether the margin allows to add to the position; true before it is known."""
    if state.margin_rejected_ts >= 0 and ts - state.margin_rejected_ts < settings.margin_pause_s * 1e9:
        return False
    return not state.margin_available <= 0


@njit(cache=True)
def no_quote_reason(state: Record, settings: Record, book: Record, market: Record, ts: int) -> int:
    """Why nothing may be quoted now, NONE if something may.

    * paused by command or by a limit;
    * a side of the book is missing, or the sides cross;
    * a gap in the market data ended less than `gap_pause_s` ago;
    * the book has not changed for `stale_after_ms`.
    """
    if state.paused != NONE:
        return state.paused
    if market.lot_size == 0 or not books.has_both_sides(book):
        return NO_MARKET
    if market.gap_ts >= 0 and ts - market.gap_ts < settings.gap_pause_s * 1e9:
        return IN_GAP
    if ts - market.changed_ts > settings.stale_after_ms * 1e6:
        return STALE_BOOK
    return NONE


@njit(cache=True)
def look(state: Record, settings: Record, book: Record, market: Record, ts: int, view: Record) -> None:
    """Write all that a decision may depend on into `view`, but for the forecast of a fill; `sense` comes before it."""
    view.ts, view.params_version, view.regime = ts, state.params_version, state.regime
    view.tick_size, view.ticks_per_unit = book.tick_size, book.ticks_per_unit
    view.lot_size, view.min_notional = market.lot_size, market.min_notional
    view.significant_figures = market.significant_figures
    view.bid_tick, view.ask_tick = book.best_bid, book.best_ask
    view.bid, view.ask = books.price_of(book, book.best_bid), books.price_of(book, book.best_ask)
    view.mid = books.mid_of(book)
    view.inverse_size, view.can_short = market.inverse_size, market.spot == 0
    view.position = state.position
    worth = quote_value(1.0, view.mid, market.inverse_size)
    view.max_position, view.quote_size = settings.max_position_notional / worth, settings.quote_notional / worth
    view.levels = settings.levels
    view.kappa, view.intensity, view.sigma_bps = state.kappa, state.intensity, state.sigma_bps
    view.fair = view.mid + 0.5 * (view.ask - view.bid) * state.lean / LEAN_STEPS
    view.toxicity_bid, view.toxicity_ask = state.toxicity_bid, state.toxicity_ask
    view.toxicity_trusted = state.toxicity_trusted
    view.quotes_bid, view.quotes_ask = state.quotes & BIDS > 0, state.quotes & ASKS > 0
    if state.toxicity_trusted == 1:
        view.toxicity_bid, view.toxicity_ask = state.now_bid, state.now_ask
    view.adverse_base_rate, view.cal_gamma = state.adverse_base_rate, state.cal_gamma
    view.maker_fee_bps = state.maker_fee_bps
    view.equity, view.margin_available = state.equity, state.margin_available
    view.can_increase = can_increase(state, settings, ts)


@njit(cache=True)
def may_quote(
    state: Record, settings: Record, book: Record, market: Record, previous_ts: int, ts: int, commands: Records
) -> int:
    """ASK if a strategy may be asked now; else the number of commands written: cancels where nothing may be quoted,
    none when it is too early to requote.

    `previous_ts` is the end of the round whose answers have been heard.
    """
    give_up_unanswered(state, settings, previous_ts)
    reason = no_quote_reason(state, settings, book, market, ts)
    if reason != NONE:
        state.no_quote_rounds[reason] += 1
        return cancel_all(state, ts, commands)
    if not can_increase(state, settings, ts):
        state.no_quote_rounds[NO_MARGIN] += 1
    if state.last_command_ts >= 0 and ts - state.last_command_ts < settings.requote_interval_ms * 1e6:
        return 0
    return ASK


@njit(cache=True)
def see(books_: Records, features: Records, markets: Records, events: Events, clock: int) -> None:
    """`on_events` for callers outside of kernels, on arrays of shape (1,): a record costs them 7 µs, an array 0.5."""
    on_events(books_[0], features[0], markets[0], events, clock)
