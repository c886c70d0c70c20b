"""Overview: is it healthy, does it learn, does it earn."""

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
    states,
)
from grafana.queries import FIRING, NAME, PARTS, UP, mean_markout, newest, per_second


def dashboard() -> Any:
    """The dashboard, not yet built."""
    healthy = [
        numbers(
            "Alerts firing",
            "Alerts that fire now. The rows below name them; each has a runbook page.",
            "none",
            Query('count(ALERTS{alertstate="firing"}) or vector(0)', "alerts"),
            steps={None: GREEN, 1: RED},
        ),
        numbers(
            "Checks failing",
            "Items of the validation checklist that fail, over all markets and accounts.",
            "none",
            Query(f'sum(max by ({BY_ACCOUNT}, check) (paper_check{{{ACCOUNT},state="fail"}}))', "checks"),
            steps={None: GREEN, 1: RED},
        ),
        numbers(
            "Every fill seen by all",
            "Whether exchange, estimator, tracker and controller counted the same fills.",
            "none",
            Query(f"min(paper_counts_equal{{{ACCOUNT}}})", "counts"),
            steps={None: RED, 1: GREEN},
            words={1: ("equal", GREEN), 0: ("UNEQUAL", RED)},
        ),
        numbers(
            "Slowest service",
            "Event time by which the slowest service lags behind the feed.",
            "s",
            Query("max(job_market:paper_clock_behind_feed_seconds:min)", "behind the feed"),
            steps={None: GREEN, 5: AMBER, 15: RED},
            decimals=1,
        ),
        numbers(
            "Markets",
            "Markets that the feed publishes.",
            "none",
            Query(f"count(market:paper_feed_clock_seconds:max{{{MARKET}}})", "markets"),
        ),
        numbers(
            "Fills per hour",
            "Fills per hour of quoting while the market traded, all accounts.",
            "none",
            Query(f"sum(max by ({BY_ACCOUNT}) (paper_fills_per_hour{{{ACCOUNT}}}))", "fills per hour"),
            steps={None: RED, 1: AMBER, 10: GREEN},
            decimals=0,
        ),
        numbers(
            "Services",
            "Whether every worker of each service answers Prometheus, and the broker its exporter.",
            "none",
            Query("job:up:min", "{{job}}"),
            width=24,
            height=4,
            steps={None: RED, 1: GREEN},
            words=UP,
        ),
        states(
            "Alerts",
            "Alerts over time: one row per alert that fires, with the service and the asset that it names.",
            Query(FIRING, "{{alertname}} {{service}} {{asset}}"),
            {0: ("quiet", GREEN), 1: ("firing", RED)},
            height=10,
        ),
    ]
    learning = [
        lines(
            "κ confidence",
            "n/(n+10) of own fills: starts at 0 and rises with every fill.",
            "percentunit",
            Query(newest("paper_kappa_confidence"), NAME),
            low=0,
            high=1,
        ),
        lines(
            "Calibration progress",
            "How far the estimates can be trusted; above 50 % they can.",
            "percentunit",
            Query(newest("paper_cal_progress"), NAME),
            low=0,
            high=1,
        ),
        lines(
            "cal_gamma",
            "Multiplier of the half-spread above the fee: 0.3 seeks fills, 1 is calibrated.",
            "none",
            Query(newest("paper_cal_gamma"), NAME),
            low=0,
            high=1,
        ),
        lines(
            "Outcomes",
            "Fills whose outcome is resolved, unresolved, and adverse.",
            "none",
            [
                Query(f"sum(paper_outcomes_{kind}_total{{{ACCOUNT}}})", kind)
                for kind in ("resolved", "unresolved", "adverse")
            ],
        ),
        lines(
            "Adverse rate",
            "Share of resolved outcomes after which the mid moved against us; above 40 % is too much.",
            "percentunit",
            Query(newest("paper_adverse_rate"), NAME),
            low=0,
            high=1,
        ),
        lines(
            "Toxicity forecast",
            "P(adverse | filled now) by side; flat lines mean that nothing is learned.",
            "percentunit",
            Query(newest("paper_toxicity", by=f"{BY_ACCOUNT}, side"), NAME + " {{side}}"),
            low=0,
            high=1,
        ),
    ]
    earning = [
        lines(
            "Profit by part",
            "Spread captured, inventory drift, fees and funding; they add up to the total.",
            "none",
            Query(
                f"sum by (part) ({newest('paper_pnl', PARTS, f'{BY_ACCOUNT}, part')})",
                "{{part}}",
            ),
        ),
        lines(
            "Profit by market",
            "Total profit in quote currency.",
            "none",
            Query(newest("paper_pnl", f'{ACCOUNT},part="total"'), NAME),
        ),
        lines(
            "Mean markout of an hour's fills",
            "Where the mid went after a fill, by horizon; above 0 is good for us.",
            "none",
            Query(mean_markout(".*"), "{{horizon}}"),
        ),
        lines(
            "Fills",
            "Simulated fills per minute by side.",
            "none",
            Query(f"60 * {per_second('paper_fills_total', 'side')}", "{{side}}"),
        ),
        lines(
            "Position value",
            "Position times mid, quote currency; long is positive.",
            "none",
            Query(
                f"{newest('paper_position')} * on ({BY_MARKET}) group_left () {newest('paper_mid', MARKET, BY_MARKET)}",
                NAME,
            ),
        ),
        lines("Equity", "Cash and position at the mark, quote currency.", "none", Query(newest("paper_equity"), NAME)),
    ]
    return board(
        "Overview",
        "paper-overview",
        "Is it healthy, does it learn, does it earn?",
        {"Is it healthy?": healthy, "Does it learn?": learning, "Does it earn?": earning},
    )
