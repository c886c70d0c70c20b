"""What the services say in the closed loop, and how each hears what was said in the last round."""

import numpy as np
from numba import njit

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
    Said,
)
from papertrader.services.calibration import kernel as calibration
from papertrader.services.estimator import kernel as estimator
from papertrader.services.fill_sim.commands import hear
from papertrader.services.fill_sim.state import SAID_ACK, Exchange
from papertrader.services.outcome_tracker import kernel as tracker
from papertrader.services.quoter import kernel as quoter
from papertrader.services.quoter import orders as own_orders
from papertrader.shared.market.commands import CANCEL
from papertrader.shared.market.records import Record, Records


@njit(cache=True)
def say_markouts(
    progress: Record, index: int, tracker_market: Record, tracker_: Record, settings: Record, said: Said, ts: int
) -> None:
    """Every horizon of one account that the clock has passed."""
    start = progress.count[MARKOUTS]
    out = said.markouts[start:]
    written = tracker.settle(tracker_market, tracker_, settings, ts, out)
    progress.lost |= written == len(out)
    for row in range(start, start + written):
        said.of_markout[row].account, said.of_markout[row].round = index, progress.round
    progress.count[MARKOUTS] += written


@njit(cache=True)
def say_estimate(progress: Record, index: int, estimate: Record, said: Said) -> None:
    """One account's estimate."""
    row = progress.count[ESTIMATES]
    said.estimates[row] = estimate
    said.of_estimate[row].account, said.of_estimate[row].round = index, progress.round
    progress.count[ESTIMATES] += 1


@njit(cache=True)
def say_calibration(progress: Record, index: int, spoken: Record, said: Said) -> None:
    """One account's calibration."""
    row = progress.count[CALIBRATIONS]
    said.calibrations[row] = spoken
    said.of_calibration[row].account, said.of_calibration[row].round = index, progress.round
    progress.count[CALIBRATIONS] += 1


@njit(cache=True)
def say_account(progress: Record, index: int, said: Said) -> None:
    """One account's money, which is written already."""
    row = progress.count[ACCOUNTS]
    said.of_account[row].account, said.of_account[row].round = index, progress.round
    progress.count[ACCOUNTS] += 1


@njit(cache=True)
def say_orders(progress: Record, index: int, commands: Records, said: Said) -> None:
    """One account's commands; of a cancel only what its message carries."""
    for place in range(len(commands)):
        row = progress.count[ORDERS]
        order = said.orders[row]
        said.orders[row] = commands[place]
        said.of_order[row].account, said.of_order[row].round = index, progress.round
        progress.count[ORDERS] += 1
        if order.type == CANCEL:
            order.price, order.size, order.mid = 0.0, 0.0, np.nan
            order.p_fill, order.p_adverse, order.params_version = np.nan, np.nan, 0
            order.side, order.time_in_force = 0, 0


@njit(cache=True)
def address_exchange(progress: Record, said: Said) -> None:
    """Address what the exchange said in this round."""
    out = said.exchange
    for row in range(progress.last[SAID], out.counts[2]):
        address = said.of_ack[out.said[row, 2]] if out.said[row, 0] == SAID_ACK else said.of_fill[out.said[row, 2]]
        address.account, address.round = out.said[row, 1], progress.round
    progress.count[ACKS], progress.count[FILLS], progress.count[SAID] = out.counts[0], out.counts[1], out.counts[2]


@njit(cache=True)
def hand_on(progress: Record) -> None:
    """Make what was said in this round what is heard in the next."""
    progress.heard = 0
    for kind in range(COUNTS):
        progress.first[kind] = progress.last[kind]
        progress.last[kind] = progress.count[kind]
        progress.heard += progress.last[kind] - progress.first[kind]


