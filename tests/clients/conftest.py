"""One run of the product for all clients: each has an account of its own."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
ADDRESSES = {
    "0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a": "official",
    "0x1563915e194d8cfba1943570603f7606a3115508": "unified",
}
"""Of the keys 32 times 0x11 and 32 times 0x22."""


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
