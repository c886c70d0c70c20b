"""One run of the product for all clients: each has an account of its own."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
ADDRESSES = {
    "0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a": "official",
    "0x1563915e194d8cfba1943570603f7606a3115508": "unified",
    "0x5cbdd86a2fa8dc4bddd8a8f69dba48572eec07fb": "nktkas_ws",
    "0x7564105e977516c53be337314c7e53838967bdac": "nktkas_http",
    "0xe1fae9b4fab2f5726677ecfa912d96b0b683e6a9": "npm_hyperliquid",
    "0xdb2430b4e9ac14be6554d3942822be74811a1af9": "ccxt_js",
}
"""Of the keys 32 times 0x11, 0x22 and so on."""


@pytest.fixture(scope="session")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """The product at work on two recorded markets of Hyperliquid."""
    from paper import TAPES, Paper

    names = ["hyperliquid-20250904-BTC.gz", "hyperliquid-20250904-ETH.gz"]
    if not all((TAPES / name).exists() for name in names):
        pytest.skip(f"NO RECORDED MARKET DATA at {TAPES}: set PAPER_TEST_DATA")
    run = Paper(tmp_path_factory.mktemp("paper"), names, ADDRESSES)
    yield run
    run.stop()
