"""The sanity checks that all venue adapters share: which book, touch, print and time of an asset is believed."""

import math
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from papertrader.shared.messages import Bbo, Book, Context, Message, Side

MAX_PRICE_MOVE: Final = 0.2
"""A price further than this fraction from the last mid is not believed."""
MAX_STRIKES: Final = 20
"""After so many refusals in a row it is the old clock that is not believed."""
AGREEING: Final = 2
"""So many touches in a row that lie off the mid, but near each other, are the market: one alone may be an error."""
HELD_PRINTS: Final = 1_000
"""Prints that wait for the book to confirm them."""
CLOCK_PERSISTS_NS: Final = 10_000_000_000
"""For so long, too, must a clock have been ahead before it is believed."""
MAX_TIME_JUMP_NS: Final = 10_000_000_000
MAX_AHEAD_NS: Final = 60_000_000_000
"""How far the first ts may be ahead of the receive clock, which may be wrong itself."""
STALE_PRINT_NS: Final = 5_000_000_000
REMEMBERED_PRINTS: Final = 20_000


class Held(NamedTuple):
    """A print off the mid that nothing has confirmed yet."""

    ts: int
    price: float
    size: float
    aggressor: Side
    trade_id: int


class Guard:
    """What is known of one asset, to tell good data from bad. `clock` is the largest accepted ts in ns.

    A price more than 20 % off the mid is believed if the venue's book confirms it:

    * a print, if it lies between the worst levels of the last book; else it is held, and taken when a touch or level
      near it comes within five seconds: if none comes it is `price_off`;
    * a touch, if its mid lies there, or near a print that is held, or near the touch before that was off as well.

    `forget` is called when the clock no longer holds: it drops the times of all channels.
    """

    __slots__ = (
        "back_strikes",
        "bad",
        "clock",
        "forget",
        "held",
        "high",
        "ignored",
        "is_new",
        "jumped_ns",
        "low",
        "mid",
        "off_mid",
        "recv_ns",
        "strikes",
        "time_strikes",
    )

    def __init__(self, bad: Counter[str], ignored: Counter[str]) -> None:
        self.forget: Callable[[], None] = lambda: None
        self.back_strikes = 0
        self.bad = bad
        self.ignored = ignored
        self.clock = 0
        self.recv_ns = 0
        self.jumped_ns = 0
        self.mid = 0.0
        self.low = 0.0  # the worst bid and ask of the last book
        self.high = 0.0
        self.off_mid = 0.0  # the mid of the last touch that was refused for being off
        self.held: deque[Held] = deque()
        self.strikes = 0
        self.time_strikes = 0
        self.is_new = True

    def reconnected(self) -> None:
        """Begin anew: nobody knows how far price and time have gone since."""
        self.mid = self.low = self.high = 0.0
        self.clock = 0
        self.is_new = True
        self.forget()

    def accepts_time(self, ts: int, channel_ts: int, recv_ns: int) -> bool:
        """Whether `ts` may follow `channel_ts`, the last one of its channel; moves the clock if so.

        From one frame to the next the clock may not gain more than ten seconds on the receive clock; the first one of
        a connection may not be ahead of it by more than a minute. A clock that is refused for ten seconds is right: it
        cannot be taken back, so a short aberration may not move it.
        """
        if ts < channel_ts:
            self.back_strikes += 1
            if self.back_strikes < MAX_STRIKES:
                return self.refuse("time_went_back")
            self.clock, self.is_new = 0, True
            self.forget()
        waited = max(recv_ns - self.recv_ns, 0)
        latest = recv_ns + MAX_AHEAD_NS if self.is_new else self.clock + waited + MAX_TIME_JUMP_NS
        if ts > latest and not self._clock_persists(recv_ns):
            return self.refuse("time_jumped")
        self.clock = max(self.clock, ts)
        self.recv_ns = recv_ns
        self.time_strikes = 0
        self.is_new = False
        if channel_ts:
            self.back_strikes = 0
        return True

    def _clock_persists(self, recv_ns: int) -> bool:
        if not self.time_strikes:
            self.jumped_ns = recv_ns
        self.time_strikes += 1
        return self.time_strikes >= MAX_STRIKES and recv_ns - self.jumped_ns >= CLOCK_PERSISTS_NS

    def accepts_book(self, book: Book, channel_ts: int) -> bool:
        """Whether a whole book is sound: positive, sorted, not older than its channel, uncrossed and near the mid."""
        bids, asks = book.bid_prices, book.ask_prices
        if not are_positive((*bids, *book.bid_sizes, *asks, *book.ask_sizes)):
            return self.refuse("non_positive")
        if bids != sorted(bids, reverse=True) or asks != sorted(asks):
            return self.refuse("unsorted_book")
        if not self.accepts_time(book.ts, channel_ts, book.recv_ts):
            return False
        if not self.accepts_touch(bids[0] if bids else None, asks[0] if asks else None):
            return False
        self.low, self.high = (bids or asks or [0.0])[-1], (asks or bids or [0.0])[-1]
        return True

    def accepts_bbo(self, bbo: Bbo, channel_ts: int) -> bool:
        """The same for a best bid and ask."""
        numbers = (bbo.bid_price, bbo.bid_size, bbo.ask_price, bbo.ask_size)
        if not are_positive(number for number in numbers if number is not None):
            return self.refuse("non_positive")
        if not self.accepts_time(bbo.ts, channel_ts, bbo.recv_ts):
            return False
        return self.accepts_touch(bbo.bid_price, bbo.ask_price)

    def accepts_touch(self, bid: float | None, ask: float | None) -> bool:
        """Whether best prices are uncrossed and near the last mid; the new mid is kept if so."""
        if bid is None or ask is None:
            return True
        if bid >= ask:
            return self.refuse("locked_book" if bid == ask else "crossed_book")
        mid = 0.5 * (bid + ask)
        if not (self.is_near(mid) or self._is_shown(mid) or self._is_confirmed(mid)):
            self.strikes = self.strikes + 1 if self.strikes and are_near(mid, self.off_mid) else 1
            self.off_mid = mid
            if self.strikes < AGREEING:
                return self.refuse("price_off")
        self.mid = mid
        self.strikes = 0
        return True

    def is_near(self, price: float) -> bool:
        """Whether a price is within 20 % of the last mid; anything is while there is none."""
        return self.mid == 0.0 or are_near(price, self.mid)

    def _is_shown(self, price: float) -> bool:
        """Whether a price lies between the worst levels of the last book."""
        return self.low <= price <= self.high

    def _is_confirmed(self, mid: float) -> bool:
        return any(are_near(item.price, mid) for item in self.held)

    def accepts_print(
        self, price: float, size: float, ts: int, recv_ns: int, aggressor: Side = "none", trade_id: int = 0
    ) -> bool:
        """Whether a print is sound: positive, near the market, at most 5 s behind the clock and not far ahead of it.

        One that is off and has an aggressor is held, to be `released` when the book confirms it.
        """
        if not are_positive((price, size)):
            return self.refuse("non_positive")
        if ts < self.clock - STALE_PRINT_NS:
            return self.refuse("stale_print")
        if not self.is_near(price) and not self._is_shown(price):
            if aggressor == "none" or len(self.held) >= HELD_PRINTS:
                return self.refuse("price_off")
            self.held.append(Held(ts, price, size, aggressor, trade_id))
            return False
        return self.accepts_time(ts, 0, recv_ns)

    def released(self, recv_ns: int, prices: Iterable[float | None]) -> list[Held]:
        """The prints that were held and that these prices, which the venue's book now has, confirm.

        Those that nothing has confirmed in five seconds are counted as `price_off`.
        """
        if not self.held:
            return []
        known_prices = [price for price in prices if price]
        confirmed = [item for item in self.held if any(are_near(item.price, price) for price in known_prices)]
        waiting = [item for item in self.held if item not in confirmed and item.ts >= self.clock - STALE_PRINT_NS]
        if unconfirmed := len(self.held) - len(confirmed) - len(waiting):
            self.bad["price_off"] += unconfirmed
        self.held = deque(waiting)
        return [item for item in confirmed if self.accepts_time(item.ts, 0, recv_ns)]

    def context(
        self,
        recv_ns: int,
        funding_rate: float | None,
        oracle_price: float | None,
        mark_price: float | None,
        open_interest: float | None = None,
        funding_period_s: int = 3600,
        next_funding_ts: int = 0,
    ) -> list[Message]:
        """The context of a venue that gives it no time: it is said at the event clock, once there is one."""
        if not self.clock:
            self.ignored["early_context"] += 1
            return []
        return [
            Context(
                ts=self.clock,
                recv_ts=recv_ns,
                funding_rate=known(funding_rate),
                funding_period_s=funding_period_s,
                next_funding_ts=next_funding_ts,
                oracle_price=known(oracle_price),
                mark_price=known(mark_price),
                open_interest=known(open_interest),
            )
        ]

    def refuse(self, reason: str) -> bool:
        """Count bad data; always False."""
        self.bad[reason] += 1
        return False


class Prints:
    """The ids of the prints that were seen last."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen: dict[int, None] = {}

    def add(self, print_id: int) -> bool:
        """Remember a print; whether it is a new one."""
        if print_id in self._seen:
            return False
        self._seen[print_id] = None
        if len(self._seen) > REMEMBERED_PRINTS:
            del self._seen[next(iter(self._seen))]
        return True


def are_near(price: float, other: float) -> bool:
    """Whether two prices lie within 20 % of the second."""
    return abs(price - other) <= MAX_PRICE_MOVE * other


def are_positive(values: Iterable[float]) -> bool:
    """Whether every number is finite and above zero."""
    return all(0.0 < value < math.inf for value in values)


def known(value: float | None) -> float | None:
    """The number if it is finite, else None."""
    return value if value is not None and math.isfinite(value) else None
