"""What the services say in the closed loop, and how each hears what was said in the last round."""

import numpy as np

from papertrader.replay.world import (
    ACCOUNTS,
    ACKS,
    CALIBRATIONS,
    COUNTS,
    ESTIMATES,
    FILLS,
    MARKOUTS,
    ORDERS,
    SAID,
    Accounts,
    Said,
    outbox_of,
)
from papertrader.services.calibration import kernel as calibration
from papertrader.services.estimator import kernel as estimator
from papertrader.services.fill_sim.commands import hear
from papertrader.services.fill_sim.line import learn
from papertrader.services.fill_sim.state import SAID_ACK, Exchange
from papertrader.services.outcome_tracker import kernel as tracker
from papertrader.services.quoter import kernel as quoter
from papertrader.services.quoter import orders as own_orders
from papertrader.services.quoter import own
from papertrader.shared.kernels import njit
from papertrader.shared.market.commands import CANCEL
from papertrader.shared.market.records import Record, Records


@njit(cache=True, inline="always")
def address(progress: Record, kind: int, of: Records, index: int, count: int) -> None:
    """Address so many messages of a kind, written behind those that were said before, as one account's."""
    first = progress.count[kind]
    for row in range(first, first + count):
        of[row].account, of[row].round = index, progress.round
    progress.count[kind] = first + count


@njit(cache=True)
def say_markouts(
    progress: Record, index: int, tracker_market: Record, tracker_: Record, settings: Record, said: Said, ts: int
) -> None:
    """Every horizon of one account that the clock has passed."""
    out = said.markouts.rows[progress.count[MARKOUTS] :]
    written = tracker.settle(tracker_market, tracker_, settings, ts, out)
    progress.lost |= written == len(out)
    address(progress, MARKOUTS, said.markouts.of, index, written)


@njit(cache=True)
def say_estimate(progress: Record, index: int, estimate: Record, said: Said) -> None:
    """One account's estimate."""
    said.estimate.rows[progress.count[ESTIMATES]] = estimate
    address(progress, ESTIMATES, said.estimate.of, index, 1)


@njit(cache=True)
def say_calibration(progress: Record, index: int, spoken: Record, said: Said) -> None:
    """One account's calibration."""
    said.calibration.rows[progress.count[CALIBRATIONS]] = spoken
    address(progress, CALIBRATIONS, said.calibration.of, index, 1)


@njit(cache=True)
def say_account(progress: Record, index: int, said: Said) -> None:
    """One account's money, which is written already."""
    address(progress, ACCOUNTS, said.account.of, index, 1)


@njit(cache=True)
def say_orders(progress: Record, index: int, commands: Records, said: Said) -> None:
    """One account's commands; of a cancel only what its message carries."""
    first = progress.count[ORDERS]
    for place in range(len(commands)):
        order = said.orders.rows[first + place]
        said.orders.rows[first + place] = commands[place]
        if order.type == CANCEL:
            order.price, order.size, order.mid = 0.0, 0.0, np.nan
            order.p_fill, order.p_adverse, order.params_version = np.nan, np.nan, 0
            order.side, order.time_in_force, order.reduce_only, order.priority_bps = 0, 0, 0, 0.0
    address(progress, ORDERS, said.orders.of, index, len(commands))


@njit(cache=True)
def address_exchange(progress: Record, said: Said) -> None:
    """Address what the exchange said in this round."""
    sequence, counts = said.sequence, said.counts
    for row in range(progress.last[SAID], counts[2]):
        of = said.acks.of[sequence[row, 2]] if sequence[row, 0] == SAID_ACK else said.fills.of[sequence[row, 2]]
        of.account, of.round = sequence[row, 1], progress.round
    progress.count[ACKS], progress.count[FILLS], progress.count[SAID] = counts[0], counts[1], counts[2]


@njit(cache=True)
def hand_on(progress: Record) -> None:
    """Make what was said in this round what is heard in the next."""
    progress.heard = 0
    for kind in range(COUNTS):
        progress.first[kind] = progress.last[kind]
        progress.last[kind] = progress.count[kind]
        progress.heard += progress.last[kind] - progress.first[kind]


