"""`papertrader twin`: a live maker's orders through the simulation, compared with what really happened."""

import sys
from collections.abc import Sequence
from pathlib import Path

import orjson
from rich.console import Console
from rich.progress import Progress

from papertrader.cli.replay import told_to
from papertrader.replay.twin.readers import FORMS, read_record
from papertrader.replay.twin.record import RecordError
from papertrader.replay.twin.report import report_html, result, settings_toml, verdict
from papertrader.replay.twin.twin import MarketTwin, names_of, twin
from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.sources import sources
from papertrader.services.fill_sim.config import FillSimConfig
from papertrader.shared.service.config import Settings


def run(
    settings: Settings,
    live: Sequence[Path],
    account: str,
    fit_share: float,
    report: Path | None,
    write_settings: Path | None,
    as_json: bool,
) -> int:
    """Compare, and print or write what is asked for; always 0. Raises ValueError for what cannot be compared."""
    twins = _twins(settings, live, account, fit_share)
    if report is not None:
        report.write_text(report_html(twins))
    if write_settings is not None:
        write_settings.write_text(settings_toml(twins))
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(result(twins)) + b"\n")
        sys.stdout.flush()
    else:
        _print(twins)
    return 0


def _twins(settings: Settings, live: Sequence[Path], account: str, fit_share: float) -> list[MarketTwin]:

    if not live:
        raise RecordError(f"no live record: give --live FILE with {FORMS}")
    record = read_record(live)
    configs = settings.by_account("fill_sim", FillSimConfig)
    if account not in configs:
        raise RecordError(f"--account {account}: known are {', '.join(configs)}")
    found = [source for source in sources(settings.section("feed", FeedConfig)) if names_of(source.market, record)]
    if not found:
        named = ", ".join(record.symbols) or "no market"
        raise RecordError(f"the record holds orders of {named}, the tape none of them")
    with Progress(console=Console(stderr=True), transient=True) as bar:
        return [twin(source, record, configs[account], fit_share, told_to(bar)) for source in found]


def _print(twins: Sequence[MarketTwin]) -> None:
    out = Console()
    for each in twins:
        scores = each.as_fitted
        out.print(f"{each.market}: {verdict(scores)}", highlight=False, soft_wrap=True)
        out.print(
            f"  both {scores.both}, only live {scores.only_live}, only paper {scores.only_paper}, "
            f"neither {scores.neither}; differences: {scores.causes or 'none'}",
            highlight=False,
            soft_wrap=True,
        )
        for item in each.fitted:
            out.print(f"  {item.name} = {item.value:g} (supported {item.low:g} to {item.high:g})", highlight=False)
