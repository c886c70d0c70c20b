"""Faults of the venue's server, armed by settings, so that somebody sees how a bot copes with them.

They touch what a bot is told, never what the log holds: orders, fills and money are those of a quiet day.
"""

import random
from collections import Counter
from typing import Final, Literal, TypeAlias

from papertrader.services.gateway.config import GatewayConfig

Fault: TypeAlias = Literal["late", "busy", "double", "close"]
FAULTS: Final[tuple[Fault, ...]] = ("late", "busy", "double", "close")


class Havoc:
    """Draws which request or fill a fault strikes, and counts them."""

    def __init__(self, config: GatewayConfig) -> None:
        self.late_s = config.havoc_late_s
        self.close_s = config.havoc_close_s
        self.struck: Counter[Fault] = Counter()
        self._shares: dict[Fault, float] = {
            "late": config.havoc_late_share,
            "busy": config.havoc_busy_share,
            "double": config.havoc_double_share,
        }
        self._chance = random.Random(config.havoc_seed)

    def strikes(self, fault: Fault) -> bool:
        """Whether a fault strikes this time; the draws follow from the seed and the sequence of what is asked."""
        share = self._shares[fault]
        if share == 0 or self._chance.random() >= share:
            return False
        self.struck[fault] += 1
        return True
