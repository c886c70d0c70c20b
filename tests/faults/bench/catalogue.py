"""Every kind of fault as typed data: what is hit, and when, in seconds after every service owns its markets."""

import random
from typing import Final, TypeAlias

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


class Purge(_Fault, frozen=True, kw_only=True, tag=True):
    """Somebody empties the log."""


Fault: TypeAlias = Kill | Freeze | KillBroker | Corrupt | Restart | Crash | Hostile | Purge
Campaign: TypeAlias = tuple[Fault, ...]

MOST_FAULTS: Final = 12
LENGTH_S: Final = 25.0
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
SPOILS: Final = (Purge,)
"""Faults after which a run cannot be as undisturbed: it has to say so."""


def draw(seed: int, spoiled: bool = False) -> Campaign:
    """The campaign of a seed: 1 to 12 faults in the order of their times; with one that spoils the log if asked for."""
    chance = random.Random(seed)
    found = [_fault(chance) for _ in range(chance.randint(1, MOST_FAULTS))]
    if spoiled:
        found.append(Purge(at_s=chance.uniform(1.0, LENGTH_S)))
    return tuple(sorted(found, key=lambda fault: fault.at_s))


def _fault(chance: random.Random) -> Fault:
    at_s, service = round(chance.uniform(0.0, LENGTH_S), 2), chance.choice(FOLDS)
    match chance.choice(("kill", "kill", "freeze", "freeze", "broker", "corrupt", "restart", "crash", "hostile")):
        case "kill":
            return Kill(at_s=at_s, service=chance.choice((*FOLDS, "feed")))
        case "freeze":
            return Freeze(at_s=at_s, service=service, for_s=round(chance.uniform(0.3, 4.5), 2))
        case "broker":
            return KillBroker(at_s=at_s)
        case "corrupt":
            return Corrupt(at_s=at_s, service=service, place=chance.random())
        case "restart":
            return Restart(at_s=at_s)
        case "crash":
            return Crash(at_s=at_s)
    subject, payload = chance.choice(HOSTILE)
    return Hostile(at_s=at_s, subject=subject, payload=payload)


def text_of(campaign: Campaign) -> str:
    """A campaign as JSON, to be written down and run again."""
    return msgspec.json.encode(campaign).decode()


def campaign_of(text: str) -> Campaign:
    """The inverse of `text_of`."""
    return msgspec.json.decode(text, type=Campaign)
