"""A market's twin: fit on the first part of a live record, score on the rest, and say which settings to use."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import msgspec

from papertrader.replay.twin.appearances import appeared
from papertrader.replay.twin.comparison import Compared, Scores, compare, score
from papertrader.replay.twin.fit import KNOBS, LATENCIES_MS, Fitted, Knob, by_appearance, changed, fit_knob
from papertrader.replay.twin.intentions import intended_cancels
from papertrader.replay.twin.own_orders import OwnOrders
from papertrader.replay.twin.record import LiveOrder, LiveRecord
from papertrader.replay.twin.simulation import simulate
from papertrader.replay.twin.stage import PaperOrder
from papertrader.services.feed.market_source import MarketSource
from papertrader.services.fill_sim.config import FillSimConfig
from papertrader.shared.log.subjects import Market, token

LEAST_ORDERS: Final = 20
"""Fewer live orders are compared, but nothing is fitted to them."""

Progress = Callable[[str, int, int], None]
"""Told what is being done, how many steps are done and how many there are."""


class MarketTwin(NamedTuple):
    """One market: the fit, and the comparison of all orders that were not fitted to, as found and as fitted."""

    market: Market
    left_out: dict[str, int]
    fitted: tuple[Fitted, ...]
    as_found: Scores
    as_fitted: Scores
    rows: tuple[Compared, ...]
    config: FillSimConfig


def twin(
    source: MarketSource,
    record: LiveRecord,
    config: FillSimConfig,
    fit_share: float = 0.5,
    progress: Progress = lambda what, done, total: None,
) -> MarketTwin:
    """Compare a record with its simulation on one market.

    `fit_share` of the orders, the first ones, are fitted to; the scores are those of the rest. Raises ValueError when
    no order of the record lies in the data of this market.
    """
    orders, left_out = _within(source, record)
    found = msgspec.structs.replace(
        config,
        latency_preset="none",
        placement_latency_ms=0.0,
        modify_latency_ms=None,
        cancel_latency_ms=0.0,
        response_latency_ms=None,
        block_ms=0.0,  # its time is the end of its block
    )
    first = int(len(orders) * fit_share) if len(orders) >= LEAST_ORDERS else 0
    fitted, best = _fitted(source, orders[:first], found, progress)
    rest = orders[first:]
    exchanges = {"found": found, "fitted": best}
    simulated = simulate(source, rest, intended_cancels(orders)[first:], exchanges, own=own_orders(orders, best))
    rows = {name: compare(rest, papers, simulated.mids, p_fill) for name, papers in simulated.papers.items()}
    left_out["not_ended_in_the_data"] = len(rest) - len(rows["fitted"])
    scores = {name: score(compared) for name, compared in rows.items()}
    return MarketTwin(source.market, left_out, fitted, scores["found"], scores["fitted"], tuple(rows["fitted"]), best)


def p_fill(paper: PaperOrder) -> float:
    """The paper's probability that an order was filled: the draws' where the model has them, else 0 or 1."""
    assert paper.ack is not None
    drawn = paper.ack.fill_probability
    return float(bool(paper.fills)) if drawn is None else drawn


def _fitted(
    source: MarketSource, orders: Sequence[LiveOrder], config: FillSimConfig, progress: Progress
) -> tuple[tuple[Fitted, ...], FillSimConfig]:
    """Latency first, then each share of the queue, given what was fitted before."""
    if not orders:
        return (), config
    queue = KNOBS if config.fill_model == "draws" else ()
    steps, found = 1 + len(queue), [_latency(source, orders, config, progress, 1 + len(queue))]
    config = changed(config, found[0].name, found[0].value)
    for number, knob in enumerate(queue, start=1):
        progress(f"fitting {source.market}", number, steps)
        fitted = fit_knob(source, orders, config, knob, p_fill, own_orders(orders, config))
        config = changed(config, knob.name, fitted.value)
        found.append(fitted)
    progress(f"fitting {source.market}", steps, steps)
    return tuple(found), config


def _latency(
    source: MarketSource, orders: Sequence[LiveOrder], config: FillSimConfig, progress: Progress, steps: int
) -> Fitted:
    """The latency, by when the orders appeared in the book; where they cannot be seen there, by their fills."""
    progress(f"fitting {source.market}", 0, steps)
    seen = by_appearance(appeared(source, orders))
    knob = Knob("placement_latency_ms", LATENCIES_MS)
    return seen or fit_knob(source, orders, config, knob, p_fill, OwnOrders(orders))


def own_orders(orders: Sequence[LiveOrder], config: FillSimConfig) -> OwnOrders:
    """What of the tape's book is theirs, if they went live as late as the settings say."""
    latency = config.placement_latency_ms
    return OwnOrders(orders, round(latency * 1e6) if isinstance(latency, int | float) else 0)


def _within(source: MarketSource, record: LiveRecord) -> tuple[tuple[LiveOrder, ...], dict[str, int]]:
    """The record's orders of this market that were placed while there are data, and how many others there are."""
    orders = record.of(names_of(source.market, record))
    spans = [round_.end.ts for round_ in source.rounds()]
    inside = tuple(order for order in orders if spans[0] < order.placed_ts < spans[-1])
    if not inside:
        raise ValueError(
            f"{source.market}: none of the record's {len(orders)} orders of this market was placed within the data"
        )
    return inside, record.left_out | {"outside_the_data": len(orders) - len(inside)}


def names_of(market: Market, record: LiveRecord) -> tuple[str, ...]:
    """The record's names for a market: as the tape has it, or ccxt's symbols; a record without names has but one."""
    return tuple(
        symbol
        for symbol in record.symbols
        if not symbol or market.asset in {token(symbol), token(symbol.partition("/")[0]), token(_joined(symbol))}
    )


def _joined(symbol: str) -> str:
    """`BTC/USDT:USDT` as `BTCUSDT`."""
    return symbol.partition(":")[0].replace("/", "")
