"""Accounts that the log opens: by hand, what each fold makes of it, and that it does not matter when a worker began."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from papertrader.replay.composition import MEMBERS
from papertrader.services.fill_sim.service import FillSim
from papertrader.services.quoter.service import Quoter
from papertrader.shared.log.health import FOLDS
from papertrader.shared.log.sealed import Sealed
from papertrader.shared.log.segments import CATALOGUE, FOLDER, Catalogue, Latest
from papertrader.shared.log.subjects import Market
from papertrader.shared.messages import Account, Ack, Cancel, Control, Instrument, Message
from papertrader.shared.messages.accounts import Terms
from papertrader.shared.service.checkpoint import CheckpointStore, LogPosition
from papertrader.shared.service.config import Settings
from papertrader.shared.service.fold import Output, Received, Round, canonical
from papertrader.shared.service.roll import MOST, Roll, last_terms, with_terms
from tests.unit.fill_sim_session import book, ns, place

MARKET = Market("hyperliquid", "BTC")
BIDS, ASKS = [(99.9, 5.0)], [(100.1, 5.0)]


class Log:
    """Rounds of a second each, heard by the fold of one service as its runner and `verify` hear them."""

    def __init__(self, service: str = "fill-sim", settings: Settings | None = None) -> None:
        self.service = service
        self.roll = Roll(settings or Settings({}), lambda known: MEMBERS[service].make_fold(known, MARKET))
        self.round = 0
        self.refused: list[str] = []

    def fold(self, *said: tuple[str, str, Message]) -> list[Output]:
        """One round in which these were said: kind, account, message."""
        heard = []
        for sequence, (kind, account, message) in enumerate(said):
            if reason := self.roll.admit(kind, account, message):
                self.refused.append(reason)
            else:
                heard.append(Received(kind, account, message, sequence))
        begun, self.round = self.round * 1000, self.round + 1
        data: tuple[Message, ...] = (book(begun + 900, BIDS, ASKS),)
        if begun == 0:
            data = (Instrument(ts=ns(1), tick_size=0.1, lot_size=0.001), *data)
        round_ = Round(self.round, ns(begun + 1000), ns(begun) if begun else 0, canonical(heard), data)
        return list(self.roll.begin_round().fold(round_))

    def money(self, account: str) -> Account:
        """What an account has now."""
        fold = self.roll.fold
        assert isinstance(fold, FillSim)
        return fold.account_message(fold.accounts.index(account))


def terms(balance: float = 5_000.0, **more: Any) -> Terms:
    return Terms(ts=0, balance=balance, **more)


def said(outputs: list[Output], account: str, struct: type[Message]) -> list[Any]:
    return [item.message for item in outputs if item.account == account and isinstance(item.message, struct)]


def test_an_account_begins_with_the_round_in_which_it_is_opened() -> None:
    log = Log()
    assert said(log.fold(), "bot", Account) == []
    opened = log.fold(("terms", "bot", terms()))
    assert [item.equity for item in said(opened, "bot", Account)] == [5_000.0]
    assert log.roll.accounts == ("bot", "main")


def test_an_order_may_follow_in_the_very_round() -> None:
    log = Log()
    log.fold()
    order = place(1_000, 1, "buy", 100.1, 1.0, time_in_force="ioc")
    first = log.fold(("terms", "bot", terms()), ("orders", "bot", order))
    acks = said([*first, *log.fold()], "bot", Ack)
    assert [(ack.status, ack.filled_size) for ack in acks] == [("accepted", 0.0), ("filled", 1.0)]
    assert log.refused == []


def test_its_settings_are_its_own() -> None:
    log = Log()
    log.fold(("terms", "bot", terms(settings={"taker_fee_bps": 10.0, "placement_latency_ms": 0.0})))
    order = place(1_000, 1, "buy", 100.1, 1.0, time_in_force="ioc")
    log.fold(("orders", "bot", order), ("orders", "main", order))
    log.fold()
    assert log.money("bot").fees == pytest.approx(100.1 * 1e-3)
    assert log.money("main").fees == pytest.approx(100.1 * 4.5e-4)


def test_money_that_comes_and_goes_is_neither_profit_nor_loss() -> None:
    log = Log()
    log.fold(("terms", "bot", terms()))
    log.fold(("orders", "bot", place(1_000, 1, "buy", 100.1, 1.0, time_in_force="ioc")))
    log.fold()
    before = log.money("bot")
    (told,) = said(log.fold(("terms", "bot", terms(7_500.0))), "bot", Account)
    assert (told.equity, told.cash) == pytest.approx((before.equity + 2_500, before.cash + 2_500))
    assert (told.total, told.residual) == pytest.approx((before.total, before.residual))
    log.fold(("terms", "bot", terms(1_000.0)))
    assert log.money("bot").equity == pytest.approx(before.equity - 4_000)
    log.fold(("control", "bot", Control(ts=0, action="reset")))
    assert log.money("bot").equity == 1_000.0


def test_money_of_the_round_in_which_it_is_opened_is_counted_once() -> None:
    log = Log()
    log.fold(("terms", "bot", terms(100.0)), ("terms", "bot", terms(300.0)), ("terms", "main", terms(10_500.0)))
    assert (log.money("bot").equity, log.money("main").equity) == (300.0, 10_500.0)
    log.fold(("terms", "other", terms()), ("terms", "main", terms(10_000.0)))
    assert (log.money("bot").equity, log.money("main").equity) == (300.0, 10_000.0)


def test_who_closes_has_all_his_orders_cancelled_and_no_other_is_heard() -> None:
    log = Log()
    log.fold(("terms", "bot", terms()))
    resting = place(1_000, 1, "buy", 99.0, 1.0)
    on_its_way = place(2_900, 2, "buy", 98.0, 1.0)
    outputs = log.fold(("orders", "bot", resting))
    outputs += log.fold(("orders", "bot", on_its_way))
    outputs += log.fold(("terms", "bot", terms(closed=True)), ("orders", "bot", place(3_000, 3, "buy", 97.0, 1.0)))
    outputs += log.fold(("orders", "bot", Cancel(ts=ns(4_000), order_id=9)))
    outputs += log.fold()
    ended = [(ack.order_id, ack.status) for ack in said(outputs, "bot", Ack) if ack.status != "accepted"]
    assert sorted(ended) == [(1, "cancelled"), (2, "cancelled"), (9, "refused")]
    assert log.refused == ["the account 'bot' is closed"]
    assert log.money("bot").orders_live == 0


def test_who_opens_again_has_what_he_had() -> None:
    log = Log()
    log.fold(("terms", "bot", terms()))
    log.fold(("orders", "bot", place(1_000, 1, "buy", 100.1, 1.0, time_in_force="ioc")))
    log.fold(("terms", "bot", terms(closed=True)))
    held = log.money("bot")
    log.fold(("terms", "bot", terms()))
    log.fold(("orders", "bot", place(4_000, 2, "sell", 99.9, 1.0, time_in_force="ioc")))
    log.fold()
    assert (held.position, log.money("bot").position, log.money("bot").fills) == (1.0, 0.0, 2)


def test_a_strategy_of_a_closed_account_pauses_until_it_is_opened_again() -> None:
    log, paused = Log("quoter"), []
    closed, opened = ("terms", "main", terms(closed=True)), ("terms", "main", terms())
    by_hand = ("control", "main", Control(ts=0, action="resume"))
    for round_ in ([], [closed], [by_hand], [closed], [opened], [opened]):
        log.fold(*round_)
        fold = log.roll.fold
        assert isinstance(fold, Quoter)
        paused.append(bool(fold.quoter("main")["paused"]))
    assert paused == [False, True, True, True, False, False]


@pytest.mark.parametrize(
    ("name", "settings", "why"),
    [
        ("bot", {"fee_tier": 20}, "fee_tier"),
        ("bot", {"leverage": "much"}, "leverage"),
        ("bot", {"no_such": 1}, "no_such"),
        ("bot", {"fill_model": "best"}, "fill_model"),
        ("a b", {}, "letters"),
    ],
)
def test_terms_that_no_account_can_have_are_refused_and_change_nothing(name: str, settings: Any, why: str) -> None:
    log = Log()
    log.fold(("terms", name, terms(settings=settings)))
    assert log.roll.accounts == ("main",)
    assert len(log.refused) == 1
    assert why in log.refused[0]


def test_the_log_opens_so_many_accounts_and_no_more() -> None:
    log = Log("calibration")
    log.fold(*[("terms", f"bot{number}", terms()) for number in range(MOST + 1)])
    assert len(log.roll.accounts or ()) == MOST + 1
    assert log.refused == [f"there are {MOST} accounts already"]


@pytest.mark.parametrize("service", FOLDS)
def test_other_accounts_notice_nothing(service: str) -> None:
    """Every fold says of the others what it would have said; of the new one what an account of the settings says."""
    order = ("orders", "main", place(1_500, 1, "buy", 99.0, 1.0))
    rounds: list[list[tuple[str, str, Message]]] = [[], [order], [], [], []]
    alone, joined = Log(service), Log(service)
    for number, round_ in enumerate(rounds):
        opened: list[tuple[str, str, Message]] = [("terms", "bot", terms())] if number == 2 else []
        expected, found = alone.fold(*round_), joined.fold(*opened, *round_)
        assert [item for item in found if item.account == "main"] == expected
    assert set(joined.roll.accounts or ()) == {"main", "bot"}


@pytest.mark.parametrize("service", FOLDS)
def test_a_worker_that_begins_again_knows_the_accounts_from_its_checkpoint(service: str, tmp_path: Path) -> None:
    going, store = Log(service), CheckpointStore(tmp_path, service, MEMBERS[service].state_version)
    going.fold()
    going.fold(("terms", "bot", terms(settings={"taker_fee_bps": 10.0})))
    position = LogPosition(sequence=1, round=2, ts=ns(2_000))
    store.save(MARKET, position, going.roll.fold.state(), going.roll.accounts or (), going.roll.terms)
    again = Log(service)
    assert store.restore_as(MARKET, again.roll.restored) == (position, [])
    again.round = 2
    for _ in range(3):
        order = place(2_500, 1, "buy", 100.1, 1.0, time_in_force="ioc")
        assert again.fold(("orders", "bot", order)) == going.fold(("orders", "bot", order))
    assert again.roll.terms == going.roll.terms


def test_accounts_outlive_other_settings() -> None:
    log = Log(settings=Settings({"accounts": {"a": {}, "b": {}}}))
    log.fold(("terms", "bot", terms()))
    log.roll.take_over(Settings({"accounts": {"b": {}, "c": {}}}))
    assert log.roll.accounts == ("b", "bot", "c")


def test_settings_of_the_file_stay_where_terms_say_nothing() -> None:
    tables = {"quoter": {"levels": 3}, "accounts": {"main": {"fill_sim": {"leverage": 5.0}, "quoter": {"levels": 1}}}}
    found = with_terms(Settings(tables), {"main": terms(settings={"seed": 9}), "bot": terms(closed=True)})
    assert found.tables["accounts"]["main"] == {
        "fill_sim": {"leverage": 5.0, "seed": 9, "initial_cash": 5_000.0},
        "quoter": {"levels": 1},
    }
    assert found.tables["accounts"]["bot"]["quoter"] == {"strategy": "none"}
    assert found.closed == {"bot"}


def test_terms_without_money_are_no_message() -> None:
    for payload in (b'{"ts":1}', b'{"ts":1,"balance":0}', b'{"ts":1,"balance":5,"secret":1}'):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(payload, type=Terms)


def test_the_last_word_on_accounts_is_found_when_it_has_left_the_log(tmp_path: Path) -> None:
    """The catalogue of the segments keeps it, whatever retention dropped; what can still be read is left to be read."""
    folder = tmp_path / FOLDER
    folder.mkdir()
    said_of = {"a": 7, "b": 3, "c": 90}
    latest = {f"terms.all.all.{name}": Latest(at, "", name.encode()) for name, at in said_of.items()}
    catalogue = Catalogue(latest={**latest, "orders.hyperliquid.BTC.a": Latest(5, "", b"")})
    (folder / CATALOGUE).write_bytes(msgspec.json.encode(catalogue))
    found = last_terms(Sealed(tmp_path), before=80)
    assert [(name, said.sequence) for name, said in found] == [("terms.all.all.b", 3), ("terms.all.all.a", 7)]
    assert last_terms(Sealed(None), before=80) == []
