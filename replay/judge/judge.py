"""`papertrader judge`: which files are of which format, and every model on every feed of each."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from papertrader.replay.judge.feeds import FEEDS, NEVER, Market, market_of
from papertrader.replay.judge.models import MODELS, play
from papertrader.replay.judge.odds import Odds, odds_of
from papertrader.replay.judge.orders import JudgeError, OrderData
from papertrader.replay.judge.readers import bitstamp, databento, itch, lobster
from papertrader.replay.judge.scores import scores
from papertrader.services.fill_sim.config import FillSimConfig
from papertrader.shared.market.events import PRINT

FORMATS: Final = ("databento", "lobster", "itch", "bitstamp")
HORIZONS_S: Final = {"databento": 30.0, "lobster": 10.0, "itch": 10.0, "bitstamp": 120.0}
"""How long a shadow waits, about as long as orders do there."""
SHADOWS: Final = 200_000
"""Shadows judged at most; of more, every n-th."""
Progress = Callable[[str], None]


class Judged(NamedTuple):
    """One file's market, what every model said, by feed and model, the horizon, and the odds of its cancels."""

    name: str
    market: Market
    scores: dict[str, dict[str, dict[str, Any]]]
    horizon_s: float
    odds: Odds | None


def format_of(path: Path) -> str:
    """The format of a file, by its name and first bytes. Raises JudgeError for one that is none of them."""
    if not path.is_file():
        raise JudgeError(f"{path}: no such file")
    name = path.name.lower()
    if ".dbn" in name:
        return "databento"
    if name.endswith(".csv") or "_message_" in name:
        return "lobster"
    if "itch" in name or ".bin" in name:
        return "itch"
    if ".log" in name:
        return "bitstamp"
    raise JudgeError(f"{path.name}: unknown format: say --format {', '.join(FORMATS)}")


def read(path: Path, file_format: str, symbol: str | None = None) -> OrderData:
    """The orders of a file. Raises JudgeError."""
    if file_format == "databento":
        return databento.read(path, symbol)
    if file_format == "itch":
        return itch.read(path, symbol)
    return lobster.read(path) if file_format == "lobster" else bitstamp.read(path)


def judge(
    paths: Sequence[Path],
    config: FillSimConfig,
    file_format: str | None = None,
    symbol: str | None = None,
    horizon_s: float | None = None,
    models: Sequence[str] | None = None,
    shadows: int = SHADOWS,
    progress: Progress | None = None,
    orders: bool = True,
) -> list[Judged]:
    """Judge the models on every file; a LOBSTER book belongs to its messages and is none. Raises JudgeError.

    `orders`: `hl` tells how many orders stand at its levels.
    """
    chosen = tuple(MODELS) if models is None else tuple(models)
    for name in chosen:
        if name not in MODELS:
            raise JudgeError(f"unknown model {name}: known are {', '.join(MODELS)}")
    if file_format not in (None, *FORMATS):
        raise JudgeError(f"unknown format {file_format}: known are {', '.join(FORMATS)}")
    files = [path for path in paths if "_orderbook_" not in path.name]
    told = progress or (lambda _: None)
    judged = []
    for path in files:
        kind = file_format or format_of(path)
        told(f"reading {path.name}")
        data = read(path, kind, symbol)
        seconds = horizon_s or HORIZONS_S[kind]
        judged.append(_judge(data, config, seconds, chosen, shadows, told, orders))
    if not judged:
        raise JudgeError("no order file was given: a LOBSTER pair is judged by its message file")
    return judged


def _judge(
    data: OrderData,
    config: FillSimConfig,
    horizon_s: float,
    models: Sequence[str],
    shadows: int,
    told: Progress,
    orders: bool,
) -> Judged:
    horizon_ns = round(horizon_s * 1e9)
    told(f"{data.name}: the exact book")
    market = _complete(market_of(data, horizon_ns), horizon_ns, shadows)
    if not orders:
        hl = market.feeds[FEEDS.index("hl")]
        hl["id"][hl["kind"] != PRINT] = 0
    if not len(market.shadows) or not (market.shadows["filled_ts"] < NEVER).any():
        raise JudgeError(f"{data.name}: no shadow order was filled within {horizon_s:g} s: nothing can be judged")
    scored: dict[str, dict[str, dict[str, Any]]] = {}
    for feed, feed_name in enumerate(FEEDS):
        scored[feed_name] = {}
        for model in models:
            told(f"{data.name}: {model} on {feed_name}")
            scored[feed_name][model] = scores(market, play(market, feed, model, horizon_ns, config))
    return Judged(data.name, market, scored, horizon_s, odds_of(data))


def _complete(market: Market, horizon_ns: int, limit: int) -> Market:
    """The shadows whose horizon the data cover; of more than the limit every n-th."""
    shadows = market.shadows
    end = int(market.feeds[0]["ts"][-1]) if len(market.feeds[0]) else 0
    whole = shadows[shadows["ts"] + horizon_ns <= end]
    return market._replace(shadows=np.ascontiguousarray(whole[:: max(-(-len(whole) // limit), 1)]))


def pooled(judged: Sequence[Judged]) -> dict[str, Any]:
    """What `--json` prints: scores by feed and model, of several files their means by shadows, and each file's own."""
    weights = np.array([len(item.market.shadows) for item in judged], dtype=np.float64)
    feeds = {
        feed: {model: _mean([item.scores[feed][model] for item in judged], weights) for model in models}
        for feed, models in judged[0].scores.items()
    }
    result: dict[str, Any] = {"feeds": feeds, "shadows": int(weights.sum())}
    result["cancel_odds"] = {item.name: item.odds._asdict() if item.odds else None for item in judged}
    if len(judged) > 1:
        result["files"] = {item.name: {"feeds": item.scores, "shadows": len(item.market.shadows)} for item in judged}
    return result


def _mean(scored: list[dict[str, Any]], weights: Any) -> dict[str, Any]:
    if len(scored) == 1:
        return scored[0]
    means: dict[str, Any] = {}
    for name in ("skill", "log_loss", "fills_ratio", "markout_gap_bps", "time_error_s"):
        values = np.array([np.nan if item[name] is None else item[name] for item in scored])
        known = np.isfinite(values)
        means[name] = float(np.average(values[known], weights=weights[known])) if known.any() else None
    return means
