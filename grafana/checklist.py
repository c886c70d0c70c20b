"""The validation checklist as a wall."""

from typing import Any

from grafana.panels import (
    ACCOUNT,
    AMBER,
    BY_ACCOUNT,
    BY_MARKET,
    GREEN,
    MARKET,
    RED,
    Query,
    board,
    lines,
    numbers,
    rows,
    states,
)
from grafana.queries import CHECK_STATE, CHECKS


def dashboard() -> Any:
    """The dashboard, not yet built."""
    wall = [
        numbers(
            "The checks",
            "Green passes, amber waits for data, red fails. Cause and remedy are on the page.",
            "none",
            Query(CHECKS, "{{check}} {{asset}} {{account}}"),
            width=24,
            height=10,
            steps={None: GREEN, 1: AMBER, 2: RED},
            words=CHECK_STATE,
        ),
        states(
            "The checks over time",
            "The same states over time.",
            Query(CHECKS, "{{check}} {{asset}} {{account}}"),
            CHECK_STATE,
            height=12,
        ),
    ]
    judged = [
        rows(
            "The numbers that the checks were judged on",
            "Every number of every check, per market and account.",
            "none",
            Query(f"max by ({BY_ACCOUNT}, check, number) (paper_check_number{{{ACCOUNT}}})", "value"),
            width=12,
            height=16,
        ),
        rows(
            "Counts of fills",
            "Everybody who must have seen every fill: all equal when every wire is whole.",
            "none",
            Query(f"max by ({BY_ACCOUNT}, count) (paper_count{{{ACCOUNT}}})", "fills"),
            width=6,
            height=16,
        ),
        lines(
            "Age of the newest checkpoint",
            "Event time since each service's newest checkpoint; 330 s is too old.",
            "s",
            Query(
                f"max by (job, {BY_MARKET}) "
                f"(paper_event_clock_seconds{{{MARKET}}} - paper_checkpoint_timestamp_seconds{{{MARKET}}})",
                "{{job}} {{asset}}",
            ),
            width=6,
            height=16,
            low=0,
        ),
    ]
    return board(
        "Validation checklist",
        "paper-checklist",
        "The checks with their numbers.",
        {"The wall": wall, "The numbers": judged},
    )