@njit(cache=True, inline="always")
def calibration_hears(progress: Record, controllers: Records, said: Said) -> None:
    """Calibration hears acks, fills, labels and estimates."""
    first, last = progress.first, progress.last
    for row in range(first[ACKS], last[ACKS]):
        calibration.on_ack(controllers[said.acks.of[row].account], said.acks.rows[row])
    for row in range(first[FILLS], last[FILLS]):
        calibration.on_fill(controllers[said.fills.of[row].account], said.fills.rows[row])
    for row in range(first[MARKOUTS], last[MARKOUTS]):
        calibration.on_label(controllers[said.markouts.of[row].account], said.markouts.rows[row])
    for row in range(first[ESTIMATES], last[ESTIMATES]):
        calibration.on_estimate(controllers[said.estimate.of[row].account], said.estimate.rows[row].kappa_confidence)


@njit(cache=True, inline="always")
def quoter_hears(progress: Record, market: Record, accounts: Accounts, said: Said) -> None:
    """The quoter hears estimates, calibrations, fills, acks and accounts."""
    first, last, quoters, owns = progress.first, progress.last, accounts.quoters, accounts.owns
    for row in range(first[ESTIMATES], last[ESTIMATES]):
        quoter.on_estimate(quoters[said.estimate.of[row].account], said.estimate.rows[row])
    for row in range(first[CALIBRATIONS], last[CALIBRATIONS]):
        quoter.on_calibration(quoters[said.calibration.of[row].account], said.calibration.rows[row])
    for row in range(first[FILLS], last[FILLS]):
        index = said.fills.of[row].account
        own_orders.on_fill(quoters[index], said.fills.rows[row])
        if accounts.bindings[index].address > 0:
            own.note_fill(owns[index], said.fills.rows[row])
    for row in range(first[ACKS], last[ACKS]):
        ack, index = said.acks.rows[row], said.acks.of[row].account
        own_orders.on_ack(quoters[index], ack, int(np.rint(ack.price / market.book.tick_size)))
        if accounts.bindings[index].address > 0:
            own.note_ack(owns[index], quoters[index], market.printed, ack)
    for row in range(first[ACCOUNTS], last[ACCOUNTS]):
        index = said.account.of[row].account
        quoter.on_account(quoters[index], accounts.quoter_settings[index], said.account.rows[row])
        if accounts.bindings[index].address > 0:
            own.note_account(owns[index], said.account.rows[row])


@njit(cache=True, inline="always")
def exchange_hears(market: Record, exchanges: Records, settings: Records, said: Said) -> None:
    """The exchange hears toxicity and orders."""
    first, last, heard_ts = market.progress.first, market.progress.last, market.progress.previous_ts
    out = outbox_of(said)
    for row in range(first[ESTIMATES], last[ESTIMATES]):
        learn(exchanges, said.estimate.of[row].account, said.estimate.rows[row : row + 1])
    for row in range(first[ORDERS], last[ORDERS]):
        index = said.orders.of[row].account
        account = exchanges[index]
        step = Exchange(market.exchange, market.book, market.features, account, settings[index], out, index)
        hear(step, said.orders.rows[row], heard_ts)


@njit(cache=True, inline="always")
def estimator_hears(progress: Record, book: Record, estimator_market: Record, estimators: Records, said: Said) -> None:
    """The estimator hears acks, fills and labels."""
    first, last = progress.first, progress.last
    for row in range(first[ACKS], last[ACKS]):
        estimator.on_ack(book, estimators[said.acks.of[row].account], said.acks.rows[row])
    for row in range(first[FILLS], last[FILLS]):
        estimator.on_fill(estimators[said.fills.of[row].account], said.fills.rows[row])
    for row in range(first[MARKOUTS], last[MARKOUTS]):
        index = said.markouts.of[row].account
        estimator.on_markout(estimator_market, estimators[index], said.markouts.rows[row])


@njit(cache=True, inline="always")
def tracker_hears(progress: Record, tracker_market: Record, trackers: Records, settings: Records, said: Said) -> None:
    """The outcome tracker hears fills and acks; what it answers at once belongs to the round that begins."""
    first, last = progress.first, progress.last
    for row in range(first[FILLS], last[FILLS]):
        index, start = said.fills.of[row].account, progress.count[MARKOUTS]
        end = tracker.on_fill(trackers[index], said.fills.rows[row], said.markouts.rows, start)
        address(progress, MARKOUTS, said.markouts.of, index, end - start)
    for row in range(first[ACKS], last[ACKS]):
        index = said.acks.of[row].account
        tracker.on_ack(tracker_market, trackers[index], settings[index], said.acks.rows[row])
