"""Expressions and words that several dashboards use."""

from typing import Final

from grafana.panels import ACCOUNT, AMBER, BY_ACCOUNT, GREEN, RED

NAME: Final = "{{asset}} {{account}}"
RATE: Final = "$__rate_interval"
UP: Final = {1: ("up", GREEN), 0: ("DOWN", RED)}
CHECK_STATE: Final = {0: ("pass", GREEN), 1: ("waiting", AMBER), 2: ("FAIL", RED)}
PARTS: Final = f'{ACCOUNT},part=~"spread|inventory|fees|funding|total"'
CHECKS: Final = (
    f'2 * max by ({BY_ACCOUNT}, check) (paper_check{{{ACCOUNT},state="fail"}}) '
    f'+ max by ({BY_ACCOUNT}, check) (paper_check{{{ACCOUNT},state="waiting"}})'
)
FIRING: Final = (
    '(sum by (alertname, service, asset) (ALERTS{alertstate="firing"}) > bool 0) '
    'or (label_replace(vector(0), "alertname", "no alert", "", "") unless on () count(ALERTS{alertstate="firing"}))'
)


def newest(metric: str, selector: str = ACCOUNT, by: str = BY_ACCOUNT) -> str:
    """A gauge that a hand-over may export from two workers for a moment."""
    return f"max by ({by}) ({metric}{{{selector}}})"


def per_second(counter: str, by: str, selector: str = ACCOUNT) -> str:
    """A counter as a rate."""
    return f"sum by ({by}) (rate({counter}{{{selector}}}[{RATE}]))"


def per_quarter(counter: str, by: str, selector: str = ACCOUNT) -> str:
    """How much a counter grew in 15 minutes."""
    return f"sum by ({by}) (increase({counter}{{{selector}}}[15m]))"


def mean_markout(horizon: str) -> str:
    """Mean markout of an hour's fills by horizon, bp. The sum may fall, so it is no counter: hence delta."""
    select = f'{ACCOUNT},horizon=~"{horizon}"'
    total, count = (f"sum by (horizon) (delta(paper_markout_bps_{part}{{{select}}}[1h]))" for part in ("sum", "count"))
    return f"{total} / ({count} > 0)"
