"""What the simulated exchange does with the orders, and how good the forecasts of it are."""

from typing import Any

from grafana.panels import ACCOUNT, AMBER, BY_ACCOUNT, GREEN, RED, Query, board, lines, numbers, rows
from grafana.queries import NAME, RATE, mean_markout, newest, per_quarter


def dashboard() -> Any:
    """The dashboard, not yet built."""
    fills = [
        lines(
            "Fills", "Fills in 15 minutes by side.", "none", Query(per_quarter("paper_fills_total", "side"), "{{side}}")
        ),
        lines(
            "How fills came about",
            "Share of fills by a print strictly through the order, and by taking.",
            "percentunit",
            [
                Query(
                    f"sum(paper_fills_through_total{{{ACCOUNT}}}) / (sum(paper_fills_total{{{ACCOUNT}}}) > 0)",
                    "through",
                ),
                Query(
                    f"sum(paper_fills_taker_total{{{ACCOUNT}}}) / (sum(paper_fills_total{{{ACCOUNT}}}) > 0)", "taker"
                ),
            ],
            low=0,
            high=1,
        ),
        lines(
            "Order flow",
            "Orders per minute placed, accepted and cancelled.",
            "none",
            [
                Query(f"60 * sum(rate(paper_orders_{kind}_total{{{ACCOUNT}}}[{RATE}]))", kind)
                for kind in ("placed", "accepted", "cancelled")
            ],
        ),
        lines(
            "Why orders ended unfilled",
            "Orders in 15 minutes by what kept them from filling.",
            "none",
            Query(per_quarter("paper_orders_unfilled_total", "reason") + " > 0", "{{reason}}"),
            stacked=True,
        ),
        lines(
            "Queue ahead",
            "External size ahead of our live orders, base units.",
            "none",
            Query(newest("paper_queue_ahead", by=f"{BY_ACCOUNT}, side"), NAME + " {{side}}"),
        ),
        lines(
            "Orders and commands at the exchange",
            "Live orders, and commands that have not taken effect yet.",
            "none",
            [
                Query(newest("paper_orders_live"), NAME + " live"),
                Query(newest("paper_commands_under_way"), NAME + " under way"),
            ],
        ),
    ]
    forecasts = [
        numbers(
            "Forecasts judged",
            "Forecasts whose outcome is known, by kind.",
            "none",
            Query(f"sum by (forecast) (paper_forecasts_scored_total{{{ACCOUNT}}})", "{{forecast}}"),
            width=6,
        ),
        numbers(
            "Skill",
            "Brier skill against the base rate: above 0 the forecast knows something.",
            "percentunit",
            Query(f"avg by (forecast) (paper_forecast_skill{{{ACCOUNT}}})", "{{forecast}}"),
            width=6,
            steps={None: RED, -0.05: AMBER, 0: GREEN},
            decimals=1,
        ),
        numbers(
            "Calibration error",
            "Expected distance between forecast and frequency.",
            "percentunit",
            Query(f"avg by (forecast) (paper_forecast_calibration_error{{{ACCOUNT}}})", "{{forecast}}"),
            width=6,
            steps={None: GREEN, 0.1: AMBER, 0.2: RED},
            decimals=1,
        ),
        numbers(
            "Filled over expected",
            "Orders that filled in time, over what the forecasts expected: 1 is unbiased.",
            "none",
            Query(
                f"sum(paper_fill_forecast_filled_orders_total{{{ACCOUNT}}}) "
                f"/ (sum(paper_fill_forecast_expected_orders_total{{{ACCOUNT}}}) > 0)",
                "ratio",
            ),
            width=6,
            steps={None: AMBER, 0.7: GREEN, 1.4: AMBER},
            decimals=2,
        ),
        rows(
            "Reliability",
            "Per bin of forecasts: how many, what they said, what came true.",
            "none",
            [
                Query(f"sum by (forecast, bin) (paper_reliability_bin_count{{{ACCOUNT}}})", "forecasts"),
                Query(f"avg by (forecast, bin) (paper_reliability_bin_forecast{{{ACCOUNT}}})", "said"),
                Query(f"avg by (forecast, bin) (paper_reliability_bin_observed{{{ACCOUNT}}})", "came true"),
            ],
            width=12,
            height=12,
        ),
        lines(
            "Brier score",
            "Mean squared error of the forecasts: lower is better.",
            "none",
            Query(newest("paper_forecast_brier", by=f"{BY_ACCOUNT}, forecast"), NAME + " {{forecast}}"),
            width=6,
            height=12,
            low=0,
        ),
        lines(
            "Markout of fills and of unfilled quotes",
            "The selection effect: fills come where the mid goes against us.",
            "none",
            [
                Query(mean_markout("5s"), "fills {{horizon}}"),
                Query(
                    f'avg by (horizon) (paper_unfilled_quote_markout_mean_bps{{{ACCOUNT},horizon="5s"}})',
                    "unfilled {{horizon}}",
                ),
            ],
            width=6,
            height=12,
        ),
    ]
    return board(
        "Fill simulation",
        "paper-fills",
        "The paper exchange: what fills, what does not, and who foresaw it.",
        {"The exchange": fills, "Forecasts": forecasts},
    )
