"""A command from the page: checked, put onto the log, and answered when the monitor has heard it there."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import msgspec
from aiohttp import web

from papertrader.services.monitor.page.guard import REQUEST_TIMEOUT_S, refusal
from papertrader.services.monitor.service import Monitor
from papertrader.shared.log.bus import BusError
from papertrader.shared.log.subjects import Market
from papertrader.shared.messages import Control, ControlAction

HEARD_WITHIN_S: Final = 5.0
LOOK_EVERY_S: Final = 0.05

Append = Callable[[Market, str, Control], Awaitable[None]]
"""Puts a command for an account of a market onto the log; raises BusError."""


@dataclass(frozen=True)
class Operator:
    """What a page needs to command: the token that it must show, and the way to the log."""

    token: str
    append: Append


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a page asks for."""

    venue: str
    asset: str
    account: str
    action: ControlAction


class RefusedError(Exception):
    """The command is not obeyed: an HTTP status and one line that says why."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


async def command(request: web.Request, operator: Operator | None, monitors: list[Monitor]) -> dict[str, object]:
    """Obey a command: `heard` says whether the monitor has folded it. Raises RefusedError."""
    if operator is None:
        raise RefusedError(403, "this page only shows: it was started without a way to the log")
    if reason := refusal(request, operator.token):
        raise RefusedError(403, reason)
    asked = await _asked(request)
    monitor = next((one for one in monitors if one.market == (asked.venue, asked.asset)), None)
    if monitor is None or asked.account not in monitor.accounts:
        known = ", ".join(f"{one.market} {account}" for one in monitors for account in one.accounts)
        raise RefusedError(404, f"there is no account {asked.venue}.{asked.asset} {asked.account}; known are {known}")
    before = monitor.facts.accounts[asked.account].controls
    try:
        async with asyncio.timeout(HEARD_WITHIN_S):
            await operator.append(monitor.market, asked.account, Control(ts=time.time_ns(), action=asked.action))
    except (BusError, OSError, TimeoutError) as error:
        raise RefusedError(502, f"the log did not take the command: {error or 'no answer'}") from error
    heard = await _heard(monitor, asked.account, before)
    text = "done" if heard else f"on the log, but no round was folded within {HEARD_WITHIN_S:.0f} s: is data coming in?"
    return {"action": asked.action, "heard": heard, "text": text}


async def _asked(request: web.Request) -> Order:
    try:
        async with asyncio.timeout(REQUEST_TIMEOUT_S):
            body = await request.read()
        return msgspec.json.decode(body, type=Order)
    except TimeoutError as error:
        raise RefusedError(408, "the command did not arrive in time") from error
    except msgspec.DecodeError as error:
        raise RefusedError(400, f"not a command: {error}") from error


async def _heard(monitor: Monitor, account: str, before: int) -> bool:
    """Whether the monitor folds one more command before the time is over."""
    deadline = time.monotonic() + HEARD_WITHIN_S
    while time.monotonic() < deadline:
        if monitor.facts.accounts[account].controls > before:
            return True
        await asyncio.sleep(LOOK_EVERY_S)
    return False
