"""What a twin says: one object for machines, one HTML file with plots for people."""

from collections.abc import Sequence
from html import escape
from typing import Any, Final

import numpy as np

from papertrader.replay.settings_file import section_of
from papertrader.replay.twin.comparison import CAUSES, Compared, Scores
from papertrader.replay.twin.fit import Fitted
from papertrader.replay.twin.twin import MarketTwin
from papertrader.services.monitor.report import charts, svg
from papertrader.services.monitor.report.html import table
from papertrader.services.monitor.report.report import STYLE
from papertrader.services.monitor.report.statistics import Interval

BINS: Final = 10
ORDERS_SHOWN: Final = 200
NS_PER_S: Final = 1_000_000_000


def result(twins: Sequence[MarketTwin]) -> dict[str, Any]:
    """Everything as one object: per market scores, fits, and every order."""
    return {"markets": [_market(twin) for twin in twins]}


def _market(twin: MarketTwin) -> dict[str, Any]:
    return {
        "venue": twin.market.venue,
        "asset": twin.market.asset,
        "left_out": twin.left_out,
        "fitted": {item.name: _fit(item) for item in twin.fitted},
        "as_found": scores_of(twin.as_found),
        "as_fitted": scores_of(twin.as_fitted),
        "settings": {item.name: item.value for item in twin.fitted},
        "orders": [order_of(row) for row in twin.rows],
    }


def _fit(item: Fitted) -> dict[str, Any]:
    return {
        "value": item.value,
        "low": item.low,
        "high": item.high,
        "tried": [{"value": tried.value, "log_loss": tried.log_loss} for tried in item.tried],
    }


def scores_of(scores: Scores) -> dict[str, Any]:
    """The scores as one object."""
    return {name: value._asdict() if isinstance(value, Interval) else value for name, value in scores._asdict().items()}


def order_of(row: Compared) -> dict[str, Any]:
    """One order, live and on paper, as one object; times in ns, `None` for never."""
    order, ack = row.order, row.paper.ack
    return {
        "order_id": order.live_id,
        "side": order.side,
        "price": order.price,
        "size": order.size,
        "placed_ts": order.placed_ts,
        "live": _side(row.live_filled, order.filled_size, row.live_first_fill_ts, row.live_markout_bps)
        | {"status": order.status, "fee": sum(fill.fee for fill in order.fills), "pnl": row.live_pnl},
        "paper": _side(row.paper_filled, row.paper.filled_size, row.paper_first_fill_ts, row.paper_markout_bps)
        | {
            "status": ack.status if ack else None,
            "reason": ack.reason if ack else None,
            "queue_ahead": ack.queue_ahead if ack else None,
            "p_fill": row.p_fill,
            "fee": sum(fill.fee for fill in row.paper.fills),
            "pnl": row.paper_pnl,
        },
        "cause": row.cause or None,
    }


def _side(filled: bool, size: float, ts: int, markout_bps: float) -> dict[str, Any]:
    known = None if np.isnan(markout_bps) else markout_bps
    return {"filled": filled, "filled_size": size, "first_fill_ts": ts or None, "markout_bps": known}


def settings_toml(twins: Sequence[MarketTwin]) -> str:
    """The settings that a desk should use, as a settings file: the fit of the market with most orders."""
    fitted = [twin for twin in twins if twin.fitted]
    if not fitted:
        return ""
    best = max(fitted, key=lambda twin: twin.as_fitted.orders)
    origin = f"# fitted to the live orders of {best.market}, scored on {best.as_fitted.orders} later ones"
    latency, *queue = best.fitted
    ways = [
        (f"{kind}_latency_ms", latency.value, "taken from new orders") for kind in ("modify", "cancel", "fast_cancel")
    ]
    settings = [
        ("latency_preset", "none", "all of it is set below"),
        (latency.name, latency.value, _support(latency)),
        *ways,
        ("response_latency_ms", 0.0, "a record has the times at which its orders were sent"),
        *((item.name, item.value, _support(item)) for item in queue),
    ]
    return section_of("fill_sim", origin, settings)


def _support(item: Fitted) -> str:
    return f"supported {item.low:g} to {item.high:g}"


def report_html(twins: Sequence[MarketTwin]) -> str:
    """The report of all markets as one self-contained file."""
    body = "".join(_section(twin) for twin in twins)
    settings = settings_toml(twins)
    use = f"<section><h2>Settings to use</h2><pre>{escape(settings)}</pre></section>" if settings else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>Paper twin</title>'
        f"<style>{STYLE}</style></head><body><main><h1>Live orders and their paper twins</h1>{body}{use}</main></body>"
        "</html>"
    )


def _section(twin: MarketTwin) -> str:
    return "".join(
        (
            f"<section><h2>{escape(str(twin.market))}</h2><p class='verdict'>{escape(verdict(twin.as_fitted))}</p>",
            "<h3>How well paper foretold live</h3>",
            _score_table(twin),
            "<h3>Filled or not</h3>",
            _confusion(twin.as_fitted),
            "<h3>Why they differ</h3>",
            _causes(twin.as_fitted),
            "<h3>Probability of a fill against what happened</h3>",
            _reliability(twin.rows),
            "<h3>Fitted</h3>",
            "".join(_curve(item) for item in twin.fitted) or "<p class='empty'>Too few orders to fit to.</p>",
            "<h3>Order by order</h3>",
            _orders(twin.rows),
            f"<p class='note'>Left out: {escape(_counts(twin.left_out))}.</p></section>",
        )
    )


