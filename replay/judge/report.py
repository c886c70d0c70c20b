"""The judge's report: one self-contained HTML file with a table of scores and a reliability curve per model."""

from collections.abc import Sequence
from html import escape
from typing import Any, Final

from papertrader.replay.judge.feeds import NEVER
from papertrader.replay.judge.judge import Judged
from papertrader.replay.judge.odds import Odds
from papertrader.services.monitor.report.svg import HEIGHT, WIDTH, Frame, axes, line

COLUMNS: Final = (
    ("skill", "skill", 4),
    ("log_loss", "log loss", 4),
    ("fills_ratio", "fills forecast / real", 3),
    ("time_error_s", "time error, s", 2),
    ("markout_gap_bps", "markout gap, bps", 3),
)
STYLE: Final = """
body{font:14px/1.5 system-ui,sans-serif;max-width:1100px;margin:2rem auto;padding:0 1rem;color:#1d2733}
table{border-collapse:collapse;width:100%}td,th{padding:.3rem .6rem;text-align:right;border-bottom:1px solid #dde3ea}
td:first-child,th:first-child{text-align:left}.own{font-weight:600}.low{color:#6b7785;font-size:12px}
.curves{display:grid;grid-template-columns:repeat(auto-fill,minmax(330px,1fr));gap:1rem}figure{margin:0}
svg{width:100%}.grid{stroke:#e5eaf0}text{font-size:22px;fill:#6b7785}.line{fill:none;stroke-width:3}
.ideal{stroke:#c3ccd6;stroke-dasharray:6 6}.model{stroke:#1769aa}circle{fill:#1769aa}
"""
OWN: Final = ("draws", "fifo", "flat", "through")


def report_html(judged: Sequence[Judged]) -> str:
    """The whole report."""
    parts = [_file(item) for item in judged]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>papertrader judge</title>'
        f"<style>{STYLE}</style><h1>Fill models against exact fates</h1>"
        "<p>A shadow order stands behind every real arrival; its exact fate follows from the orders around it. Each "
        "model sees only what its feed shows. Skill 1 is perfect, 0 knows no more than how many fill; intervals are "
        "95 %, from blocks of time.</p>" + "".join(parts) + "</html>"
    )


def _file(item: Judged) -> str:
    shadows = item.market.shadows
    filled = int((shadows["filled_ts"] < NEVER).sum())
    head = (
        f"<h2>{escape(item.name)}</h2><p>{len(shadows):,} shadows, {filled:,} of them filled within "
        f"{item.horizon_s:g} s. {said_of(item.odds)}</p>"
    )
    return head + "".join(_feed(feed, models) for feed, models in item.scores.items())


def said_of(odds: Odds | None) -> str:
    """The odds that a cancel is ahead, and which setting they are."""
    if odds is None:
        return "Too few cancels to tell whether they are ahead or behind."
    interval = f"{odds.value:.2f} [{odds.low:.2f}, {odds.high:.2f}]"
    return f"cancel_odds: {interval} by {odds.cancels:,} cancels whose places are known."


def _feed(feed: str, models: dict[str, dict[str, Any]]) -> str:
    names = "".join(f"<th>{title}</th>" for _, title, _ in COLUMNS)
    rows = "".join(_row(model, scored) for model, scored in models.items())
    curves = "".join(_curve(model, scored["reliability"]) for model, scored in models.items())
    return f'<h3>{feed}</h3><table><tr><th>model</th>{names}</tr>{rows}</table><div class="curves">{curves}</div>'


def _row(model: str, scored: dict[str, Any]) -> str:
    cells = "".join(_cell(scored, name, digits) for name, _, digits in COLUMNS)
    return f'<tr class="{"own" if model in OWN else "peer"}"><td>{model}</td>{cells}</tr>'


def _cell(scored: dict[str, Any], name: str, digits: int) -> str:
    value, interval = scored[name], scored.get(f"{name}_interval")
    if value is None:
        return "<td>-</td>"
    between = ""
    if interval and None not in interval:
        between = f'<br><span class="low">{interval[0]:.{digits}f} to {interval[1]:.{digits}f}</span>'
    return f"<td>{value:.{digits}f}{between}</td>"


def _curve(model: str, rows: list[list[float]]) -> str:
    area = Frame(0.0, 1.0, 0.0, 1.0, WIDTH, 2 * HEIGHT)
    points = "".join(
        f'<circle cx="{area.x(forecast):.1f}" cy="{area.y(share):.1f}" r="{3 + min(count, 10_000) ** 0.25:.1f}">'
        f"<title>{count:,} shadows</title></circle>"
        for forecast, share, count in rows
    )
    drawn = (
        axes(area, [(0.0, "0"), (0.5, "0.5"), (1.0, "1")], 1)
        + line(area, [0.0, 1.0], [0.0, 1.0], "ideal")
        + line(area, [row[0] for row in rows], [row[1] for row in rows], "model")
    )
    return (
        f'<figure><svg viewBox="0 0 {WIDTH} {2 * HEIGHT}" role="img" aria-label="reliability of {model}">'
        f"{drawn}{points}</svg><figcaption>{model}: forecast against share filled</figcaption></figure>"
    )
