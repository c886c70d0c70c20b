"""Commands as kernels exchange them: one flat record for all of them."""

from typing import Final, get_args

import numpy as np

from papertrader.shared.market.records import Record, code
from papertrader.shared.messages import Cancel, Command, Modify, Place, TimeInForce, Trigger, TriggerKind

COMMAND: Final = np.dtype(
    [
        ("ts", "i8"),
        ("order_id", "i8"),
        ("price", "f8"),
        ("size", "f8"),
        ("mid", "f8"),  # NaN where the sender gave none; so for both forecasts
        ("p_fill", "f8"),
        ("p_adverse", "f8"),
        ("params_version", "i8"),
        ("parent", "i8"),
        ("group", "i8"),
        ("replaces", "i8"),
        ("trigger_price", "f8"),  # 0 of an order without a trigger
        ("priority_bps", "f8"),
        ("type", "i1"),
        ("side", "i1"),  # +1 buy, −1 sell, 0 for cancel and modify
        ("time_in_force", "i1"),
        ("reduce_only", "i1"),
        ("trigger", "i1"),  # STOP or TAKE_PROFIT, 0 of an order without a trigger
        ("whole_position", "i1"),
        ("fast", "i1"),  # of a cancel
    ],
    align=True,
)
PLACE: Final = 0
CANCEL: Final = 1
MODIFY: Final = 2
TRIGGER: Final = 3
STOP: Final = 1
TAKE_PROFIT: Final = 2
POST_ONLY: Final = code(TimeInForce, "post_only")


def command_of(record: Record) -> Command:
    """The message that a command record stands for."""
    ts, order_id = int(record["ts"]), int(record["order_id"])
    if record["type"] == CANCEL:
        return Cancel(ts=ts, order_id=order_id, fast=bool(record["fast"]))
    price, size = float(record["price"]), float(record["size"])
    if record["type"] == MODIFY:
        return Modify(ts=ts, order_id=order_id, price=price, size=size)
    if record["type"] == TRIGGER:
        return _trigger_of(record)
    return Place(
        ts=ts,
        order_id=order_id,
        side="buy" if record["side"] > 0 else "sell",
        price=price,
        size=size,
        time_in_force=get_args(TimeInForce)[record["time_in_force"]],
        mid=_known(record["mid"]),
        params_version=int(record["params_version"]),
        p_fill=_known(record["p_fill"]),
        p_adverse=_known(record["p_adverse"]),
        reduce_only=bool(record["reduce_only"]),
        priority_bps=float(record["priority_bps"]),
    )


def _trigger_of(record: Record) -> Trigger:
    return Trigger(
        ts=int(record["ts"]),
        order_id=int(record["order_id"]),
        side="buy" if record["side"] > 0 else "sell",
        price=float(record["price"]),
        size=float(record["size"]),
        trigger_price=float(record["trigger_price"]),
        trigger=get_args(TriggerKind)[record["trigger"] - STOP],
        time_in_force="gtc" if get_args(TimeInForce)[record["time_in_force"]] == "gtc" else "ioc",
        reduce_only=bool(record["reduce_only"]),
        whole_position=bool(record["whole_position"]),
        parent=int(record["parent"]),
        group=int(record["group"]),
        replaces=int(record["replaces"]),
    )


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def record_of_command(command: Command) -> Record:
    """The record of a command message: the inverse of `command_of`."""
    record = np.zeros(1, dtype=COMMAND)[0]
    record["ts"], record["order_id"] = command.ts, command.order_id
    record["mid"] = record["p_fill"] = record["p_adverse"] = np.nan
    if isinstance(command, Cancel):
        record["type"], record["fast"] = CANCEL, command.fast
        return record
    record["price"], record["size"] = command.price, command.size
    if isinstance(command, Modify):
        record["type"] = MODIFY
        return record
    record["side"] = 1 if command.side == "buy" else -1
    record["time_in_force"] = code(TimeInForce, command.time_in_force)
    record["reduce_only"] = command.reduce_only
    if isinstance(command, Trigger):
        record["type"], record["trigger"] = TRIGGER, STOP + code(TriggerKind, command.trigger)
        for name in ("trigger_price", "whole_position", "parent", "group", "replaces"):
            record[name] = getattr(command, name)
        return record
    record["params_version"], record["priority_bps"] = command.params_version, command.priority_bps
    for name in ("mid", "p_fill", "p_adverse"):
        value = getattr(command, name)
        record[name] = np.nan if value is None else value
    return record
