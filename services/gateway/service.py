"""The gateway at work: restored from the log, it hears it like any program, and appends what signed requests ask."""

import asyncio
import contextlib
import itertools
import logging
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from papertrader.services.gateway.config import GatewayConfig, event_speed
from papertrader.services.gateway.exchange.asking import Asking, Ids
from papertrader.services.gateway.exchange.exchange import Doing, Exchange
from papertrader.services.gateway.exchange.identity import Identities
from papertrader.services.gateway.exchange.waiting import Waiting
from papertrader.services.gateway.havoc import Havoc
from papertrader.services.gateway.info.info import Info
from papertrader.services.gateway.ledger.accounts import Funding, PaperAccount, Trade
from papertrader.services.gateway.ledger.ledger import SCHEDULED_CANCEL, Ledger, is_market_data
from papertrader.services.gateway.ledger.markets import MarketView
from papertrader.services.gateway.ledger.orders import Order
from papertrader.services.gateway.limits import Limits
from papertrader.services.gateway.streams.streams import Streams
from papertrader.shared.log.bus import Bus, FencedError
from papertrader.shared.log.kinds import MARKET_DATA
from papertrader.shared.log.reader import LogReader
from papertrader.shared.log.subjects import ACCOUNT_WIDE, Market, subject
from papertrader.shared.log.writes import Answer, Write
from papertrader.shared.messages import Ack, Command, Message, RoundEnd
from papertrader.shared.messages.accounts import Terms
from papertrader.shared.messages.actions import NamedOrder, SignedAction
from papertrader.shared.service.config import Settings
from papertrader.shared.service.outside import traded_outside

log = logging.getLogger("gateway")

HEARD: Final = ("actions", "orders", "acks", "fills", "account")
REMEMBERED: Final = ("md.*.*.instrument", "md.*.*.trades")
STEP_S: Final = 0.1
STATES_EVERY_S: Final = 2.0
SECOND: Final = 1.0

_encode: Final = msgspec.json.Encoder().encode


