"""What one IP may ask in a minute, by hand."""

from typing import Any

import pytest

from papertrader.services.gateway.limits import Limits, weight_of


@pytest.mark.parametrize(
    ("door", "body", "weight"),
    [
        ("info", {"type": "l2Book"}, 2),
        ("info", {"type": "meta"}, 20),
        ("info", {"type": "userRole"}, 60),
        ("info", {"type": "paperDiagnosis"}, 0),
        ("info", {"type": ["l2Book"]}, 20),
        ("info", [], 1),
        ("exchange", {"action": {"type": "noop"}}, 1),
        ("exchange", {"action": {"type": "order", "orders": [{}] * 39}}, 1),
        ("exchange", {"action": {"type": "cancel", "cancels": [{}] * 79}}, 2),
        ("exchange", {"action": 7}, 1),
    ],
)
def test_a_request_has_the_weight_that_the_venue_documents(door: str, body: Any, weight: int) -> None:
    assert weight_of(door, body) == weight


def test_an_ip_has_a_minutes_weight_which_comes_back_over_a_minute() -> None:
    """120 a minute are 2 a second: after two questions of 60 nothing is left, after 10 s 20, which 20 take."""
    limits = Limits(120)
    assert [limits.admits("a", 60, 0.0) for _ in range(3)] == [True, True, False]
    assert limits.admits("b", 60, 0.0), "another IP has its own"
    assert not limits.admits("a", 21, 10.0)
    assert limits.admits("a", 20, 10.0), "what was refused cost nothing"
    assert not limits.admits("a", 1, 10.0)
    assert [limits.admits("a", 120, 1_000.0), limits.admits("a", 1, 1_000.0)] == [True, False], "a minute's at most"


def test_without_a_limit_everything_passes() -> None:
    assert all(Limits(0).admits("a", 60, 0.0) for _ in range(100))
