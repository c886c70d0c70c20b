"""The records of the paper exchange: orders, commands under way, accounts, the market, settings and what is said.

All of an account's state is one fixed-size record, so a checkpoint is its bytes. Tables are compact: rows [0, count).
"""

from typing import Final, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from papertrader.services.fill_sim.behind import BEHIND, LEARNED
from papertrader.services.fill_sim.config import Cancels, Decide, FillModel
from papertrader.services.fill_sim.recent import RECENT
from papertrader.shared.kernels import njit
from papertrader.shared.market.frozen import FROZEN
from papertrader.shared.market.records import Record, Records, code, record_dtype
from papertrader.shared.messages import FEATURES, MARGIN_TIERS, Ack, AckStatus, Fill, MarketKind, Reason, TimeInForce

ORDERS: Final = 64
"""Orders that an account may have at the exchange."""
TRIGGERS: Final = 64
"""Orders that an account may have waiting for a mark or for their parent."""
COMMANDS: Final = 256
"""Commands that an account may have under way."""
LINES: Final = 32
"""Draws of an order's queue."""
MIDS: Final = 256
"""Changes of the mid remembered, for prints that arrive late."""
NEVER: Final = 2**62
SYSTEM_ORDER_ID: Final = 2**62
"""The first id of orders that the exchange itself places, to flatten; senders use smaller ones."""

REASONS: Final = get_args(Reason)
NONE: Final = code(Reason, "none")
POST_ONLY_WOULD_CROSS: Final = code(Reason, "post_only_would_cross")
INSUFFICIENT_MARGIN: Final = code(Reason, "insufficient_margin")
OFF_TICK: Final = code(Reason, "off_tick")
OFF_LOT: Final = code(Reason, "off_lot")
BELOW_MIN_NOTIONAL: Final = code(Reason, "below_min_notional")
TOO_FAR_FROM_MID: Final = code(Reason, "too_far_from_mid")
BAD_SIZE: Final = code(Reason, "bad_size")
BAD_PRICE: Final = code(Reason, "bad_price")
BAD_TIME: Final = code(Reason, "bad_time")
DUPLICATE_ORDER_ID: Final = code(Reason, "duplicate_order_id")
TOO_MANY_ORDERS: Final = code(Reason, "too_many_orders")
UNKNOWN_ORDER: Final = code(Reason, "unknown_order")
NO_MARKET: Final = code(Reason, "no_market")
NO_LIQUIDITY: Final = code(Reason, "no_liquidity")
NEVER_TOUCHED: Final = code(Reason, "never_touched")
QUEUE_NOT_REACHED: Final = code(Reason, "queue_not_reached")
TOUCHED_BEFORE_LIVE: Final = code(Reason, "touched_before_live")
COIN: Final = code(Reason, "coin")
NOT_THROUGH: Final = code(Reason, "not_through")
RESET: Final = code(Reason, "reset")
INSUFFICIENT_BALANCE: Final = code(Reason, "insufficient_balance")
REDUCE_ONLY: Final = code(Reason, "reduce_only")
LIQUIDATED: Final = code(Reason, "liquidated")
BAD_TRIGGER_PRICE: Final = code(Reason, "bad_trigger_price")
NEVER_TRIGGERED: Final = code(Reason, "never_triggered")
WAITS_FOR_PARENT: Final = code(Reason, "waits_for_parent")
PARENT_ENDED: Final = code(Reason, "parent_ended")
SIBLING_FILLED: Final = code(Reason, "sibling_filled")
SELF_TRADE: Final = code(Reason, "self_trade")
NO_PRIORITY: Final = code(Reason, "no_priority")

KINDS: Final = get_args(MarketKind)
SPOT: Final = code(MarketKind, "spot")

ACCEPTED: Final = code(AckStatus, "accepted")
REJECTED: Final = code(AckStatus, "rejected")
MODIFIED: Final = code(AckStatus, "modified")
CANCELLED: Final = code(AckStatus, "cancelled")
EXPIRED: Final = code(AckStatus, "expired")
FILLED: Final = code(AckStatus, "filled")
REFUSED: Final = code(AckStatus, "refused")
WAITING: Final = code(AckStatus, "waiting")
TRIGGERED: Final = code(AckStatus, "triggered")

