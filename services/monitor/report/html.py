"""Tables of the report."""

from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape

from papertrader.services.monitor.facts.facts import SECOND


def table(
    header: Iterable[str], rows: Iterable[Iterable[str]], numbers: Iterable[int] = (), raw: Iterable[int] = ()
) -> str:
    """An HTML table; columns in `numbers` are aligned right, those in `raw` are HTML already."""
    right, html = set(numbers), set(raw)

    def cells(row: Iterable[str], tag: str) -> str:
        return "".join(
            f"<{tag}{' class=n' if index in right else ''}>{cell if index in html else escape(cell)}</{tag}>"
            for index, cell in enumerate(row)
        )

    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    return (
        f"<div class='scroll'><table><thead><tr>{cells(header, 'th')}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def moment(ts: int) -> str:
    """An event time for reading, UTC."""
    return f"{datetime.fromtimestamp(ts / SECOND, UTC):%Y-%m-%d %H:%M:%S}"


def number(value: float | None, digits: int = 2, sign: bool = True) -> str:
    """A number for reading, a dash where none is known."""
    return "–" if value is None else f"{value:{'+' if sign else ''},.{digits}f}"
