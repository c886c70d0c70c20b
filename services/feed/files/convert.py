"""Sessions written as files of other tools: hftbacktest's event arrays and Tardis' CSV files."""

from pathlib import Path
from typing import Final

from papertrader.services.feed.files import sidecar, tardis
from papertrader.services.feed.files.array_file import Written
from papertrader.services.feed.files.names import stem_of
from papertrader.services.feed.market_source import MarketSource
from papertrader.shared.whole_file import settle

FORMATS: Final = ("hftbacktest", "tardis")


def convert(source: MarketSource, form: str, directory: Path) -> list[Path]:
    """Write a market's session in another format; returns the files, of a failed one there are none.

    A tape that breaks off is written up to there.
    """
    directory.mkdir(parents=True, exist_ok=True)
    stem = directory / stem_of(source.market, source.symbol)
    if form == "hftbacktest":
        return [_write_array(source, stem.with_name(f"{stem.name}.npz"))]
    messages = (message for round_ in source.rounds() for message in round_.messages)
    paths = tardis.write(messages, source.market.venue, source.symbol, stem)
    return [*paths, sidecar.write(directory, source.market, source.symbol, source.instrument)]


def _write_array(source: MarketSource, path: Path) -> Path:
    written = Written()
    for round_ in source.rounds():
        for message in round_.messages:
            written.add(message)
    partial = path.with_name(f"{path.name}.part.npz")
    try:
        written.write(partial, source.market, source.symbol, source.instrument)
        settle(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return path
