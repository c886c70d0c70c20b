"""Live records in the forms in which makers have them: Hyperliquid's own, ccxt's unified one, a CSV table."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from papertrader.replay.twin.readers import ccxt, hyperliquid, table
from papertrader.replay.twin.record import LiveRecord, RecordError

FORMS = (
    "Hyperliquid's historicalOrders, orderUpdates and userFills as JSON, ccxt's unified orders and trades as JSON, "
    f"or CSV with the columns {', '.join(table.NEEDED)}"
)


def read_record(paths: Sequence[Path]) -> LiveRecord:
    """The live record that these files hold together; raises RecordError for what is none of the forms."""
    tables = [path for path in paths if path.suffix.lower() in {".csv", ".tsv"}]
    if tables:
        if len(tables) != len(paths):
            raise RecordError("a CSV table is a record of its own: give it without JSON files")
        return table.read(tables)
    entries = [entry for path in paths for entry in _entries(path)]
    found = [reader for reader in (hyperliquid, ccxt) if any(reader.knows(entry) for entry in entries)]
    if len(found) != 1:
        names = ", ".join(str(path) for path in paths)
        what = "both Hyperliquid's and ccxt's entries" if found else "no live orders"
        raise RecordError(f"{names}: {what} were found; known are {FORMS}")
    return found[0].read(entries)


def _entries(path: Path) -> Iterator[dict[str, Any]]:
    """Every object of a JSON file, of JSON lines, or of venue frames, however deep it lies in lists."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RecordError(f"{path}: {error.strerror}") from None
    try:
        yield from _flat([orjson.loads(content)])
        return
    except orjson.JSONDecodeError:
        lines = content.splitlines()
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield from _flat([orjson.loads(line)])
            except orjson.JSONDecodeError as error:
                raise RecordError(f"{path}: line {number} is no JSON ({error}); known are {FORMS}") from None


def _flat(values: Iterable[Any]) -> Iterator[dict[str, Any]]:
    for value in values:
        if isinstance(value, list):
            yield from _flat(value)
        elif isinstance(value, dict):
            inner = value.get("data") if "channel" in value else value.get("fills") if "user" in value else None
            if inner is None:
                yield value
            else:
                yield from _flat([inner])
