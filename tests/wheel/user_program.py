"""What a user writes, checked by mypy --strict against the installed wheel: every public name is there and typed."""

import asyncio
import sys
from collections.abc import Mapping, Sequence

import polars as pl

import papertrader as pt
from papertrader import client, messages, runs, strategies, sweeps
from papertrader.messages import Account, Ack, Fill


class Mine(pt.Glft):
    """The built-in strategy, quoting only bids."""

    def __init__(self, settings: Mapping[str, float | int | str | bool]) -> None:
        super().__init__(settings)

    def targets(self, view: pt.View) -> list[pt.Target]:
        """The built-in's bids."""
        return [target for target in super().targets(view) if target.side == "buy"]


class Own:
    """A strategy from scratch."""

    def targets(self, view: pt.View) -> Sequence[pt.Target]:
        """One bid."""
        return [pt.Target("buy", view.mid * 0.999, view.quote_size, p_fill=0.1)]


def results() -> float:
    """Replay, keep, load, look."""
    run: pt.Run = pt.run_replay(strategy="mine.py:Mine", duration_s=60.0, settings={"quoter": {"levels": 1}})
    run.save("monday")
    again = pt.load("monday")
    fills: pl.DataFrame = again.fills.filter(side="buy")
    unit: str = pt.columns("fills")[0].unit
    return float(fills["price"].sum()) + len(again.accounts) + len(unit)


def search() -> str:
    """Search a setting."""
    found: pt.Sweep = pt.run_sweep({"quoter.levels": [1, 2]}, duration_s=60.0)
    best: pt.Run = found.run(0)
    return found.bands[0].verdict + str(found.frame["pnl_per_hour"][0]) + str(len(best.quotes))


async def trade() -> None:
    """Trade from outside."""
    async with pt.Client("hyperliquid.BTC", account="mine", hear=("acks", "fills", "account")) as own:
        order_id: int = await own.place("buy", 60_000.0, 0.01, time_in_force="post_only")
        await own.modify(order_id, 59_999.0, 0.01)
        await own.cancel(order_id)
        async for message in own:
            if isinstance(message, Ack | Fill):
                sys.stdout.write(f"{message.order_id}\n")
            elif isinstance(message, Account):
                sys.stdout.write(f"{message.equity}\n")


strategy: pt.Strategy = Own()
errors: tuple[type[Exception], ...] = (pt.ClientError, pt.RunError, pt.StrategyError)
modules = (client, messages, runs, strategies, sweeps)
version: str = pt.__version__
if __name__ == "__main__":
    sys.stdout.write(f"{[getattr(pt, name) for name in pt.__all__]} {results()} {search()}\n")
    asyncio.run(trade())
