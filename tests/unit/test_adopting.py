"""What is taken over of a state of another form, by hand."""

import numpy as np
import pytest

from papertrader.shared.service.adopting import LayoutError, adopt

OLD = np.dtype([("counts", "i8", (2,)), ("order", [("id", "i8"), ("ahead", "f8")]), ("features", "f8", (2,))])
NEW = np.dtype(
    [("counts", "i8", (3,)), ("order", [("id", "i8"), ("ahead", "f8"), ("row", "i8")]), ("features", "f8", (3,))]
)


def saved() -> "np.ndarray[tuple[int], np.dtype[np.void]]":
    rows = np.zeros(1, dtype=OLD)
    rows["counts"], rows["order"]["id"], rows["features"] = [4, 5], 7, [0.1, 0.2]
    return rows


def test_lists_that_grew_keep_what_they_had_and_features_begin_anew() -> None:
    state = np.zeros(1, dtype=NEW)
    adopt({"accounts": state}, {"accounts": saved()}, ["main"], ["main"])
    assert state["counts"].tolist() == [[4, 5, 0]]
    assert state["features"].tolist() == [[0.0, 0.0, 0.0]]


def test_an_order_from_before_draws_has_none() -> None:
    state = np.zeros(1, dtype=NEW)
    adopt({"accounts": state}, {"accounts": saved()}, ["main"], ["main"])
    assert (state["order"]["id"][0], state["order"]["row"][0]) == (7, -1)


@pytest.mark.parametrize("form", [(1,), (2, 1)])
def test_lists_that_shrank_or_turned_are_refused(form: tuple[int, ...]) -> None:
    state = np.zeros(1, dtype=[("counts", "i8", form)])
    with pytest.raises(LayoutError, match="has the shape"):
        adopt({"accounts": state}, {"accounts": saved()}, ["main"], ["main"])
