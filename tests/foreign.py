"""Files of other tools, and what is read of them."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.sources import MarketSource, sources
from papertrader.shared.messages import Depth, Message, Trades

T0 = 1_763_370_000_000_000_000
MS = 1_000_000


def saved(folder: Path, rows: Any, name: str = "BTCUSDT.npz") -> Path:
    path = folder / name
    if path.suffix == ".npy":
        np.save(path, rows)
    else:
        np.savez_compressed(path, data=rows)
    return path


def opened(*paths: Path) -> MarketSource:
    (source,) = sources(FeedConfig(source="tape", tapes=paths))
    return source


def messages(source: MarketSource) -> list[Message]:
    return [message for round_ in source.rounds() for message in round_.messages[:-1]][1:]


def read(path: Path) -> list[Message]:
    source = opened(path)
    found = messages(source)
    assert not source.bad
    return found


def depth(ms: int, bids: list[tuple[float, float]] = [], asks: list[tuple[float, float]] = []) -> Depth:  # noqa: B006
    return Depth(
        ts=T0 + ms * MS,
        recv_ts=T0 + ms * MS + MS,
        bid_prices=[price for price, _ in bids],
        bid_sizes=[size for _, size in bids],
        ask_prices=[price for price, _ in asks],
        ask_sizes=[size for _, size in asks],
    )


def trade(ms: int, aggressor: Any, price: float, size: float, id_: int) -> Trades:
    ts = T0 + ms * MS
    return Trades(
        ts=ts, recv_ts=ts + MS, times=[ts], prices=[price], sizes=[size], aggressors=[aggressor], trade_ids=[id_]
    )


def frame(ms: int, channel: str, data: Any) -> str:
    return f"{T0 + ms * MS + MS} " + json.dumps({"channel": channel, "data": data}) + "\n"


def hyperliquid_tape(folder: Path, coin: str) -> Path:
    """Books that move, an empty side, touches, prints, context."""
    lines = []
    for step in range(40):
        bid, time = 100 + step % 7, T0 // MS + 250 * step
        bids = [{"px": str(bid - level), "sz": str(1 + (step + level) % 5), "n": 1} for level in range(5)]
        asks = [{"px": str(bid + 2 + level), "sz": str(1 + (step * level) % 4), "n": 1} for level in range(5)]
        lines.append(
            frame(250 * step, "l2Book", {"coin": coin, "time": time, "levels": [bids, [] if step == 20 else asks]})
        )
        touch = [{"px": str(bid), "sz": "9.0", "n": 1}, {"px": str(bid + 1), "sz": "0.5", "n": 2}]
        lines.append(frame(250 * step + 50, "bbo", {"coin": coin, "time": time + 50, "bbo": touch}))
        prints = [
            {"coin": coin, "side": "A", "px": str(bid), "sz": "0.5", "time": time + at, "tid": 10 * step + at}
            for at in (1, 2)
        ]
        lines.append(frame(250 * step + 60, "trades", prints))
        context = {
            "funding": "0.0000125",
            "openInterest": "7.5",
            "oraclePx": "104.5",
            "markPx": "104.25",
            "midPx": "104",
        }
        lines.append(frame(250 * step + 70, "activeAssetCtx", {"coin": coin, "ctx": context}))
    path = folder / "tape.txt"
    path.write_text("".join(lines))
    return path
