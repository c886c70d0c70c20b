"""hftbacktest's side of the replay benchmark. It runs in a venv of its own: `make bench` builds it.

    python hftbacktest_side.py TAPE ARRAY

ARRAY is made from the tape by hftbacktest's own converter if it is not there. For each line on standard input one
backtest runs, and one line of JSON is printed: its seconds, rows, steps, trades and the process's peak memory.
"""

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
from hftbacktest import GTX, LIMIT, BacktestAsset, ROIVectorMarketDepthBacktest
from hftbacktest.data.utils import binancefutures
from numba import njit

STEP_NS = 10_000_000
ORDER_SIZE = 0.008
MAX_POSITION = 0.04
HALF_SPREAD = 4e-4
SKEW = 1.25e-3
THRESHOLD = 5e-4


@njit
def quote(backtest):
    """Two-sided quoting every 10 ms: one post-only order a side around a skewed mid, moved when it is 5 bp off."""
    tick_size = backtest.depth(0).tick_size
    bid_id, ask_id, bid_tick, ask_tick, next_id, steps = -1, -1, 0, 0, 1, 0
    while backtest.elapse(STEP_NS) == 0:
        steps += 1
        backtest.clear_inactive_orders(0)
        depth = backtest.depth(0)
        if not depth.best_bid_tick < depth.best_ask_tick:
            continue
        orders, position = backtest.orders(0), backtest.position(0)
        mid = (depth.best_bid + depth.best_ask) / 2
        centre = mid * (1 - SKEW * position / MAX_POSITION)
        wanted_bid = min(int(np.floor(centre * (1 - HALF_SPREAD) / tick_size)), depth.best_ask_tick - 1)
        wanted_ask = max(int(np.ceil(centre * (1 + HALF_SPREAD) / tick_size)), depth.best_bid_tick + 1)
        allowed = THRESHOLD * mid / tick_size
        if bid_id in orders:
            if abs(wanted_bid - bid_tick) > allowed and orders.get(bid_id).cancellable:
                backtest.cancel(0, bid_id, False)
        elif position < MAX_POSITION:
            bid_id, bid_tick, next_id = next_id, wanted_bid, next_id + 1
            backtest.submit_buy_order(0, bid_id, bid_tick * tick_size, ORDER_SIZE, GTX, LIMIT, False)
        if ask_id in orders:
            if abs(wanted_ask - ask_tick) > allowed and orders.get(ask_id).cancellable:
                backtest.cancel(0, ask_id, False)
        elif position > -MAX_POSITION:
            ask_id, ask_tick, next_id = next_id, wanted_ask, next_id + 1
            backtest.submit_sell_order(0, ask_id, ask_tick * tick_size, ORDER_SIZE, GTX, LIMIT, False)
    return steps


def load(tape: Path, array: Path) -> np.ndarray:
    if not array.exists():
        binancefutures.convert(str(tape), output_filename=str(array), combined_stream=True)
    return np.load(array)["data"]


def backtest(data: np.ndarray, low: float, high: float) -> dict[str, float]:
    asset = (
        BacktestAsset()
        .data(data)
        .linear_asset(1.0)
        .constant_order_latency(100_000_000, 0)
        .power_prob_queue_model(3.0)
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.00015, 0.00045)
        .tick_size(0.1)
        .lot_size(0.001)
        .roi_lb(low)
        .roi_ub(high)
    )
    running = ROIVectorMarketDepthBacktest([asset])
    started = time.process_time()
    steps = quote(running)
    seconds = time.process_time() - started
    trades = running.state_values(0).num_trades
    running.close()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "rows": len(data), "steps": steps, "trades": int(trades), "peak_mib": memory}


def main() -> None:
    data = load(Path(sys.argv[1]), Path(sys.argv[2]))
    prices = data["px"][(data["ev"] & 0xFF) == 2]
    low, high = float(prices.min()) * 0.98, float(prices.max()) * 1.02
    backtest(data, low, high)
    for _ in sys.stdin:
        sys.stdout.write(json.dumps(backtest(data, low, high)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