POST_ONLY: Final = code(TimeInForce, "post_only")
GTC: Final = code(TimeInForce, "gtc")
IOC: Final = code(TimeInForce, "ioc")

FLAT: Final = code(FillModel, "flat")
FIFO: Final = code(FillModel, "fifo")
DRAWS: Final = code(FillModel, "draws")
THROUGH: Final = code(FillModel, "through")
DECIDE_HALF: Final = code(Decide, "half")
CANCELS_AHEAD: Final = code(Cancels, "ahead")
CANCELS_BEHIND: Final = code(Cancels, "behind")

CANCEL_ALL: Final = 100
"""A command of the exchange itself, beside the PLACE, CANCEL, MODIFY and TRIGGER of senders: cancel every order."""
CLOSE: Final = 101
"""Close the position at market."""

ORDER: Final = np.dtype(
    [
        ("order_id", "i8"),
        ("tick", "i8"),
        ("sequence", "i8"),  # place among own orders of one level: first come, first served
        ("decided_ts", "i8"),
        ("live_ts", "i8"),
        ("joined_ts", "i8"),  # when it joined its present level: prints before that are not for it
        ("cancel_ts", "i8"),  # when its cancel took effect, NEVER while live
        ("first_fill_ts", "i8"),
        ("seen_ts", "i8"),  # the last message that showed its level
        ("traded_ts", "i8"),  # the last print counted in `traded`
        ("credit_ts", "i8"),  # the message whose shrink `credit` is
        ("price", "f8"),
        ("size", "f8"),
        ("filled", "f8"),
        ("ahead", "f8"),  # external size ahead, NaN while unknown
        ("ahead_at_join", "f8"),
        ("displayed", "f8"),  # the level's size in the last message that showed it
        ("traded", "f8"),  # volume traded at the level since then
        ("credit", "f8"),  # the last shrink that was taken for cancels, as long as no late print explains it
        ("credit_ahead", "f8"),  # what of it was taken off `ahead`
        ("mid_at_placement", "f8"),
        ("p_fill", "f8"),
        ("p_adverse", "f8"),
        ("row", "i8"),  # of its draws, −1 if it has none
        ("group", "i8"),  # orders of one are cancelled when one of them is filled; 0 for none
        ("stream", "i8"),  # where the order's random numbers begin
        ("changes", "i8"),  # joins and net cancels drawn so far
        ("pending_ts", "i8"),  # the message that waits to be taken in, 0 for none
        ("pending", "f8"),  # the level's size in it
        ("pending_orders", "i8"),  # and how many orders that is, 0 where nobody tells
        ("orders", "i8"),  # the same of the message before
        *((name, "f8") for name in ("cancel_odds", "join_share")),  # those of its draws, since it went live
        ("behind", BEHIND),
        ("decision", "f8"),  # it is filled when more than this share of its draws is reached
        ("reached", "f8"),  # the share of its draws that is reached
        ("expected", "f8"),  # first fills expected so far: the hazards of all moments that could have brought one
        ("variance", "f8"),  # of that number
        ("priority_bps", "f8"),  # bid for a place in the block
        ("priority_fee", "f8"),  # what that has cost
        ("queue_passed", "f8"),  # what would stand ahead without it, NaN of an order that bids for no place in the line
        ("slow_cancel_ts", "i8"),  # when a cancel without `f` would have taken effect, 0 where there was no fast one
        ("won_ts", "i8"),  # the first taker between the two, 0 for none
        ("pending_full", "i1"),  # the message that waits was a full book or a touch
        ("in_front", "i1"),  # it was decided that the market has reached it
        ("side", "i1"),
        ("time_in_force", "i1"),
        ("joining", "i1"),  # no message has shown the level since it joined
        ("only_through", "i1"),
        ("touched", "i1"),
        ("touched_before_live", "i1"),
        ("reduce_only", "i1"),
        ("triggered", "i1"),  # it has waited for its trigger: price and size were checked before that
        ("ending", "i1"),  # why it is cancelled, NONE if its sender wants it
    ],
    align=True,
)

