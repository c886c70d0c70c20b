"""The report of a run: one HTML file with inline SVG, readable without a server, a script or a network."""

from collections.abc import Iterable, Mapping
from html import escape
from importlib.resources import files
from typing import Any, Final

from papertrader.services.monitor.facts.facts import AccountFacts
from papertrader.services.monitor.facts.history import kept_fills, kept_series
from papertrader.services.monitor.kernel import interpretation, verdict
from papertrader.services.monitor.report import charts
from papertrader.services.monitor.report.first import banners, comparison, verdict_box
from papertrader.services.monitor.report.html import moment, table
from papertrader.services.monitor.report.markouts import markouts
from papertrader.services.monitor.report.tables import days_table, fills_table, settings_tables
from papertrader.services.monitor.service import Monitor

SERIES_POINTS: Final = 600
STYLE: Final = (files("papertrader.services.monitor") / "page" / "report.css").read_text()
CANNOT_TELL: Final = (
    "What paper cannot tell: the market does not react to these orders, nobody else in the queue sees them, and no "
    "order was ever sent. Queue positions are estimates on every feed that shows levels instead of orders; the fill "
    "model, the latency and the fees are assumptions. A size that would move the market would have done worse. "
    "See docs/what-paper-cannot-tell.md."
)
SKILLS: Final = {
    "toxicity": "toxicity, every market sweep",
    "fill": "fill within 10 s, hypothetical orders left alone",
    "own_fill": "fill within 10 s, own orders as if left alone",
}
QUEUE: Final = {
    "cancel_odds": "cancels ahead of an order over cancels behind it, cancel_odds",
    "join_share": "share ahead of what joins between two full books, join_share",
}


def report_html(
    summary: Mapping[str, Any], monitors: Iterable[Monitor], settings: Mapping[str, Any] | None = None
) -> str:
    """The report of all markets and accounts. `summary` is `summary(monitors)`; `settings` are shown as they are."""
    by_name = {(*monitor.market, account): monitor for monitor in monitors for account in monitor.accounts}
    sections = [
        _section(entry, by_name[entry["venue"], entry["asset"], entry["account"]]) for entry in summary["markets"]
    ]
    body = "".join(sections) or "<p>No market data yet.</p>"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>Paper trading report</title>'
        f"<style>{STYLE}</style></head><body><main><h1>Paper trading report</h1>"
        f"{banners(summary)}{comparison(summary)}{body}"
        f"{_settings(settings)}<p class='note'>{escape(CANNOT_TELL)}</p></main></body></html>"
    )


def _name(entry: Mapping[str, Any]) -> str:
    return f"{entry['venue']} {entry['asset']} · {entry['account']}"


def _section(entry: Mapping[str, Any], monitor: Monitor) -> str:
    account = entry["account"]
    facts, history = monitor.facts.accounts[account], monitor.history(account)
    series = kept_series(history, facts, SERIES_POINTS)
    curve = markouts(history)
    checklist = monitor.checklist(account)
    sentences = " ".join(interpretation(facts, monitor.accounts[account]))
    market, filled = monitor.facts.market, kept_fills(history, facts)
    currency = entry["verdict"]["earns"]["currency"]
    span = f"{moment(market.first_ts)} to {moment(market.ts)} UTC" if market.ts else "No market data yet"
    return "".join(
        (
            f"<section><h2>{escape(_name(entry))}</h2><p class='note'>{span}</p>",
            f"{verdict_box(entry['verdict'])}{_raised(entry)}",
            f"<p>{escape(verdict(checklist.checks))} {escape(sentences)}</p>",
            f"<h3>The run and its data</h3>{_trading(entry)}",
            f"<h3>Profit and loss, {escape(currency)}</h3>{_pnl(entry, facts)}{charts.money(series)}",
            f"<h3>Drawdown: profit below its peak, {escape(currency)}</h3>{charts.drawdown(series)}",
            f"<h3>Inventory over time, base units</h3>{charts.inventory(series)}",
            f"<h3>By day</h3>{days_table(series, filled)}",
            f"<h3>Fills on the mid</h3>{charts.fills(series, filled)}",
            "<h3>Markout, bp</h3><p>Mean markout per fill with its 95 % block-bootstrap interval; above zero is good "
            f"for us. Grey: quotes that ended unfilled.</p>{charts.markout(curve)}{_markout_table(curve)}",
            f"<h3>κ ± one standard deviation, per fraction of price</h3>{charts.kappa(series)}",
            f"<h3>cal_gamma and cal_progress</h3>{charts.calibration(series)}",
            f"<h3>Toxicity forecast, probability of an adverse move after a fill</h3>{charts.toxicity(series)}",
            f"<h3>Skill of forecasts made before their outcomes, 95 % interval</h3>{_skill(entry)}",
            f"<h3>What was learned of the queues, 95 % interval</h3>{_queue(entry)}",
            f"<h3>Forecast reliability: observed share against forecast</h3>{_reliability(facts)}",
            f"<h3>Why orders ended unfilled</h3>{_reasons(entry)}",
            f"<h3>Validation checklist</h3>{_checklist(entry)}",
            f"<h3>Fills</h3>{fills_table(filled)}</section>",
        )
    )


