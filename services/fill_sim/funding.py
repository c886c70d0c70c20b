"""Funding: paid at the venue's settlement times, on the venue's price, by who holds then.

* When: at the time that the venue names (Binance `T`), and from there on every period of its rate until it names
  another; where it names none, at the multiples in UTC of the instrument's interval; where that is not told, of the
  rate's own period.
* How much: size · price · rate, the rate last heard by then; of a rate for another period the part that the time
  between two settlements is of it. The price is the oracle's (Hyperliquid) or the mark (others), as the instrument
  says; longs pay when the rate is positive.
* Who: whoever holds at that time. News of that very time come first, orders after it. A print from before it that the
  feed delivers later is settled too.
"""

import numpy as np

from papertrader.services.fill_sim.margin import mark_of
from papertrader.services.fill_sim.state import NEVER, SPOT
from papertrader.shared.kernels import njit
from papertrader.shared.market.money import notional
from papertrader.shared.market.records import Record, Records


@njit(cache=True)
def first_multiple(clock: int, step_ns: int) -> int:
    """The first multiple of a step after `clock`; NEVER without a step."""
    return (clock // step_ns + 1) * step_ns if step_ns > 0 else NEVER


@njit(cache=True)
def funding_price(market: Record) -> float:
    """What a position is valued at when funding is paid: the oracle's price or the mark, whichever the venue takes."""
    return market.oracle if market.funding_from_oracle == 1 and market.oracle > 0 else mark_of(market)


@njit(cache=True)
def begin_funding(market: Record, clock: int) -> None:
    """Note the first settlement after the clock, where the venue names none."""
    market.next_funding_ts = first_multiple(clock, market.funding_step_ns)


@njit(cache=True)
def hear_settlement(market: Record, event: Record, clock: int) -> None:
    """Take in when the venue pays funding next, a SETTLEMENT row; a time that has passed names nothing."""
    if market.kind != SPOT and (event.id > clock or event.id == market.next_funding_ts > 0):
        market.funding_named, market.next_funding_ts = 1, event.id


@njit(cache=True)
def hear_funding(market: Record, event: Record, clock: int) -> None:
    """Take in a FUNDING row: the rate, and what period it is for; one for no time at all says nothing."""
    if market.kind == SPOT or event.id <= 0:
        return
    if not np.isnan(event.size):
        market.funding_rate = event.size
    market.funding_period_ns = event.id
    step_ns = market.funding_interval_ns if market.funding_interval_ns > 0 else event.id
    if market.funding_named == 1:
        market.funding_step_ns = event.id
    elif step_ns != market.funding_step_ns:
        market.funding_step_ns = step_ns
        begin_funding(market, clock)


@njit(cache=True)
def settle_funding(market: Record, accounts: Records) -> None:
    """Pay the funding that is due next, in every account that holds a position, and note when it is due again."""
    per_unit, price = 0.0, funding_price(market)
    if market.kind != SPOT and not np.isnan(market.funding_rate):
        share = market.funding_step_ns / market.funding_period_ns
        per_unit = notional(1.0, price, market.inverse_size) * market.funding_rate * share
    market.funded_ts, market.funded_per_unit = market.next_funding_ts, per_unit
    market.next_funding_ts += market.funding_step_ns
    for index in range(len(accounts)):
        pay(accounts[index], accounts[index].position, per_unit)


@njit(cache=True)
def pay(account: Record, size: float, per_unit: float) -> None:
    """Let an account pay the funding of a signed size; negative amounts are received."""
    if size == 0 or per_unit == 0:
        return
    received = -size * per_unit
    account.cash += received
    account.funding += received
    account.changed = 1


@njit(cache=True)
def pay_late(account: Record, market: Record, side: int, size: float, ts: int) -> None:
    """Settle a fill that is booked now, but was before the last settlement: it changed what was held then."""
    if ts < market.funded_ts:
        pay(account, side * size, market.funded_per_unit)
