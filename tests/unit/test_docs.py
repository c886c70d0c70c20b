"""The docs say what the code says."""

import re

import pytest

from docs import picture
from docs.generate import FOLDER, PAGES
from tests.conftest import ROOT


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
