"""Folds a whole tape without a bus and reduces it to numbers; run as a module it writes them for the test."""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from papertrader.replay.composition import Composition
from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.session_rounds import until
from papertrader.services.feed.sources import sources
from papertrader.services.monitor.report.summary import account_summary
from papertrader.services.monitor.service import Monitor
from papertrader.shared.messages import Fill
from papertrader.shared.service.config import Settings

FOLDER: Final = Path(__file__).parent
FEES: Final = {"maker_fee_bps": 1.5, "taker_fee_bps": 4.5}
"""Those that the sessions were first recorded with, whatever the venue charges by default."""
SESSIONS: Final = {
    "wlfi-draws": ("hyperliquid-20250904-WLFI.gz", {}),
    "btcusdt-flat": ("binance-usdm-20240808-BTCUSDT.gz", {"fill_sim": {"fill_model": "flat", **FEES}}),
    "btcusdt-draws": ("binance-usdm-20240808-BTCUSDT.gz", {"fill_sim": FEES}),
    "btcusdt-fifo": ("binance-usdm-20240808-BTCUSDT.gz", {"fill_sim": {"fill_model": "fifo", **FEES}}),
    "btcusdt-through": ("binance-usdm-20240808-BTCUSDT.gz", {"fill_sim": {"fill_model": "through", **FEES}}),
}


def numbers(tape: Path, tables: dict[str, Any]) -> dict[str, Any]:
    """Every number of the summary, and a hash over all fills; the verdict says the same numbers in words."""
    config = FeedConfig(source="tape", tapes=(tape,))
    source = sources(config)[0]
    composition = Composition(Settings(tables), source.market)
    fills = hashlib.sha256()
    rounds = (round_.messages for round_ in source.rounds())
    for spoken in composition.run(until(rounds, 0, config.round_ms * 1_000_000)):
        if isinstance(spoken.output.message, Fill):
            fills.update(msgspec.json.encode(spoken.output.message))
    monitor = composition.folds["monitor"]
    assert isinstance(monitor, Monitor)
    summary = account_summary(monitor, "main")
    return {**{name: value for name, value in summary.items() if name != "verdict"}, "fills_sha256": fills.hexdigest()}


def main(tapes: Path) -> None:
    """Write the numbers of every session."""
    for name, (tape, tables) in SESSIONS.items():
        found = numbers(tapes / tape, tables)
        (FOLDER / f"{name}.json").write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
