"""The settings as kernels read them."""

from typing import Final

import numpy as np

from papertrader.services.fill_sim.config import Cancels, Decide, FillModel, FillSimConfig
from papertrader.services.fill_sim.fees import fees_bps, liquidation_rules
from papertrader.services.fill_sim.state import KINDS
from papertrader.shared.market.blocks import rules_of
from papertrader.shared.market.latencies import LATENCY_KNOTS, Latencies, Latency
from papertrader.shared.market.records import Records, Row, code

SETTINGS: Final = np.dtype(
    [
        ("fill_model", "i1"),
        ("cancels", "i1"),
        ("cancel_exponent", "f8"),
        ("cancel_odds", "f8"),
        ("unseen_s", "f8"),
        ("join_share", "f8"),
        ("learned_queue", "i1"),
        ("match_sizes", "i1"),
        ("decide", "i1"),
        ("fill_prob_base", "f8"),
        ("queue_position_factor", "f8"),
        ("adverse_fill_ratio", "f8"),
        ("latency_u", "f8", (len(Latencies._fields), LATENCY_KNOTS)),  # in the order of `Latencies`
        ("latency_ns", "f8", (len(Latencies._fields), LATENCY_KNOTS)),
        ("burst_ns", "i8"),
        ("burst_market", "f8"),
        ("fast_cancels", "i1"),
        ("block_ns", "i8"),  # 0 where there are no blocks
        ("tail_ns", "i8"),
        ("sooner_ns_per_bp", "f8"),
        ("sooner_limit_bps", "f8"),
        ("late_print_ns", "i8"),
        ("maker_fee", "f8", (len(KINDS),)),  # fractions, by kind of market
        ("taker_fee", "f8", (len(KINDS),)),
        ("maker_fee_bps", "f8", (len(KINDS),)),
        ("taker_fee_bps", "f8", (len(KINDS),)),
        ("liquidation_fee", "f8"),
        ("backstop_share", "f8"),
        ("leverage", "f8"),
        ("initial_cash", "f8"),
        ("max_distance", "f8"),
        ("seed", "i8"),
    ],
    align=True,
)


def settings_of(configs: list[FillSimConfig], venue: str = "") -> Records:
    """The settings as kernels read them: latencies in ns, fees as fractions; shape (n,). Raises SettingsError.

    Fees and penalties that are not set are the venue's.
    """
    settings = np.zeros(len(configs), dtype=SETTINGS)
    for row, config in zip(settings, configs, strict=True):
        for name in ("cancel_exponent", "cancel_odds", "unseen_s", "join_share", "learned_queue", "match_sizes"):
            row[name] = getattr(config, name)
        for name in ("fill_prob_base", "queue_position_factor", "adverse_fill_ratio"):
            row[name] = getattr(config, name)
        for name in ("leverage", "initial_cash", "max_distance", "seed"):
            row[name] = getattr(config, name)
        row["decide"] = code(Decide, config.decide)
        row["fill_model"] = code(FillModel, config.fill_model)
        row["cancels"] = code(Cancels, config.cancels)
        if config.cancels == "pro_rata":
            row["cancel_exponent"] = 1.0
        row["late_print_ns"] = round(config.late_print_ms * 1e6)
        for kind, name in enumerate(KINDS):
            fees = fees_bps(config, venue, name)
            row["maker_fee_bps"][kind], row["taker_fee_bps"][kind] = fees.maker, fees.taker
        row["maker_fee"], row["taker_fee"] = row["maker_fee_bps"] * 1e-4, row["taker_fee_bps"] * 1e-4
        rules = liquidation_rules(config, venue)
        row["liquidation_fee"], row["backstop_share"] = rules.fee_bps * 1e-4, rules.backstop_share
        for kind, latency in enumerate(config.latencies(venue)):
            write_latency(latency, row["latency_u"][kind], row["latency_ns"][kind])
        row["burst_ns"] = round(config.latency_burst_s * 1e9)
        row["burst_market"] = config.latency_burst_market
        blocks = rules_of(venue)
        row["fast_cancels"] = config.fast_cancels
        row["block_ns"] = round((blocks.block_ms if config.block_ms is None else config.block_ms) * 1e6)
        row["tail_ns"] = round(blocks.tail_ms * 1e6)
        row["sooner_ns_per_bp"], row["sooner_limit_bps"] = blocks.sooner_ms_per_bp * 1e6, blocks.sooner_limit_bps
    return settings


def write_latency(latency: Latency, u: Row, ns: Row) -> None:
    """Write a quantile table, its last knot repeated to the end; a constant is a table that starts at u = 0."""
    knots = ((0.0, latency),) if isinstance(latency, int | float) else latency
    for index in range(LATENCY_KNOTS):
        quantile, ms = knots[min(index, len(knots) - 1)]
        u[index], ns[index] = quantile, ms * 1e6
