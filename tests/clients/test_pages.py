"""The lines of "your bot on paper in two minutes" do what the page says, taken from the page itself."""

import re
from typing import Any

import pytest

pytest.importorskip("hyperliquid", reason="the real clients are tested by `make test-clients`")

from paper import ROOT, Paper, wait_until

PAGE = (ROOT / "docs" / "how-to" / "bots.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
ADDRESS = "0x1563915e194D8CfBA1943570603F7606A3115508"


@pytest.mark.parametrize("block", BLOCKS, ids=["sdk", "ccxt"])
def test_a_block_of_the_page_trades(paper: Paper, block: str) -> None:
    before = paper.account("unified")["position"]
    lines = block.replace("127.0.0.1:3001", paper.url.removeprefix("http://"))
    names: dict[str, Any] = {"KEY": "0x" + "22" * 32, "ADDRESS": ADDRESS}
    exec(lines, names)
    wait_until(lambda: paper.account("unified")["position"] >= before + 0.001 - 1e-9)