def verdict(scores: Scores) -> str:
    """What the comparison says in a sentence."""
    if scores.fills_ratio is None:
        return f"None of {scores.orders} live orders was filled: paper expected {scores.expected_fills:.1f} fills."
    ratio = scores.fills_ratio
    return (
        f"Paper expected {scores.expected_fills:.1f} fills where {scores.live_fills} of {scores.orders} live orders "
        f"were filled: {_interval(ratio, '.2f')} times as many, {_judgement(ratio)}."
    )


def _judgement(ratio: Interval) -> str:
    if ratio.low is None or ratio.high is None:
        return "too few to tell"
    return "which chance allows" if ratio.low <= 1 <= ratio.high else "which chance does not explain"


def _score_table(twin: MarketTwin) -> str:
    def row(name: str, text: Any) -> tuple[str, str, str]:
        return name, text(twin.as_found), text(twin.as_fitted)

    rows = [
        row("orders compared", lambda scores: f"{scores.orders:,}"),
        row("live fills", lambda scores: f"{scores.live_fills:,}"),
        row("fills expected on paper", lambda scores: f"{scores.expected_fills:,.1f}"),
        row("expected / live", lambda scores: _interval(scores.fills_ratio, ".3f")),
        row("Brier skill", lambda scores: "–" if scores.skill is None else f"{scores.skill:.3f}"),
        row("log loss", lambda scores: f"{scores.log_loss:.3f}"),
        row("median fill time error, s", lambda scores: _number(scores.fill_time_error_s, ".2f")),
        row("markout 5 s live, bps", lambda scores: _interval(scores.live_markout_bps, "+.2f")),
        row("markout 5 s paper, bps", lambda scores: _interval(scores.paper_markout_bps, "+.2f")),
        row("PnL live, marked after 5 s", lambda scores: f"{scores.live_pnl:+,.4g}"),
        row("PnL paper", lambda scores: f"{scores.paper_pnl:+,.4g}"),
        row("PnL gap, bps of live turnover", lambda scores: _interval(scores.pnl_gap_bps, "+.2f")),
    ]
    return table(("", "times as recorded, default shares", "as fitted"), rows, numbers=(1, 2))


def _interval(value: Interval | None, form: str) -> str:
    if value is None:
        return "–"
    if value.low is None or value.high is None:
        return f"{value.value:{form}}"
    return f"{value.value:{form}} [{value.low:{form}}, {value.high:{form}}]"


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else f"{value:{form}}"


def _confusion(scores: Scores) -> str:
    rows = [
        ("filled live", f"{scores.both:,}", f"{scores.only_live:,}"),
        ("not filled live", f"{scores.only_paper:,}", f"{scores.neither:,}"),
    ]
    return table(("", "filled on paper", "not filled on paper"), rows, numbers=(1, 2))


def _causes(scores: Scores) -> str:
    rows = [(cause, f"{scores.causes[cause]:,}", text) for cause, text in CAUSES.items() if cause in scores.causes]
    return table(("cause", "orders", "meaning"), rows, numbers=(1,)) if rows else "<p>They never differ.</p>"


def _reliability(rows: Sequence[Compared]) -> str:
    p = np.array([row.p_fill for row in rows])
    filled = np.array([row.live_filled for row in rows], dtype=np.float64)
    bins = np.minimum((p * BINS).astype(np.int64), BINS - 1)
    count = np.bincount(bins, minlength=BINS)
    forecast, observed = (
        (np.bincount(bins, weights=values, minlength=BINS) / np.maximum(count, 1)).tolist() for values in (p, filled)
    )
    drawn = charts.reliability(count.astype(np.float64).tolist(), forecast, observed, "fill")
    return f"<div class='pair'><figure>{drawn}</figure></div>"


def _curve(item: Fitted) -> str:
    """Log loss over what was tried."""
    xs, ys = [tried.value for tried in item.tried], [tried.log_loss for tried in item.tried]
    area = svg.frame(xs, ys)
    said = f"{escape(item.name)}: {item.value:g}, {_support(item)}"
    if area is None:
        return f"<p>{said}</p>"
    marks = [(x, f"{x:g}") for x in xs[:: max(len(xs) // 6, 1)]]
    best = svg.dot(area, item.value, min(ys), "c0")
    parts = [svg.axes(area, marks, 3), svg.line(area, xs, ys, "c0"), best]
    drawn = svg.picture(area, parts, f"log loss over {item.name}")
    return f"<figure>{drawn}<figcaption>{said}; log loss per order</figcaption></figure>"


def _orders(rows: Sequence[Compared]) -> str:
    shown = [row for row in rows if row.cause][:ORDERS_SHOWN] or list(rows[:ORDERS_SHOWN])
    cells = [
        (
            row.order.live_id,
            row.order.side,
            f"{row.order.price:g}",
            f"{row.order.size:g}",
            f"{row.order.filled_size:g}",
            f"{row.paper.filled_size:g}",
            f"{row.p_fill:.2f}",
            row.paper.ack.reason if row.paper.ack else "",
            row.cause,
        )
        for row in shown
    ]
    head = ("order", "side", "price", "size", "filled live", "on paper", "P", "paper's reason", "cause")
    note = f"<p class='note'>{len(shown)} of {len(rows)} orders; all are in the JSON.</p>"
    return f"<div class='scroll'>{table(head, cells, numbers=(2, 3, 4, 5, 6))}</div>{note}"


def _counts(left_out: dict[str, int]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in left_out.items() if count) or "nothing"
