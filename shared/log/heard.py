"""What services say of themselves outside the log, believed only where and how it must be said.

A subscription hears what is delivered to its subject, and the broker delivers there whatever a consumer was told to
deliver there: only the subject that a message carries says where it was published.
"""

from typing import Final

import msgspec

from papertrader.shared.log.health import Heartbeat

_heartbeat: Final = msgspec.json.Decoder(Heartbeat)
_MOST_DIGITS: Final = 18


def heartbeat_of(subject: str, payload: bytes) -> Heartbeat | None:
    """A heartbeat, None if it is none or was not said where its worker says it."""
    try:
        beat = _heartbeat.decode(payload)
    except (ValueError, RecursionError):
        return None
    return beat if subject == f"health.{beat.service}.{beat.worker}" else None


def progress_of(subject: str, payload: bytes) -> tuple[str, str, int] | None:
    """The service, the market and the round of a fold's report, None if it is none."""
    token, _, rest = subject.partition(".")
    service, _, market = rest.partition(".")
    if token != "progress" or market.count(".") != 1 or not payload.isdigit() or len(payload) > _MOST_DIGITS:
        return None
    return service, market, int(payload)
