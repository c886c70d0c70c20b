"""What is worth telling of an account: the difference between what was seen last and what is seen now."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Final, NamedTuple

from papertrader.services.monitor.config import MonitorConfig, NoticeKind
from papertrader.services.monitor.facts.facts import SECOND
from papertrader.services.monitor.facts.history import kept_fills
from papertrader.services.monitor.report.assumptions import currency
from papertrader.services.monitor.service import Monitor

DAY: Final = 86_400 * SECOND
LINES: Final = 20
"""Most lines of one message; what is left out is counted."""


class Seen(NamedTuple):
    """An account at one moment. Money is in the currency that the market settles in; `failing` are checks by cause."""

    ts: int = 0
    fills: int = 0
    bought: float = 0.0
    sold: float = 0.0
    price: float = 0.0
    position: float = 0.0
    total: float = 0.0
    fees: float = 0.0
    currency: str = ""
    failing: Mapping[str, str] = {}


class Notice(NamedTuple):
    """One thing to tell. Of fills, `fills`, `bought` and `sold` say how many and how much, `text` tells of the last:
    so many become one."""

    kind: NoticeKind
    market: str
    account: str
    text: str
    fills: int = 0
    bought: float = 0.0
    sold: float = 0.0


def seen(monitor: Monitor, account: str, before: Seen) -> Seen:
    """An account now; sizes bought and sold are those since `before`, of the fills that are still kept."""
    facts, checklist = monitor.facts.accounts[account], monitor.checklist(account)
    count = facts.fills.now
    kept = kept_fills(monitor.history(account), facts)
    fills = kept[max(len(kept) - max(count - before.fills, 0), 0) :]
    money = facts.account
    return Seen(
        ts=monitor.facts.market.ts,
        fills=count,
        bought=float(sum(fill["size"] for fill in fills if fill["side"] > 0)),
        sold=float(sum(fill["size"] for fill in fills if fill["side"] < 0)),
        price=float(fills[-1]["price"]) if len(fills) else 0.0,
        position=facts.position,
        total=money.total if money else 0.0,
        fees=money.fees if money else 0.0,
        currency=currency(monitor.market, monitor.facts.market.instrument),
        failing={
            name: f"{check.cause}. {check.remedy}" for name, check in checklist.checks.items() if check.state == "fail"
        },
    )


def news(market: str, account: str, before: Seen, now: Seen, day: Seen, config: MonitorConfig) -> Iterator[Notice]:
    """What is to be told; `day` is the account when its day began, or when it was seen first on that day."""
    for kind, text in _texts(before, now, day, config):
        if kind in config.notices_about:
            fills = now.fills - before.fills if kind == "fills" else 0
            yield Notice(kind, market, account, text, fills, *((now.bought, now.sold) if fills else (0.0, 0.0)))


def _texts(before: Seen, now: Seen, day: Seen, config: MonitorConfig) -> Iterator[tuple[NoticeKind, str]]:
    if now.fills > before.fills:
        yield "fills", f"at {now.price:.10g}, position {now.position:+.8g}, PnL {now.total:+.2f} {now.currency}"
    for name in now.failing.keys() - before.failing.keys():
        yield "checks", f"check {name} FAILS: {now.failing[name]}"
    for name in before.failing.keys() - now.failing.keys():
        yield "checks", f"check {name} no longer fails"
    money, below, above = f"{now.total:+.2f} {now.currency}", config.notice_pnl_below, config.notice_pnl_above
    if below is not None and now.total < below <= before.total:
        yield "pnl", f"PnL {money} is BELOW {below:+g}, position {now.position:+.8g}"
    if above is not None and now.total > above >= before.total:
        yield "pnl", f"PnL {money} is above {above:+g}, position {now.position:+.8g}"
    if before.ts and now.ts // DAY > before.ts // DAY:
        yield "summary", _summary(before, day)


def _summary(end: Seen, day: Seen) -> str:
    began = datetime.fromtimestamp(day.ts / SECOND, UTC)
    since = "" if day.ts % DAY < 60 * SECOND else f" since {began:%H:%M} UTC"
    failing = f"failing checks: {', '.join(end.failing)}" if end.failing else "no check fails"
    return (
        f"{began:%Y-%m-%d}{since}: {end.fills - day.fills} fills, PnL {end.total - day.total:+.2f} {end.currency} "
        f"(fees {day.fees - end.fees:+.2f}), position {end.position:+.8g}, {failing}"
    )


def told(notices: Sequence[Notice]) -> tuple[str, str]:
    """Title and body of one message that tells all of them; fills of one account are added up."""
    lines = []
    for (market, account, kind), group in groupby(sorted(notices, key=_by_account), _by_account):
        items = list(group)
        texts = [_fills(items)] if kind == "fills" else [item.text for item in items]
        lines += [f"{market} {account}: {text}" for text in texts]
    left_out = [f"... and {len(lines) - LINES} more"] if len(lines) > LINES else []
    first = lines[0] if len(lines) == 1 else f"{len(lines)} notices"
    return f"papertrader: {first[:80]}", "\n".join([*lines[:LINES], *left_out])


def _by_account(notice: Notice) -> tuple[str, str, str]:
    return notice.market, notice.account, notice.kind


def _fills(items: Sequence[Notice]) -> str:
    count, last = sum(item.fills for item in items), items[-1].text
    bought, sold = sum(item.bought for item in items), sum(item.sold for item in items)
    if count == 1:
        return f"bought {bought:.8g} {last}" if bought else f"sold {sold:.8g} {last}"
    return f"{count} fills: bought {bought:.8g}, sold {sold:.8g}, the last {last}"
