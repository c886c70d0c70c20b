"""`papertrader control`: an operator's command to a paper account, and what came of it."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, get_args

import msgspec
from nats.aio.msg import Msg
from nats.js.errors import NotFoundError

from papertrader.cli.choices import did_you_mean
from papertrader.cli.connection import CONNECT_TIMEOUT_S
from papertrader.shared.log.bus import Bus
from papertrader.shared.log.kinds import decode
from papertrader.shared.log.subjects import STREAM, Market, address, subject
from papertrader.shared.messages import Account, Ack, Checklist, Control, ControlAction, Place, RoundEnd

ACTIONS: Final = get_args(ControlAction)
WAIT_S: Final = 15.0
HEARD_AFTER: Final = 2
"""Rounds after which what an account says can be an answer."""
STAYS: Final = (
    "what was learned stays: κ, calibration, toxicity, regimes; so do the counts of fills and the history of the page. "
    "To begin with nothing, start a run in a new --data-dir"
)


class ControlError(ValueError):
    """A command that cannot be given; the text lists the choices."""


class Outcome(NamedTuple):
    """What came of a command: whether it was obeyed, and a sentence that says what is so now, or why not."""

    done: bool
    text: str


class Watch:
    """What is heard of one account after a command was given."""

    def __init__(self, action: str, account: str) -> None:
        self.action, self.account = action, account
        self.rounds = 0
        self.obeyed = False
        """Whether the account has been as the command wants it."""
        self.money: Account | None = None
        self.refused: dict[str, int] = {}
        self.placed = 0
        self.failing: dict[str, str] = {}
        self.changed = asyncio.Event()

    async def hear(self, message: Msg) -> None:
        """Take a message of the log."""
        try:
            heard = decode(address(message.subject).kind, message.data)
        except ValueError:
            return
        if isinstance(heard, RoundEnd):
            self.rounds += 1
        elif isinstance(heard, Account):
            self.money = heard
        elif isinstance(heard, Ack) and heard.status in ("rejected", "refused"):
            self.refused[heard.reason] = self.refused.get(heard.reason, 0) + 1
        elif isinstance(heard, Place):
            self.placed += 1
        elif isinstance(heard, Checklist):
            self.failing = {name: check.cause for name, check in heard.checks.items() if check.state == "fail"}
        self.obeyed = self.obeyed or self._as_wanted()
        self.changed.set()

    def _as_wanted(self) -> bool:
        """A command is heard in the round after it was given, and answered in the next one."""
        money = self.money
        if money is None or self.rounds < HEARD_AFTER:
            return False
        return {
            "pause": money.orders_live == 0,
            "resume": money.orders_live > 0 or self.placed > 0,
            "flatten": money.position == 0 and money.orders_live == 0,
            "reset": money.turnover == 0 and money.position == 0,
        }[self.action]

    def outcome(self) -> Outcome:
        """What to tell the operator."""
        if self.obeyed and self.money is not None:
            return Outcome(True, f"{self.account}: {_DONE[self.action]}; {_standing(self.money)}")
        return Outcome(False, f"{self.account}: {self.action} is on the log, but {self._why_not()}")

    def _why_not(self) -> str:
        if not self.rounds:
            return (
                f"no round was folded in {WAIT_S:g} s: the feed is down, its source has ended, or the market is silent"
            )
        if self.failing:
            return "; ".join(self.failing.values())
        if self.refused:
            return "orders are refused: " + ", ".join(f"{count} {reason}" for reason, count in self.refused.items())
        if self.money is None:
            return f"the account said nothing in {WAIT_S:g} s: is fill-sim up?"
        return f"in {WAIT_S:g} s it has not come true; {_standing(self.money)}"


_DONE: Final[Mapping[str, str]] = {
    "pause": "paused, no order is live and none is placed until `resume`",
    "resume": "quotes again",
    "flatten": "flat and paused until `resume`",
    "reset": f"money, position and orders start afresh; {STAYS}",
}


def _standing(money: Account) -> str:
    return (
        f"position {money.position:g}, {money.orders_live} orders live, PnL {money.total:+,.2f}, "
        f"equity {money.equity:,.2f}"
    )


async def send(
    url: str, action: str, market: str | None, account: str, accounts: Iterable[str], **login: Any
) -> Outcome:
    """Put the command on the log and wait for what comes of it; raises ControlError for what does not exist."""
    check_action(action)
    bus = await Bus.connect(url, "operator", CONNECT_TIMEOUT_S, **login)
    try:
        where = market_named(market, await markets(bus))
        check_account(account, sorted({*accounts, *await accounts_of(bus, where)}))
        return await _obeyed(bus, action, where, account)
    finally:
        await bus.close()


async def _obeyed(bus: Bus, action: str, market: Market, account: str) -> Outcome:
    watch = Watch(action, f"{market} {account}")
    command = Control(ts=time.time_ns(), action=action)  # type: ignore[arg-type]  # checked by the caller
    last = await bus.last(subject("account", market, account))
    watch.money = None if last is None else msgspec.json.decode(last.payload, type=Account)
    for kind in ("account", "acks", "orders", "checks", "round"):
        await bus.subscribe(subject(kind, market, account), watch.hear)
    await bus.append(subject("control", market, account), msgspec.json.encode(command), f"control|{command.ts}")
    deadline = time.monotonic() + WAIT_S
    while not watch.obeyed and time.monotonic() < deadline:
        watch.changed.clear()
        try:
            await asyncio.wait_for(watch.changed.wait(), deadline - time.monotonic())
        except TimeoutError:
            break
    return watch.outcome()


def check_action(action: str) -> None:
    """Raise ControlError for an action that does not exist."""
    if action not in ACTIONS:
        raise ControlError(f"unknown action {action!r}{_choices(action, ACTIONS)}")


async def markets(bus: Bus) -> list[str]:
    """The markets on the log."""
    return [str(address(name).market) for name in await subjects(bus, "md.*.*.instrument")]


async def accounts_of(bus: Bus, market: Market) -> list[str]:
    """The accounts of a market that have spoken."""
    return [address(name).account for name in await subjects(bus, f"account.{market}.*")]


async def subjects(bus: Bus, pattern: str) -> list[str]:
    """The subjects that the broker holds something of."""
    try:
        state = (await bus.jetstream.stream_info(STREAM, subjects_filter=pattern)).state
    except NotFoundError:
        return []
    return sorted(state.subjects or {})


def market_named(market: str | None, known: list[str]) -> Market:
    """The market that is meant: the only one where none is named; raises ControlError listing the choices."""
    if market is None:
        if len(known) == 1:
            market = known[0]
        elif known:
            raise ControlError(f"several markets are traded; name one: {', '.join(known)}")
    if market not in known or market is None:
        told = _choices(market or "", known) if known else "; the log holds no market yet: is the feed running?"
        raise ControlError(f"no market {market or ''}".rstrip() + told)
    venue, _, asset = market.partition(".")
    return Market(venue, asset)


def check_account(account: str, known: list[str]) -> None:
    """Raise ControlError for an account that does not exist, where any is known."""
    if known and account not in known:
        raise ControlError(f"no account {account!r}{_choices(account, known)}; name one with --account")


def _choices(word: str, known: Iterable[str]) -> str:
    return f"{did_you_mean(word, known)}; there are {', '.join(known)}"
