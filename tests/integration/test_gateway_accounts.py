"""Accounts at the gateway, on a real broker: who gets which, and what mode it is in."""

import msgspec
import pytest

from papertrader.services.gateway.service import identities_of
from papertrader.shared.log.broker import Broker
from papertrader.shared.messages.accounts import Terms
from papertrader.shared.service.config import Settings, SettingsError
from tests.integration.door import SETTINGS, append, opened, told, until
from tests.integration.wire import bounded, connected
from tests.messages import account
from tests.signing import ADDRESS, KEY, address_of, signed


def test_the_first_signature_has_the_free_account_and_nobody_after_it(broker: Broker) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            await told(bus)
            async with opened(bus) as door:
                assert (await door.post("exchange", signed({"type": "noop"}, source=1)))[1]["status"] == "ok"
                other = type(KEY)(b"\x22" * 32)
                _, refused = await door.post("exchange", signed({"type": "noop"}, key=other))
                assert refused["response"].startswith("User or API Wallet 0x")
            async with opened(bus) as door:
                _, refused = await door.post("exchange", signed({"type": "noop"}, key=other))
                assert refused["status"] == "err"
                assert (await door.post("exchange", signed({"type": "noop"}, source=1)))[1]["status"] == "ok"
            closed = {**SETTINGS, "gateway": {"open_accounts": False, "accounts": {}}}
            async with opened(bus, {**closed, "accounts": {"spare": {}}}) as door:
                assert (await door.post("exchange", signed({"type": "noop"})))[1]["status"] == "err"

    bounded(work())


def test_who_signs_first_has_an_account_opened_on_the_log(broker: Broker) -> None:
    """Before his request stands there; who comes when there are enough is told the venue's words, as who is closed."""

    async def work() -> None:
        async with connected(broker) as bus:
            await told(bus)
            tables = {**SETTINGS, "gateway": {"accounts": {ADDRESS: "main"}, "open_at_most": 1}}
            new, late = type(KEY)(b"\x22" * 32), type(KEY)(b"\x33" * 32)
            unknown = f"User or API Wallet {address_of(late)} does not exist."
            async with opened(bus, tables) as door:
                _, before = await door.post("info", {"type": "clearinghouseState", "user": address_of(new)})
                assert before["marginSummary"]["accountValue"] == "10000.0", "what he would have"
                assert (await door.post("exchange", signed({"type": "noop"}, key=new)))[1]["status"] == "ok"
                terms = await bus.last(f"terms.all.all.{address_of(new)}")
                action = await bus.last(f"actions.all.all.{address_of(new)}")
                assert terms is not None
                assert action is not None
                assert terms.sequence < action.sequence
                _, state = await door.post("info", {"type": "clearinghouseState", "user": address_of(new)})
                assert state["marginSummary"]["accountValue"] == "10000.0"
                _, refused = await door.post("exchange", signed({"type": "noop"}, key=late, source=1))
                assert refused["response"] == unknown
            async with opened(bus, tables) as door:
                assert (await door.post("exchange", signed({"type": "noop"}, key=new)))[1]["status"] == "ok"
                assert (await door.post("exchange", signed({"type": "noop"}, key=late)))[1]["status"] == "err"
                told_ = msgspec.structs.replace(msgspec.json.decode(terms.payload, type=Terms), closed=True)
                await bus.append(f"terms.all.all.{address_of(new)}", msgspec.json.encode(told_), "")
                ledger = door.gateway.ledger
                await until(lambda: (found := ledger.accounts[address_of(new)].terms) and found.closed)
                _, refused = await door.post("exchange", signed({"type": "noop"}, key=new))
                assert refused["response"] == f"User or API Wallet {address_of(new)} does not exist."
                _, history = await door.post("info", {"type": "userRole", "user": address_of(new)})
                assert history == {"role": "user"}
                named = Terms(ts=1, balance=50.0, address=address_of(late))
                await bus.append("terms.all.all.desk", msgspec.json.encode(named), "")
                await until(lambda: "desk" in ledger.accounts)
                assert (await door.post("exchange", signed({"type": "noop"}, key=late)))[1]["status"] == "ok"
                assert await bus.last("actions.all.all.desk") is not None

    bounded(work())


def test_of_a_unified_account_the_money_is_among_the_spot_balances(broker: Broker) -> None:
    """The mode is remembered over a restart; margin of positions is on hold."""

    async def work() -> None:
        async with connected(broker) as bus:
            await told(bus)
            await append(bus, "account", account(10**9, equity=9_990.0, cash=9_000.0, margin_used=90.0))
            async with opened(bus) as door:
                assert await door.user("userAbstraction") == "default"
                assert (await door.user("clearinghouseState"))["marginSummary"]["accountValue"] == "9990.0"
                assert await door.user("spotClearinghouseState") == {"balances": []}
                portfolio = {"type": "agentSetAbstraction", "abstraction": "p"}
                assert (await door.post("exchange", signed(portfolio)))[1]["status"] == "err"
                unified = {"type": "agentSetAbstraction", "abstraction": "u"}
                assert (await door.post("exchange", signed(unified)))[1]["status"] == "ok"
                await until(lambda: door.gateway.ledger.accounts["main"].mode == "unifiedAccount")
            async with opened(bus) as door:
                assert await door.user("userAbstraction") == "unifiedAccount"
                state = await door.user("clearinghouseState")
                assert (state["marginSummary"]["accountValue"], state["withdrawable"]) == ("90.0", "0.0")
                (usdc,) = (await door.user("spotClearinghouseState"))["balances"]
                assert (usdc["coin"], usdc["total"], usdc["hold"]) == ("USDC", "9990.0", "90.0")
                assert (await door.post("exchange", signed({**unified, "abstraction": "x"})))[0] == 422

    bounded(work())


@pytest.mark.parametrize(
    ("accounts", "text"),
    [({"0x12": "main"}, "'0x12' is no address"), ({ADDRESS: "nobody"}, "there is no account 'nobody'; known are main")],
)
def test_accounts_that_cannot_be_are_named(accounts: dict[str, str], text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        identities_of(Settings({"gateway": {"accounts": accounts}}))