COMMAND_UNDER_WAY: Final = np.dtype(
    [
        ("effective_ts", "i8"),
        ("arrives_ts", "i8"),  # when it gets to the exchange, where it waits for the end of a block
        ("rank", "f8"),  # among what arrives at one time
        ("sequence", "i8"),
        ("decided_ts", "i8"),
        ("order_id", "i8"),
        ("tick", "i8"),
        ("price", "f8"),
        ("size", "f8"),
        ("mid", "f8"),
        ("p_fill", "f8"),
        ("p_adverse", "f8"),
        ("parent", "i8"),
        ("group", "i8"),
        ("replaces", "i8"),
        ("trigger_price", "f8"),
        ("due_ts", "i8"),  # when the mark met its trigger, NEVER before
        ("priority_bps", "f8"),
        ("least", "f8"),  # the smallest size of its level in the time of a tail, where it bids for a place in the line
        ("type", "i1"),
        ("side", "i1"),
        ("time_in_force", "i1"),
        ("touched", "i1"),
        ("reduce_only", "i1"),
        ("trigger", "i1"),
        ("whole_position", "i1"),
        ("attached", "i1"),  # it waits for its parent to be filled
        ("fast", "i1"),
    ],
    align=True,
)
"""A command under way, or with a trigger at the exchange and waiting for it."""

ACCOUNT_STATE: Final = np.dtype(
    [
        ("orders_count", "i8"),
        ("commands_count", "i8"),
        ("triggers_count", "i8"),
        ("next_ts", "i8"),  # when the next command takes effect, the next order ends or the account is liquidated
        ("liquidation_ts", "i8"),  # when its equity was found below the maintenance margin, NEVER if it is not
        ("high_bid", "i8"),  # the own prices that a print must reach to matter, under way included
        ("low_ask", "i8"),
        ("bids", "i8"),  # commands under way that bid for a place in the line
        ("sequence", "i8"),
        ("published_ts", "i8"),
        ("changed", "i1"),
        ("filled_in_round", "i1"),
        ("position", "f8"),
        ("average_entry_price", "f8"),
        ("cash", "f8"),
        ("realised", "f8"),
        ("spread", "f8"),
        ("inventory", "f8"),
        ("fees", "f8"),
        ("priority_fees", "f8"),  # a part of them
        ("funding", "f8"),
        ("mid", "f8"),  # the mid up to which `inventory` is settled, 0 before the first
        ("turnover", "f8"),
        ("liquidations", "i8"),
        ("toxicity_weights", "f8", (FEATURES + 1,)),  # of the newest estimate; NaN before the first
        ("facing", "f8", (FEATURES + 1,)),  # room for the computation
        ("learned", LEARNED),
        ("fills", "i8"),
        ("fills_by_side", "i8", (2,)),  # buys, sells
        ("fills_through", "i8"),
        ("fills_taker", "i8"),
        ("placed", "i8"),
        ("accepted", "i8"),
        ("cancelled", "i8"),
        ("fills_crossed", "i8"),  # fills by a book that crossed the order
        ("crossed", "f8", (2,)),  # of the size that crosses bids and asks at present, what own orders took
        ("rejected", "i8", (len(REASONS),)),
        ("refused", "i8", (len(REASONS),)),
        ("unfilled", "i8", (len(REASONS),)),
        ("rows", "i1", (ORDERS,)),  # the rows of `draws` that are in use
        ("draws", "f8", (ORDERS, 2, LINES)),  # the size ahead, and what of it the last shrink took; see `draws`
        ("orders", ORDER, (ORDERS + 1,)),  # the last row is for a candidate that is being checked
        ("commands", COMMAND_UNDER_WAY, (COMMANDS + 1,)),  # the last row is the one that takes effect
        ("triggers", COMMAND_UNDER_WAY, (TRIGGERS,)),
    ],
    align=True,
)