def _raised(entry: Mapping[str, Any]) -> str:
    error = entry["strategy_error"]
    if error is None:
        return ""
    text = escape(f"{error['text']}\n{error['traceback']}")
    title = f"The strategy raised {error['count']:,} times, at last:"
    return f'<p class="verdict fail"><strong>{title}</strong></p><pre>{text}</pre>'


def _skill(entry: Mapping[str, Any]) -> str:
    rows = [
        (
            SKILLS[name],
            str(found["judged"]),
            _number(found["skill"]),
            " to ".join(map(_number, found["skill_interval"])),
        )
        for name, found in entry["forecasts"].items()
    ]
    return table(("forecast", "judged", "skill", "interval"), rows, numbers=(1, 2, 3))


def _queue(entry: Mapping[str, Any]) -> str:
    rows = [
        (
            QUEUE[name],
            f"{found['seen']:,}" if found["known"] else f"{found['seen']:,}; the feed does not tell it: the prior",
            _number(found["mean"]),
            " to ".join(map(_number, found["interval"])),
        )
        for name, found in entry["queue"].items()
    ]
    return table(("what", "evidence", "mean", "interval"), rows, numbers=(2, 3))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _trading(entry: Mapping[str, Any]) -> str:
    worth, data, rules = entry["markout"], entry["data"], entry["instrument"]
    adverse, cancels = entry["adverse_rate"], entry["cancels"]
    rows = [
        ("duration, s", f"{entry['duration_s']:,.1f}"),
        ("turnover", f"{entry['turnover']:,.2f}"),
        ("position", f"{entry['position']:g}"),
        ("exposure, mean and peak", f"{entry['exposure']['mean']:,.2f} and {entry['exposure']['peak']:,.2f}"),
        ("orders, of them filled", f"{entry['orders']:,}, {entry['filled_orders']:,}"),
        ("cancels in time, filled before they took effect", f"{cancels['in_time']:,}, {cancels['lost']:,}"),
        (
            "of the latter by less than a block; their markout at 5 s, quote currency",
            f"{cancels['lost_by_a_block']:,}; {cancels['worth_by_a_block']:+,.4f} of {cancels['worth']:+,.4f}",
        ),
        *_priority(entry["priority"]),
        ("adverse rate", "–" if adverse is None else f"{adverse:.1%}"),
        (
            f"markout at {worth['horizon_s']:g} s, bp: mean, {worth['interval']}",
            f"{_bps(worth['mean_bps'])}, {_bps(worth['low_bps'])} … {_bps(worth['high_bps'])}",
        ),
        ("the same weighted by notional, bp", _bps(worth["notional_weighted_bps"])),
        ("books, of them locked or crossed", f"{data['books']:,}, {data['locked_share'] + data['crossed_share']:.2%}"),
        ("books with one side alone", f"{data['one_sided_share']:.2%}"),
        ("data refused", f"{data['refused_share']:.2%}" + "".join(f", {n:,} {r}" for r, n in data["refused"].items())),
        ("queues unknown", f"{data['unknown_queue_share']:.1%}"),
    ]
    if rules is not None:
        guessed = ", ".join(rules["inferred"]) or "nothing"
        rows.append(("instrument", f"{rules['kind']}, tick {rules['tick_size']:.12g}, lot {rules['lot_size']:.12g}"))
        rows.append(("of it guessed", guessed))
    return table(("what", "value"), rows, numbers=(1,))


