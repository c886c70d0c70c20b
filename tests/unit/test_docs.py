"""The docs say what the code says."""

import ast
import importlib
import re
from pathlib import Path

import pytest

import papertrader
from docs import picture
from docs.generate import FOLDER, PAGES
from papertrader.services.quoter.config import QuoterConfig
from tests.conftest import ROOT
from tests.quoter_session import Session, instrument, touch


@pytest.mark.parametrize("name", PAGES)
def test_reference_page_is_what_the_code_generates(name: str) -> None:
    """`make docs` was run."""
    assert (FOLDER / name).read_text() == PAGES[name](), "run `make docs`"


def test_every_link_between_pages_leads_somewhere() -> None:
    """Relative links of README and docs."""
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_picture_of_the_architecture_is_what_the_imports_say() -> None:
    """`make docs` was run."""
    assert picture.PAGE.read_text() == picture.drawn(picture.PAGE.read_text()), "run `make docs`"


EXAMPLES = sorted((ROOT / "docs" / "examples").glob("[a-z]*.py"))
BLOCKS = [
    pytest.param(block, id=f"{page.stem}-{number}")
    for page in sorted((ROOT / "docs" / "how-to").glob("*.md"))
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL))
]


@pytest.mark.parametrize("source", [*BLOCKS, *(pytest.param(path.read_text(), id=path.stem) for path in EXAMPLES)])
def test_examples_import_only_what_is_public(source: str) -> None:
    public = {"papertrader", *(f"papertrader.{name}" for name in papertrader.__all__)}
    tree = ast.parse(source)
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert {name for name in imported if name and name.startswith("papertrader")} <= public
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in public:
            module = importlib.import_module(node.module)
            assert {alias.name for alias in node.names} <= set(module.__all__)


def test_strategy_of_the_how_to_quotes(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "how-to" / "strategy.md").read_text()
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "mine.py").write_text(block)
    session = Session(QuoterConfig(strategy=f"{tmp_path / 'mine.py'}:FixedSpread"))
    orders = session.round(instrument(), touch(999.9, 1000.1))
    assert [(order.side, order.price) for order in orders] == [("buy", 999.4), ("sell", 1000.6)]
