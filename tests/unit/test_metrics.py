from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from papertrader.shared.log.subjects import Market
from papertrader.shared.service.metrics import ACCOUNT, MARKET, FoldCollector, Histogram, Metric, Sample

FILLS = Metric("paper_fills", "counter", "Fills", (*ACCOUNT, "side"))
KAPPA = Metric("paper_kappa", "gauge", "Decay of fill intensity", MARKET)
MARKOUT = Metric("paper_markout_bps", "histogram", "Markouts", ACCOUNT)
BTC, ETH = Market("hyperliquid", "BTC"), Market("hyperliquid", "ETH")


def samples(market: Market, fold: dict[str, float]) -> Iterator[Sample]:
    yield Sample(FILLS, (*market, "main", "buy"), fold["buys"])
    yield Sample(FILLS, (*market, "main", "sell"), fold["sells"])
    yield Sample(KAPPA, tuple(market), fold["kappa"])
    yield Sample(MARKOUT, (*market, "main"), Histogram([("-1.0", 2.0), ("1.0", 5.0), ("+Inf", 6.0)], -3.5))


def exported(owned: dict[Market, dict[str, float]]) -> list[str]:
    registry = CollectorRegistry()
    registry.register(FoldCollector((FILLS, KAPPA, MARKOUT), samples, lambda: owned))
    return generate_latest(registry).decode().splitlines()


def test_samples_of_every_owned_market_are_exported() -> None:
    lines = exported({BTC: {"buys": 3, "sells": 0, "kappa": 2500.5}, ETH: {"buys": 1, "sells": 2, "kappa": 900.0}})
    assert 'paper_fills_total{account="main",asset="BTC",side="buy",venue="hyperliquid"} 3.0' in lines
    assert 'paper_fills_total{account="main",asset="BTC",side="sell",venue="hyperliquid"} 0.0' in lines
    assert 'paper_fills_total{account="main",asset="ETH",side="sell",venue="hyperliquid"} 2.0' in lines
    assert 'paper_kappa{asset="BTC",venue="hyperliquid"} 2500.5' in lines
    assert "# TYPE paper_fills_total counter" in lines
    assert "# TYPE paper_kappa gauge" in lines
    assert "# HELP paper_kappa Decay of fill intensity" in lines


def test_histogram_has_cumulative_buckets_a_count_and_a_sum() -> None:
    lines = exported({BTC: {"buys": 0, "sells": 0, "kappa": 0}})
    labels = 'account="main",asset="BTC"'
    assert f'paper_markout_bps_bucket{{{labels},le="1.0",venue="hyperliquid"}} 5.0' in lines
    assert f'paper_markout_bps_bucket{{{labels},le="+Inf",venue="hyperliquid"}} 6.0' in lines
    assert f'paper_markout_bps_count{{{labels},venue="hyperliquid"}} 6.0' in lines
    assert f'paper_markout_bps_sum{{{labels},venue="hyperliquid"}} -3.5' in lines


def test_market_that_was_handed_over_leaves_no_series() -> None:
    owned = {BTC: {"buys": 0.0, "sells": 0.0, "kappa": 0.0}}
    registry = CollectorRegistry()
    registry.register(FoldCollector((FILLS, KAPPA), samples_of_two, lambda: owned))
    assert b'asset="BTC"' in generate_latest(registry)
    owned.clear()
    after = generate_latest(registry)
    assert b'asset="BTC"' not in after
    assert b"# TYPE paper_kappa gauge" in after


def samples_of_two(market: Market, fold: dict[str, float]) -> Iterator[Sample]:
    yield Sample(KAPPA, tuple(market), fold["kappa"])


def test_values_are_read_when_scraped() -> None:
    fold = {"buys": 0.0, "sells": 0.0, "kappa": 1.0}
    registry = CollectorRegistry()
    registry.register(FoldCollector((KAPPA,), samples_of_two, lambda: {BTC: fold}))
    fold["kappa"] = 2.0
    assert registry.get_sample_value("paper_kappa", {"venue": "hyperliquid", "asset": "BTC"}) == 2.0


def test_sample_of_an_undeclared_metric_is_an_error() -> None:
    collector = FoldCollector((FILLS,), samples_of_two, lambda: {BTC: {"kappa": 1.0}})
    with pytest.raises(KeyError, match="paper_kappa"):
        list(collector.collect())
