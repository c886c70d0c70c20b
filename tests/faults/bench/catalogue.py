"""Every kind of fault as typed data: what is hit, and when, in seconds after every service owns its markets."""

import random
from collections.abc import Collection
from typing import Any, Final, TypeAlias

import msgspec

from papertrader.shared.log.health import FOLDS


class _Fault(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    at_s: float


class Kill(_Fault, frozen=True, kw_only=True, tag=True):
    """kill -9 of a service; it is started again."""

    service: str


class Freeze(_Fault, frozen=True, kw_only=True, tag=True):
    """A service stands still, at times longer than its lease lives."""

    service: str
    for_s: float


class KillBroker(_Fault, frozen=True, kw_only=True, tag=True):
    """kill -9 of the broker; it is started again."""


class Corrupt(_Fault, frozen=True, kw_only=True, tag=True):
    """A bit of a service's newest checkpoints flips, then it is killed."""

    service: str
    place: float


class Restart(_Fault, frozen=True, kw_only=True, tag=True):
    """The whole run is stopped as by Ctrl-C, and gone on with."""


class Crash(_Fault, frozen=True, kw_only=True, tag=True):
    """Everything is killed at once, as when the power fails, and gone on with."""


class Hostile(_Fault, frozen=True, kw_only=True, tag=True):
    """Somebody with a place on the bus says what is not so, or makes no sense."""

    subject: str
    payload: bytes


class Neighbour(_Fault, frozen=True, kw_only=True, tag=True):
    """Somebody on the bus makes noise for a while: nonsense where anybody may speak, many questions, connections."""

    for_s: float
    seed: int


class Disk(_Fault, frozen=True, kw_only=True, tag=True):
    """The disk is full for a while. Needs one of its own, and so root."""

    for_s: float


class Clock(_Fault, frozen=True, kw_only=True, tag=True):
    """A service is killed, and the wall clock is another one when it is started again."""

    service: str
    by_s: float


class Change(_Fault, frozen=True, kw_only=True, tag=True):
    """The run is stopped as by Ctrl-C, and gone on with under another fill model."""

    fill_model: str


class Purge(_Fault, frozen=True, kw_only=True, tag=True):
    """Somebody empties the log."""


Fault: TypeAlias = (
    Kill | Freeze | KillBroker | Corrupt | Restart | Crash | Hostile | Neighbour | Disk | Clock | Change | Purge
)
Campaign: TypeAlias = tuple[Fault, ...]

KINDS: Final[tuple[type[Fault], ...]] = Fault.__args__
MOST_FAULTS: Final = 12
LENGTH_S: Final = 13.0
WEIGHTS: Final[dict[type[Fault], int]] = dict.fromkeys(KINDS, 2) | {
    Kill: 5,
    Freeze: 4,
    Disk: 1,
    Change: 1,
    Purge: 1,
}
FILL_MODELS: Final = ("flat", "fifo", "through")
HOSTILE: Final = (
    ("progress.fill-sim.synthetic.SYN1", b"999999999999"),
    ("progress.fill-sim", b"x"),
    ("health.quoter.nobody-1", b"{"),
    ("orders.synthetic.SYN1.nobody", b'{"type":"cancel","ts":1,"order_id":1}'),
    ("orders.synthetic.SYN1.main", b"not even JSON"),
    ("md.synthetic.SYN9.instrument", b"{}"),
    ("control.synthetic.SYN1.main", b'{"ts":1,"action":"explode"}'),
    ("epochs.log", b"[]"),
)
CHANGES: Final = (Change,)
"""Faults after which a run is another one: it has to say that an epoch begins, and to prove every epoch."""
SPOILS: Final[dict[type[Fault], str]] = {Purge: r"purged|dropped|is gone|not on this log|on another log|taken away"}
"""Faults after which a run need not be as undisturbed: if it is not, it has to say so, in these words."""


def draw(seed: int, kinds: Collection[type[Fault]] = KINDS) -> Campaign:
    """The campaign of a seed: 1 to 12 faults of some kinds, in the order of their times."""
    chance = random.Random(seed)
    drawn = chance.choices(list(kinds), [WEIGHTS[kind] for kind in kinds], k=chance.randint(1, MOST_FAULTS))
    return tuple(sorted((_fault(kind, chance) for kind in drawn), key=lambda fault: fault.at_s))


def _fault(kind: type[Fault], chance: random.Random) -> Fault:
    subject, payload = chance.choice(HOSTILE)
    drawn: dict[str, Any] = {
        "at_s": round(chance.uniform(0.0, LENGTH_S), 2),
        "service": chance.choice((*FOLDS, "feed") if kind is Kill else FOLDS),
        "for_s": round(chance.uniform(0.3, 4.5), 2),
        "place": round(chance.random(), 3),
        "by_s": chance.choice((-86_400.0, -90.0, 90.0, 86_400.0)),
        "seed": chance.randrange(2**31),
        "fill_model": chance.choice(FILL_MODELS),
        "subject": subject,
        "payload": payload,
    }
    return kind(**{name: drawn[name] for name in kind.__struct_fields__})


def text_of(campaign: Campaign) -> str:
    """A campaign as JSON, to be written down and run again."""
    return msgspec.json.encode(campaign).decode()


def campaign_of(text: str) -> Campaign:
    """The inverse of `text_of`."""
    return msgspec.json.decode(text, type=Campaign)
