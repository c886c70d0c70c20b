"""Venues that run the actions of a block in an order of classes and sell places in it: their rules, as data.

Hyperliquid's, as its documentation has them since the end of July 2026 (Order book; Priority fees). Within a block,

1. actions that send no GTC or IOC order: post-only orders, in the order in which they came;
2. cancels; those with `f` are put into a block before anything that waits in the mempool;
3. actions with a GTC or IOC order, those of IOC sooner the more they bid; a change counts as what it places.

A bid is a rate. IOC: about 45 ms sooner per bp up to 8 bp, charged on what is filled; what is bid beyond that only
decides among those who bid so much too, within 70 ms. Post-only: in front of what joined its level with a smaller bid
within the last 400 ms, charged on the whole order when it is placed. It is burned.
"""

from typing import Final, NamedTuple


class BlockRules(NamedTuple):
    """How a venue orders what comes within a block; all 0 where there are no blocks."""

    block_ms: float = 0.0
    sooner_ms_per_bp: float = 0.0
    sooner_limit_bps: float = 0.0
    tail_ms: float = 0.0
    """How young what stands at the end of a level's line may be for a post-only order to come before it."""


CONTINUOUS: Final = BlockRules()
BLOCK_RULES: Final = {"hyperliquid": BlockRules(70.0, 45.0, 8.0, 400.0)}
LARGEST_BID_BPS: Final = 10_000.0
"""All of it."""


def rules_of(venue: str) -> BlockRules:
    """The rules of a venue."""
    return BLOCK_RULES.get(venue, CONTINUOUS)


def sooner_ms(rules: BlockRules, bid_bps: float) -> float:
    """How much sooner an IOC order takes effect for its bid."""
    return rules.sooner_ms_per_bp * min(bid_bps, rules.sooner_limit_bps)
