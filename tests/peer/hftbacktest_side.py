"""hftbacktest's view of an array: its book and the prints it has heard, after every moment at which it hears something.

    python hftbacktest_side.py ARRAY TICK_SIZE LOT_SIZE

One line of JSON a moment: when, the best levels of each side as [tick, size], the prints since the last one.
"""

import json
import sys

import numpy as np
from hftbacktest import BacktestAsset, HashMapMarketDepthBacktest

LEVELS = 5
FARTHEST = 2_000
LOCAL, BUY = 1 << 30, 1 << 29


def levels(size_at, best, direction):
    """The best levels of a side: its best tick, the direction away from the other side."""
    found = []
    for tick in range(best, best + direction * FARTHEST, direction):
        size = size_at(tick)
        if size > 0:
            found.append([tick, size])
            if len(found) == LEVELS:
                break
    return found


def main() -> None:
    path, tick_size, lot_size = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
    data = np.load(path)["data"]
    times = np.unique(data["local_ts"][data["ev"] & LOCAL > 0])
    asset = (
        BacktestAsset()
        .data([path])
        .linear_asset(1.0)
        .constant_order_latency(0, 0)
        .risk_adverse_queue_model()
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.0, 0.0)
        .tick_size(tick_size)
        .lot_size(lot_size)
        .last_trades_capacity(100_000)
    )
    backtest = HashMapMarketDepthBacktest([asset])
    backtest.elapse(0)
    for time in times.tolist():
        backtest.elapse(time - backtest.current_timestamp)
        depth = backtest.depth(0)
        trades = [[float(row["px"]), float(row["qty"]), bool(int(row["ev"]) & BUY)] for row in backtest.last_trades(0)]
        backtest.clear_last_trades(0)
        line = {
            "ts": time,
            "bids": levels(depth.bid_qty_at_tick, depth.best_bid_tick, -1) if depth.best_bid == depth.best_bid else [],
            "asks": levels(depth.ask_qty_at_tick, depth.best_ask_tick, 1) if depth.best_ask == depth.best_ask else [],
            "trades": trades,
        }
        sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
