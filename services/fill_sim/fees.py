"""What venues charge, as data: fees by tier and kind of market, and what a liquidation costs.

Settings choose the row; explicit fees win over it. A tier's fees hold for the whole run: paper turnover moves nobody
into another tier.
"""

from typing import Final, NamedTuple

from papertrader.services.fill_sim.config import FillSimConfig
from papertrader.shared.messages import MarketKind
from papertrader.shared.service.config import SettingsError


class Fees(NamedTuple):
    """Fees of a fill, bps of its value; a negative one is a rebate."""

    maker: float
    taker: float


class LiquidationRules(NamedTuple):
    """What a liquidation costs beside the taker fee.

    `fee_bps` of the value that is closed; an account whose equity is below `backstop_share` of the maintenance margin
    loses all of it.
    """

    fee_bps: float
    backstop_share: float


class Schedule(NamedTuple):
    """What a venue charges: fees by kind of market and tier, discounts on them (not on rebates), and maker rebates."""

    tiers: dict[MarketKind, tuple[Fees, ...]]
    discounts: tuple[float, ...] = (0.0,)
    rebates_bps: tuple[float, ...] = (0.0,)
    liquidation: LiquidationRules = LiquidationRules(0.0, 0.0)


def _fees(*pairs: tuple[float, float]) -> tuple[Fees, ...]:
    return tuple(Fees(maker, taker) for maker, taker in pairs)


HYPERLIQUID: Final = Schedule(
    tiers={
        "perpetual": _fees((1.5, 4.5), (1.2, 4.0), (0.8, 3.5), (0.4, 3.0), (0.0, 2.8), (0.0, 2.6), (0.0, 2.4)),
        "spot": _fees((4.0, 7.0), (3.0, 6.0), (2.0, 5.0), (1.0, 4.0), (0.0, 3.5), (0.0, 3.0), (0.0, 2.5)),
    },
    discounts=(0.0, 0.05, 0.10, 0.15, 0.20, 0.30, 0.40),
    rebates_bps=(0.0, 0.1, 0.2, 0.3),
    liquidation=LiquidationRules(0.0, 2 / 3),
)
"""hyperliquid.gitbook.io, Fees and Liquidations, 2026.

Fee tiers by the weighted volume of 14 days: above 5 M, 25 M, 100 M, 500 M, 2 B, 7 B. Discounts by HYPE staked: above
10, 100, 1 k, 10 k, 100 k, 500 k. Rebates by the share of all makers' volume: above 0.5, 1.5, 3 %. Liquidations go to
the book for the taker fee; below 2/3 of the maintenance margin the backstop takes the account.
"""

BINANCE: Final = Schedule(
    tiers={
        "perpetual": _fees(
            *((2.0, 5.0), (1.6, 4.0), (1.4, 3.5), (1.2, 3.2), (1.0, 3.0)),
            *((0.8, 2.7), (0.6, 2.5), (0.4, 2.2), (0.2, 2.0), (0.0, 1.7)),
        ),
        "spot": _fees((10.0, 10.0)),
        "inverse": _fees((1.0, 5.0), (0.8, 4.0), (0.7, 3.5)),
    },
    discounts=(0.0, 0.10),
    liquidation=LiquidationRules(125.0, 0.0),
)
"""binance.com, fee schedule of USD-M futures (VIP 0 to 9 by 30 days' volume and BNB held), 2026.

Discount 1 is paying in BNB. The clearance fee is that of most symbols (`liquidationFee` 0.0125 in exchangeInfo).
"""

OTHER: Final = Schedule(tiers={"perpetual": _fees((1.5, 4.5))})
"""A venue of which no schedule is kept."""

SCHEDULES: Final = {"hyperliquid": HYPERLIQUID, "binance": BINANCE}


def fees_bps(config: FillSimConfig, venue: str, kind: MarketKind) -> Fees:
    """The fees of an account in a kind of market; SettingsError names a tier that the venue does not have."""
    schedule = SCHEDULES.get(venue, OTHER)
    tiers = schedule.tiers["perpetual"]
    _check("fee_tier", config.fee_tier, len(tiers), venue)
    _check("fee_discount_tier", config.fee_discount_tier, len(schedule.discounts), venue)
    _check("maker_rebate_tier", config.maker_rebate_tier, len(schedule.rebates_bps), venue)
    of_kind = schedule.tiers.get(kind, tiers)
    base, discount = of_kind[min(config.fee_tier, len(of_kind) - 1)], schedule.discounts[config.fee_discount_tier]
    rebate = schedule.rebates_bps[config.maker_rebate_tier]
    maker = -rebate if rebate else base.maker * (1 - discount)
    return Fees(
        maker if config.maker_fee_bps is None else config.maker_fee_bps,
        base.taker * (1 - discount) if config.taker_fee_bps is None else config.taker_fee_bps,
    )


def liquidation_rules(config: FillSimConfig, venue: str) -> LiquidationRules:
    """What a liquidation costs an account."""
    rules = SCHEDULES.get(venue, OTHER).liquidation
    return rules if config.liquidation_fee_bps is None else rules._replace(fee_bps=config.liquidation_fee_bps)


def _check(name: str, tier: int, known: int, venue: str) -> None:
    if tier >= known:
        raise SettingsError(f"fill_sim.{name} is {tier}, but of {venue or 'this venue'} 0 to {known - 1} are known")
