"""What was refused lately, so that somebody whose bot does not get through can be told why."""

import time
from collections import Counter, deque
from typing import Any, Final

import msgspec

KEPT: Final = 50


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A request or an element of one that was refused.

    `addresses` may have signed it; `ahead_ms` is how far its nonce was ahead of this machine's clock; `at_s` is
    monotonic time.
    """

    reason: str
    text: str
    action: str
    addresses: tuple[str, ...]
    ahead_ms: int
    at_s: float


class RefusedError(Exception):
    """A request that is refused as a whole: `reason` is counted, the text is the venue's."""

    def __init__(self, reason: str, text: str, addresses: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.reason = reason
        self.addresses = addresses


class Refusals(Counter[str]):
    """How many were refused, by reason, and the last of them."""

    def __init__(self) -> None:
        super().__init__()
        self.recent: deque[Refused] = deque(maxlen=KEPT)

    def note(
        self, reason: str, text: str, action: str = "", addresses: tuple[str, ...] = (), nonce: int | None = None
    ) -> None:
        """Count and remember a refusal."""
        self[reason] += 1
        ahead_ms = 0 if nonce is None else nonce - time.time_ns() // 1_000_000
        self.recent.append(
            Refused(
                reason=reason,
                text=text,
                action=action,
                addresses=addresses,
                ahead_ms=ahead_ms,
                at_s=time.monotonic(),
            )
        )

    def told(self) -> list[dict[str, Any]]:
        """The last of them, newest first, with their age in s."""
        now_s = time.monotonic()
        fields = ("reason", "text", "action", "addresses", "ahead_ms")
        return [
            {**{name: getattr(item, name) for name in fields}, "age_s": round(now_s - item.at_s, 1)}
            for item in reversed(self.recent)
        ]
