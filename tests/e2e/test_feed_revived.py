"""The feed of a running system is killed: the run goes on as it would have, or live with a gap."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import msgspec
import pytest

from papertrader.shared.messages import Gap, RoundEnd
from tests.e2e.running import logged, run_json, venue_server, wait_until
from tests.runs import PAPERTRADER

pytestmark = pytest.mark.long


def pid_of_feed(directory: Path) -> int:
    """The feed of the run in this directory, 0 if there is none."""
    wanted = ["papertrader.services.feed", "--settings", str(directory / "settings.json")]
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if words[2:5] == wanted:
            return int(entry.parent.name)
    return 0


def run_and_kill(directory: Path, *arguments: object, after_s: float, times: int = 1) -> tuple[dict[str, object], str]:
    """`papertrader run --json` whose feed is killed so often; the summary and what was said meanwhile."""
    command = [str(PAPERTRADER), "run", "--json", "--data-dir", str(directory), *map(str, arguments)]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for _ in range(times):
        assert wait_until(lambda: bool(pid_of_feed(directory)), 30)
        time.sleep(after_s)
        os.kill(pid_of_feed(directory), signal.SIGKILL)
    out, said = run.communicate(timeout=240)
    assert run.returncode == 0, said
    return json.loads(out), said


def test_live_feed_killed_in_a_run_is_started_again_and_the_run_goes_on_after_a_gap(tmp_path: Path) -> None:
    """Every loop goes on; the log with the gap in it comes out the same when it is folded again."""
    with venue_server() as url:
        source = ("--source", "hyperliquid", "--assets", "BTC,ETH", "--venue-url", url)
        summary, said = run_and_kill(tmp_path, *source, "--duration", 45, after_s=15.0)
    assert said.count("feed (killed by SIGKILL) had died and was started again") == 1
    gaps = [msgspec.json.decode(payload, type=Gap) for _, payload in logged(tmp_path, "md.*.BTC.gap")]
    assert [gap.reason for gap in gaps] == ["restarted"]
    assert 0.3e9 < gaps[0].to_ts - gaps[0].from_ts < 15e9
    ends = [msgspec.json.decode(payload, type=RoundEnd) for _, payload in logged(tmp_path, "md.*.BTC.round")]
    assert len({end.session for end in ends}) == 2
    assert 35e9 < ends[-1].ts - ends[0].ts < 55e9, "the second feed has the rest of the duration"
    for market in summary["markets"]:  # type: ignore[attr-defined]
        assert market["fills"] == market["own_fills"] == market["controller_fills"] > 0
        assert all(check["state"] != "fail" for check in market["checks"].values())


def test_tape_feed_killed_in_a_run_goes_on_at_its_cursor(tmp_path: Path, tape_dir: Path) -> None:
    """Every message of every fold is the one that an undisturbed run says."""
    source = ("--tape", tape_dir / "hyperliquid-20250904-WLFI.gz", "--duration", 400, "--speed", 20)
    run_json(tmp_path / "calm", *source)
    run_and_kill(tmp_path / "stormy", *source, after_s=6.0, times=2)
    for subject in ("fills.>", "acks.>", "markouts.>", "orders.>", "account.>", "params.>", "checks.>"):
        assert logged(tmp_path / "stormy", subject) == logged(tmp_path / "calm", subject), subject
