import math
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from papertrader.services.calibration.config import CalibrationConfig
from papertrader.services.estimator.config import EstimatorConfig
from papertrader.services.outcome_tracker.config import OutcomeTrackerConfig
from papertrader.shared import messages as m
from papertrader.shared.log.kinds import ACCOUNT_KINDS, MARKET_DATA
from papertrader.shared.market.records import (
    code,
    message_of,
    record_dtype,
    record_of,
    records_of,
    settings_dtype,
    settings_records,
)

FLAT = (m.Control, m.Bbo, m.Context, m.Ack, m.Fill, m.Account, m.Markout, m.Estimate, m.Calibration)
"""The messages that kernels exchange: no lists, no text."""
INTS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)


def values(hint: Any) -> st.SearchStrategy[Any]:
    if get_origin(hint) is Literal:
        return st.sampled_from(get_args(hint))
    plain: dict[Any, st.SearchStrategy[Any]] = {bool: st.booleans(), float: FLOATS, int: INTS, str: st.text()}
    if hint in plain:
        return plain[hint]
    if type(None) in get_args(hint):
        return st.none() | FLOATS
    origin = getattr(hint, "__origin__", None)
    if origin is int:
        return INTS
    if origin is float:
        bounds = [item for item in hint.__metadata__ if isinstance(item, msgspec.Meta)]
        return st.floats(0, max((item.le or 1e9 for item in bounds), default=1e9))
    base = origin if hasattr(hint, "__metadata__") else hint
    sequence, of = get_origin(base), get_args(base)
    if of[0] is float and sequence is tuple:
        length = next(item.max_length for item in hint.__metadata__ if isinstance(item, msgspec.Meta))
        return st.tuples(*[FLOATS] * length)
    if isinstance(of[0], type) and issubclass(of[0], msgspec.Struct):
        return st.lists(instances(of[0]), max_size=3).map(tuple)
    if sequence in (list, tuple):
        return st.lists(values(of[0]), max_size=3).map(sequence)
    raise TypeError(f"no values for {hint}")


def instances(struct: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    hints = get_type_hints(struct, include_extras=True)
    return st.builds(struct, **{name: values(hints[name]) for name in struct.__struct_fields__})


@pytest.mark.parametrize("struct", FLAT)
@settings(max_examples=15)
@given(data=st.data())
def test_message_survives_the_way_through_a_record(struct: type[m.Message], data: st.DataObject) -> None:
    message = data.draw(instances(struct))
    record = record_of(message)
    assert record.dtype == record_dtype(struct)
    assert message_of(struct, record) == message


@pytest.mark.parametrize("struct", sorted({*MARKET_DATA.values(), *FLAT}, key=lambda struct: struct.__name__))
@settings(max_examples=15)
@given(data=st.data())
def test_message_survives_the_way_over_the_wire(struct: type[m.Message], data: st.DataObject) -> None:
    message = data.draw(instances(struct))
    assert msgspec.json.decode(msgspec.json.encode(message), type=struct) == message


@pytest.mark.parametrize("struct", [m.Place, m.Cancel, m.Modify])
@settings(max_examples=30)
@given(data=st.data())
def test_command_survives_the_way_over_the_wire_by_its_tag(struct: type[m.Message], data: st.DataObject) -> None:
    hints = get_type_hints(struct, include_extras=True)
    bounded = {"order_id": st.integers(1, 2**62 - 1), "p_fill": st.floats(0, 1), "p_adverse": st.none()}
    fields = {name: bounded[name] if name in bounded else values(hints[name]) for name in struct.__struct_fields__}
    message = data.draw(st.builds(struct, **fields))
    assert msgspec.json.decode(msgspec.json.encode(message), type=m.Command) == message


def test_checklist_survives_the_way_over_the_wire() -> None:
    check = m.Check(state="fail", cause="no fill", remedy="quote tighter", numbers={"fills": 0.0})
    message = m.Checklist(ts=1, checks={"fills": check}, counts={"fills": 0}, counts_equal=False)
    assert msgspec.json.decode(msgspec.json.encode(message), type=m.Checklist) == message


@pytest.mark.parametrize("struct", FLAT)
def test_many_messages_are_one_array(struct: type[m.Message]) -> None:
    hints = get_type_hints(struct, include_extras=True)
    examples = {int: 3, float: 1.5, bool: True, m.Int: 3}
    fields = {}
    for name in struct.__struct_fields__:
        hint = hints[name]
        if get_origin(hint) is Literal:
            fields[name] = get_args(hint)[-1]
        elif hint in examples:
            fields[name] = examples[hint]
        elif type(None) in get_args(hint):
            fields[name] = None
        else:
            fields[name] = tuple(range(next(item.max_length for item in hint.__metadata__)))
    message = struct(**fields)
    rows = records_of(struct, [message, message])
    assert rows.shape == (2,)
    assert [message_of(struct, row) for row in rows] == [message, message]
    assert records_of(struct, []).shape == (0,)


def test_layout_of_a_field_follows_its_type() -> None:
    layout = record_dtype(m.Fill).fields
    assert layout is not None
    assert layout["ts"][0] == np.dtype("i8")
    assert layout["price"][0] == np.dtype("f8")
    assert layout["toxicity"][0] == np.dtype("f8")
    assert layout["side"][0] == np.dtype("i1")
    assert layout["maker"][0] == np.dtype("i1")
    assert layout["features"][0] == np.dtype(("f8", (8,)))


def test_side_is_signed_and_other_literals_are_counted_from_zero() -> None:
    assert [code(m.Side, side) for side in ("sell", "none", "buy")] == [-1, 0, 1]
    assert [code(m.AckStatus, status) for status in ("accepted", "rejected", "modified")] == [0, 1, 2]
    assert code(m.TimeInForce, "post_only") == 0


def test_unknown_float_is_nan_in_a_record_and_none_in_a_message() -> None:
    message = m.Bbo(ts=1, recv_ts=2, bid_price=None, bid_size=None, ask_price=10.0, ask_size=1.0)
    record = record_of(message)
    assert math.isnan(record["bid_price"])
    assert message_of(m.Bbo, record) == message


@pytest.mark.parametrize("struct", [m.Book, m.Trades, m.RoundEnd])
def test_message_of_lists_or_text_has_no_layout(struct: type[m.Message]) -> None:
    with pytest.raises(TypeError, match="no record layout"):
        record_dtype(struct)


@pytest.mark.parametrize("field", ["ts", "order_id"])
@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30])
def test_integer_that_no_kernel_can_hold_is_refused(field: str, number: int) -> None:
    payload = msgspec.json.encode({"type": "cancel", "ts": 1, "order_id": 1} | {field: number})
    with pytest.raises(msgspec.ValidationError, match=field):
        msgspec.json.decode(payload, type=m.Command)


