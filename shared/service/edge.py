"""The edge of the house: what other programs say is kept within what can be meant, before any fold hears it.

A price, a size or a time out of all proportion is a valid message. It is taken as the bound that it lies beyond, which
the exchange refuses with an answer; so no kernel ever counts ticks or lots that no integer holds.
"""

from typing import Final

import msgspec

from papertrader.shared.messages import Cancel, Message, Modify, Place, Trigger

HIGHEST_PRICE: Final = 1e10
"""Ticks of 1e-8 up to here are numbers of 64 bits."""
LARGEST_SIZE: Final = 1e12
INTEGER_LIMIT: Final = 2**62


def admitted(message: Message) -> Message:
    """The message itself, or where a command of it lies beyond a bound, that command at the bound."""
    if not isinstance(message, Place | Modify | Cancel | Trigger):
        return message
    kept = {
        name: within
        for name, limit in _LIMITS.items()
        if (value := getattr(message, name, None)) is not None and (within := _within(value, limit)) != value
    }
    return msgspec.structs.replace(message, **kept) if kept else message


_LIMITS: Final[dict[str, float | int]] = {
    "price": HIGHEST_PRICE,
    "trigger_price": HIGHEST_PRICE,
    "size": LARGEST_SIZE,
    "mid": HIGHEST_PRICE,
    "ts": INTEGER_LIMIT,
    "order_id": INTEGER_LIMIT,
    "parent": INTEGER_LIMIT,
    "group": INTEGER_LIMIT,
    "replaces": INTEGER_LIMIT,
    "params_version": INTEGER_LIMIT,
}


def _within(value: float | int, limit: float | int) -> float | int:
    return max(-limit, min(value, limit))
