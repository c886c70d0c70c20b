"""Signed requests: who signed, whether it may count, what it asks for, and the answer."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from papertrader.services.gateway.config import GatewayConfig
from papertrader.services.gateway.exchange import texts
from papertrader.services.gateway.exchange.asking import Asked, Asking, following
from papertrader.services.gateway.exchange.identity import Identities, Signer, is_address
from papertrader.services.gateway.exchange.refused import Refusals, RefusedError
from papertrader.services.gateway.exchange.waiting import Status
from papertrader.services.gateway.exchange.wire import (
    AgentAction,
    BatchModifyAction,
    BodyError,
    CancelAction,
    CloidCancelAction,
    Envelope,
    LeverageAction,
    ModeAction,
    ModifyWire,
    OrderAction,
    ScheduleCancelAction,
    batch_of,
    read,
)
from papertrader.services.gateway.kernel import requests_allowed
from papertrader.services.gateway.ledger.accounts import PaperAccount
from papertrader.services.gateway.ledger.ledger import Ledger
from papertrader.services.gateway.signing.recover import USER_SIGNED, SignatureError, recovered
from papertrader.shared.log.subjects import Market
from papertrader.shared.messages import Command, Trigger
from papertrader.shared.messages.actions import NamedOrder, SignedAction

log = logging.getLogger("gateway")

Say = Callable[[PaperAccount, SignedAction, Sequence[tuple[Market, Command]]], "asyncio.Future[None]"]
"""Appends a request and its commands to the log; done once it has them."""
UNKNOWN_TOLD: Final = 10
"""So many unknown addresses are named in the log; the others are only counted."""
CANCELS: Final = ("cancel", "cancelByCloid")
BEYOND_EVERY_S: Final = 10.0
LEAST_NOTICE_MS: Final = 5_000
"""How far ahead a scheduled cancel has to be."""


class Doing(NamedTuple):
    """What an answered request does: say it to the log, hold pushes back, open an account for who signed."""

    say: Say
    hold: Callable[[str, Sequence[int]], None]
    open: Callable[[str], PaperAccount]


class Answer(NamedTuple):
    """The answer to a request: a JSON value with status 200, else a text. What it holds back is pushed afterwards."""

    status: int
    body: Any
    account: str = ""
    orders: tuple[int, ...] = ()


def err(text: str) -> dict[str, Any]:
    """A refusal of a whole request."""
    return {"status": "err", "response": text}


def ok(kind: str, statuses: list[Status]) -> dict[str, Any]:
    """An answer with one status for each element of a batch."""
    return {"status": "ok", "response": {"type": kind, "data": {"statuses": statuses}}}


DONE: Final[dict[str, Any]] = {"status": "ok", "response": {"type": "default"}}


class Exchange:
    """Answers signed requests."""

    def __init__(
        self,
        ledger: Ledger,
        identities: Identities,
        asking: Asking,
        doing: Doing,
        config: GatewayConfig,
    ) -> None:
        self._ledger = ledger
        self._identities = identities
        self._asking = asking
        self._say, self._hold, self._open = doing
        self._timeout_s = config.answer_timeout_s
        self._free_requests = config.address_requests
        self.requests: Counter[str] = Counter()
        self.refusals = Refusals()
        self.verifications = 0
        self.verifying_s = 0.0
        self._likely = 0
        """The source of the last known signer, which is tried first."""
        self._acting: dict[str, Callable[[PaperAccount, Envelope, tuple[str, ...]], Awaitable[Answer]]] = {
            "order": self._order,
            "cancel": self._cancel,
            "cancelByCloid": self._cancel_by_cloid,
            "modify": self._modify,
            "batchModify": self._batch_modify,
            "scheduleCancel": self._schedule_cancel,
            "updateLeverage": self._leverage,
            "approveAgent": self._approve_agent,
            "userSetAbstraction": self._set_mode,
            "agentSetAbstraction": self._set_mode,
        }

    async def answer(self, body: Any) -> Answer:
        """Answer a request; never raises."""
        kind, nonce = "", None
        try:
            envelope = read(body, Envelope)
            nonce = envelope.nonce
            kind = str(envelope.action.get("type", ""))
            if not 0 <= envelope.nonce < 2**63:
                raise BodyError("nonce")
            known = kind in self._acting or kind in texts.NOTHING_TO_DO or kind in texts.MEANINGLESS
            if not known:
                raise BodyError(kind)
            self.requests[kind] += 1
            account, addresses = self._admit(body, envelope, kind)
            self._limit(account, envelope, kind)
            return await self._act(account, envelope, addresses, kind)
        except BodyError as error:
            self.refusals.note("body", str(error), kind)
            return Answer(422, texts.NOT_DESERIALIZED)
        except RefusedError as error:
            self.refusals.note(error.reason, str(error), kind, error.addresses, nonce)
            return Answer(200, err(str(error)))
        except TimeoutError:
            self.refusals.note("no_answer", texts.NO_ANSWER, kind)
            return Answer(504, texts.NO_ANSWER)

    def _admit(self, body: Mapping[str, Any], envelope: Envelope, kind: str) -> tuple[PaperAccount, tuple[str, ...]]:
        """The account that a request acts for, and who may have signed it; raises RefusedError."""
        started = time.perf_counter()
        try:
            candidates = self._candidates(body, kind)
        except SignatureError as error:
            raise RefusedError("signature", str(error)) from None
        finally:
            self.verifications += 1
            self.verifying_s += time.perf_counter() - started
        signer = self._identities.known(candidates, kind in USER_SIGNED)
        now_ms = time.time_ns() // 1_000_000
        if envelope.expires_after is not None and envelope.expires_after < now_ms:
            raise RefusedError("expired", texts.EXPIRED, candidates)
        if signer is not None and (stale := self._identities.nonces(signer.address).refusal(envelope.nonce, now_ms)):
            raise RefusedError("nonce", stale, candidates)
        signer = signer or self._identities.newcomer(candidates)
        if signer is None:
            address = self._identities.likely(candidates)
            self._tell_unknown(address)
            raise RefusedError("unknown_signer", texts.UNKNOWN_SIGNER.format(address=address), candidates)
        name = self._principal(signer, envelope)
        account = self._ledger.accounts.get(name) or self._open(name)
        known = tuple(item for item in candidates if self._identities.known((item,), False))
        addresses = known or candidates
        self._identities.claim(account.name, addresses)
        for address in addresses:
            self._identities.nonces(address).use(envelope.nonce)
        return account, addresses

    def _candidates(self, body: Mapping[str, Any], kind: str) -> tuple[str, ...]:
        """Who may have signed a request: the one that is known, or all; raises SignatureError."""
        found = []
        for source, address in recovered(body, self._likely):
            if self._identities.known((address,), kind in USER_SIGNED):
                self._likely = source
                return (address,)
            found.append((source, address))
        return tuple(address for _, address in sorted(found))

    def _limit(self, account: PaperAccount, envelope: Envelope, kind: str) -> None:
        """Let a request pass that the account may still make, or one every 10 s; raises RefusedError."""
        if self._free_requests == 0:
            return
        allowed = requests_allowed(self._free_requests, account.turnover, kind in CANCELS)
        sent, now_s = account.requests + batch_of(envelope.action), time.monotonic()
        if sent <= allowed:
            return
        if now_s - account.beyond_at_s < BEYOND_EVERY_S:
            volume = f"{account.turnover:.2f}"
            text = texts.TOO_MANY_REQUESTS.format(sent=sent, allowed=allowed, volume=volume)
            raise RefusedError("too_many_requests", text)
        account.beyond_at_s = now_s

    def _tell_unknown(self, address: str) -> None:
        if self.refusals["unknown_signer"] < UNKNOWN_TOLD:
            log.warning(
                "nobody has an account for %s: `papertrader account open NAME --address ...` opens one", address
            )

    def _principal(self, signer: Signer, envelope: Envelope) -> str:
        """The account that is acted for: the signer's, or that of the vault address, which must be the same one."""
        if not envelope.vault:
            return signer.account
        vault = envelope.vault if envelope.vault[:2] in ("0x", "0X") else f"0x{envelope.vault}"
        owner = self._identities.account_of(vault) if is_address(vault) else None
        if owner != signer.account:
            raise RefusedError("vault", texts.UNKNOWN_VAULT.format(address=vault.lower()))
        return owner

    async def _act(self, account: PaperAccount, envelope: Envelope, addresses: tuple[str, ...], kind: str) -> Answer:
        acting = self._acting.get(kind)
        if acting is not None:
            return await acting(account, envelope, addresses)
        await self._note(account, _signed(envelope, addresses))
        if kind in texts.MEANINGLESS:
            raise RefusedError("not_on_paper", texts.NOT_ON_PAPER.format(action=kind, why=texts.MEANINGLESS[kind]))
        return Answer(200, DONE)

    async def _order(self, account: PaperAccount, envelope: Envelope, addresses: tuple[str, ...]) -> Answer:
        asked = self._asking.orders(account, read(envelope.action, OrderAction))
        return await self._ask(account, envelope, addresses, asked, "order")

    async def _cancel(self, account: PaperAccount, envelope: Envelope, addresses: tuple[str, ...]) -> Answer:
        action = read(envelope.action, CancelAction)
        asked = self._asking.cancels(account, [(wire.asset, wire.oid) for wire in action.cancels], bool(action.fast))
        return await self._ask(account, envelope, addresses, asked, "cancel")

    async def _cancel_by_cloid(self, account: PaperAccount, envelope: Envelope, addresses: tuple[str, ...]) -> Answer:
        action = read(envelope.action, CloidCancelAction)
        keys = [(wire.asset, wire.cloid) for wire in action.cancels]
        asked = self._asking.cancels(account, keys, bool(action.fast))
        return await self._ask(account, envelope, addresses, asked, "cancel")

    async def _batch_modify(self, account: PaperAccount, envelope: Envelope, addresses: tuple[str, ...]) -> Answer:
        action = read(envelope.action, BatchModifyAction)
        asked = self._asking.modifies(account, action.modifies, bool(action.always))
        return await self._ask(account, envelope, addresses, asked, "order")

    async def _modify(self, account: PaperAccount, envelope: Envelope, addresses: tuple[str, ...]) -> Answer:
        asked = self._asking.modifies(account, [read(envelope.action, ModifyWire)], False)
        answer = await self._ask(account, envelope, addresses, asked, "order")
        if answer.status != 200:
            return answer
        status = answer.body["response"]["data"]["statuses"][0]
        refused = isinstance(status, dict) and "error" in status
        return answer._replace(body=err(status["error"]) if refused else DONE)

    async def _ask(
        self, account: PaperAccount, envelope: Envelope, addresses: tuple[str, ...], asked: list[Asked], kind: str
    ) -> Answer:
        """Put commands on the log and wait until the paper exchange has answered each, and what follows of them."""
        orders: tuple[int, ...] = ()
        asking, action = asked, _signed(envelope, addresses)
        while True:
            touched, late = await self._sent(account, action, asking)
            orders += touched
            if late:
                self.refusals.note("no_answer", texts.NO_ANSWER, kind, addresses)
                return Answer(504, texts.NO_ANSWER, account.name, orders)
            asked = [following(item) for item in asked]
            asking = [item for item in asked if item.answer is not None and not item.answer.done()]
            if not asking:
                break
            action = msgspec.structs.replace(action, addresses=(), nonce=0, weight=0)
        statuses = [item.refusal if item.answer is None else item.answer.result() for item in asked]
        for status in statuses:
            if isinstance(status, dict) and "error" in status:
                self.refusals.note("order", status["error"], kind, addresses)
        return Answer(200, ok(kind, [status or {} for status in statuses]), account.name, orders)

    async def _sent(
        self, account: PaperAccount, action: SignedAction, asked: list[Asked]
    ) -> tuple[tuple[int, ...], bool]:
        """The orders that commands touch, once those have been answered; and whether one has not been in time."""
        sent = [(item.market, item.command) for item in asked if item.market and item.command]
        orders = tuple(number for _, command in sent for number in _touched(command))
        self._hold(account.name, orders)
        named = tuple(item.named for item in asked if item.named is not None)
        self._say(account, msgspec.structs.replace(action, orders=named), sent)
        answers = [item.answer for item in asked if item.answer is not None]
        _, late = await asyncio.wait(answers, timeout=self._timeout_s) if answers else ((), ())
        self._asking.forget(late)
        return orders, bool(late)

    async def _note(self, account: PaperAccount, action: SignedAction) -> None:
        """Put a request without commands on the log; raises TimeoutError."""
        await asyncio.wait_for(asyncio.shield(self._say(account, action, ())), self._timeout_s)

    async def _schedule_cancel(self, account: PaperAccount, envelope: Envelope, addresses: tuple[str, ...]) -> Answer:
        at_ms = read(envelope.action, ScheduleCancelAction).time
        if at_ms is not None and at_ms < time.time_ns() // 1_000_000 + LEAST_NOTICE_MS:
            raise RefusedError("too_early", texts.TOO_EARLY)
        await self._note(account, _signed(envelope, addresses, cancel_at_ms=at_ms or 0))
        return Answer(200, DONE)

    async def _leverage(self, account: PaperAccount, envelope: Envelope, addresses: tuple[str, ...]) -> Answer:
        wire = read(envelope.action, LeverageAction)
        view = self._ledger.markets.asset(wire.asset)
        if view is None:
            raise RefusedError("unknown_asset", texts.UNKNOWN_ASSET.format(asset=wire.asset))
        if not 1 <= wire.leverage <= (view.instrument.maximum_leverage or 200):
            raise RefusedError("leverage", "Invalid leverage value")
        changed = _signed(envelope, addresses, asset=view.coin, leverage=float(wire.leverage), is_cross=wire.is_cross)
        await self._note(account, changed)
        return Answer(200, DONE)

    async def _approve_agent(self, account: PaperAccount, envelope: Envelope, addresses: tuple[str, ...]) -> Answer:
        wire = read(envelope.action, AgentAction)
        if not is_address(wire.agent):
            raise BodyError("agentAddress")
        changed = _signed(envelope, addresses, agent=wire.agent.lower(), agent_name=wire.name or "")
        await self._note(account, changed)
        return Answer(200, DONE)

    async def _set_mode(self, account: PaperAccount, envelope: Envelope, addresses: tuple[str, ...]) -> Answer:
        said = read(envelope.action, ModeAction).abstraction
        mode = texts.MODES.get(said, said)
        await self._note(account, _signed(envelope, addresses, mode="" if mode == "portfolioMargin" else mode))
        if mode == "portfolioMargin":
            raise RefusedError("not_on_paper", texts.NO_PORTFOLIO_MARGIN)
        return Answer(200, DONE)


def _touched(command: Command) -> tuple[int, ...]:
    """The orders that a command changes."""
    replaced = command.replaces if isinstance(command, Trigger) else 0
    return (command.order_id, replaced) if replaced else (command.order_id,)


def _signed(
    envelope: Envelope, addresses: tuple[str, ...], orders: tuple[NamedOrder, ...] = (), **changes: Any
) -> SignedAction:
    kind = envelope.action["type"]
    return SignedAction(
        ts=0,
        addresses=addresses,
        nonce=envelope.nonce,
        action=kind,
        orders=orders,
        weight=batch_of(envelope.action),
        **changes,
    )
