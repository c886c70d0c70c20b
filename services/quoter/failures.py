"""What a strategy of the user's raised, told so that he finds the line."""

import traceback
from typing import Final

from papertrader.services.quoter.own import WISHES
from papertrader.services.quoter.strategy import StrategyError
from papertrader.services.quoter.wishes import RAISED, WRONG
from papertrader.shared.log.health import Failure
from papertrader.shared.market.records import Record

TRACEBACK_LIMIT: Final = 4_000


def error_of(error: Exception, raised: BaseException | None, out: Record) -> BaseException:
    """What went wrong when a strategy was asked: what it raised, or in words what is wrong with its answer."""
    if out["wrong"] == RAISED and raised is not None:
        return raised
    if out["wrong"] in WRONG:
        row = int(out["wrong_row"])
        side = "buy" if out["rows"][min(row, WISHES - 1)]["side"] > 0 else "sell"
        return StrategyError(
            f"target {row}: {WRONG[int(out['wrong'])].format(value=float(out['wrong_value']), side=side)}"
        )
    return error


def failure_of(error: BaseException, strategy: str, ts: int, before: Failure | None, line: str = "") -> Failure:
    """An exception that the strategy raised, with its traceback from the user's own code on, and how many there were.

    A target that makes no sense has no traceback: the text names it. `line` is told instead where it is known.
    """
    own = error.__traceback__.tb_next if error.__traceback__ else None  # without the call that asked
    lines = traceback.format_exception(type(error), error, own)
    if line or isinstance(error, StrategyError):
        lines = [line]
    return Failure(
        count=1 + (before.count if before else 0),
        ts=ts,
        text=f"{strategy}: {type(error).__name__}: {error}",
        traceback="".join(lines)[-TRACEBACK_LIMIT:],
    )
