"""From a failing campaign to the smallest one that still fails: delta debugging (Zeller and Hildebrandt 2002)."""

from collections.abc import Callable

from tests.faults.bench.catalogue import Campaign


def shrunk(campaign: Campaign, fails: Callable[[Campaign], bool]) -> Campaign:
    """A part of a failing campaign that fails, and of which no fault can be left out."""
    parts = 2
    while len(campaign) > 1:
        size = -(-len(campaign) // parts)
        chunks = [campaign[start : start + size] for start in range(0, len(campaign), size)]
        for chunk in chunks:
            rest = tuple(fault for fault in campaign if fault not in chunk)
            if rest and fails(rest):
                campaign, parts = rest, max(parts - 1, 2)
                break
        else:
            if size == 1:
                return campaign
            parts = min(2 * parts, len(campaign))
    return campaign
