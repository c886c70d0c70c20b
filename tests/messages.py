"""Messages with every field that does not matter filled in."""

from typing import Any

from papertrader.shared.messages import (
    LABEL_HORIZON_S,
    Account,
    Ack,
    Calibration,
    Command,
    Estimate,
    Fill,
    Markout,
    Place,
)

S = 1_000_000_000
FEATURES = (0.0,) * 8
BINS = (0.0,) * 10


def place(ts: int, **fields: Any) -> Place:
    defaults: dict[str, Any] = {"order_id": 1, "side": "buy", "price": 99.97, "size": 1.0, "p_fill": 0.2}
    return Place(ts=ts, **(defaults | fields))


def ack(command: Command | None, ts: int, **fields: Any) -> Ack:
    """An accepted ack of a placed order."""
    defaults: dict[str, Any] = {
        "order_id": 1,
        "status": "accepted",
        "reason": "none",
        "side": "buy",
        "price": 99.97,
        "size": 1.0,
        "filled_size": 0.0,
        "live_ts": ts,
        "first_fill_ts": 0,
        "mid_at_placement": 100.0,
        "queue_ahead": 0.0,
        "p_fill": 0.2,
        "p_adverse": 0.3,
    }
    if isinstance(command, Place):
        defaults |= {name: getattr(command, name) for name in ("order_id", "side", "price", "size")}
    return Ack(ts=ts, **(defaults | fields))


def fill(ts: int, **fields: Any) -> Fill:
    defaults: dict[str, Any] = {
        "fill_id": 1,
        "order_id": 1,
        "trade_id": 1,
        "side": "buy",
        "price": 99.97,
        "size": 1.0,
        "maker": True,
        "fee": 0.015,
        "mid_at_placement": 100.0,
        "mid_at_fill": 100.0,
        "half_spread_bps": 3.0,
        "through": False,
        "queue_ahead_at_join": 0.0,
        "live_ts": ts,
        "toxicity": None,
        "p_fill": 0.2,
        "p_adverse": 0.3,
        "features": FEATURES,
        "position_after": 1.0,
    }
    return Fill(ts=ts, **(defaults | fields))


def markout(ts: int, **fields: Any) -> Markout:
    defaults: dict[str, Any] = {
        "fill_id": 1,
        "order_id": 1,
        "filled": True,
        "side": "buy",
        "fill_ts": ts - 5 * S,
        "price": 99.97,
        "size": 1.0,
        "mid_at_fill": 100.0,
        "horizon_s": LABEL_HORIZON_S,
        "resolved": True,
        "mid": 100.0,
        "markout_bps": 3.0,
        "adverse_selection_bps": 0.0,
        "label": True,
        "adverse": False,
        "adverse_volatility_scaled": False,
        "toxicity": None,
        "features": FEATURES,
    }
    return Markout(ts=ts, **(defaults | fields))


def estimate(ts: int, **fields: Any) -> Estimate:
    defaults: dict[str, Any] = {
        "version": 1,
        "kappa": 2500.0,
        "kappa_sd": 1100.0,
        "intensity": 0.1,
        "own_fills": 0,
        "kappa_confidence": 0.0,
        "exposure_s": 10.0,
        "market_kappa": 2600.0,
        "market_prints": 100,
        "sigma_bps": 1.0,
        "sigma_bipower_bps": 0.9,
        "jump_ratio": 1.1,
        "sigma_p10_bps": 0.5,
        "sigma_p90_bps": 2.0,
        "regime": "normal",
        "regime_probabilities": (0.1, 0.7, 0.2, 0.0),
        "regime_seconds": (10.0, 20.0, 5.0, 0.0),
        "regime_changes": 0,
        "toxicity_bid": 0.35,
        "toxicity_ask": 0.35,
        "adverse_base_rate": 0.35,
        "classifier_ready": False,
        "classifier_samples": 0,
        "dropped": 0,
    }
    return Estimate(ts=ts, **(defaults | fields))


def calibration(ts: int, **fields: Any) -> Calibration:
    forecast = tuple((index + 0.5) / 10 for index in range(10))
    count = (12.0, 30.0, 25.0, 14.0, 6.0, 3.0, 0.0, 0.0, 0.0, 0.0)
    observed = (0.02, 0.17, 0.24, 0.5, 0.4, 0.67, 0.0, 0.0, 0.0, 0.0)
    defaults: dict[str, Any] = {
        "version": 1,
        "cal_progress": 0.0,
        "cal_gamma": 0.3,
        "as_progress": 0.0,
        "kappa_progress": 0.0,
        "fill_rate_progress": 0.3,
        "fills": 0,
        "outcomes_resolved": 0,
        "outcomes_adverse": 0,
        "fill_forecasts": 90,
        "fill_brier": 0.18,
        "fill_skill": 0.05,
        "fill_log_loss": 0.5,
        "fill_ece": 0.03,
        "fill_bin_count": count,
        "fill_bin_forecast": forecast,
        "fill_bin_observed": observed,
        "toxicity_forecasts": 0,
        "toxicity_brier": None,
        "toxicity_skill": None,
        "toxicity_log_loss": None,
        "toxicity_ece": None,
        "toxicity_bin_count": BINS,
        "toxicity_bin_forecast": BINS,
        "toxicity_bin_observed": BINS,
    }
    return Calibration(ts=ts, **(defaults | fields))


def account(ts: int, **fields: float) -> Account:
    numbers: dict[str, Any] = {name: 0.0 for name in Account.__struct_fields__ if name not in ("ts", "fills")}
    return Account(ts=ts, **(numbers | {"fills": 0, "orders_live": 0, "liquidations": 0} | fields))
