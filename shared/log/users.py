"""The users of the broker that are no service of ours, and where they and the broker meet."""

from typing import Final

OUTSIDERS: Final = ("operator", "trader")
MOST_OUTSIDE: Final = 64
"""A user from outside reads in so many places at a time."""
MOST_READERS: Final = 16_384
"""A reader is a consumer of the log, one for each market of each service; the broker's own limit is 1,000."""
API: Final = "$JS.API"
"""Where the broker is asked."""
OUTSIDE_API: Final = "PAPER.API"
"""Where a user from outside asks, whose account has no streams: at its own `API` the broker would say so."""


def consumers(user: str) -> tuple[str, ...]:
    """The names of a user's consumers, for a user that may have these alone; `*` for one that draws names."""
    return tuple(f"{user}-{number}" for number in range(MOST_OUTSIDE)) if user in OUTSIDERS else ("*",)


def api_of(user: str, guarded: bool) -> str:
    """Where a user asks the broker: one that knows users, or one that lets everybody in."""
    return OUTSIDE_API if guarded and user in OUTSIDERS else API