@pytest.mark.parametrize(
    "payload",
    [
        b'{"type":"place","ts":1,"order_id":1,"side":"none","price":1,"size":1}',
        b'{"type":"place","ts":1,"order_id":0,"side":"buy","price":1,"size":1}',
        b'{"type":"place","ts":1,"order_id":1,"side":"buy","price":NaN,"size":1}',
        b'{"type":"place","ts":1,"order_id":1,"side":"buy","price":1e999,"size":1}',
        b'{"type":"place","ts":1,"order_id":1,"side":"buy","price":"1","size":1}',
        b'{"type":"place","ts":1,"order_id":1,"side":"buy","price":1}',
        b'{"type":"place","ts":1,"order_id":1,"side":"buy","price":1,"size":1,"p_fill":1.5}',
        b'{"type":"place","ts":1,"order_id":1,"side":"buy","price":1,"size":1,"leverage":9}',
        b'{"type":"steal","ts":1}',
        b'{"ts":1,"order_id":1}',
        b"[]",
        b"",
        b"\xff",
    ],
)
def test_command_that_is_not_one_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        msgspec.json.decode(payload, type=m.Command)


def test_every_kind_of_the_log_has_a_message() -> None:
    structs = [*MARKET_DATA.values(), *ACCOUNT_KINDS.values()]
    assert all(struct is m.Command or issubclass(struct, m.Message) for struct in structs)  # type: ignore[arg-type]


class Dials(msgspec.Struct):
    """Settings, written as people write them."""

    width_bps: Annotated[float, msgspec.Meta(gt=0)] = 100
    levels: Annotated[int, msgspec.Meta(gt=0)] = 2
    strategy: str = "glft"
    on: bool = True


def test_settings_are_records_of_the_declared_types_whatever_the_defaults_look_like() -> None:
    """A float whose default is written 100 is a float, and 100.5 stays 100.5."""
    records = settings_records([Dials(), Dials(width_bps=100.5, levels=3, on=False)])
    assert records.dtype == settings_dtype(Dials)
    assert (records.dtype.names, records.tolist()) == (("width_bps", "levels", "on"), [(100.0, 2, 1), (100.5, 3, 0)])


@pytest.mark.parametrize("config", [EstimatorConfig, OutcomeTrackerConfig, CalibrationConfig])
def test_settings_of_the_learning_services_are_all_numbers(config: type[msgspec.Struct]) -> None:
    assert settings_dtype(config).names == config.__struct_fields__
