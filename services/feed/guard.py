"""The sanity checks that all venue adapters share: which book, touch, print and time of an asset is believed."""

import math
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from papertrader.shared.messages import Bbo, Book, Context, Message

MAX_PRICE_MOVE: Final = 0.2
"""A price further than this fraction from the last mid is not believed."""
MAX_STRIKES: Final = 20
"""After so many refusals in a row it is the old mid, or the old clock, that is not believed."""
CLOCK_PERSISTS_NS: Final = 10_000_000_000
"""For so long, too, must a clock have been ahead before it is believed."""
MAX_TIME_JUMP_NS: Final = 10_000_000_000
MAX_AHEAD_NS: Final = 60_000_000_000
"""How far the first ts may be ahead of the receive clock, which may be wrong itself."""
STALE_PRINT_NS: Final = 5_000_000_000
REMEMBERED_PRINTS: Final = 20_000


class Guard:
    """What is known of one asset, to tell good data from bad. `clock` is the largest accepted ts in ns.

    `forget` is called when that clock no longer holds: it drops the times of all channels.
    """

    __slots__ = (
        "back_strikes",
        "bad",
        "clock",
        "forget",
        "ignored",
        "is_new",
        "jumped_ns",
        "mid",
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
        self.strikes = 0
        self.time_strikes = 0
        self.is_new = True

    def reconnected(self) -> None:
        """Begin anew: nobody knows how far price and time have gone since."""
        self.mid = 0.0
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
        return self.accepts_touch(bids[0] if bids else None, asks[0] if asks else None)

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
            return self.refuse("crossed_book")
        mid = 0.5 * (bid + ask)
        if not self.is_near(mid):
            self.strikes += 1
            if self.strikes >= MAX_STRIKES:
                self.mid = 0.0
            return self.refuse("price_off")
        self.mid = mid
        self.strikes = 0
        return True

    def is_near(self, price: float) -> bool:
        """Whether a price is within 20 % of the last mid; anything is while there is none."""
        return self.mid == 0.0 or abs(price - self.mid) <= MAX_PRICE_MOVE * self.mid

    def accepts_print(self, price: float, size: float, ts: int, recv_ns: int) -> bool:
        """Whether a print is sound: positive, near the mid, at most 5 s behind the clock and not far ahead of it."""
        if not are_positive((price, size)):
            return self.refuse("non_positive")
        if not self.is_near(price):
            return self.refuse("price_off")
        if ts < self.clock - STALE_PRINT_NS:
            return self.refuse("stale_print")
        return self.accepts_time(ts, 0, recv_ns)

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


def are_positive(values: Iterable[float]) -> bool:
    """Whether every number is finite and above zero."""
    return all(0.0 < value < math.inf for value in values)


def known(value: float | None) -> float | None:
    """The number if it is finite, else None."""
    return value if value is not None and math.isfinite(value) else None
