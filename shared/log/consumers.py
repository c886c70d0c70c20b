"""Consumers of the log: each is its user's own.

The broker grants rights by subject, and a consumer's name is a word of the subjects that create, stall and delete it. A
user from outside has a few names that are its alone, and so never more consumers than these. A service draws a name of
128 bits for each: who has not been told it cannot name the consumer, and nobody is.
"""

import random
import secrets
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from nats.js import api
from nats.js.errors import APIError

from papertrader.shared.log.bus import Bus, BusError
from papertrader.shared.log.users import MOST_OUTSIDE, OUTSIDERS, consumers

TAKEN: Final = (10013, 10148)
"""What the broker says of a name that another consumer has."""
FULL: Final = 10026
TIMEOUT_S: Final = 5.0


class _Created(msgspec.Struct):
    num_pending: int = 0
    error: dict[str, Any] | None = None


_created: Final = msgspec.json.Decoder(_Created)


def _candidates(user: str) -> Iterator[str]:
    if user in OUTSIDERS:
        yield from random.sample(consumers(user), MOST_OUTSIDE)
    else:
        yield secrets.token_hex(16)


async def create(bus: Bus, stream: str, config: api.ConsumerConfig) -> tuple[str, int]:
    """Make a consumer under a name of the user's own; its name, and how many messages wait for it.

    Raises BusError where the user or the stream has as many as may be, APIError for whatever else the broker refuses.
    """
    for name in _candidates(bus.user):
        wanted = {"stream_name": stream, "config": {**config.as_dict(), "name": name}, "action": "create"}
        subject = f"{bus.api}.CONSUMER.CREATE.{stream}.{name}"
        timeout_s = TIMEOUT_S if bus.replicas == 1 else bus.patience_s
        reply = await bus.client.request(subject, msgspec.json.encode(wanted), timeout=timeout_s)
        created = _created.decode(reply.data)
        if created.error is None:
            return name, created.num_pending
        code = created.error.get("err_code")
        if code == FULL:
            raise BusError(f"{stream} has as many readers as it may have: fewer markets, or raise [bus] max_readers")
        if code not in TAKEN:
            raise APIError.from_error(created.error)
    raise BusError(f"{bus.user} reads in {MOST_OUTSIDE} places already: end some of these programs")