def _priority(bought: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What bids and fast cancels bought, where there were any."""
    rows = []
    if bought["orders"]:
        rows.append(
            (
                "orders with a bid, of them filled; paid",
                f"{bought['orders']:,}, {bought['filled']:,}; {bought['paid']:,.4f}",
            )
        )
        rows.append(
            ("queue passed; taken before others, size", f"{bought['queue_passed']:g}; {bought['before_others']:g}")
        )
    if bought["fast_cancels_won"]:
        rows.append(("takers escaped by fast cancels alone", f"{bought['fast_cancels_won']:,}"))
    return rows


def _pnl(entry: Mapping[str, Any], facts: AccountFacts) -> str:
    pnl = entry["pnl"]
    rows = [
        ("spread captured", f"{pnl['spread']:+,.4f}"),
        ("inventory drift", f"{pnl['inventory']:+,.4f}"),
        ("fees", f"{-pnl['fees']:+,.4f}"),
        ("funding", f"{pnl['funding']:+,.4f}"),
        ("total", f"{pnl['total']:+,.4f}"),
        ("of it realised, before fees and funding", f"{pnl['realised']:+,.4f}"),
        ("of it unrealised", f"{pnl['unrealised']:+,.4f}"),
        ("residual of the identity", f"{entry['pnl_residual']:.2g}"),
    ]
    turnover = facts.account.turnover if facts.account else 0.0
    if turnover:
        rows.append(("total per turnover, bp", f"{pnl['total'] / turnover * 1e4:+.2f}"))
    rows.append(("fills", f"{entry['fills']:,}"))
    return table(("part", "quote currency"), [*rows, *_worlds(entry["draws"])], numbers=(1,))


def _worlds(draws: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """What the draws of the queue allow: orders filled and expected, PnL over all worlds with the same quotes."""
    if draws is None:
        return []
    rows = [
        ("orders filled", f"{draws['orders_filled']:,}"),
        ("orders filled, expected", f"{draws['fills_expected']:,.1f} ± {draws['fills_expected_sd']:,.1f}"),
    ]
    if draws["pnl_mean"] is not None:
        between = f"{draws['pnl_low']:+,.2f} to {draws['pnl_high']:+,.2f}"
        rows.append(("total, same quotes in all worlds of the draws", f"{draws['pnl_mean']:+,.4f} ({between})"))
    return rows


def _markout_table(curve: list[dict[str, Any]]) -> str:
    rows = [
        (
            f"{point['horizon_s']:g} s",
            f"{point['n']:,}",
            f"{point['unresolved']:,}",
            _bps(point["mean_bps"]),
            f"{_bps(point['low_bps'])} … {_bps(point['high_bps'])}",
            _bps(point["unfilled_mean_bps"]),
        )
        for point in curve
    ]
    header = ("horizon", "fills", "unresolved", "mean, bp", "95 % interval, bp", "unfilled quotes, bp")
    return table(header, rows, numbers=range(1, 6))


def _bps(value: float | None) -> str:
    return "–" if value is None else f"{value:+.2f}"


def _reliability(facts: AccountFacts) -> str:
    calibration = facts.calibration
    if calibration is None:
        return "<p class='empty'>No forecast has been judged yet.</p>"
    pictures = []
    for name, prefix in (("fill within 10 s", "fill"), ("adverse after a fill", "toxicity")):
        count, brier, skill, ece = (
            getattr(calibration, f"{prefix}_{field}") for field in ("forecasts", "brier", "skill", "ece")
        )
        numbers = f"{count:,} forecasts"
        if brier is not None:
            numbers += f", Brier {brier:.3f}, skill {skill or 0:+.3f}, ECE {ece or 0:.3f}"
        counts, forecast, observed = (
            getattr(calibration, f"{prefix}_bin_{field}") for field in ("count", "forecast", "observed")
        )
        drawn = charts.reliability(counts, forecast, observed, name)
        pictures.append(f"<figure>{drawn}<figcaption>{name}: {numbers}</figcaption></figure>")
    return f"<div class='pair'>{''.join(pictures)}</div>"


def _reasons(entry: Mapping[str, Any]) -> str:
    rows = [("unfilled", reason, f"{count:,}") for reason, count in _largest_first(entry["unfilled"])]
    rows += [("rejected", reason, f"{count:,}") for reason, count in _largest_first(entry["rejected"])]
    if not rows:
        return "<p class='empty'>No order has ended unfilled.</p>"
    rows.append(("", "orders placed", f"{entry['orders']:,}"))
    return table(("outcome", "reason", "orders"), rows, numbers=(2,))


def _largest_first(reasons: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(reasons.items(), key=lambda item: (-item[1], item[0]))


def _checklist(entry: Mapping[str, Any]) -> str:
    rows = [
        (f'<span class="mark {check["state"]}"></span>{check["state"]}', name, check["cause"], check["remedy"])
        for name, check in entry["checks"].items()
    ]
    counts = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in entry["counts"].items())
    equal = "agree" if entry["counts_equal"] else "do NOT agree"
    shown = table(("state", "check", "cause", "remedy"), rows, raw=(0,))
    return f"{shown}<p>The counts of fills {equal}: {escape(counts)}.</p>"


def _settings(settings: Mapping[str, Any] | None) -> str:
    if not settings:
        return ""
    return f"<section><h2>Settings in force</h2>{settings_tables(settings)}</section>"
