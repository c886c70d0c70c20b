"""The gateway's arithmetic: numbers as the venue writes them, and what follows from fills and money. Pure."""

from typing import Final

DECIMALS: Final = 8
DUST: Final = 1e-9
CANCELS_BEYOND: Final = 100_000


def decimal(value: float) -> str:
    """A number as the venue writes it, never without its point: 80640.0, 0.0, 0.00186."""
    text = f"{value:.{DECIMALS}f}".rstrip("0")
    text = text + "0" if text.endswith(".") else text
    return "0.0" if text == "-0.0" else text


def money(value: float) -> str:
    """An amount of quote currency, in millionths, as the venue writes it."""
    return decimal(round(value, 6))


def closed_profit(position: float, entry_price: float, side: int, price: float, size: float) -> float:
    """What a fill of `size` realises of a position (negative: short), quote currency, before fees; side +1 buys."""
    if position * side >= 0:
        return 0.0
    closed = min(abs(position), size)
    return -side * (price - entry_price) * closed


def entry_after(position: float, entry_price: float, side: int, price: float, size: float) -> float:
    """The average entry price after a fill, 0 without a position. Adding moves it, reducing keeps it."""
    after = position + side * size
    if abs(after) < DUST * size:
        return 0.0
    if position * side >= 0:
        return (entry_price * abs(position) + price * size) / (abs(position) + size)
    return entry_price if size <= abs(position) else price


def direction(position: float, side: int, size: float) -> str:
    """What a fill does to a position, in the venue's words."""
    after = position + side * size
    if position > 0 > after and abs(after) > DUST * size:
        return "Long > Short"
    if position < 0 < after and abs(after) > DUST * size:
        return "Short > Long"
    if position * side >= 0:
        return "Open Long" if side > 0 else "Open Short"
    return "Close Short" if side > 0 else "Close Long"


def liquidation_price(position: float, mark: float, equity: float, maintenance: float) -> float | None:
    """The mark at which equity falls to the maintenance margin, None where there is no such price.

    The maintenance rate is that of now: that of another tier is not looked up.
    """
    if position == 0 or mark <= 0:
        return None
    rate = maintenance / (abs(position) * mark)
    per_price = position - rate * abs(position)
    price = -(equity - position * mark) / per_price if per_price else -1.0
    return price if price > 0 else None


def requests_allowed(free: int, turnover: float, cancels: bool) -> int:
    """How many requests an account may have made: so many free, and one for each unit of quote currency traded.

    Of cancels more: 100 000 beyond that, but not more than twice as many.
    """
    allowed = free + int(turnover)
    return min(allowed + CANCELS_BEYOND, 2 * allowed) if cancels else allowed


def action_weight(batch: int) -> int:
    """What an action with so many elements counts towards the limit of its IP."""
    return 1 + batch // 40


def size_decimals(lot_size: float) -> int:
    """The decimals that sizes have."""
    for decimals in range(DECIMALS + 1):
        if abs(lot_size * 10**decimals - round(lot_size * 10**decimals)) < 1e-6 and lot_size * 10**decimals >= 1 - 1e-6:
            return decimals
    return DECIMALS


def significant(price: float, figures: int = 5) -> float:
    """The price, rounded to so many significant figures."""
    return float(f"{price:.{figures}g}")
