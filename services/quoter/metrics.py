"""The quoter's metrics, read off its state."""

from collections.abc import Iterator
from typing import Final

from papertrader.services.quoter.kernel import DRAWDOWN_LIMIT, LOSS_LIMIT, NO_QUOTE_REASONS, PAUSED, NoQuote
from papertrader.services.quoter.orders import FREE, best_tick
from papertrader.services.quoter.service import Quoter
from papertrader.shared.log.subjects import Market
from papertrader.shared.market.book import price_of
from papertrader.shared.market.records import Record, code
from papertrader.shared.service.metrics import ACCOUNT, Metric, Sample

HALF_SPREAD: Final = Metric(
    "paper_quoter_half_spread_bps",
    "gauge",
    "Half-spread of the last decision of glft by component, in bp of the mid; total is what was quoted",
    (*ACCOUNT, "side", "component"),
)
SKEW: Final = Metric(
    "paper_quoter_skew_bps", "gauge", "How far the reservation price lies below the mid, in bp; positive when long"
)
RESERVATION_PRICE: Final = Metric("paper_quoter_reservation_price", "gauge", "Reservation price, quote currency")
CAL_GAMMA: Final = Metric("paper_quoter_cal_gamma", "gauge", "The cal_gamma that the last decision used")
QUOTES: Final = Metric(
    "paper_quoter_open_orders", "gauge", "Own orders pending, live or being cancelled", (*ACCOUNT, "side")
)
QUOTE_PRICE: Final = Metric(
    "paper_quoter_quote_price", "gauge", "Best own price, quote currency; 0 without a quote", (*ACCOUNT, "side")
)
PLACED: Final = Metric("paper_quoter_orders_placed", "counter", "Orders sent")
CANCELS: Final = Metric("paper_quoter_cancels", "counter", "Cancels sent")
CHURN: Final = Metric("paper_quoter_churn_ratio", "gauge", "Cancels per order placed since the start")
REJECTED: Final = Metric("paper_quoter_orders_rejected", "counter", "Orders that the exchange did not accept")
UNANSWERED: Final = Metric("paper_quoter_unanswered", "counter", "Orders and cancels given up without an answer")
TABLE_FULL: Final = Metric(
    "paper_quoter_order_table_overflows", "counter", "Orders not sent because the table was full"
)
NO_QUOTE: Final = Metric(
    "paper_quoter_no_quote_rounds", "counter", "Rounds in which nothing could be quoted", (*ACCOUNT, "reason")
)
IS_PAUSED: Final = Metric(
    "paper_quoter_paused", "gauge", "1 while quoting is paused for this reason", (*ACCOUNT, "reason")
)

METRICS: Final = (
    HALF_SPREAD,
    SKEW,
    RESERVATION_PRICE,
    CAL_GAMMA,
    QUOTES,
    QUOTE_PRICE,
    PLACED,
    CANCELS,
    CHURN,
    REJECTED,
    UNANSWERED,
    TABLE_FULL,
    NO_QUOTE,
    IS_PAUSED,
)
COMMON_COMPONENTS: Final = ("fee", "glft", "adverse_selection", "floor")
PAUSES: Final = {"paused": PAUSED, "loss_limit": LOSS_LIMIT, "drawdown_limit": DRAWDOWN_LIMIT}


def samples(market: Market, fold: Quoter) -> Iterator[Sample]:
    """Every sample of every account of a market."""
    for account in fold.accounts:
        labels = (*market, account)
        state = fold.quoter(account)
        yield from _pricing(labels, state["terms"])
        yield from _orders(labels, state, fold.book)
        yield from _silence(labels, state)


def _pricing(labels: tuple[str, ...], terms: Record) -> Iterator[Sample]:
    for side in ("bid", "ask"):
        for component in COMMON_COMPONENTS:
            yield Sample(HALF_SPREAD, (*labels, side, component), float(terms[f"{component}_bps"]))
        yield Sample(HALF_SPREAD, (*labels, side, "toxicity"), float(terms[f"toxicity_{side}_bps"]))
        yield Sample(HALF_SPREAD, (*labels, side, "total"), float(terms[f"half_spread_{side}_bps"]))
    yield Sample(SKEW, labels, float(terms["skew_bps"]))
    yield Sample(RESERVATION_PRICE, labels, float(terms["reservation_price"]))
    yield Sample(CAL_GAMMA, labels, float(terms["cal_gamma"]))


def _orders(labels: tuple[str, ...], state: Record, book: Record) -> Iterator[Sample]:
    orders = state["orders"]
    for name, side in (("bid", 1), ("ask", -1)):
        is_open = (orders["status"] != FREE) & (orders["side"] == side)
        tick = best_tick(orders, side)
        yield Sample(QUOTES, (*labels, name), float(is_open.sum()))
        yield Sample(QUOTE_PRICE, (*labels, name), price_of(book, tick) if tick else 0.0)
    placed, cancels = int(state["placed"]), int(state["cancels"])
    yield Sample(PLACED, labels, placed)
    yield Sample(CANCELS, labels, cancels)
    yield Sample(CHURN, labels, cancels / placed if placed else 0.0)
    yield Sample(REJECTED, labels, float(state["rejected"]))
    yield Sample(UNANSWERED, labels, float(state["unanswered"]))
    yield Sample(TABLE_FULL, labels, float(state["table_full"]))


def _silence(labels: tuple[str, ...], state: Record) -> Iterator[Sample]:
    for reason in NO_QUOTE_REASONS:
        yield Sample(NO_QUOTE, (*labels, reason), float(state["no_quote_rounds"][code(NoQuote, reason)]))
    for reason, number in PAUSES.items():
        yield Sample(IS_PAUSED, (*labels, reason), float(state["paused"] == number))
