"""Which worker should own which market.

The owner of a market is the living worker with the highest hash of (worker, market), rendezvous hashing (Thaler and
Ravishankar 1998), among those that have not yet their even share, so that few markets spread as well as many. A worker
that comes or goes moves little but its own share.
"""

import hashlib
from collections import Counter
from collections.abc import Collection
from functools import partial

from papertrader.shared.log.subjects import Market


def rightful_owners(workers: Collection[str], markets: Collection[Market]) -> dict[Market, str]:
    """The worker that should own each market; nobody has more than one market more than another.

    The market is offered to its workers in the order of their hashes, and the first with room takes it. Room is the
    even share rounded up for as many workers as the remainder fills, rounded down for the others.
    """
    share, left_over = divmod(len(markets), len(workers))
    counts = Counter[str]()
    owners = {}
    for market in sorted(markets):
        most = share + (left_over > 0)
        owner = max((worker for worker in workers if counts[worker] < most), key=partial(_affinity, market))
        counts[owner] += 1
        left_over -= counts[owner] == share + 1
        owners[market] = owner
    return owners


def _affinity(market: Market, worker: str) -> bytes:
    return hashlib.blake2b(f"{worker}|{market}".encode(), digest_size=8).digest()