MARKET_STATE: Final = np.dtype(
    [
        ("mid", "f8"),  # the last mid of a two-sided book, 0 before the first
        ("mark", "f8"),  # the venue's mark, 0 while unknown
        ("oracle", "f8"),  # 0 while unknown
        ("lot_size", "f8"),
        ("min_notional", "f8"),  # quote currency
        ("significant_figures", "i8"),
        ("kind", "i1"),
        ("inverse_size", "f8"),  # quote currency of an inverse contract, 0 for any other market
        ("funding_from_oracle", "i1"),  # what funding is paid on: the oracle's price, or the mark
        ("funding_interval_ns", "i8"),  # the instrument's, 0 while unknown
        ("funding_named", "i1"),  # whether the venue names its settlements
        ("funding_step_ns", "i8"),  # from one settlement to the next, 0 while unknown
        ("funding_period_ns", "i8"),  # what the rate is for
        ("funding_rate", "f8"),
        ("next_funding_ts", "i8"),  # 0 while the clock has not begun
        ("funded_ts", "i8"),  # the last settlement
        ("funded_per_unit", "f8"),  # and what a unit of size paid then
        ("maximum_leverage", "f8"),  # 0 while unknown
        ("tiers_count", "i8"),
        ("tier_floor", "f8", (MARGIN_TIERS,)),  # quote currency
        ("tier_initial", "f8", (MARGIN_TIERS,)),
        ("tier_maintenance", "f8", (MARGIN_TIERS,)),
        ("tier_deduction", "f8", (MARGIN_TIERS,)),
        ("recent", RECENT),
        ("before", FROZEN),  # before the open round's prints, where one of them may fill an order
        ("moving_second", "i8"),  # the second in which the mid moved last, and how far it went
        ("moved", "f8"),  # in it, as a fraction
        ("moved_before", "f8"),  # in the second before
        ("mean_moved", "f8"),  # per second
        ("moving_n", "i8"),  # seconds in that mean, or more
        ("mids_count", "i8"),
        ("mid_ts", "i8", (MIDS,)),
        ("mids", "f8", (MIDS,)),
    ],
    align=True,
)

SAID_ACK: Final = 0
SAID_FILL: Final = 1
STEP_ROOM: Final = ORDERS + 2 * TRIGGERS + 8
"""Rows that one step of one account may write: a fill per order or level taken, acks, and those of waiting orders."""


class Outbox(NamedTuple):
    """What the exchange says: `said[i]` = (SAID_ACK or SAID_FILL, account, row of that array)."""

    acks: Records
    fills: Records
    said: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    """Shape (3,): acks, fills, said."""


def new_outbox(accounts: int) -> Outbox:
    """An empty outbox, with room for a step of every account and for one account's reset."""
    rows = ORDERS + COMMANDS + accounts * STEP_ROOM
    acks = np.zeros(rows, dtype=record_dtype(Ack))
    fills = np.zeros(rows, dtype=record_dtype(Fill))
    return Outbox(acks, fills, np.zeros((2 * rows, 3), dtype=np.int64), np.zeros(3, dtype=np.int64))


class Exchange(NamedTuple):
    """What a step of one account works with: the market, that account, and where it says what happens."""

    market: Record
    book: Record
    features: Record
    account: Record
    settings: Record
    out: Outbox
    account_index: int


@njit(cache=True)
def has_room(out: Outbox, accounts: int) -> bool:
    """Whether the outbox can take one step of so many accounts."""
    return max(out.counts[0], out.counts[1]) + accounts * STEP_ROOM <= len(out.acks)


def new_market() -> Records:
    """A market of which nothing is known, shape (1,)."""
    market = np.zeros(1, dtype=MARKET_STATE)
    market["funding_rate"] = np.nan
    return market


def new_accounts(settings: Records) -> Records:
    """Fresh accounts, one for each row of settings, shape (n,)."""
    accounts = np.zeros(len(settings), dtype=ACCOUNT_STATE)
    accounts["next_ts"], accounts["low_ask"], accounts["liquidation_ts"] = NEVER, NEVER, NEVER
    accounts["changed"] = 1
    accounts["cash"] = settings["initial_cash"]
    accounts["toxicity_weights"] = accounts["learned"] = np.nan
    return accounts
