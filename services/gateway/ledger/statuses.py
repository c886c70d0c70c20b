"""From the paper exchange's acks to the venue's statuses and texts."""

from typing import Final

from papertrader.shared.messages import Ack

REJECTIONS: Final[dict[str, tuple[str, str]]] = {
    "post_only_would_cross": ("badAloPxRejected", "Post only order would have immediately matched, bbo was {bbo}."),
    "insufficient_margin": ("perpMarginRejected", "Insufficient margin to place order."),
    "insufficient_balance": ("insufficientSpotBalanceRejected", "Insufficient spot balance"),
    "off_tick": ("tickRejected", "Price must be divisible by tick size."),
    "off_lot": ("rejected", "Order has invalid size."),
    "bad_size": ("rejected", "Order has invalid size."),
    "bad_price": ("rejected", "Order has invalid price."),
    "below_min_notional": ("minTradeNtlRejected", "Order must have minimum value of $10."),
    "too_far_from_mid": ("oracleRejected", "Price too far from oracle"),
    "reduce_only": ("reduceOnlyRejected", "Reduce only order would increase position."),
    "too_many_orders": ("tooManyOpenOrdersRejected", "Too many open orders."),
    "no_liquidity": (
        "iocCancelRejected",
        "Order could not immediately match against any resting orders.",
    ),
    "bad_trigger_price": ("badTriggerPxRejected", "Invalid TP/SL price."),
    "unknown_order": ("rejected", "Cannot modify canceled or filled order"),
    "no_priority": ("rejected", "Priority is not sold here."),
    "no_market": ("marketOrderNoLiquidityRejected", "No liquidity available for market order."),
}
"""By the reason of an ack: the order's status, and the text of the answer, which ends in the asset."""
CANCELLATIONS: Final = {
    "liquidated": "liquidatedCanceled",
    "reduce_only": "reduceOnlyCanceled",
    "insufficient_margin": "marginCanceled",
    "sibling_filled": "siblingFilledCanceled",
    "self_trade": "selfTradeCanceled",
}
WITHOUT_ASSET: Final = ("bad_price", "off_lot", "bad_size", "no_market", "unknown_order")
"""Reasons whose text does not name the asset."""


def ended_status(ack: Ack) -> str:
    """The status of an order that has ended."""
    if ack.status == "filled":
        return "filled"
    if ack.status == "rejected":
        return REJECTIONS.get(ack.reason, ("rejected", ""))[0]
    if ack.status == "expired":
        return "canceled" if ack.filled_size > 0 else "iocCancelRejected"
    return CANCELLATIONS.get(ack.reason, "canceled")


def rejection_text(ack: Ack, asset: int, bbo: str) -> str:
    """What a program is told of an order that was not taken; `bbo` as in 80639.5@80640.5."""
    reason = "no_liquidity" if ack.status == "expired" else ack.reason
    if reason in ("bad_size", "off_lot") and ack.size == 0:
        return "Order has zero size."
    text = REJECTIONS.get(reason, ("", f"Order was refused: {reason}."))[1].format(bbo=bbo)
    return text if reason in WITHOUT_ASSET else f"{text} asset={asset}"
