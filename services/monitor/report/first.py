"""The beginning of the report: what is earned, whether to believe it, what to do next, and what it rests on."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from papertrader.services.monitor.report.html import number, table

WORDS: Final = {"yes": "can be believed", "not yet": "too early to believe", "no": "not to be believed"}
CLOSED_LOOP: Final = (
    "<p class='note'>Each account quotes for itself: what it is filled with changes what it quotes next. So a stricter "
    "fill model is no lower bound here. <code>papertrader sweep --same-orders</code> puts the same orders under every "
    "fill model.</p>"
)
MARKS: Final = {"good": "pass", "weak": "waiting", "bad": "fail"}


def banners(summary: Mapping[str, Any]) -> str:
    """What the reader has to know of the whole report before any number."""
    found = dict.fromkeys(entry["verdict"]["banner"] for entry in summary["markets"])
    return "".join(f'<p class="banner">{escape(banner)}</p>' for banner in found if banner)


def comparison(summary: Mapping[str, Any]) -> str:
    """All markets and accounts beside each other; nothing if there is only one."""
    entries = summary["markets"]
    if len(entries) < 2:
        return ""
    header = ("market", "total PnL", "currency", "per hour", "95 %", "bp", "fills", "adverse", "drawdown", "believed")
    rows = [_compared(entry) for entry in entries]
    note = CLOSED_LOOP if len({entry["account"] for entry in entries}) > 1 else ""
    return f"<h2>Markets and accounts</h2>{table((*header, 'checks'), rows, numbers=range(1, 9))}{note}"


def _compared(entry: Mapping[str, Any]) -> tuple[str, ...]:
    earns, adverse = entry["verdict"]["earns"], entry["adverse_rate"]
    low, high = earns["per_hour_low"], earns["per_hour_high"]
    return (
        f"{entry['venue']} {entry['asset']} · {entry['account']}",
        number(entry["pnl"]["total"]),
        earns["currency"].replace("quote currency", "quote"),
        number(earns["per_hour"]),
        "too short" if low is None else f"{number(low)} … {number(high)}",
        number(earns["bps"]),
        f"{entry['fills']:,}",
        "–" if adverse is None else f"{adverse:.0%}",
        number(entry["drawdown"], sign=False),
        entry["verdict"]["believed"],
        marks(entry["checks"]),
    )


def marks(checks: Mapping[str, Any]) -> str:
    """How many checks are in each state, the worst first."""
    states = [check["state"] for check in checks.values()]
    return ", ".join(f"{states.count(state)} {state}" for state in ("fail", "waiting", "pass") if state in states)


def verdict_box(verdict: Mapping[str, Any]) -> str:
    """The verdict of one account: the sentence, the earnings, the evidence, the next steps, the assumptions."""
    steps = "".join(f"<li>{escape(step)}</li>" for step in verdict["next"])
    todo = f"<h3>What to do next</h3><ol>{steps}</ol>" if steps else ""
    return (
        f'<p class="verdict {MARKS[STANDING[verdict["believed"]]]}"><strong>{escape(verdict["headline"])}</strong></p>'
        f"{_earns(verdict['earns'])}{_strip(verdict['assumptions'])}"
        f"<h3>Can it be believed? {WORDS[verdict['believed']].capitalize()}</h3>{_evidence(verdict['evidence'])}{todo}"
    )


STANDING: Final = {"yes": "good", "not yet": "weak", "no": "bad"}


def _earns(earns: Mapping[str, Any]) -> str:
    money, low, high = earns["currency"], earns["per_hour_low"], earns["per_hour_high"]
    draws = (
        "no interval" if earns["draws_low"] is None else f"{number(earns['draws_low'])} … {number(earns['draws_high'])}"
    )
    rows = [
        (f"earned, {money}", number(earns["total"])),
        (f"per hour, {money}", number(earns["per_hour"])),
        (
            "95 % of it, the wider of blocks of time and draws",
            "too short" if low is None else f"{number(low)} … {number(high)}",
        ),
        (f"total over the draws of the queue, 95 %, {money}", draws),
        ("per turnover, bp", number(earns["bps"])),
        (f"turnover, {money}", number(earns["turnover"], 0, sign=False)),
        ("hours", number(earns["hours"], sign=False)),
    ]
    return table(("what", "value"), rows, numbers=(1,))


def _strip(assumptions: Mapping[str, str]) -> str:
    said = "".join(f"<li><strong>{escape(name)}</strong> {escape(text)}</li>" for name, text in assumptions.items())
    return f'<ul class="strip" aria-label="assumptions">{said}</ul>'


def _evidence(evidence: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (f'<span class="mark {MARKS[item["standing"]]}"></span>{item["standing"]}', item["name"], item["text"])
        for item in evidence
    ]
    return table(("", "evidence", "what was seen"), rows, raw=(0,))
