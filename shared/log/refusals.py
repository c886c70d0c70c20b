"""What a sender is told of a message that nobody could read: on a subject beside the log, so that the log stays itself.

An order that can be read is answered by an ack, whatever is wrong with it; this answers the others.
"""

from typing import Any, Final

import msgspec

from papertrader.shared.log.kinds import Kind
from papertrader.shared.log.subjects import Address

ADDRESSEE: Final[dict[Kind, str]] = {"orders": "fill-sim", "control": "fill-sim", "terms": "fill-sim"}
"""The service that answers for a kind of message that comes from outside."""
TOKEN: Final = "refused"


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was refused: its place in the log, its kind, why, and the order it named if that can be read."""

    sequence: int
    kind: str
    reason: str
    order_id: int | None = None


def refusal_subject(market: object, account: str) -> str:
    """Where the sender hears of what was refused: `refused.<venue>.<asset>.<account>`."""
    return f"{TOKEN}.{market}.{account}"


def refusal(where: Address, sequence: int, reason: str, payload: bytes) -> tuple[str, bytes]:
    """The subject and content of the answer to a message."""
    told = Refusal(sequence=sequence, kind=where.kind, reason=reason, order_id=_order_id(payload))
    return refusal_subject(where.market, where.account), msgspec.json.encode(told)


def _order_id(payload: bytes) -> int | None:
    try:
        fields: Any = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    named = fields.get("order_id") if isinstance(fields, dict) else None
    return named if isinstance(named, int) else None
