"""The market before a round's prints: found, written down, and recalled for an order."""

import math

import numpy as np
import pytest

from papertrader.shared.market.events import EVENT, LEVEL, PRINT, ROUND
from papertrader.shared.market.frozen import FROZEN, first_print, freeze, is_print, recall
from papertrader.shared.market.records import Records
from tests.unit.test_features import BUY, S, book_at, seen


def events_of(*kinds: int) -> Records:
    events = np.zeros(len(kinds), dtype=EVENT)
    events["kind"] = kinds
    return events


@pytest.mark.parametrize(
    ("kinds", "row", "first"),
    [
        ((LEVEL, PRINT, ROUND), 0, 1),
        ((LEVEL, ROUND, PRINT), 0, None),
        ((LEVEL, ROUND, PRINT), 2, 2),
        ((LEVEL, LEVEL), 0, None),
        ((), 0, None),
    ],
)
def test_first_print_of_a_round_is_looked_for_only_up_to_its_marker(
    kinds: tuple[int, ...], row: int, first: int | None
) -> None:
    events = events_of(*kinds)
    found = first_print(events, np.uint64(row))
    assert is_print(events, found) == (first is not None)
    assert first is None or found == first


def test_recalled_is_the_begin_of_the_round_which_knows_nothing_of_what_the_round_brings() -> None:
    book = book_at(S, bid_size=3.0, ask_size=1.0)
    features, out, frozen = seen(book), np.zeros(8), np.zeros(1, dtype=FROZEN)[0]
    freeze(frozen, features[0], book[0])
    book["bid"][0, 1000] = 1.0
    recall(frozen, features[0], book[0], BUY, 990, out)
    assert out[0] == pytest.approx(0.5)
    assert out[7] == pytest.approx(math.log(1 + 1.0 / 100.05 * 1e4)), "10 ticks behind the bid"
    assert (frozen["mid"], frozen["ts"]) == (pytest.approx(100.05), S)
    frozen["fresh"] = 0
    recall(frozen, features[0], book[0], BUY, 990, out)
    assert out[0] == 0.0, "where nothing was frozen: as of now"
