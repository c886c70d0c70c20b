"""`papertrader order`: what would have happened to orders of one's own on a tape."""

import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, get_args

import msgspec
from rich.console import Console, Group, RenderableType
from rich.table import Table

from papertrader.replay.order import Answered, Life, OrderError, Trial
from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.market_source import MarketSource
from papertrader.services.feed.sources import sources
from papertrader.shared.market.blocks import LARGEST_BID_BPS
from papertrader.shared.messages import (
    HORIZONS_S,
    LABEL_HORIZON_S,
    Cancel,
    Command,
    Place,
    TimeInForce,
    Trigger,
    TriggerKind,
)
from papertrader.shared.service.config import ACCOUNTS, Settings, setting_value

PLACE_FORM: Final = (
    '"TS_MS SIDE PRICE SIZE TIF [reduce_only] [priority=BPS] [stop=PRICE or take_profit=PRICE]", e.g. "1763370001500 '
    'buy 99999.4 0.5 post_only priority=0.5" or "1763370001500 sell 99000 0.5 ioc reduce_only stop=99500"'
)
TRIGGERS: Final = get_args(TriggerKind)
PRIORITY: Final = "priority"
CANCEL_FORM: Final = '"TS_MS N [fast]" where N is the number of a --place, e.g. "1763370002500 1"'
SHOWN_HORIZONS: Final = tuple(f"{horizon:g}" for horizon in HORIZONS_S if horizon <= LABEL_HORIZON_S)


def run(
    tables: Mapping[str, Any], places: Sequence[str], cancels: Sequence[str], account: Sequence[str], as_json: bool
) -> int:
    """Answer for the orders and print it; raises OrderError for what cannot be asked, SettingsError for settings."""
    commands = [*placed(places), *cancelled(cancels, len(places))]
    changed = dict(tables.get("fill_sim", {})) | account_settings(account)
    settings = Settings({name: table for name, table in tables.items() if name != ACCOUNTS} | {"fill_sim": changed})
    answered = Trial(_only(sources(settings.section("feed", FeedConfig))), settings, commands).run()
    if as_json:
        sys.stdout.buffer.write(msgspec.json.encode(answered) + b"\n")
        sys.stdout.flush()
    else:
        Console().print(shown(answered))
    return 0


def _only(found: Sequence[MarketSource]) -> MarketSource:
    if len(found) > 1:
        held = ", ".join(source.market.asset for source in found)
        raise OrderError(f"the tape holds {held}: name one with --assets")
    return found[0]


def placed(texts: Sequence[str]) -> list[Command]:
    """The orders of `--place`, numbered from 1; raises OrderError for one of another form."""
    if not texts:
        raise OrderError(f"no order: give --place {PLACE_FORM}")
    return [_place(number, text) for number, text in enumerate(texts, start=1)]


def _place(number: int, text: str) -> Place | Trigger:
    words = text.split()
    reduces, waits = "reduce_only" in words[5:], [word for word in words[5:] if word.partition("=")[0] in TRIGGERS]
    bids = [word for word in words[5:] if word.partition("=")[0] == PRIORITY]
    known = 5 + reduces + len(waits) + len(bids)
    if len(words) != known or len(words) < 5 or len(waits) > 1 or len(bids) > 1:
        raise OrderError(f"--place {text!r} has {len(words)} words: write {PLACE_FORM}")
    ts_ms, side, price, size, time_in_force = words[:5]
    if side not in ("buy", "sell"):
        raise OrderError(f"--place {text!r}: SIDE is buy or sell, not {side!r}")
    if time_in_force not in get_args(TimeInForce):
        raise OrderError(f"--place {text!r}: TIF is one of {', '.join(get_args(TimeInForce))}, not {time_in_force!r}")
    order = Place(
        ts=_nanoseconds(ts_ms, f"--place {text!r}"),
        order_id=number,
        side="buy" if side == "buy" else "sell",
        price=_number(price, "PRICE", f"--place {text!r}"),
        size=_number(size, "SIZE", f"--place {text!r}"),
        time_in_force=time_in_force,  # type: ignore[arg-type]
        reduce_only=reduces,
        priority_bps=_bid(bids[0], text) if bids else 0.0,
    )
    return _waiting(order, waits[0], text) if waits else order


def _bid(word: str, text: str) -> float:
    bid_bps = _number(word.partition("=")[2], PRIORITY, f"--place {text!r}")
    if not 0 <= bid_bps <= LARGEST_BID_BPS:
        raise OrderError(f"--place {text!r}: {PRIORITY} is 0 to 10000 bp of the order, not {bid_bps:g}")
    return bid_bps


def _waiting(order: Place, word: str, text: str) -> Trigger:
    """The order, to be placed when the mark is there."""
    kind, _, price = word.partition("=")
    if order.time_in_force == "post_only":
        raise OrderError(f"--place {text!r}: what waits for the mark is gtc or ioc, not post_only")
    if order.priority_bps > 0:
        raise OrderError(f"--place {text!r}: what waits for the mark bids for no place")
    return Trigger(
        ts=order.ts,
        order_id=order.order_id,
        side=order.side,
        price=order.price,
        size=order.size,
        trigger_price=_number(price, kind.upper(), f"--place {text!r}"),
        trigger="stop" if kind == "stop" else "take_profit",
        time_in_force=order.time_in_force,
        reduce_only=order.reduce_only,
    )


