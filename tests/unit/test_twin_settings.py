"""The settings that a twin writes are those of the paper exchange, all latencies of them."""

import tomllib

from papertrader.replay.twin.comparison import Scores
from papertrader.replay.twin.fit import KNOBS, LATENCIES_MS, Fitted, Knob
from papertrader.replay.twin.report import settings_toml
from papertrader.replay.twin.twin import MarketTwin
from papertrader.services.fill_sim.config import FillSimConfig
from papertrader.shared.log.subjects import Market
from papertrader.shared.service.config import Settings

NOTHING = Scores(0, 0, 0, 0.0, 0, 0, 0, 0, None, 0.0, None, 0.0, None, None, None, 0.0, 0.0, None, {})


def twin(*fitted: Fitted) -> MarketTwin:
    return MarketTwin(Market("hyperliquid", "BTC"), {}, fitted, NOTHING, NOTHING, (), FillSimConfig())


def test_the_latency_found_is_that_of_every_kind_and_all_of_it() -> None:
    fitted = (
        Fitted("placement_latency_ms", 205.0, 200.0, 210.0, ()),
        Fitted("cancel_odds", 0.2, 0.1, 0.3, ()),
        Fitted("join_share", 0.45, 0.25, 0.65, ()),
    )
    text = settings_toml([twin(*fitted)])
    config = Settings(tomllib.loads(text)).section("fill_sim", FillSimConfig)
    assert config.latencies("hyperliquid") == (205.0, 205.0, 205.0, 0.0, 205.0)
    assert (config.cancel_odds, config.join_share) == (0.2, 0.45)
    assert "supported 200 to 210" in text


def test_whatever_is_tried_can_be_set() -> None:
    for knob in (Knob("placement_latency_ms", LATENCIES_MS), *KNOBS):
        for value in knob.candidates:
            text = settings_toml([twin(Fitted(knob.name, value, value, value, ()))])
            assert getattr(Settings(tomllib.loads(text)).section("fill_sim", FillSimConfig), knob.name) == value


def test_nothing_fitted_is_no_settings() -> None:
    assert settings_toml([twin()]) == ""
