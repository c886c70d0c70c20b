"""The venue's rules, as the paper exchange keeps them beside the market."""

from papertrader.shared.market.money import inverse_size
from papertrader.shared.market.records import Records, code
from papertrader.shared.messages import Instrument, MarketKind


def learn_rules(market: Records, instrument: Instrument) -> None:
    """Take over the instrument's rules; funding that the venue names itself goes on as named."""
    for name in ("lot_size", "min_notional", "significant_figures", "maximum_leverage"):
        market[name] = getattr(instrument, name)
    market["kind"], market["inverse_size"] = code(MarketKind, instrument.kind), inverse_size(instrument)
    market["funding_from_oracle"] = instrument.funding_price == "oracle"
    interval_ns = instrument.funding_interval_s * 1_000_000_000
    if interval_ns != market["funding_interval_ns"] and not market["funding_named"]:
        market["funding_step_ns"], market["next_funding_ts"] = interval_ns, 0
    market["funding_interval_ns"] = interval_ns
    market["tiers_count"] = len(instrument.margin_tiers)
    for row, tier in enumerate(instrument.margin_tiers):
        market["tier_floor"][0, row], market["tier_initial"][0, row] = tier.notional_floor, tier.initial_rate
        market["tier_maintenance"][0, row] = tier.maintenance_rate
        market["tier_deduction"][0, row] = tier.maintenance_deduction
