"""One browser for the tests of a module."""

from collections.abc import Iterator

import pytest

from tests.page.watching import Chromium


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    chromium = Chromium()
    yield chromium
    chromium.close()
