"""Who may say what on the bus: one broker user per service, with the subjects that it needs and no others.

A service may append only the kinds of message that it is the source of, so a quoter cannot forge a fill. Everybody may
read the log. The answers to a request come to an inbox of the service's own. The broker does not check where else a
client asks an answer to be sent, so nobody may ask for one that repeats a message as it is: such an answer on a subject
of the log would be a forgery. What other answers leave there is no message of ours, and refused by whoever reads it.
"""

from collections.abc import Mapping
from typing import Final

from papertrader.shared.log.bus import LOOK_UP
from papertrader.shared.log.health import FOLDS
from papertrader.shared.log.kinds import KINDS, ROWS
from papertrader.shared.log.lease import BUCKET
from papertrader.shared.log.refusals import ADDRESSEE, TOKEN
from papertrader.shared.log.subjects import STREAM
from papertrader.shared.service import epoch

USERS: Final = ("feed", *FOLDS, "gateway", "archive", "operator", "trader", "bootstrap")
"""`trader` is for programs of one's own, `gateway` trades for those that come by HTTP, `operator` is for the command
line; `archive` alone may let the broker forget, `bootstrap` only makes the streams."""

PAGE: Final = "monitor"
"""Serves the page, and so passes on what an operator commands there."""

HEARS: Final[dict[str, tuple[str, ...]]] = {
    "feed": ("progress.>", "health.>", "orders.>"),
    "monitor": ("health.>",),
    "operator": (">",),
    "trader": (">",),
}
"""What a user may hear beside its inbox."""
_LEASES: Final = f"KV_{BUCKET}"
_READS: Final = (
    f"$JS.API.STREAM.INFO.{STREAM}",
    f"$JS.API.CONSUMER.CREATE.{STREAM}",
    f"$JS.API.CONSUMER.CREATE.{STREAM}.>",
    f"$JS.API.CONSUMER.DELETE.{STREAM}.>",
    LOOK_UP,
    f"$JS.FC.{STREAM}.>",
)


def appends(user: str) -> tuple[str, ...]:
    """The subjects of the kinds that a user may append."""
    return tuple(dict.fromkeys(row.pattern for row in ROWS if user in row.writers))


def publishes(user: str) -> tuple[str, ...]:
    """The subjects that a user may publish to, wildcards included."""
    said = (*appends(user), *_READS)
    if user == "bootstrap":
        creates = tuple(f"$JS.API.STREAM.CREATE.{stream}" for stream in (STREAM, _LEASES))
        return (*said, epoch.SUBJECT, *creates, f"$JS.API.STREAM.UPDATE.{STREAM}", "$JS.API.INFO")
    if user == "archive":
        return (*said, f"health.{user}.>", f"$JS.API.STREAM.PURGE.{STREAM}")
    if user in ("feed", "gateway"):
        return (*said, f"health.{user}.>")
    if user in FOLDS:
        said = (*said, KINDS["control"].pattern) if user == PAGE else said
        answers = (f"{TOKEN}.>",) if user in ADDRESSEE.values() else ()
        return (*said, f"health.{user}.>", f"progress.{user}.>", *answers, *_leases(user))
    return said


def _leases(user: str) -> tuple[str, ...]:
    """A fold's own members and leases. Whoever creates a stream says what it repeats elsewhere: no fold may."""
    return (
        f"$KV.{BUCKET}.m.{user}.>",
        f"$KV.{BUCKET}.a.{user}.>",
        f"$JS.API.STREAM.INFO.{_LEASES}",
        f"$JS.API.CONSUMER.CREATE.{_LEASES}",
        f"$JS.API.CONSUMER.CREATE.{_LEASES}.>",
        f"$JS.API.CONSUMER.DELETE.{_LEASES}.>",
    )


def subscribes(user: str) -> tuple[str, ...]:
    """The subjects that a user may subscribe to."""
    return (f"_INBOX_{user.replace('-', '_')}.>", *HEARS.get(user, ()))


def authorization(public_keys: Mapping[str, str]) -> str:
    """The `authorization` block of the broker's configuration, from every user's public nkey."""
    users = "\n".join(_user(user, public_keys[user]) for user in USERS)
    return f"authorization {{\n  users: [\n{users}\n  ]\n}}\n"


def _user(user: str, public_key: str) -> str:
    publish, subscribe = (", ".join(f'"{name}"' for name in names) for names in (publishes(user), subscribes(user)))
    return (
        f"    # {user}\n"
        f"    {{ nkey: {public_key}, permissions: {{\n"
        f"      publish: {{ allow: [{publish}] }}\n"
        f"      subscribe: {{ allow: [{subscribe}] }} }} }}"
    )