def cancelled(texts: Sequence[str], orders: int) -> list[Command]:
    """The cancels of `--cancel`; raises OrderError for one of another form or of no order."""
    found: list[Command] = []
    for text in texts:
        words = text.split()
        if words[2:] not in ([], ["fast"]) or len(words) < 2 or not words[1].isdigit():
            raise OrderError(f"--cancel {text!r}: write {CANCEL_FORM}")
        if not 1 <= int(words[1]) <= orders:
            raise OrderError(f"--cancel {text!r}: there is no order {words[1]}, --place was given {orders} times")
        ts = _nanoseconds(words[0], f"--cancel {text!r}")
        found.append(Cancel(ts=ts, order_id=int(words[1]), fast=len(words) == 3))
    return found


def _number(text: str, name: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise OrderError(f"{where}: {name} {text!r} is not a number") from None
    if not abs(value) < float("inf"):
        raise OrderError(f"{where}: {name} {text!r} is not a finite number")
    return value


def _nanoseconds(text: str, where: str) -> int:
    """A Unix time in ms, with decimals if need be, in ns."""
    try:
        value = int(Decimal(text) * 1_000_000) if re.fullmatch(r"\d{1,13}(\.\d+)?", text) else -1
    except InvalidOperation:
        value = -1
    if value < 0:
        raise OrderError(f"{where}: TS_MS {text!r} is not a Unix time in ms, such as 1763370001500")
    return value


def account_settings(texts: Sequence[str]) -> dict[str, Any]:
    """The settings of `--account key=value`, checked later like those of a file."""
    found: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise OrderError(f"--account {text!r}: write KEY=VALUE with a setting of [fill_sim], e.g. fill_model=flat")
        found[key.strip()] = setting_value(value.strip())
    return found


def shown(answered: Answered) -> Group:
    """The answer for people: the instrument and its data, every order with its life, the money."""
    rules, data = answered.instrument, answered.data
    guessed = f", guessed: {', '.join(rules.inferred)}" if rules.inferred else ""
    grid = f"tick {rules.tick_size:.12g}, lot {rules.lot_size:.12g}"
    head = [
        f"{answered.venue} {answered.asset}: {rules.kind}, {grid}{guessed}",
        f"data: {data['duration_s']:,.1f} s, {data['books']:,} books, {data['prints']:,} prints, {data['gaps']} gaps"
        + (f", refused {data['refused']}" if data["refused"] else ""),
        *(f"do not trust this: {text}" for text in data["doubts"].values()),
    ]
    money = answered.account
    return Group(
        *head,
        *(part for life in answered.orders for part in _life(life)),
        f"\nposition {money.position:.12g}, equity {money.equity:,.4f}: total {money.total:+,.4f} = spread "
        f"{money.spread:+,.4f}, inventory {money.inventory:+,.4f}, fees {-money.fees:+,.4f}, "
        f"funding {money.funding:+,.4f}",
    )


def _life(life: Life) -> list[RenderableType]:
    parts: list[RenderableType] = [
        f"\norder {life.order_id}: {life.side} {life.size:.12g} at {life.price:.12g}, {life.time_in_force}: "
        f"{life.status}{_because(life.reason)}, filled {life.filled_size:.12g}"
    ]
    parts.append(f"  {_clock(life.placed_ts)} placed")
    if life.priority_fee is not None:
        passed = f", passed {life.queue_passed:.12g} of the queue" if life.queue_passed is not None else ""
        parts.append(f"  its bid cost {life.priority_fee:.6g}{passed}")
    if life.won_by_ms is not None:
        parts.append(f"  cancelled {life.won_by_ms:g} ms before a taker whom a cancel without f would have met")
    told = [(answer.ts, f"{answer.status}{_because(answer.reason)}") for answer in life.answers]
    told += [(queue.ts, f"queue ahead {_known(queue.ahead)}") for queue in life.queue]
    parts += [f"  {_clock(ts)} {text}" for ts, text in sorted(told, key=lambda item: item[0])]
    if life.fills:
        parts.append(_fills(life))
    return parts


def _fills(life: Life) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=True)
    for name in ("fill", "price", "size", "fee", "by", *(f"bp {horizon} s" for horizon in SHOWN_HORIZONS)):
        table.add_column(name, justify="right", no_wrap=True)
    for fill in life.fills:
        markouts = [fill.markouts_bps.get(horizon) for horizon in SHOWN_HORIZONS]
        table.add_row(
            _clock(fill.ts),
            f"{fill.price:.12g}",
            f"{fill.size:.12g}",
            f"{fill.fee:.6g}",
            "maker" if fill.maker else "taker",
            *("–" if value is None else f"{value:+.2f}" for value in markouts),
        )
    return table


def _because(reason: str) -> str:
    return "" if reason == "none" else f" ({reason})"


def _known(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.12g}"


def _clock(ts: int) -> str:
    return f"{datetime.fromtimestamp(ts // 1_000_000_000, UTC):%H:%M:%S}.{ts // 1_000_000 % 1_000:03d}"
