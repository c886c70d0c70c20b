"""`papertrader control`: an operator's command to a paper account."""

import time
from typing import Any, get_args

import msgspec

from papertrader.shared.log.bus import Bus
from papertrader.shared.log.subjects import Market, subject
from papertrader.shared.messages import Control, ControlAction


async def send(url: str, action: str, market: str, account: str, **login: Any) -> None:
    """Put the command on the log; raises ValueError for an unknown action or a market that is not <venue>.<asset>."""
    if action not in get_args(ControlAction):
        raise ValueError(f"unknown action {action!r}; known are {', '.join(get_args(ControlAction))}")
    venue, dot, asset = market.partition(".")
    if not (venue and dot and asset):
        raise ValueError(f"{market!r} is not <venue>.<asset>, e.g. hyperliquid.BTC")
    command = Control(ts=time.time_ns(), action=action)  # type: ignore[arg-type]  # checked above
    bus = await Bus.connect(url, "control", **login)
    name = subject("control", Market(venue, asset), account)
    await bus.append(name, msgspec.json.encode(command), f"control|{command.ts}")
    await bus.close()
