"""One market in detail."""

from typing import Any

from grafana.panels import ACCOUNT, BY_ACCOUNT, BY_MARKET, MARKET, Query, board, lines
from grafana.queries import NAME, PARTS, RATE, mean_markout, newest, per_quarter, per_second


def dashboard() -> Any:
    """The dashboard, not yet built."""
    side = f"{BY_ACCOUNT}, side"
    fill = (
        f"{newest('paper_last_fill_price', by=side)} and on ({side}) "
        f"sum by ({side}) (increase(paper_fills_total{{{ACCOUNT}}}[{RATE}])) > 0"
    )
    quotes = [
        lines(
            "Quotes and fills on the mid",
            "The mid, our best bid and ask, and a point where one of them was filled.",
            "none",
            [
                Query(newest("paper_mid", MARKET, BY_MARKET), "{{asset}} mid"),
                Query(f"{newest('paper_quoter_quote_price', by=side)} > 0", NAME + " {{side}}"),
                Query(fill, NAME + " {{side}} fill"),
            ],
            width=24,
            height=11,
            points=True,
        ),
        lines(
            "Half-spread by component",
            "What the half-spread of the bid is made of, bp of the mid.",
            "none",
            Query(
                newest(
                    "paper_quoter_half_spread_bps",
                    f'{ACCOUNT},side="bid",component!="total"',
                    f"{BY_ACCOUNT}, component",
                ),
                "{{component}}",
            ),
        ),
        lines(
            "Quoted half-spread",
            "Half-spread that was quoted, by side, bp of the mid.",
            "none",
            Query(newest("paper_quoter_half_spread_bps", f'{ACCOUNT},component="total"', side), NAME + " {{side}}"),
        ),
        lines(
            "Inventory skew",
            "How far the reservation price lies below the mid, bp; positive when long.",
            "none",
            Query(newest("paper_quoter_skew_bps"), NAME),
        ),
        lines("Position", "Base units; long is positive.", "none", Query(newest("paper_position"), NAME)),
        lines(
            "Margin used",
            "|position| · mark / leverage, quote currency: it must follow the position.",
            "none",
            Query(newest("paper_margin_used"), NAME),
        ),
        lines(
            "Profit by part",
            "Quote currency; the parts add up to the total.",
            "none",
            Query(
                newest("paper_pnl", PARTS, f"{BY_ACCOUNT}, part"),
                "{{asset}} {{part}}",
            ),
        ),
    ]
    learning = [
        lines(
            "κ",
            "Decay of fill intensity from own fills, with one standard deviation, and from public prints.",
            "none",
            [
                Query(newest("paper_kappa"), NAME),
                Query(f"{newest('paper_kappa')} + {newest('paper_kappa_sd')}", NAME + " + sd"),
                Query(f"{newest('paper_kappa')} - {newest('paper_kappa_sd')}", NAME + " − sd"),
                Query(newest("paper_market_kappa"), NAME + " market"),
            ],
        ),
        lines(
            "Toxicity",
            "P(adverse | filled now) by side, and the base rate.",
            "percentunit",
            [
                Query(newest("paper_toxicity", by=side), NAME + " {{side}}"),
                Query(newest("paper_adverse_base_rate"), NAME + " base rate"),
            ],
            low=0,
            high=1,
        ),
        lines(
            "cal_gamma and what moves it",
            "The multiplier, its progress, and the one that the quoter uses.",
            "none",
            [
                Query(newest("paper_cal_gamma"), NAME + " cal_gamma"),
                Query(newest("paper_quoter_cal_gamma"), NAME + " as quoted"),
                Query(newest("paper_as_progress"), NAME + " adverse selection"),
                Query(newest("paper_kappa_progress"), NAME + " κ"),
            ],
            low=0,
            high=1,
        ),
        lines(
            "Volatility",
            "Realised and without jumps, bp per root second.",
            "none",
            [Query(newest("paper_sigma_bps"), NAME), Query(newest("paper_sigma_bipower_bps"), NAME + " without jumps")],
        ),
        lines(
            "Regime",
            "Probability of each regime.",
            "percentunit",
            Query(newest("paper_regime_probability", by=f"{BY_ACCOUNT}, regime"), "{{asset}} {{regime}}"),
            low=0,
            high=1,
        ),
        lines(
            "Mean markout of an hour's fills",
            "By horizon, bp; above 0 is good for us.",
            "none",
            Query(mean_markout(".*"), "{{horizon}}"),
        ),
    ]
    rounds = f'sum(rate(paper_rounds_folded_total{{{MARKET},job="quoter"}}[{RATE}]))'
    reasons = [
        lines(
            "Why orders ended unfilled",
            "Orders in 15 minutes by what kept them from filling.",
            "none",
            Query(per_quarter("paper_orders_unfilled_total", "reason") + " > 0", "{{reason}}"),
            stacked=True,
        ),
        lines(
            "Why orders were rejected",
            "Orders in 15 minutes by the reason of their rejection.",
            "none",
            Query(per_quarter("paper_orders_rejected_total", "reason"), "{{reason}}"),
            stacked=True,
        ),
        lines(
            "Why nothing was quoted",
            "Share of rounds in which nothing could be quoted, by reason.",
            "percentunit",
            Query(
                f"{per_second('paper_quoter_no_quote_rounds_total', 'reason')} / scalar({rounds})",
                "{{reason}}",
            ),
            stacked=True,
        ),
        lines(
            "Public prints",
            "Prints per minute: without them nothing can be filled.",
            "none",
            Query(newest("paper_prints_per_minute", MARKET, BY_MARKET), "{{asset}}"),
        ),
        lines(
            "Queue ahead",
            "External size ahead of our live orders, base units.",
            "none",
            Query(newest("paper_queue_ahead", by=side), NAME + " {{side}}"),
        ),
        lines(
            "Open orders",
            "Own orders pending, live or being cancelled.",
            "none",
            Query(newest("paper_quoter_open_orders", by=side), NAME + " {{side}}"),
        ),
    ]
    return board(
        "Market",
        "paper-market",
        "One market in detail: choose it above.",
        {"Quotes": quotes, "Learning": learning, "Why no fill?": reasons},
        one_asset=True,
    )
