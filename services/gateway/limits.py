"""How much one IP may ask in a minute, by the weights that the venue documents. Pure: the caller knows the time."""

from typing import Any, Final

from papertrader.services.gateway.config import DIAGNOSIS
from papertrader.services.gateway.exchange.wire import batch_of
from papertrader.services.gateway.kernel import action_weight

LIGHT: Final = (
    "l2Book",
    "allMids",
    "clearinghouseState",
    "orderStatus",
    "spotClearinghouseState",
    "exchangeStatus",
)
QUESTION_WEIGHT: Final = 20
WEIGHTS: Final[dict[str, int]] = {**dict.fromkeys(LIGHT, 2), "userRole": 60, DIAGNOSIS: 0}
MINUTE_S: Final = 60.0
ADDRESSES_KEPT: Final = 10_000


def weight_of(door: str, body: Any) -> int:
    """What a request counts: an action 1 and one for each 40 of its batch, a question by its type."""
    if not isinstance(body, dict):
        return 1
    if door == "exchange":
        action = body.get("action")
        return action_weight(batch_of(action) if isinstance(action, dict) else 1)
    kind = body.get("type")
    return WEIGHTS.get(kind, QUESTION_WEIGHT) if isinstance(kind, str) else QUESTION_WEIGHT


class Limits:
    """What every IP has left: as much as a minute allows, and it comes back evenly over one. 0 sets no limit."""

    def __init__(self, per_minute: int) -> None:
        self._most = float(per_minute)
        self._left: dict[str, tuple[float, float]] = {}

    def admits(self, ip: str, weight: int, now_s: float) -> bool:
        """Whether a request may pass; one that may not costs nothing."""
        if self._most == 0:
            return True
        left, since_s = self._left.get(ip, (self._most, now_s))
        left = min(left + (now_s - since_s) * self._most / MINUTE_S, self._most)
        passes = left >= weight
        if len(self._left) >= ADDRESSES_KEPT:
            self._left.clear()
        self._left[ip] = (left - weight if passes else left), now_s
        return passes
