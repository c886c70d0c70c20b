"""What follows from an account's tables: when something happens next, and which prints can matter."""

from papertrader.services.fill_sim.auction import bids_for_place
from papertrader.services.fill_sim.state import NEVER
from papertrader.shared.kernels import njit
from papertrader.shared.market.commands import PLACE
from papertrader.shared.market.records import Record


@njit(cache=True)
def reschedule(account: Record, settings: Record) -> None:
    """Recompute when something happens next and which prints can matter; after every change of the tables."""
    account.next_ts, account.high_bid, account.low_ask = account.liquidation_ts, 0, NEVER
    account.bids = 0
    for slot in range(account.commands_count):
        command = account.commands[slot]
        account.next_ts = min(account.next_ts, command.effective_ts)
        if command.type == PLACE:
            widen(account, command.side, command.tick)
            account.bids += bids_for_place(command)
    for slot in range(account.triggers_count):
        account.next_ts = min(account.next_ts, account.triggers[slot].due_ts)
    for slot in range(account.orders_count):
        order = account.orders[slot]
        if order.cancel_ts < NEVER:
            account.next_ts = min(account.next_ts, order.cancel_ts + settings.late_print_ns)
        widen(account, order.side, order.tick)
    account.changed = 1


@njit(cache=True)
def widen(account: Record, side: int, tick: int) -> None:
    """Let prints at `tick` matter."""
    if side > 0:
        account.high_bid = max(account.high_bid, tick)
    else:
        account.low_ask = min(account.low_ask, tick)


@njit(cache=True)
def orders_live(account: Record) -> int:
    """Orders at the exchange whose cancel has not taken effect."""
    live = 0
    for slot in range(account.orders_count):
        if account.orders[slot].cancel_ts == NEVER:
            live += 1
    return live
