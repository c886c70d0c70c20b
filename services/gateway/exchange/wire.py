"""The bodies of actions, as clients send them."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec

T = TypeVar("T")
BATCHES: Final = ("orders", "cancels", "modifies")


class Limit(msgspec.Struct, frozen=True):
    """How long a limit order lives: Alo, Gtc, Ioc or FrontendMarket."""

    tif: str


class TriggerWire(msgspec.Struct, frozen=True, rename="camel"):
    """What an order waits for: the mark at a price. `tpsl` is tp or sl."""

    is_market: bool
    trigger_px: str
    tpsl: Literal["tp", "sl"]


class OrderKind(msgspec.Struct, frozen=True):
    """A limit order, or one with a trigger."""

    limit: Limit | None = None
    trigger: TriggerWire | None = None


class Priority(msgspec.Struct, frozen=True):
    """A place in the block that is paid for, in 1e-8 of what is filled."""

    rate: Annotated[int, msgspec.Meta(ge=0, le=10**8)] = msgspec.field(name="p")


class OrderWire(msgspec.Struct, frozen=True):
    """An order: asset, is buy, price, size, reduce only, kind, cloid."""

    asset: int = msgspec.field(name="a")
    is_buy: bool = msgspec.field(name="b")
    price: str = msgspec.field(name="p")
    size: str = msgspec.field(name="s")
    reduce_only: bool = msgspec.field(name="r")
    kind: OrderKind = msgspec.field(name="t")
    cloid: str | None = msgspec.field(name="c", default=None)


class OrderAction(msgspec.Struct, frozen=True):
    """`order`."""

    orders: list[OrderWire]
    grouping: Literal["na", "normalTpsl", "positionTpsl"] | Priority = "na"


class CancelWire(msgspec.Struct, frozen=True):
    """A cancel by oid."""

    asset: int = msgspec.field(name="a")
    oid: int = msgspec.field(name="o")


class CancelAction(msgspec.Struct, frozen=True):
    """`cancel`."""

    cancels: list[CancelWire]
    fast: bool | None = msgspec.field(name="f", default=None)


class CloidCancelWire(msgspec.Struct, frozen=True):
    """A cancel by cloid."""

    asset: int
    cloid: str


class CloidCancelAction(msgspec.Struct, frozen=True):
    """`cancelByCloid`."""

    cancels: list[CloidCancelWire]
    fast: bool | None = msgspec.field(name="f", default=None)


class ModifyWire(msgspec.Struct, frozen=True):
    """`modify`, and one of a `batchModify`: the order of this oid or cloid becomes another.

    `always` places it even if it takes at once.
    """

    oid: int | str
    order: OrderWire
    always: bool | None = msgspec.field(name="a", default=None)


class BatchModifyAction(msgspec.Struct, frozen=True):
    """`batchModify`."""

    modifies: list[ModifyWire]
    always: bool | None = msgspec.field(name="a", default=None)


class ScheduleCancelAction(msgspec.Struct, frozen=True):
    """`scheduleCancel`: when to cancel everything, ms UTC; never without a time."""

    time: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] | None = None


class LeverageAction(msgspec.Struct, frozen=True):
    """`updateLeverage`."""

    asset: int
    leverage: int
    is_cross: bool = msgspec.field(name="isCross")


class ModeAction(msgspec.Struct, frozen=True):
    """`userSetAbstraction` and, with a letter, `agentSetAbstraction`."""

    abstraction: Literal["unifiedAccount", "portfolioMargin", "disabled", "u", "p", "i"]


class AgentAction(msgspec.Struct, frozen=True):
    """`approveAgent`."""

    agent: str = msgspec.field(name="agentAddress")
    name: str | None = msgspec.field(name="agentName", default=None)


class Envelope(msgspec.Struct, frozen=True):
    """A signed request. `raw` is the body as it came, which is what was signed."""

    action: dict[str, Any]
    nonce: int
    signature: dict[str, Any]
    vault: str | None = msgspec.field(name="vaultAddress", default=None)
    expires_after: int | None = msgspec.field(name="expiresAfter", default=None)


class BodyError(ValueError):
    """The body is none of what is served: HTTP 422."""


def read(body: Any, kind: type[T]) -> T:
    """A body as its type; raises BodyError."""
    try:
        return msgspec.convert(body, kind)
    except (msgspec.ValidationError, ValueError, TypeError, RecursionError) as error:
        raise BodyError(str(error)) from None


def batch_of(action: Mapping[str, Any]) -> int:
    """How many orders, cancels or modifies an action has; 1 for any other."""
    batches = [action.get(name) for name in BATCHES]
    return max((len(batch) for batch in batches if isinstance(batch, list)), default=1)
