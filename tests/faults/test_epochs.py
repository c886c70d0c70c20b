"""A run that is gone on with under other settings and with other accounts: a new epoch, told and proved."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.faults.operators import event_s, started, until
from tests.runs import papertrader, verify

FIRST = "[accounts.beta.fill_sim]\nfill_model = 'draws'\n"
SECOND = "[fill_sim]\nfill_model = 'flat'\n[accounts.alpha.quoter]\n[accounts.beta.quoter]\n"
"""Another fill model, and an account whose name comes before the one that was there."""


@pytest.mark.long
def test_other_settings_and_accounts_are_a_new_epoch_that_is_told_and_proved(tmp_path: Path) -> None:
    directory, settings = tmp_path / "data", tmp_path / "settings.toml"
    first = _run(directory, settings, FIRST, 90.0)
    before = {market["asset"]: market["position"] for market in first}
    assert any(before.values()), before
    second = _run(directory, settings, SECOND, 140.0)
    by_account = {(market["asset"], market["account"]): market for market in second}
    assert {account for _, account in by_account} == {"alpha", "beta"}
    assert all(market["orders"] < 200 for market in second if market["account"] == "alpha"), "orders of the past"
    found = verify(directory)
    assert [epoch["number"] for epoch in found["epochs"]] == [1, 2]
    said = papertrader("verify", directory).stdout
    assert "epoch 2 begins at sequence" in said
    assert "fill_sim.fill_model: draws → flat" in said.replace("\n", " ")
    assert "accounts: beta → alpha, beta" in said.replace("\n", " ")


def _run(directory: Path, settings: Path, text: str, until_s: float) -> list[dict[str, Any]]:
    """Run until so much event time has been folded; what the monitor knew last."""
    settings.write_text(text)
    with started("run", "--speed", "4", "--settings", settings, "--data-dir", directory) as run:
        assert until(lambda: event_s(directory) > until_s or run.poll() is not None, 240)
        assert run.poll() is None, run.communicate()
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=90)
    done = papertrader("report", "--json", "--data-dir", directory)
    assert done.stdout, done.stderr
    markets: list[dict[str, Any]] = json.loads(done.stdout)["markets"]
    return markets
