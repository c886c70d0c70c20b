"""Arrays without a reference count, for loops that hand the same arrays to many steps.

Numba counts references where a step takes an array as argument or out of a tuple, two atomic operations each, which is
more than a step on one event costs otherwise. The caller's own reference keeps the memory alive.
"""

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit
from numba.extending import intrinsic

from papertrader.replay.world import Accounts, Said, Scratch
from papertrader.services.fill_sim.state import Outbox


def _borrowed(_context: Any, array: Any) -> Any:
    """The same array, not counted: it must not outlive the caller's reference."""

    def without_owner(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = context.make_array(signature.return_type)(context, builder, arguments[0])
        view.meminfo = ir.Constant(view.meminfo.type, None)
        view.parent = ir.Constant(view.parent.type, None)
        return view._getvalue()

    return array(array), without_owner


borrowed: Any = intrinsic(_borrowed)


@njit(cache=True, forceinline=True)
def borrowed_accounts(accounts: Accounts) -> Accounts:
    """The accounts, not counted."""
    return Accounts(
        borrowed(accounts.exchange),
        borrowed(accounts.exchange_settings),
        borrowed(accounts.trackers),
        borrowed(accounts.tracker_settings),
        borrowed(accounts.estimators),
        borrowed(accounts.estimator_settings),
        borrowed(accounts.controllers),
        borrowed(accounts.controller_settings),
        borrowed(accounts.quoters),
        borrowed(accounts.quoter_settings),
    )


@njit(cache=True, forceinline=True)
def borrowed_said(said: Said) -> Said:
    """What was said, not counted."""
    out = said.exchange
    return Said(
        Outbox(borrowed(out.acks), borrowed(out.fills), borrowed(out.said), borrowed(out.counts)),
        borrowed(said.of_ack),
        borrowed(said.of_fill),
        borrowed(said.accounts),
        borrowed(said.of_account),
        borrowed(said.markouts),
        borrowed(said.of_markout),
        borrowed(said.estimates),
        borrowed(said.of_estimate),
        borrowed(said.calibrations),
        borrowed(said.of_calibration),
        borrowed(said.orders),
        borrowed(said.of_order),
    )


@njit(cache=True, forceinline=True)
def borrowed_scratch(scratch: Scratch) -> Scratch:
    """The scratch room, not counted."""
    return Scratch(
        borrowed(scratch.estimates),
        borrowed(scratch.calibrations),
        borrowed(scratch.targets),
        borrowed(scratch.commands),
    )
