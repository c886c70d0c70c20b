"""`papertrader twin --follow`: a public address followed live, each ended order told with its paper twin."""

import asyncio
import signal
import sys
import time
from collections import defaultdict, deque
from collections.abc import Mapping
from typing import Any, Final

import orjson
from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server
from rich.console import Console

from papertrader.replay.twin.comparison import Compared, score
from papertrader.replay.twin.follow import follow
from papertrader.replay.twin.ghost import Ghost
from papertrader.replay.twin.report import order_of, scores_of, verdict
from papertrader.services.feed.config import FeedConfig
from papertrader.services.fill_sim.config import FillSimConfig
from papertrader.shared.log.subjects import Market
from papertrader.shared.service.config import Settings

SCORES_EVERY_S: Final = 60.0
SCORED: Final = 20_000
"""Orders of a market that the scores are of: the last ones."""


def run(settings: Settings, address: str, account: str, metrics_port: int | None, as_json: bool) -> int:
    """Follow until Ctrl-C or the end of the duration; always 0. Raises RecordError and LiveError."""
    config = settings.by_account("fill_sim", FillSimConfig)[account]
    asyncio.run(_follow(settings.section("feed", FeedConfig), config, address, Told(as_json, metrics_port)))
    return 0


async def _follow(feed: FeedConfig, config: FillSimConfig, address: str, told: "Told") -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if feed.duration_s > 0:
        loop.call_later(feed.duration_s, stop.set)
    await follow(feed, config, address, stop, told)


class Told:
    """Prints what is told, one object or line an order, and keeps the metrics."""

    def __init__(self, as_json: bool, metrics_port: int | None) -> None:
        self._as_json = as_json
        self._console = Console()
        self._rows: dict[Market, deque[Compared]] = defaultdict(lambda: deque(maxlen=SCORED))
        self._scored_at = time.monotonic()
        registry = CollectorRegistry()
        labels = ("venue", "asset")
        self._orders = Counter("paper_twin_orders", "Live orders compared", labels, registry=registry)
        self._live = Counter("paper_twin_live_fills", "Live orders that were filled", labels, registry=registry)
        self._expected = Counter("paper_twin_expected_fills", "Fills that paper expected", labels, registry=registry)
        self._skill = Gauge("paper_twin_skill", "Brier skill of the paper fills", labels, registry=registry)
        if metrics_port is not None:
            start_http_server(metrics_port, "127.0.0.1", registry)

    def __call__(self, ghost: Ghost, rows: list[Compared]) -> None:
        """Tell of orders that have ended on both sides."""
        self._rows[ghost.market].extend(rows)
        labels = tuple(ghost.market)
        self._orders.labels(*labels).inc(len(rows))
        self._live.labels(*labels).inc(sum(row.live_filled for row in rows))
        self._expected.labels(*labels).inc(sum(row.p_fill for row in rows))
        for row in rows:
            self._say({"market": str(ghost.market), **order_of(row)}, _line(ghost.market, row))
        if time.monotonic() - self._scored_at >= SCORES_EVERY_S:
            self._scored_at = time.monotonic()
            for market, compared in self._rows.items():
                self._score(market, list(compared), ghost.left_out)

    def _score(self, market: Market, rows: list[Compared], left_out: Mapping[str, int]) -> None:
        scores = score(rows)
        if scores.skill is not None:
            self._skill.labels(*market).set(scores.skill)
        said = {"market": str(market), "scores": scores_of(scores), "left_out": dict(left_out)}
        self._say(said, f"{market}: {verdict(scores)}")

    def _say(self, as_object: Mapping[str, Any], as_line: str) -> None:
        if self._as_json:
            sys.stdout.buffer.write(orjson.dumps(as_object) + b"\n")
            sys.stdout.flush()
        else:
            self._console.print(as_line, highlight=False, soft_wrap=True)


def _line(market: Market, row: Compared) -> str:
    order = row.order
    live, paper = ("filled" if filled else "not filled" for filled in (row.live_filled, row.paper_filled))
    because = f" ({row.cause})" if row.cause else ""
    ordered = f"{market} {order.live_id} {order.side} {order.size:g} at {order.price:g}"
    return f"{ordered}: live {live}, paper {paper} with P = {row.p_fill:.2f}{because}"
