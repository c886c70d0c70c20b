"""The rounds of a recorded session: up to where it is cut, and the empty ones in which the folds settle."""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from papertrader.shared.messages import Message, RoundEnd

SETTLE_ROUNDS: Final = 4
"""Empty rounds after the last one: a fill, what is learned from it and the check of that are each a round apart."""


def until(
    rounds: Iterable[tuple[Message, ...]], duration_ns: int, round_ns: int
) -> Iterator[tuple[tuple[Message, ...], RoundEnd]]:
    """The rounds up to a duration of event time (0: all), then the empty rounds in which the folds settle.

    Only the last one is final: what the last market data caused is heard by everybody before the run ends.
    """
    first_ts, end = 0, None
    for *market_data, marker in rounds:
        end = marker_of(marker)
        first_ts = first_ts or end.ts
        yield tuple(market_data), msgspec.structs.replace(end, final=False)
        if duration_ns and end.ts - first_ts >= duration_ns:
            break
    if end is not None:
        yield from settling(end, round_ns)


def settling(end: RoundEnd, round_ns: int) -> Iterator[tuple[tuple[Message, ...], RoundEnd]]:
    """The empty rounds after the last one; only the very last is final."""
    for step in range(1, SETTLE_ROUNDS + 1):
        ts, final = end.ts + step * round_ns, step == SETTLE_ROUNDS
        yield (), msgspec.structs.replace(end, round=end.round + step, ts=ts, final=final)


def marker_of(message: Message) -> RoundEnd:
    """The last message of a round as what it is."""
    if not isinstance(message, RoundEnd):
        raise ValueError("a round ends with its marker")
    return message
