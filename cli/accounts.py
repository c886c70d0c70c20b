"""`papertrader account open`, `fund` and `close`: what is said of an account to the log, and what came of it."""

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from nats.aio.msg import Msg

from papertrader.cli.choices import did_you_mean
from papertrader.cli.connection import CONNECT_TIMEOUT_S, Broker
from papertrader.cli.control import markets, subjects
from papertrader.services.fill_sim.config import FillSimConfig
from papertrader.services.fill_sim.settings import settings_of
from papertrader.services.gateway.exchange.identity import is_address
from papertrader.shared.log.bus import Bus, FencedError
from papertrader.shared.log.kinds import TERMS
from papertrader.shared.log.subjects import ACCOUNT_WIDE, Market, address, subject
from papertrader.shared.messages import Account
from papertrader.shared.messages.accounts import Terms
from papertrader.shared.service import epoch
from papertrader.shared.service.config import Settings, check_account
from papertrader.shared.service.roll import with_terms

WAIT_S: Final = 15.0

Change = Callable[[Terms | None], Terms]
"""From the terms that an account has, None if there is no such account, to those that it is to have."""


class AccountError(ValueError):
    """What cannot be done to an account; the text says why."""


def opening(name: str, owner: str, balance: float | None, settings: Mapping[str, Any]) -> Change:
    """Open an account, or one that was closed again."""

    def change(before: Terms | None) -> Terms:
        check_account(name, {})
        if owner and not is_address(owner):
            raise AccountError(f"{owner!r} is no address of 0x and 40 hexadecimal digits")
        if before is None:
            return Terms(ts=0, balance=balance or FillSimConfig().initial_cash, address=owner, settings=dict(settings))
        if not before.closed:
            raise AccountError(f"there is an account {name!r} already; `account fund` changes its money")
        if owner or balance is not None or settings:
            raise AccountError(f"{name!r} was closed: open it without options, it has the terms that it had")
        return msgspec.structs.replace(before, closed=False)

    return change


def funding(name: str, amount: float, available: float) -> Change:
    """Give an account money in each market, or take it; `available` is what can be taken."""

    def change(before: Terms | None) -> Terms:
        terms = _existing(name, before)
        if amount == 0 or not math.isfinite(amount):
            raise AccountError("give an amount of money: above 0 to add it in each market, below 0 to take it")
        if amount < 0 and (-amount > available or terms.balance + amount <= 0):
            raise AccountError(
                f"{-amount:,.2f} cannot be taken: in some market only {available:,.2f} is not needed as margin, "
                f"and of what {name!r} was given, {terms.balance:,.2f}, something has to stay"
            )
        return msgspec.structs.replace(terms, balance=terms.balance + amount)

    return change


def closing(name: str) -> Change:
    """Close an account."""

    def change(before: Terms | None) -> Terms:
        return msgspec.structs.replace(_existing(name, before), closed=True)

    return change


def _existing(name: str, before: Terms | None) -> Terms:
    if before is None:
        raise AccountError(f"there is no account {name!r}")
    if before.closed:
        raise AccountError(f"{name!r} is closed; `account open {name}` opens it again")
    return before


class Ledger:
    """The accounts of a run, as the log has them, and its markets."""

    def __init__(self, bus: Bus, settings: Settings, known: list[str]) -> None:
        self._bus = bus
        self._settings = settings
        self.in_settings = settings.accounts
        self.markets = [Market(*name.split(".", 1)) for name in known]
        self.money: dict[Market, Account] = {}

    async def terms(self, name: str) -> Terms | None:
        """The terms of an account, those of the settings where nothing else was said; None if there is no such one."""
        stored = await self._bus.last(subject(TERMS, ACCOUNT_WIDE, name))
        if stored is not None:
            return msgspec.json.decode(stored.payload, type=Terms)
        if name not in self._settings.accounts:
            return None
        return Terms(ts=0, balance=self._settings.section("fill_sim", FillSimConfig, name).initial_cash)

    async def read_money(self, name: str) -> None:
        """Look up what an account has in each market."""
        for market in self.markets:
            if (stored := await self._bus.last(subject("account", market, name))) is not None:
                self.money[market] = msgspec.json.decode(stored.payload, type=Account)

    @property
    def available(self) -> float:
        """What can be taken in every market."""
        return min((money.margin_available for money in self.money.values()), default=math.inf)

    def check(self, name: str, terms: Terms) -> None:
        """Raise SettingsError for terms that cannot be had in every market."""
        configs = with_terms(self._settings, {name: terms}).by_account("fill_sim", FillSimConfig)
        for venue in {market.venue for market in self.markets}:
            settings_of([configs[name]], venue)

    async def say(self, name: str, terms: Terms) -> None:
        """Put the terms on the log; raises AccountError if somebody else has just done so."""
        where = subject(TERMS, ACCOUNT_WIDE, name)
        held = await self._bus.held(where)
        payload = msgspec.json.encode(msgspec.structs.replace(terms, ts=time.time_ns()))
        try:
            await self._bus.append(where, payload, f"account|{time.time_ns()}", held.sequence if held else 0)
        except FencedError:
            raise AccountError(f"somebody else changed {name!r} at the same time: look, and try again") from None


async def change(broker: Broker, name: str, changing: Callable[[Ledger], Change]) -> tuple[bool, str]:
    """Change an account; whether every market has heard of it, and a sentence. Raises AccountError, SettingsError."""
    directory = broker.settings.parent if broker.settings else None
    bus = await Bus.connect(broker.url, "operator", CONNECT_TIMEOUT_S, data_dir=directory, **broker.login)
    try:
        begun = await epoch.current(bus)
        ledger = Ledger(bus, Settings(begun.settings if begun else {}), await markets(bus))
        await ledger.read_money(name)
        before = await ledger.terms(name)
        try:
            terms = changing(ledger)(before)
        except AccountError as error:
            known = [address(found).account for found in await subjects(bus, f"{TERMS}.>")] + [*ledger.in_settings]
            raise AccountError(f"{error}{did_you_mean(name, known)}" if before is None else str(error)) from None
        ledger.check(name, terms)
        return await _heard(bus, ledger, name, terms)
    finally:
        await bus.close()


async def _heard(bus: Bus, ledger: Ledger, name: str, terms: Terms) -> tuple[bool, str]:
    """Say the terms and wait until every market has told what the account has then."""
    waiting, changed = set(ledger.markets), asyncio.Event()

    async def hear(message: Msg) -> None:
        waiting.discard(address(message.subject).market)
        changed.set()

    await bus.subscribe(subject("account", Market("*", "*"), name), hear)
    await ledger.say(name, terms)
    deadline = time.monotonic() + WAIT_S
    while waiting and (left_s := deadline - time.monotonic()) > 0:
        changed.clear()
        try:
            await asyncio.wait_for(changed.wait(), left_s)
        except TimeoutError:
            break
    standing = "closed: its orders are cancelled, its position and history stay" if terms.closed else "open"
    text = f"{name}: {standing}; it was given {terms.balance:,.2f} in each market"
    if waiting:
        silent = ", ".join(sorted(map(str, waiting)))
        return False, f"{text}; that is on the log, but no round has ended in {WAIT_S:g} s in {silent}"
    return True, text
