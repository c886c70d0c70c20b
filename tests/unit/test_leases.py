"""How markets are spread over the workers of a service."""

from collections import Counter

import pytest

from papertrader.shared.log.ownership import rightful_owners
from papertrader.shared.log.subjects import Market

MARKETS = [Market("venue", f"A{number}") for number in range(40)]
WORKERS = ["host1-7", "host2-7", "host3-7", "host4-7"]


@pytest.mark.parametrize("workers", range(1, 5))
@pytest.mark.parametrize("markets", [0, 1, 2, 3, 7, 40])
def test_owners_have_even_shares(workers: int, markets: int) -> None:
    owners = rightful_owners(WORKERS[:workers], MARKETS[:markets])
    counts = Counter(owners.values())
    shares = [counts[worker] for worker in WORKERS[:workers]]
    assert set(owners) == set(MARKETS[:markets])
    assert max(shares) - min(shares) <= 1


def test_owners_do_not_depend_on_the_order_in_which_anybody_was_heard_of() -> None:
    assert rightful_owners(WORKERS, MARKETS) == rightful_owners(WORKERS[::-1], MARKETS[::-1])


@pytest.mark.parametrize("newcomer", WORKERS)
def test_owners_change_for_few_markets_when_a_worker_comes(newcomer: str) -> None:
    others = [worker for worker in WORKERS if worker != newcomer]
    before, after = rightful_owners(others, MARKETS), rightful_owners(WORKERS, MARKETS)
    moved = [market for market in MARKETS if before[market] != after[market]]
    assert sum(owner == newcomer for owner in after.values()) == 10
    assert len(moved) <= 20
