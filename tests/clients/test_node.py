"""Clients of JavaScript trade on the gateway: scripts in `node/` that print what they saw, a line of JSON each."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from paper import ROOT, Paper, wait_until

SCRIPTS = Path(__file__).parent / "node"
INSTALLED = Path(os.environ.get("PAPER_NODE_CLIENTS", ROOT / "build" / "clients-node"))
pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or not (INSTALLED / "node_modules").is_dir(),
    reason="NO node, OR NOT ITS PACKAGES: `make test-clients` installs them where npm is",
)
TEXTS = {
    "post_only": "Post only order would have immediately matched",
    "reduce_only": "Reduce only order would increase position",
    "unknown": "Order was never placed, already canceled, or filled",
}


def run(paper: Paper, script: str, key: str, *words: str) -> dict[str, Any]:
    """What a script said."""
    for path in SCRIPTS.glob("*.mjs"):
        shutil.copy(path, INSTALLED)
    command = ["node", str(INSTALLED / script), paper.url, "0x" + key * 32, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, f"{done.stdout[-1000:]} {done.stderr[-1000:]}"
    return dict(json.loads(line) for line in done.stdout.splitlines() if line.startswith('["'))


@pytest.mark.parametrize(
    ("account", "key", "script", "words"),
    [
        ("nktkas_ws", "33", "nktkas.mjs", ["ws"]),
        ("nktkas_http", "44", "nktkas.mjs", ["http"]),
        ("npm_hyperliquid", "55", "npm_hyperliquid.mjs", []),
        ("ccxt_js", "66", "ccxt.mjs", []),
    ],
    ids=["nktkas_ws", "nktkas_http", "npm_hyperliquid", "ccxt_js"],
)
def test_a_client_trades_and_its_view_is_the_accounts(
    paper: Paper, account: str, key: str, script: str, words: list[str]
) -> None:
    said = run(paper, script, key, *words)
    for name, text in TEXTS.items():
        assert text in said.pop(name)
    view = said.pop("view")
    assert said == dict.fromkeys(("modified", "cancelled", "filled", "closed", "updates", "streams"), True)

    def same() -> bool:
        told, eth = paper.account(account), paper.account(account, "ETH")["equity"] or 0.0
        theirs = (told["position"], told["pnl"]["fees"], told["pnl"]["realised"], told["equity"] + eth)
        ours = (view["position"], view["fees"], view["realised"], view["value"])
        return view["position"] == 0.0 and ours == pytest.approx(theirs, abs=0.005)

    wait_until(same)
