"""What programs outside asked for by a signed request: said by the gateway, read again after a restart."""

from typing import Annotated

import msgspec

from papertrader.shared.messages.base import Int, Message


class NamedOrder(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How a program calls an order: by `oid`, and by `cloid` if it chose one.

    `order_id` is the order's own; `oid` is another number once the order has been modified.
    """

    order_id: Int
    oid: Int
    cloid: str = ""
    time_in_force: str = ""
    """As the program wrote it."""


class SignedAction(Message, frozen=True, kw_only=True):
    """A request of a program outside that its signature allowed.

    `addresses` are those that may have signed it, lower case: one of them did. `nonce` is the program's, ms UTC. The
    orders that it places or changes follow on the log. `weight` is what it counts towards the address's limit of
    requests: the orders, cancels or modifies in it. `agent` is an address that may sign from now on, `cancel_at_ms`
    when all orders are to be cancelled, ms UTC, 0 for never. `mode` is the venue's word for how the account is kept
    from now on.
    """

    addresses: tuple[str, ...]
    nonce: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    action: str
    orders: tuple[NamedOrder, ...] = ()
    agent: str = ""
    agent_name: str = ""
    cancel_at_ms: Int | None = None
    asset: str = ""
    leverage: float | None = None
    is_cross: bool = True
    weight: Int = 1
    mode: str = ""
