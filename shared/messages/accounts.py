"""What opens, funds and closes a paper account: said by who asks for it, learned by every fold."""

from typing import Annotated, Any

import msgspec

from papertrader.shared.messages.base import Message


class Terms(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a paper account is from here on, in every market; the last one of an account counts.

    The first one opens it. `balance` is all that it was ever given in each market, less what was taken, in the currency
    that the market settles in: what is more or less than before comes or goes in the round in which this is heard.
    `settings` are those of `fill_sim` in which it differs from the run's when it is opened: fee tier, fill model,
    latencies. Who signs as `address` trades it at the gateway. When it is `closed` its orders are cancelled, and
    no others are heard.
    """

    balance: Annotated[float, msgspec.Meta(gt=0, le=1e12)]
    address: str = ""
    settings: dict[str, Any] = msgspec.field(default_factory=dict)
    closed: bool = False
