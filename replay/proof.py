"""What decides a fill: the messages of the log that an order's queue and its fill follow from, by their sequence.

The fold that said the fill is folded again by `verify`; this names what it heard. A fill is *certain* where every
draw of the order's queue was reached, *possible* where only a share of them was, and the order's own number decided.
"""

from collections.abc import Iterator
from itertools import chain, repeat
from typing import Any, Final

from papertrader.shared.log.kinds import decode
from papertrader.shared.log.segments import Entry
from papertrader.shared.log.subjects import Address, address
from papertrader.shared.messages import Ack, Bbo, Book, Cancel, Depth, Fill, Gap, Modify, Place, Trades, Trigger

TOLERANCE: Final = 1e-9
Line = dict[str, Any]
Levels = list[tuple[float, float, int]]


class ProofError(ValueError):
    """A fill that the log does not hold, or that needs its market and account to be named."""


class Search:
    """Looks for one fill: `name` is its id, or `<venue>.<asset>.<account>.<id>` where several accounts have one."""

    def __init__(self, name: str) -> None:
        where, _, number = name.rpartition(".")
        if not number.isdigit():
            raise ProofError(f"--fill {name}: write a fill's id, or <venue>.<asset>.<account>.<id>")
        self.name, self._where, self._id = name, where, int(number)
        self.found: list[tuple[Address, int, Fill]] = []

    def take(self, entry: Entry) -> None:
        """Look at one message."""
        if not entry.subject.startswith("fills."):
            return
        where = address(entry.subject)
        fill = decode(where.kind, entry.payload)
        if (
            isinstance(fill, Fill)
            and fill.fill_id == self._id
            and self._where in ("", f"{where.market}.{where.account}")
        ):
            self.found.append((where, entry.sequence, fill))

    def only(self) -> tuple[Address, int, Fill]:
        """The fill; raises ProofError unless there is exactly one."""
        if not self.found:
            raise ProofError(f"the log holds no fill {self.name}")
        if len(self.found) > 1:
            names = ", ".join(f"{where.market}.{where.account}.{self._id}" for where, _, _ in self.found)
            raise ProofError(f"--fill {self.name} may be any of {names}: name one")
        return self.found[0]


def _sides(message: Book | Depth | Bbo) -> tuple[Levels, Levels]:
    """Bids and asks, the best first: price, size, and the number of orders, 0 where it is not told."""
    if isinstance(message, Bbo):
        best = (
            (message.bid_price, message.bid_size, message.bid_orders),
            (message.ask_price, message.ask_size, message.ask_orders),
        )
        bids, asks = ([] if price is None else [(price, size or 0.0, orders)] for price, size, orders in best)
        return bids, asks
    bid_orders, ask_orders = (message.bid_orders, message.ask_orders) if isinstance(message, Book) else ([], [])
    return (
        list(zip(message.bid_prices, message.bid_sizes, chain(bid_orders, repeat(0)), strict=False)),
        list(zip(message.ask_prices, message.ask_sizes, chain(ask_orders, repeat(0)), strict=False)),
    )


class Proof:
    """Collects what decides a fill, in the order of the log up to the fill."""

    def __init__(self, where: Address, sequence: int, fill: Fill) -> None:
        self._where, self._sequence, self._fill = where, sequence, fill
        self.lines: list[Line] = []

    def take(self, entry: Entry) -> None:
        """Look at one message."""
        if entry.sequence > self._sequence:
            return
        try:
            where = address(entry.subject)
        except ValueError:
            return
        if where.market != self._where.market or where.account not in ("", self._where.account):
            return
        if where.kind in ("orders", "acks", "book", "depth", "bbo", "trades", "gap", "fills"):
            message = decode(where.kind, entry.payload)
            self.lines += [{"sequence": entry.sequence, **line} for line in self._said_of(message)]

    def _said_of(self, message: Any) -> Iterator[Line]:
        fill = self._fill
        if isinstance(message, Place | Modify | Cancel | Trigger) and message.order_id == fill.order_id:
            yield {"ts": message.ts, "what": type(message).__name__.lower()}
        elif isinstance(message, Ack) and message.order_id == fill.order_id:
            yield {"ts": message.ts, "what": message.status, "queue_ahead": message.queue_ahead}
        elif isinstance(message, Fill) and message.order_id == fill.order_id:
            yield {"ts": message.ts, "what": "fill", "size": message.size}
        elif isinstance(message, Gap):
            yield {"ts": message.ts, "what": "gap"}
        elif isinstance(message, Trades):
            yield from self._prints(message)
        elif isinstance(message, Book | Depth | Bbo):
            yield from self._shown(message)

    def _prints(self, message: Trades) -> Iterator[Line]:
        columns = zip(message.times, message.prices, message.sizes, message.trade_ids, strict=True)
        for ts, price, size, trade_id in columns:
            beyond = price - self._fill.price if self._fill.side == "sell" else self._fill.price - price
            if ts >= self._fill.live_ts and beyond >= -TOLERANCE * price:
                deciding = trade_id == self._fill.trade_id and self._fill.maker
                yield {"ts": ts, "what": "print", "price": price, "size": size, "decides": deciding}

    def _shown(self, message: Book | Depth | Bbo) -> Iterator[Line]:
        """The level's size, and its number of orders where that is told, or an opposite best that crosses the order."""
        fill, buys = self._fill, self._fill.side == "buy"
        bids, asks = _sides(message)
        own, others = (bids, asks) if buys else (asks, bids)
        for price, size, orders in own:
            if abs(price - fill.price) <= TOLERANCE * fill.price:
                yield {"ts": message.ts, "what": "level", "size": size} | ({"orders": orders} if orders else {})
        opposite = next((price for price, size, _ in others if size > 0), None)
        crosses = opposite is not None and (opposite <= fill.price if buys else opposite >= fill.price)
        if crosses and message.ts >= fill.live_ts:
            deciding = fill.maker and fill.trade_id == 0 and message.ts == fill.ts
            yield {"ts": message.ts, "what": "crossing book", "price": opposite, "decides": deciding}

    def result(self) -> dict[str, Any]:
        """The fill's class and probability, the messages since just before its order joined, and what decided."""
        fill = self._fill
        before = [line for line in self.lines if line["what"] == "level" and line["ts"] <= fill.live_ts]
        since = [line for line in self.lines if line["what"] in ("place", "modify") or line["ts"] >= fill.live_ts]
        decided = sorted(before[-1:] + since, key=lambda line: int(line["sequence"]))
        return {
            "fill": f"{self._where.market}.{self._where.account}.{fill.fill_id}",
            "sequence": self._sequence,
            "class": class_of(fill),
            "probability": fill.fill_probability,
            "decides": [line["sequence"] for line in decided if line.get("decides")],
            "messages": decided,
        }


def class_of(fill: Fill) -> str:
    """`taker`; `certain` if every draw was reached or the market went through; `possible`; `unknown` without draws."""
    if not fill.maker:
        return "taker"
    if fill.through or fill.fill_probability == 1:
        return "certain"
    return "possible" if fill.fill_probability is not None else "unknown"
