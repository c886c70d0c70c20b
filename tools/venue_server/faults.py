"""What can go wrong between a venue and its client, as a pure transformation of the frames sent."""

import json
import random
import re
from collections import Counter
from typing import Any, Final, Literal, NamedTuple, TypeAlias, get_args

Kind: TypeAlias = Literal[
    "drop",
    "close_1006",
    "dead",
    "stall",
    "silence",
    "slow_start",
    "half_frame",
    "garbage",
    "duplicate",
    "reorder",
    "crossed_book",
    "clock_jump",
    "sequence_gap",
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
LASTING: Final = frozenset({"drop", "dead", "stall", "silence", "slow_start"})
"""Faults that are a state of the connection; the others change frames, without a duration only the next one."""
DEFAULT_JUMP_MS: Final = 30_000

_time: Final = re.compile(rb'("(?:time|timestamp|statusTimestamp|T|E)"\s*:\s*)(\d{13})')


class Fault(NamedTuple):
    """A fault that begins `at_s` and lasts; a clock jumps by `jump_ms`."""

    at_s: float
    kind: Kind
    duration_s: float = 0.0
    jump_ms: int = DEFAULT_JUMP_MS


class Faults:
    """The faults of one server. `counts` says how often each has struck.

    * drop: connections are cut and none is accepted while it lasts
    * close_1006: connections are cut, once
    * dead: nothing is sent, not even pongs
    * stall: frames are held back, then sent in a burst
    * silence: frames are lost while pings are answered
    * slow_start: whoever connects is answered only when it is over
    """

    def __init__(self, seed: int = 0) -> None:
        self.counts: Counter[str] = Counter()
        self._random = random.Random(seed)
        self._until: dict[Kind, float] = {}
        self._next: set[Kind] = set()
        self._jump_ms = DEFAULT_JUMP_MS
        self._held: list[bytes] = []
        self._swapped: bytes | None = None
        self._cut = False

    def start(self, fault: Fault, now_s: float) -> None:
        """Begin a fault now."""
        self.counts[fault.kind] += 1
        if fault.kind == "clock_jump":
            self._jump_ms = fault.jump_ms
        if fault.kind in ("drop", "close_1006"):
            self._cut = True
        if fault.kind in LASTING or fault.duration_s > 0:
            self._until[fault.kind] = now_s + fault.duration_s
        elif fault.kind != "close_1006":
            self._next.add(fault.kind)

    def active(self, kind: Kind, now_s: float) -> bool:
        """Whether a lasting fault is on."""
        return now_s < self._until.get(kind, -1.0)

    def take_cut(self) -> bool:
        """Whether connections are to be cut now; True once per fault."""
        cut, self._cut = self._cut, False
        return cut

    def send(self, now_s: float, frame: bytes) -> list[bytes]:
        """What is sent in place of a frame."""
        if any(self.active(kind, now_s) for kind in ("drop", "dead", "silence")):
            self._held.clear()
            return []
        if self.active("stall", now_s):
            self._held.append(frame)
            return []
        held, self._held = self._held, []
        return [sent for item in (*held, frame) for sent in self._change(now_s, item)]

    def _strikes(self, kind: Kind, now_s: float) -> bool:
        if kind in self._next:
            self._next.discard(kind)
            return True
        return self.active(kind, now_s)

    def _change(self, now_s: float, frame: bytes) -> list[bytes]:
        if self._strikes("sequence_gap", now_s):
            return []
        if self._strikes("clock_jump", now_s):
            frame = shifted(frame, self._jump_ms)
        if ("crossed_book" in self._next or self.active("crossed_book", now_s)) and (crossing := crossed(frame)):
            self._next.discard("crossed_book")
            frame = crossing
        if self._strikes("half_frame", now_s):
            frame = frame[: max(len(frame) // 2, 1)]
        sent = [frame, frame] if self._strikes("duplicate", now_s) else [frame]
        if self._strikes("garbage", now_s):
            sent.insert(0, self._garbage(frame))
        return self._reordered(now_s, sent)

    def _reordered(self, now_s: float, sent: list[bytes]) -> list[bytes]:
        if self._swapped is not None:
            swapped, self._swapped = self._swapped, None
            return [*sent, swapped]
        if self._strikes("reorder", now_s):
            *others, self._swapped = sent
            return others
        return sent

    def _garbage(self, frame: bytes) -> bytes:
        """Bytes of no meaning, or a frame in which some bytes are others."""
        if self._random.random() < 0.5:
            return bytes(self._random.choices(range(32, 127), k=self._random.randint(1, 60)))
        broken = bytearray(frame)
        for _ in range(8):
            broken[self._random.randrange(len(broken))] = self._random.randint(32, 126)
        return bytes(broken)


def shifted(frame: bytes, jump_ms: int) -> bytes:
    """The frame with every event time moved."""
    return _time.sub(lambda found: found[1] + str(int(found[2]) + jump_ms).encode(), frame)


def crossed(frame: bytes) -> bytes | None:
    """The frame with bids and asks exchanged; None if it holds no touch."""
    try:
        content = json.loads(frame)
    except ValueError:
        return None
    data: Any = content.get("data") if isinstance(content, dict) else None
    if not isinstance(data, dict):
        return None
    if "bbo" in data and None not in data["bbo"]:
        data["bbo"].reverse()
    elif "levels" in data and all(data["levels"]):
        data["levels"][0][0], data["levels"][1][0] = data["levels"][1][0], data["levels"][0][0]
    elif data.get("e") == "bookTicker":
        data["b"], data["a"] = data["a"], data["b"]
    else:
        return None
    return json.dumps(content, separators=(",", ":")).encode()
