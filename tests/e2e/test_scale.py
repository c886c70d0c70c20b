"""Minutes of what `tests.e2e.scale` measures by days: memory, disk, proof and report hold over restarts."""

import os
from pathlib import Path

import pytest

from tests.e2e.scale import measure

DATA = Path(os.environ.get("PAPER_TEST_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
TAPES = [DATA / f"hyperliquid-20250904-{asset}.gz" for asset in ("BTC", "ETH", "WLFI")]
MOST_GROWTH_MIB = 16.0


@pytest.mark.long
@pytest.mark.skipif(not all(tape.exists() for tape in TAPES), reason="NO TAPES: see PAPER_TEST_DATA")
def test_memory_disk_proof_and_report_hold_over_restarts(tmp_path: Path) -> None:
    found = measure(tmp_path, TAPES, hours=0.6, restarts=2, segment_bytes=2**20)
    first, *_, last = (leg["memory_mib"] for leg in found["legs"])
    growth = {name: last[name] - first[name] for name in first if name in last and name != "nats-server"}
    assert max(growth.values()) < MOST_GROWTH_MIB, growth
    assert abs(found["forecast_error"]) < 0.1
    assert found["segments"] > 10
    assert found["segment_bytes"] < 0.25 * found["payload_bytes"]
    assert found["verified"] > 10_000
    assert found["report_s"] < 10.0
