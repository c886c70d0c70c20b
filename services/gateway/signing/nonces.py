"""Nonces: no request counts twice. Pure: the caller says what time it is."""

import heapq
from typing import Final

KEPT: Final = 100
"""So many of the largest nonces of a signer are remembered; a smaller one is too old."""
PAST_MS: Final = 2 * 86_400_000
FUTURE_MS: Final = 86_400_000


class Nonces:
    """The nonces that one signer has used."""

    def __init__(self) -> None:
        self._used: set[int] = set()
        self._heap: list[int] = []

    def refusal(self, nonce: int, now_ms: int) -> str:
        """Why a nonce cannot be used, in the venue's words; empty if it can."""
        if nonce in self._used:
            return f"Invalid nonce: duplicate nonce {nonce}"
        if len(self._heap) == KEPT and nonce < self._heap[0]:
            return f"Invalid nonce: nonce too low {nonce} < {self._heap[0]}"
        if nonce < now_ms - PAST_MS:
            return f"Invalid nonce: nonce too low {nonce} < {now_ms - PAST_MS}"
        if nonce > now_ms + FUTURE_MS:
            return f"Invalid nonce: nonce too high {nonce} > {now_ms + FUTURE_MS}"
        return ""

    def use(self, nonce: int) -> None:
        """Remember a nonce."""
        if nonce in self._used:
            return
        self._used.add(nonce)
        heapq.heappush(self._heap, nonce)
        if len(self._heap) > KEPT:
            self._used.discard(heapq.heappop(self._heap))
