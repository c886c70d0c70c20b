"""What a strategy of the user's raised, told so that he finds the line."""

import traceback
from typing import Final

from papertrader.services.quoter.strategy import StrategyError
from papertrader.shared.log.health import Failure

TRACEBACK_LIMIT: Final = 4_000


def failure_of(error: Exception, strategy: str, ts: int, before: Failure | None) -> Failure:
    """An exception that the strategy raised, with its traceback from the user's own code on, and how many there were.

    A target that makes no sense has no line of its own: the text names it.
    """
    own = error.__traceback__.tb_next if error.__traceback__ else None  # without the call that asked
    lines = [] if isinstance(error, StrategyError) else traceback.format_exception(type(error), error, own)
    return Failure(
        count=1 + (before.count if before else 0),
        ts=ts,
        text=f"{strategy}: {type(error).__name__}: {error}",
        traceback="".join(lines)[-TRACEBACK_LIMIT:],
    )
