"""Commands as records and back."""

import numpy as np
import pytest

from papertrader.shared.market.commands import CANCEL, MODIFY, PLACE, POST_ONLY, command_of, record_of_command
from papertrader.shared.messages import Cancel, Command, Modify, Place, Trigger

SELL = Place(
    ts=5, order_id=7, side="sell", price=100.1, size=0.25, mid=100.0, params_version=3, p_fill=0.4, p_adverse=0.2
)


STOP = Trigger(
    ts=5,
    order_id=8,
    side="sell",
    price=99.0,
    size=0.25,
    trigger_price=99.5,
    trigger="take_profit",
    time_in_force="gtc",
    reduce_only=True,
    whole_position=True,
    parent=7,
    group=6,
    replaces=5,
)


@pytest.mark.parametrize(
    "command",
    [
        SELL,
        Place(ts=5, order_id=7, side="buy", price=100.1, size=0.25, time_in_force="ioc"),
        Place(ts=5, order_id=7, side="sell", price=100.1, size=0.25, reduce_only=True),
        Cancel(ts=6, order_id=7),
        STOP,
        Modify(ts=6, order_id=7, price=99.0, size=0.5),
    ],
)
def test_command_record_and_back_is_the_same(command: Command) -> None:
    assert command_of(record_of_command(command)) == command


def test_record_of_place_has_a_signed_side_and_known_forecasts() -> None:
    record = record_of_command(SELL)
    assert (record["type"], record["side"], record["time_in_force"]) == (PLACE, -1, POST_ONLY)
    assert (record["mid"], record["p_fill"], record["p_adverse"], record["params_version"]) == (100.0, 0.4, 0.2, 3)


def test_record_of_cancel_has_no_numbers() -> None:
    record = record_of_command(Cancel(ts=6, order_id=7))
    assert record["type"] == CANCEL
    assert np.isnan(record["mid"])
    assert record_of_command(Modify(ts=6, order_id=7, price=99.0, size=0.5))["type"] == MODIFY
