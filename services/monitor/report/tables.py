"""The longer tables of the report: fills, days, and the settings that were in force."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from papertrader.services.monitor.facts.facts import SECOND
from papertrader.services.monitor.report.html import moment, number, table
from papertrader.shared.market.records import Records

FILLS_LISTED: Final = 200
DAY_S: Final = 86_400


def fills_table(rows: Records) -> str:
    """The last fills, the newest first."""
    if not len(rows):
        return "<p class='empty'>No fill yet.</p>"
    header = ("time, UTC", "side", "price", "size", "fee", "mid", "from the mid, bp", "as")
    shown = [
        (
            moment(int(row["ts"])),
            "buy" if row["side"] > 0 else "sell",
            f"{row['price']:,.10g}",
            f"{row['size']:.6g}",
            number(float(row["fee"]), 4),
            f"{row['mid']:,.10g}",
            number(float(row["half_spread_bps"])),
            "maker" if row["maker"] else "taker",
        )
        for row in rows[::-1][:FILLS_LISTED]
    ]
    more = f"<p class='note'>The last {FILLS_LISTED} of {len(rows):,} kept.</p>" if len(rows) > FILLS_LISTED else ""
    return table(header, shown, numbers=range(2, 7)) + more


def days_table(series: Records, rows: Records) -> str:
    """What each day of event time (UTC) brought; fills as far as they are kept."""
    days = list(_days(series, rows))
    if not days:
        return "<p class='empty'>No account yet.</p>"
    header = ("day, UTC", "PnL", "spread", "inventory", "fees", "funding", "fills", "largest position")
    return table(header, days, numbers=range(1, 8))


def _days(series: Records, rows: Records) -> Iterator[tuple[str, ...]]:
    days = series["ts"] // (DAY_S * SECOND)
    before = dict.fromkeys(("total", "spread", "inventory", "fees", "funding"), 0.0)
    for day in np.unique(days).tolist():
        of_day = series[days == day]
        if len(of_day) == 1 and len(series) > 1:
            continue  # a moment before midnight is no day
        end = {name: float(of_day[name][-1]) for name in before}
        gained = {name: end[name] - before[name] for name in before}
        filled = int(np.count_nonzero(rows["ts"] // (DAY_S * SECOND) == day))
        yield (
            moment(day * DAY_S * SECOND)[:10],
            *(number(gained[name]) for name in ("total", "spread", "inventory")),
            *(number(sign * gained[name]) for name, sign in (("fees", -1), ("funding", 1))),
            f"{filled:,}",
            f"{float(np.abs(of_day['position']).max()):.6g}",
        )
        before = end


def drawdown(series: Records) -> float:
    """The largest fall of the profit below its peak, settlement currency, as far as the series shows."""
    totals = np.concatenate(([0.0], series["total"].astype(np.float64)))
    return float((np.maximum.accumulate(totals) - totals).max())


def settings_tables(settings: Mapping[str, Any]) -> str:
    """Every setting that was in force, a table for each section."""
    parts = []
    for name, section in settings.items():
        rows = list(_flat(section))
        if rows:
            parts.append(f"<details><summary>[{name}]</summary>{table(('setting', 'value'), rows)}</details>")
    return "".join(parts)


def _flat(values: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(values, Mapping) and values:
        for name, value in values.items():
            yield from _flat(value, f"{path}.{name}" if path else str(name))
    elif path:
        yield path, "none" if values in (None, "", [], {}) else str(values)
