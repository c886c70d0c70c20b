"""The schemas that programs in other languages are built on say what the decoders say."""

import gzip
import json
from typing import Any

import jsonschema
import msgspec
import pytest

from docs.schemas import asyncapi, json_schema
from papertrader.shared.log.health import Heartbeat, MarketHealth
from papertrader.shared.log.kinds import KINDS, ROWS, decode
from papertrader.shared.log.refusals import Refusal
from papertrader.shared.log.subjects import Address, Market, address
from papertrader.shared.messages import Bbo, Cancel, Check, Checklist, Control, Instrument, Message, Modify, RoundEnd
from tests import messages
from tests.conftest import ROOT

SCHEMA = json.loads(json_schema())
DOCUMENT = json.loads(asyncapi())
SPECIFICATION = ROOT / "tests" / "asyncapi-3.0.0.schema.json.gz"
"""AsyncAPI's own schema, `3.0.0-without-$id.json` of the npm package @asyncapi/specs 6.11.1 (Apache License 2.0)."""
CHECK = Check(state="pass", cause="", remedy="", numbers={"n": 1.0})
SAID: list[tuple[str, Message]] = [
    ("orders", messages.place(1)),
    ("orders", Cancel(ts=1, order_id=1)),
    ("orders", Modify(ts=1, order_id=1, price=2.0, size=1.0)),
    ("acks", messages.ack(None, 1, queue_ahead=None)),
    ("fills", messages.fill(1)),
    ("markouts", messages.markout(1)),
    ("account", messages.account(1)),
    ("estimate", messages.estimate(1)),
    ("calibration", messages.calibration(1)),
    ("control", Control(ts=1, action="pause")),
    ("checks", Checklist(ts=1, checks={"fills": CHECK}, counts={"fills": 1}, counts_equal=True)),
    ("instrument", Instrument(ts=1, tick_size=0.5, lot_size=0.1)),
    ("bbo", Bbo(ts=1, recv_ts=1, bid_price=1.0, bid_size=1.0, ask_price=None, ask_size=None)),
    ("round", RoundEnd(ts=1, recv_ts=1, round=1, frame=1, session="s")),
]


def validator(kind: str) -> jsonschema.Draft202012Validator:
    names = [struct.__name__ for struct in KINDS[kind].structs]
    return jsonschema.Draft202012Validator(
        {"$defs": SCHEMA["$defs"], "anyOf": [{"$ref": f"#/$defs/{name}"} for name in names]}
    )


@pytest.mark.parametrize(("kind", "message"), SAID)
def test_what_is_said_fits_its_schema(kind: str, message: Message) -> None:
    payload = msgspec.json.encode(message)
    assert decode(kind, payload) == message
    validator(kind).validate(json.loads(payload))


PLACE: dict[str, Any] = {"type": "place", "ts": 1, "order_id": 1, "side": "buy", "price": 1.0, "size": 1.0}


@pytest.mark.parametrize(
    "change",
    [{"side": "long"}, {"price": "1.0"}, {"colour": "red"}, {"order_id": 0}, {"type": "put"}, {"p_fill": 1.5}],
    ids=str,
)
def test_what_the_decoder_refuses_the_schema_refuses(change: dict[str, Any]) -> None:
    validator("orders").validate(PLACE)
    order = PLACE | change
    with pytest.raises(ValueError, match=r"."):
        decode("orders", json.dumps(order).encode())
    with pytest.raises(jsonschema.ValidationError):
        validator("orders").validate(order)


def test_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert list(SCHEMA["subjects"]) == [channel["address"] for channel in DOCUMENT["channels"].values()]


def test_document_is_asyncapi_3_and_has_every_kind() -> None:
    specification = json.loads(gzip.decompress(SPECIFICATION.read_bytes()))
    jsonschema.Draft7Validator(specification).validate(DOCUMENT)
    assert set(DOCUMENT["channels"]) == {*KINDS, "refused", "health"} == set(DOCUMENT["operations"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(specification).validate(DOCUMENT | {"operations": {"fills": {"action": "shout"}}})


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.kind)
def test_channel_of_a_kind_has_its_subject_messages_and_side(row: Any) -> None:
    channel, operation = DOCUMENT["channels"][row.kind], DOCUMENT["operations"][row.kind]
    said = channel["address"].format(venue="v", asset="A", account="main")
    assert address(said) == Address(row.kind, Market("v", "A"), "main" if "{account}" in channel["address"] else "")
    assert list(channel["messages"]) == [struct.__name__ for struct in row.structs]
    assert operation["action"] == ("receive" if row.kind in ("orders", "control", "terms") else "send")
    for struct in row.structs:
        reference = DOCUMENT["components"]["messages"][struct.__name__]["payload"]["$ref"]
        assert reference.removeprefix("#/components/schemas/") in DOCUMENT["components"]["schemas"]


def test_subjects_beside_the_log_have_their_schemas_too() -> None:
    told = Refusal(sequence=7, kind="orders", reason="wrong side", order_id=None)
    assert DOCUMENT["channels"]["refused"]["address"] == "refused.{venue}.{asset}.{account}"
    health = MarketHealth(round=1, ts=1, checkpoint_ts=1, checkpoint_loads=True, checkpoints=1, bad={})
    beat = Heartbeat(service="quoter", worker="w-1", markets={"v.A": health})
    for message in (told, beat):
        schema = {"$defs": SCHEMA["$defs"], "$ref": f"#/$defs/{type(message).__name__}"}
        jsonschema.Draft202012Validator(schema).validate(json.loads(msgspec.json.encode(message)))
