"""A program of one's own that trades over the broker: one bid and one ask, moved when the touch has moved.

papertrader run --strategy none --data-dir data
python outside_bot.py synthetic.SYN1 data
"""

import asyncio
import sys

from papertrader import Client
from papertrader.messages import Ack, Bbo, Fill

AWAY_BPS = 5.0
SIZE = 0.01
ENDED = ("rejected", "cancelled", "expired", "filled", "refused")


async def trade(market: str, run: str, fills_wanted: int) -> int:
    """Quote both sides until there were so many fills; how many there were."""
    fills, orders = 0, {}
    async with Client(market, run=run, hear=("acks", "fills", "bbo")) as client:
        async for message in client:
            if isinstance(message, Fill):
                fills += 1
                print(f"{message.side} {message.size} at {message.price}, position {message.position_after}")  # noqa: T201
                if fills == fills_wanted:
                    break
            elif isinstance(message, Ack) and message.status in ENDED:
                orders = {side: order for side, order in orders.items() if order != message.order_id}
            elif isinstance(message, Bbo) and message.bid_price and message.ask_price:
                for side, price in (("buy", message.bid_price), ("sell", message.ask_price)):
                    if side not in orders:
                        orders[side] = await client.place(side, price, SIZE)
    return fills


if __name__ == "__main__":
    asyncio.run(trade(sys.argv[1], sys.argv[2], fills_wanted=10))
