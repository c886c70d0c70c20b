"""Whether a fold may go on from its checkpoint on this log, and what a service has said on it."""

from collections.abc import Sequence

from papertrader.shared.log.bus import Bus
from papertrader.shared.log.kinds import ACCOUNT_KINDS, decode
from papertrader.shared.log.subjects import Market, subject
from papertrader.shared.log.writes import Stored
from papertrader.shared.messages import RoundEnd
from papertrader.shared.service.checkpoint import LogPosition


class StateError(RuntimeError):
    """A fold that cannot go on from its checkpoint on this log without drifting from it; the text says why."""


def place_said(stored: Stored, service: str, market: Market) -> tuple[int, int] | None:
    """The round and place in it of a message that a service said in a market, None for another program's."""
    speaker, _, rest = stored.message_id.partition(f"|{market}|")
    number, _, index = rest.partition("|")
    if speaker != service or not (number.isdecimal() and index.isdecimal()):
        return None
    return int(number), int(index)


async def check_log(
    bus: Bus, service: str, market: Market, position: LogPosition | None, complaints: Sequence[str]
) -> None:
    """Raise StateError unless everything after the position, or from the beginning, is on the log."""
    first, last = await bus.extent()
    if position is None:
        if first > 1 and await _has_spoken(bus, service, market):
            why = "; ".join(complaints) or "there is none"
            raise StateError(
                f"{market}: no checkpoint of {service} can be used ({why}), and the log begins at "
                f"sequence {first}: what it was folded from is gone; begin anew in another data directory"
            )
        return
    end = round_end(await bus.at(position.sequence)) if first <= position.sequence <= last else None
    if position.sequence > last or ((end is None or end.round != position.round) and first <= position.sequence):
        raise StateError(
            f"{market}: the checkpoint of {service} ends with round {position.round} at sequence "
            f"{position.sequence}, which is not on this log (it ends at {last}): put back the log that it belongs "
            "to, or begin anew in another data directory"
        )
    if first > position.sequence + 1:
        raise StateError(
            f"{market}: the log begins at sequence {first}, the checkpoint of {service} ends at "
            f"{position.sequence}: what lies between was dropped or purged; begin anew in another data directory"
        )


async def _has_spoken(bus: Bus, service: str, market: Market) -> bool:
    """Whether the service has ever said anything in the market."""
    for kind in ACCOUNT_KINDS:
        stored = await bus.last(subject(kind, market, "*"))
        if stored is not None and place_said(stored, service, market) is not None:
            return True
    return False


def round_end(payload: bytes) -> RoundEnd | None:
    """The end of a round, None for a payload that is none."""
    try:
        message = decode("round", payload)
    except ValueError:
        return None
    return message if isinstance(message, RoundEnd) else None
