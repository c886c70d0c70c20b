"""What the draws of the queue allow: fills expected against fills had, and PnL over all worlds with the same quotes.

At every moment that could have brought an order its first fill, the exchange says the hazard h with which the draws
filled it. Over orders at risk, fills less hazards have mean 0 and variance Σ h(1 − h), whatever happened since. So
orders in the same places at the same times would on average have earned what was earned plus Σ (Σh − filled)·value,
where the value of an order is what it makes if wholly filled: side·size·(mid − price) less its fee, at today's mid.
"""

import math
from typing import Any, Final

import msgspec

from papertrader.shared.messages import Account, Ack

Z: Final = 1.96
"""Standard deviations of a 95 % interval."""


class Worlds(msgspec.Struct):
    """Sums over ended orders that had draws. Prices are kept less `origin`, the first one, for precision.

    An order's value at price move x = mid − origin is a·x − b, with a = side·size and b = a·(price − origin) + fee.
    """

    orders: int = 0
    filled: int = 0
    expected: float = 0.0
    variance: float = 0.0
    origin: float = 0.0
    missing_a: float = 0.0
    missing_b: float = 0.0
    variance_aa: float = 0.0
    variance_ab: float = 0.0
    variance_bb: float = 0.0

    def add(self, ack: Ack, fee_per_notional: float) -> None:
        """Add an order that ended."""
        if ack.fills_expected is None or ack.fills_variance is None or ack.side == "none":
            return
        self.origin = self.origin or ack.price
        a = ack.size if ack.side == "buy" else -ack.size
        b = a * (ack.price - self.origin) + fee_per_notional * ack.price * ack.size
        had = 1 if ack.filled_size > 0 else 0
        self.orders += 1
        self.filled += had
        self.expected += ack.fills_expected
        self.variance += ack.fills_variance
        missing, variance = ack.fills_expected - had, ack.fills_variance
        self.missing_a += missing * a
        self.missing_b += missing * b
        self.variance_aa += variance * a * a
        self.variance_ab += variance * a * b
        self.variance_bb += variance * b * b

    def summary(self, account: Account | None, mid: float | None) -> dict[str, Any] | None:
        """Fills expected and had, and PnL over the worlds with its 95 % interval; None before any order with draws."""
        if not self.orders:
            return None
        result: dict[str, Any] = {
            "orders": self.orders,
            "orders_filled": self.filled,
            "fills_expected": self.expected,
            "fills_expected_sd": math.sqrt(self.variance),
            "pnl_mean": None,
            "pnl_low": None,
            "pnl_high": None,
        }
        if account is not None and mid is not None:
            move = mid - self.origin
            mean = account.total + self.missing_a * move - self.missing_b
            variance = self.variance_aa * move * move - 2 * self.variance_ab * move + self.variance_bb
            spread = Z * math.sqrt(max(variance, 0.0))
            result |= {"pnl_mean": mean, "pnl_low": mean - spread, "pnl_high": mean + spread}
        return result


def fee_per_notional(account: Account | None) -> float:
    """What an account has paid so far per notional traded."""
    return account.fees / account.turnover if account is not None and account.turnover > 0 else 0.0