class Gateway:
    """Everything behind the three doors."""

    def __init__(self, bus: Bus, settings: Settings) -> None:
        self.config = settings.section("gateway", GatewayConfig)
        self.ledger = Ledger(settings.accounts, event_speed(settings))
        self.identities = identities_of(settings)
        self.info = Info(self.ledger, self.identities, self.config)
        self.havoc = Havoc(self.config)
        self.limits = Limits(self.config.ip_weight)
        self.streams = Streams(self.ledger, self.info, self.havoc)
        self.restored = 0
        """The sequence up to which accounts were restored from the log at the start."""
        self._bus = bus
        self._waiting = Waiting()
        self._asking = Asking(self.ledger.markets, self._waiting, Ids(self._highest_id))
        doing = Doing(self._say, self.streams.hold, self._open)
        self.exchange = Exchange(self.ledger, self.identities, self._asking, doing, self.config)
        self.ledger.listeners = [_Answers(self.identities, self._waiting), self.streams]
        self._name, self._numbers = uuid.uuid4().hex, itertools.count()
        self._saying: set[asyncio.Future[None]] = set()
        self._reader = LogReader(bus, [], 0, self._hear)

    def _highest_id(self) -> int:
        return max((account.orders.highest_id for account in self.ledger.accounts.values()), default=0)

    def _subjects(self) -> list[str]:
        return [subject("terms", ACCOUNT_WIDE, "*"), *(subject(kind, Market("*", "*"), "*") for kind in HEARD)]

    async def restore(self) -> None:
        """Hear all that the log holds of the accounts, then follow it; the markets are as of now when it returns."""
        wanted = [*self._subjects(), *REMEMBERED]
        reader = LogReader(self._bus, wanted, 0, self._hear)
        await self._hear_present(reader, wanted)
        await reader.stop()
        self.restored = reader.sequence
        after = min([self.restored, *[await self._before_book(view) for view in self.ledger.markets.all]])
        kinds = [f"md.*.*.{kind}" for kind in MARKET_DATA]
        self._reader = LogReader(self._bus, [*self._subjects(), *kinds], after, self._hear_new)
        await self._hear_present(self._reader, kinds)
        log.info("restored from %d messages of the log", self.restored)

    async def _hear_present(self, reader: LogReader, names: Sequence[str]) -> None:
        """Start a reader, and return when it has heard what there was of these subjects when it began."""
        found = [stored.sequence for name in names if (stored := await self._bus.last(name)) is not None]
        await reader.start()
        while reader.sequence < max(found, default=0) and reader.failure is None:  # noqa: ASYNC110 - it has no such event
            await asyncio.sleep(0.02)

    async def _before_book(self, view: MarketView) -> int:
        """Just before a market's last whole book: from there on it is known."""
        stored = await self._bus.last(subject("book", view.market))
        return self.restored if stored is None else stored.sequence - 1

    async def _hear(self, sequence: int, name: str, payload: bytes) -> None:
        self.ledger.hear(sequence, name, payload)

    async def _hear_new(self, sequence: int, name: str, payload: bytes) -> None:
        known = sequence <= self.restored and (not is_market_data(name) or name.endswith((".trades", ".instrument")))
        if not known:
            self.ledger.hear(sequence, name, payload)

    @property
    def failure(self) -> Exception | None:
        """What broke the hearing of the log."""
        return self._reader.failure

    @property
    def pending(self) -> int:
        """Messages of the log that wait to be heard."""
        return self._reader.pending

    async def leave(self) -> None:
        """Hear no more."""
        await self._reader.stop()

    def _open(self, address: str) -> PaperAccount:
        """Open an account for an address that has signed, unless somebody else has by now: the log says so then."""
        terms = Terms(ts=self.ledger.markets.clock_ts, balance=self.config.opening_balance, address=address)
        write = Write(subject("terms", ACCOUNT_WIDE, address), _encode(terms), f"gateway|{self._name}|{address}", 0)
        self._settle([write], self._bus.begin_all([write]))
        log.info("opened an account with %g in each market for %s", terms.balance, address)
        return self.ledger.open(address, terms)

    def _say(
        self, account: PaperAccount, action: SignedAction, commands: Sequence[tuple[Market, Command]]
    ) -> "asyncio.Future[None]":
        """Append a request and its commands, in this order, exactly once each."""
        noted = msgspec.structs.replace(action, ts=self.ledger.markets.clock_ts)
        said = [(subject("actions", ACCOUNT_WIDE, account.name), _encode(noted))]
        said += [(subject("orders", market, account.name), _encode(command)) for market, command in commands]
        writes = [Write(name, payload, f"gateway|{self._name}|{next(self._numbers)}") for name, payload in said]
        return self._settle(writes, self._bus.begin_all(writes))

    def _settle(self, writes: Sequence[Write], answers: Sequence[Answer]) -> "asyncio.Future[None]":
        """Done once the log has what was begun to be written."""

        async def settle() -> None:
            for write, answer in zip(writes, answers, strict=True):
                with contextlib.suppress(FencedError):  # an account that another gateway has opened
                    await self._bus.settle(write, answer)

        saying = asyncio.ensure_future(settle())
        self._saying.add(saying)
        saying.add_done_callback(self._saying.discard)
        return saying

    async def push(self) -> None:
        """Push again and again what is not pushed when it happens; cancel what was scheduled to be. Never ends."""
        config = self.config
        turns: tuple[tuple[float, Callable[[], None]], ...] = (
            (config.book_ms / 1_000, lambda: self.streams.push_books(fast=False)),
            (config.fast_book_ms / 1_000, lambda: self.streams.push_books(fast=True)),
            (SECOND, self.streams.push_candles),
            (SECOND, self.streams.push_contexts),
            (STATES_EVERY_S, self.streams.push_all_markets),
            (STATES_EVERY_S, lambda: self.streams.push_states(changed_only=False)),
            (STEP_S, lambda: self.streams.push_states(changed_only=True)),
            (STEP_S, self._cancel_scheduled),
        )
        due = [0.0] * len(turns)
        while True:
            now = time.monotonic()
            for place, (every_s, turn) in enumerate(turns):
                if now >= due[place]:
                    due[place] = max(due[place] + every_s, now)
                    turn()
            if self.failure is not None:
                raise self.failure
            await asyncio.sleep(STEP_S / 2)

    def _cancel_scheduled(self) -> None:
        now_ms = time.time_ns() // 1_000_000
        for account in self.ledger.accounts.values():
            if not 0 < account.cancel_at_ms <= now_ms:
                continue
            account.cancel_at_ms = 0
            asked = self._asking.all_cancels(account)
            done = SignedAction(ts=0, addresses=(), nonce=0, action=SCHEDULED_CANCEL, cancel_at_ms=0, weight=0)
            self._say(account, done, [(item.market, item.command) for item in asked if item.market and item.command])
            log.info("cancelled %d orders of %s: their program had set a clock", len(asked), account.name)


def identities_of(settings: Settings) -> Identities:
    """Whose accounts are whose, by the settings; raises SettingsError."""
    config = settings.section("gateway", GatewayConfig)
    free = traded_outside(settings)
    return Identities(settings.accounts, config.accounts, free, config.open_accounts, config.open_at_most)


class _Answers:
    """Hears the log for those who wait for an answer."""

    def __init__(self, identities: Identities, waiting: Waiting) -> None:
        self._identities = identities
        self._waiting = waiting

    def opened(self, account: PaperAccount, terms: Terms) -> None:
        """An account, and who trades it."""
        self._identities.on_terms(account.name, terms)

    def signed(self, account: PaperAccount, action: SignedAction) -> None:
        """Whose account it is, and the nonce."""
        self._identities.on_signed(account.name, action)

    def order_changed(self, account: PaperAccount, order: Order) -> None:
        """An order's news."""
        self._waiting.order_changed(account, order)

    def refused(self, account: PaperAccount, order_id: int, named: NamedOrder | None, ack: Ack | None) -> None:
        """A refused cancel or modify."""
        self._waiting.refused(account, order_id, named, ack)

    def traded(self, account: PaperAccount, trade: Trade) -> None:
        """Orders wait for their own news."""

    def paid(self, account: PaperAccount, funding: Funding) -> None:
        """Nobody waits for funding."""

    def market_heard(self, view: MarketView, message: Message) -> None:
        """A round's end."""
        if isinstance(message, RoundEnd) and not message.discard:
            self._waiting.round_ended(view)