@njit(cache=True, forceinline=True)
def calibration_hears(progress: Record, controllers: Records, said: Said) -> None:
    """Calibration hears acks, fills, labels and estimates."""
    first, last = progress.first, progress.last
    for row in range(first[ACKS], last[ACKS]):
        calibration.on_ack(controllers[said.of_ack[row].account], said.exchange.acks[row])
    for row in range(first[FILLS], last[FILLS]):
        calibration.on_fill(controllers[said.of_fill[row].account], said.exchange.fills[row])
    for row in range(first[MARKOUTS], last[MARKOUTS]):
        calibration.on_label(controllers[said.of_markout[row].account], said.markouts[row])
    for row in range(first[ESTIMATES], last[ESTIMATES]):
        calibration.on_estimate(controllers[said.of_estimate[row].account], said.estimates[row].kappa_confidence)


@njit(cache=True, forceinline=True)
def quoter_hears(progress: Record, tick_size: float, quoters: Records, settings: Records, said: Said) -> None:
    """The quoter hears estimates, calibrations, fills, acks and accounts."""
    first, last = progress.first, progress.last
    for row in range(first[ESTIMATES], last[ESTIMATES]):
        quoter.on_estimate(quoters[said.of_estimate[row].account], said.estimates[row])
    for row in range(first[CALIBRATIONS], last[CALIBRATIONS]):
        quoter.on_calibration(quoters[said.of_calibration[row].account], said.calibrations[row])
    for row in range(first[FILLS], last[FILLS]):
        own_orders.on_fill(quoters[said.of_fill[row].account], said.exchange.fills[row])
    for row in range(first[ACKS], last[ACKS]):
        ack = said.exchange.acks[row]
        own_orders.on_ack(quoters[said.of_ack[row].account], ack, int(np.rint(ack.price / tick_size)))
    for row in range(first[ACCOUNTS], last[ACCOUNTS]):
        index = said.of_account[row].account
        quoter.on_account(quoters[index], settings[index], said.accounts[row])


@njit(cache=True, forceinline=True)
def exchange_hears(market: Record, exchanges: Records, settings: Records, said: Said) -> None:
    """The exchange hears toxicity and orders."""
    first, last, heard_ts = market.progress.first, market.progress.last, market.progress.previous_ts
    for row in range(first[ESTIMATES], last[ESTIMATES]):
        toxicity = exchanges[said.of_estimate[row].account].toxicity
        toxicity[0], toxicity[1] = said.estimates[row].toxicity_bid, said.estimates[row].toxicity_ask
    for row in range(first[ORDERS], last[ORDERS]):
        index = said.of_order[row].account
        account = exchanges[index]
        step = Exchange(market.exchange, market.book, market.features, account, settings[index], said.exchange, index)
        hear(step, said.orders[row], heard_ts)


@njit(cache=True, forceinline=True)
def estimator_hears(progress: Record, estimators: Records, settings: Records, said: Said) -> None:
    """The estimator hears acks, fills and labels."""
    first, last = progress.first, progress.last
    for row in range(first[ACKS], last[ACKS]):
        estimator.on_ack(estimators[said.of_ack[row].account], said.exchange.acks[row])
    for row in range(first[FILLS], last[FILLS]):
        estimator.on_fill(estimators[said.of_fill[row].account], said.exchange.fills[row])
    for row in range(first[MARKOUTS], last[MARKOUTS]):
        index = said.of_markout[row].account
        estimator.on_markout(estimators[index], settings[index], said.markouts[row])


@njit(cache=True, forceinline=True)
def tracker_hears(progress: Record, tracker_market: Record, trackers: Records, settings: Records, said: Said) -> None:
    """The outcome tracker hears fills and acks; what it answers at once belongs to the round that begins."""
    first, last = progress.first, progress.last
    for row in range(first[FILLS], last[FILLS]):
        index, start = said.of_fill[row].account, progress.count[MARKOUTS]
        end = tracker.on_fill(trackers[index], said.exchange.fills[row], said.markouts, start)
        for answer in range(start, end):
            said.of_markout[answer].account, said.of_markout[answer].round = index, progress.round
        progress.count[MARKOUTS] = end
    for row in range(first[ACKS], last[ACKS]):
        index = said.of_ack[row].account
        tracker.on_ack(tracker_market, trackers[index], settings[index], said.exchange.acks[row])
