"""A recorded log folds again to the same bytes, and whatever was changed in it is found."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from papertrader.replay.composition import Composition
from papertrader.replay.log_file import LogError, differing_settings, read_file, read_settings, write_log
from papertrader.replay.proof import Proof, ProofError, Search
from papertrader.replay.verify import verify
from papertrader.services.feed.config import FeedConfig, SyntheticAsset, SyntheticConfig
from papertrader.services.feed.session_rounds import until
from papertrader.services.feed.sources import sources
from papertrader.shared.log.kinds import KIND_OF, decode
from papertrader.shared.log.segments import Entry
from papertrader.shared.log.subjects import Address, address, subject
from papertrader.shared.messages import Bbo, Book, Depth, Fill, Message, Trades
from papertrader.shared.service.config import Settings

SETTINGS = Settings({})
DURATION_S = 20.0


@pytest.fixture(scope="module")
def log() -> list[Entry]:
    """What the bus records of a short synthetic session."""
    asset = SyntheticAsset(name="SYN", price=60_000.0, tick_size=1.0, lot_size=1e-5)
    source = sources(FeedConfig(synthetic=SyntheticConfig(assets=(asset,), duration_s=DURATION_S)))[0]
    composition = Composition(SETTINGS, source.market)
    entries: list[Entry] = []

    def append(kind: str, account: str, message: object, message_id: str) -> None:
        name = subject(kind, source.market, account)
        entries.append(Entry(len(entries) + 1, name, message_id, msgspec.json.encode(message)))

    for market_data, end in until((round_.messages for round_ in source.rounds()), 0, 50_000_000):
        for message in market_data:
            append(KIND_OF[type(message)], "", message, "")
        marker = msgspec.structs.replace(end, messages=len(market_data))
        append("round", "", marker, f"{end.session}|{end.round}|0")
        places: dict[str, int] = {}
        for service, _, _, output in composition.fold(market_data, end):
            place = places[service] = places.get(service, -1) + 1
            message_id = f"{service}|{source.market}|{end.round}|{place}"
            append(output.kind, output.account, output.message, message_id)
    return entries


def kind_of(entry: Entry) -> str:
    return entry.subject.split(".")[0]


def index_of(log: list[Entry], kind: str) -> int:
    return next(index for index, entry in enumerate(log) if kind_of(entry) == kind)


def test_verify_of_an_untouched_log_finds_no_difference(log: list[Entry]) -> None:
    verifier = verify(log, SETTINGS)
    assert verifier.differences == []
    assert verifier.unanswered == 0
    said = sum(1 for entry in log if kind_of(entry) != "md")
    assert sum(verifier.verified.values()) == said
    assert verifier.verified["fills"] > 0
    assert verifier.verified["markouts"] > 0


def test_verify_of_a_changed_fill_names_the_field_and_its_print(log: list[Entry]) -> None:
    changed, index = list(log), index_of(log, "fills")
    fill = msgspec.json.decode(log[index].payload)
    changed[index] = log[index]._replace(payload=msgspec.json.encode(fill | {"fee": fill["fee"] + 1.0}))
    first = verify(changed, SETTINGS).first
    assert first is not None
    assert first.sequence == log[index].sequence
    text = "\n".join(first.lines())
    assert f"fee: expected {fill['fee']!r}, found {fill['fee'] + 1.0!r}" in text
    assert f"print {fill['trade_id']} at" in text
    assert f'"order_id":{fill["order_id"]},' in text


def test_verify_of_a_lost_ack_reports_it_missing(log: list[Entry]) -> None:
    index = index_of(log, "acks")
    first = verify([*log[:index], *log[index + 1 :]], SETTINGS).first
    assert first is not None
    assert first.found is None
    assert first.expected == log[index].payload


def test_verify_of_a_doubled_fill_reports_it_unexpected(log: list[Entry]) -> None:
    index = index_of(log, "fills")
    differences = verify([*log[: index + 1], *log[index:]], SETTINGS).differences
    assert differences[0].expected is None
    assert differences[0].found == log[index].payload


def test_verify_of_a_log_cut_off_within_a_round_counts_what_is_not_there_yet(log: list[Entry]) -> None:
    verifier = verify(log[: index_of(log, "fills")], SETTINGS)
    assert verifier.differences == []
    assert verifier.unanswered > 0


def test_verify_with_other_settings_finds_a_difference(log: list[Entry]) -> None:
    first = verify(log, Settings({"fill_sim": {"maker_fee_bps": 2.0}})).first
    assert first is not None
    assert first.place.service == "fill-sim"


def test_verify_refuses_malformed_messages_as_the_services_do(log: list[Entry]) -> None:
    foreign = Entry(0, subject("orders", address(log[0].subject).market, "main"), "", b'{"x":1}')
    verifier = verify([foreign, *log], SETTINGS)
    assert verifier.refused.total() == 1
    assert verifier.differences == []


def test_log_file_round_trip_keeps_every_byte(log: list[Entry], tmp_path: Path) -> None:
    odd = [Entry(90_001, "orders.a.b.c", "", b"not json"), Entry(90_002, "orders.a.b.c", "", b'{"a":\n1}')]
    path = tmp_path / "run.log.gz"
    with write_log(path, {"fill_sim": {"seed": 7}, "bus": {"url": "x"}}) as writer:
        for entry in [*log, *odd, Entry(90_003, "orders.a.b.c", "id", b"")]:
            writer.write(entry)
    assert list(read_file(path)) == [*log, *odd, Entry(90_003, "orders.a.b.c", "id", b"")]
    assert read_settings(path) == {"fill_sim": {"seed": 7}}


def test_log_file_of_another_form_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other"
    path.write_bytes(b"1 {}\n")
    with pytest.raises(LogError, match="cannot be read"):
        read_settings(path)


def test_differing_settings_names_each_key() -> None:
    recorded = {"fill_sim": {"seed": 1}, "bus": {"url": "a"}}
    given = {"fill_sim": {"seed": 2}, "quoter": {"levels": 3}, "bus": {"url": "b"}}
    assert differing_settings(recorded, given) == ["fill_sim.seed: 1 → 2", "quoter.levels: 2 → 3"]


def first_fill(log: list[Entry]) -> tuple[Address, int, Fill]:
    """The fill with the id 1: where it was said, as which message of the log, and the fill."""
    search = Search("1")
    for entry in log:
        search.take(entry)
    return search.only()


def test_proof_names_the_messages_that_decide_a_fill(log: list[Entry]) -> None:
    """A fill by a print is decided by the message that holds it; its order and its queue are named before it."""
    where, sequence, fill = first_fill(log)
    proof = Proof(where, sequence, fill)
    for entry in log:
        proof.take(entry)
    found = proof.result()
    assert found["fill"] == f"{where.market}.{where.account}.1"
    assert found["class"] == ("certain" if fill.through or fill.fill_probability == 1 else "possible")
    assert found["probability"] == fill.fill_probability
    by_sequence = {entry.sequence: entry for entry in log}
    deciding = [
        decode(address(by_sequence[number].subject).kind, by_sequence[number].payload) for number in found["decides"]
    ]
    assert deciding
    if fill.trade_id:
        assert all(isinstance(message, Trades) and fill.trade_id in message.trade_ids for message in deciding)
    told = [line["what"] for line in found["messages"]]
    assert {"place", "accepted", "fill"} <= set(told)
    assert all(line["sequence"] <= sequence for line in found["messages"])


def test_proof_tells_size_and_orders_of_the_level_and_a_book_that_crosses(log: list[Entry]) -> None:
    where, sequence, fill = first_fill(log)
    price, ts = fill.price, fill.live_ts
    shown: dict[str, Any] = {"ts": ts, "recv_ts": ts, "bid_prices": [price], "ask_prices": [price]}
    shown |= {"bid_sizes": [3.0], "ask_sizes": [4.0]}
    best: dict[str, Any] = {"ts": ts, "recv_ts": ts, "bid_price": price, "ask_price": price}
    best |= {"bid_size": 3.0, "ask_size": 4.0}
    size, orders = (3.0, 2) if fill.side == "buy" else (4.0, 5)
    counted = {"bid_orders": [2], "ask_orders": [5]}
    told: list[tuple[Message, dict[str, Any]]] = [
        (Book(**shown, **counted), {"size": size, "orders": orders}),
        (Book(**shown), {"size": size}),
        (Depth(**shown), {"size": size}),
        (Bbo(**best, bid_orders=2, ask_orders=5), {"size": size, "orders": orders}),
        (Bbo(**best), {"size": size}),
    ]
    for message, wanted in told:
        proof = Proof(where, sequence, fill)
        proof.take(Entry(1, subject(KIND_OF[type(message)], where.market), "", msgspec.json.encode(message)))
        level, crossing = proof.lines
        assert level == {"sequence": 1, "ts": ts, "what": "level"} | wanted
        assert (crossing["what"], crossing["price"]) == ("crossing book", price)


def test_proof_of_a_fill_that_is_not_there_is_refused(log: list[Entry]) -> None:
    search = Search("synthetic.NOPE.main.1")
    for entry in log:
        search.take(entry)
    with pytest.raises(ProofError, match="holds no fill"):
        search.only()
    with pytest.raises(ProofError, match="write a fill's id"):
        Search("first")
