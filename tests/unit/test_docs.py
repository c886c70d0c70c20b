"""The docs say what the code says."""

import ast
import contextlib
import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

import papertrader
from docs import picture, site
from docs.generate import FOLDER, PAGES
from papertrader.cli.main import app
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


def test_site_is_built_strictly_and_has_every_page_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert site.main(tmp_path / "whole") == 0, capfd.readouterr().out
    listed = [name for item in site.navigation(list(site.pages())) for names in item.values() for name in _list(names)]
    assert sorted(listed) == sorted(site.pages())
    for name in listed:
        page = Path(name).with_suffix("") if Path(name).stem != "index" else Path()
        assert (tmp_path / "whole" / "site" / page / "index.html").is_file(), name


def _list(names: str | list[str]) -> list[str]:
    return [names] if isinstance(names, str) else names


def test_site_with_a_link_that_leads_nowhere_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "README.md"
    page.write_text("# Here\n\n[nothing](#nowhere)\n")
    monkeypatch.setattr(site, "pages", lambda: {"index.md": page})
    monkeypatch.setattr(site, "on_the_site", lambda text, _source: text)
    assert site.main(tmp_path / "broken") != 0
    assert "anchor does not exist" in re.sub(r"\x1b\[[0-9;]*m", "", capfd.readouterr().err)


def test_links_to_sources_become_names_and_others_stay() -> None:
    text = "[a](../services/quoter/glft.py) [`b`](../shared/log) [c](concepts.md#x) [d](https://e.f) ```[g](h)```"
    expected = "`a` `b` [c](concepts.md#x) [d](https://e.f) ```[g](h)```"
    assert site.on_the_site(text, ROOT / "docs" / "architecture.md") == expected
    assert site.on_the_site("[a](docs/concepts.md)", ROOT / "README.md") == "[a](concepts.md)"


def commands() -> Iterator[tuple[str, str]]:
    """Every `papertrader` command that a page tells, with the page's name."""
    for name, page in site.pages().items():
        if page.suffix == ".md":
            text = page.read_text().replace("\\\n", " ")
            blocks = "\n".join(re.findall(r"```(?:sh)?\n(.*?)```", text, re.DOTALL))
            inline = re.findall(r"`((?:\.venv/bin/)?papertrader [^`]+)`", FENCED.sub("", text))
            for line in (*blocks.splitlines(), *inline):
                if found := re.match(r"(?:\.venv/bin/)?papertrader +(.+)", line.strip()):
                    yield name, found[1]


FENCED = re.compile(r"```.*?```", re.DOTALL)


@pytest.mark.parametrize(("page", "line"), sorted(set(commands())))
def test_command_of_a_page_is_one_that_the_program_takes(page: str, line: str) -> None:
    said = re.sub(r"\[[^\]]* \.\.\.\]", "", line.split(" > ")[0]).replace("[", "").replace("]", "")
    name, *arguments = shlex.split(said, comments=True)
    known = getattr(typer.main.get_command(app), "commands")  # noqa: B009 - typer does not say that it is a group
    if name.startswith("--"):
        return
    assert name in known, f"{page}: papertrader {line}"
    with contextlib.suppress(*LEFT_TO_THE_READER):
        known[name].make_context(name, arguments)


LEFT_TO_THE_READER = (typer._click.exceptions.MissingParameter, typer._click.exceptions.BadOptionUsage)
"""A sentence may name a command without saying everything that it needs."""
EXAMPLES = sorted((ROOT / "docs" / "examples").glob("[a-z]*.py"))
BLOCKS = [
    pytest.param(block, id=f"{page.stem}-{number}")
    for page in sorted((ROOT / "docs").rglob("*.md"))
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


@pytest.mark.parametrize(("place", "name"), [(0, "FixedSpread"), (1, "decide")])
def test_strategies_of_the_how_to_quote(tmp_path: Path, place: int, name: str) -> None:
    page = (ROOT / "docs" / "how-to" / "strategy.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 2
    (tmp_path / "mine.py").write_text(blocks[place])
    session = Session(QuoterConfig(strategy=f"{tmp_path / 'mine.py'}:{name}"))
    orders = session.round(instrument(), touch(999.9, 1000.1))
    assert [(order.side, order.price) for order in orders] == [("buy", 999.4), ("sell", 1000.6)]
