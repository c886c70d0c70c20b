"""Who may say what on the bus: one broker user per service, with the subjects that it needs and no others.

A service may append only the kinds of message that it is the source of, so a quoter cannot forge a fill. Everybody may
read the log. The answers to a request come to an inbox of the service's own. The broker does not check where else a
client asks an answer to be sent, so nobody may ask for one that repeats a message as it is: such an answer on a subject
of the log would be a forgery. What other answers leave there is no message of ours, and refused by whoever reads it.

The services share an account of the broker, and each user from outside has one of its own: the broker limits
connections, subscriptions and payloads by account, and what is said in one is heard in another only where both sides
say so. So a stranger hears no inbox and no request of a service, and no answer that it asks for reaches a subject of
theirs.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from papertrader.shared.log.health import FOLDS
from papertrader.shared.log.kinds import ROWS, TOKENS
from papertrader.shared.log.lease import BUCKET
from papertrader.shared.log.refusals import ADDRESSEE
from papertrader.shared.log.refusals import TOKEN as REFUSED
from papertrader.shared.log.subjects import STREAM
from papertrader.shared.log.users import API, MOST_READERS, OUTSIDE_API, OUTSIDERS, api_of, consumers
from papertrader.shared.service import epoch

USERS: Final = ("feed", *FOLDS, "gateway", "archive", "operator", "trader", "bootstrap")
"""`trader` is for programs of one's own, `gateway` trades for those that come by HTTP, `operator` is for the command
line; `archive` alone may let the broker forget, `bootstrap` only makes the streams."""

SAID: Final = tuple(f"{token}.>" for token in (*TOKENS, epoch.SUBJECT.partition(".")[0], REFUSED, "progress", "health"))
"""Everything that services say; users from outside hear it as it is said."""

HEARS: Final[dict[str, tuple[str, ...]]] = {
    "feed": ("progress.>", "health.>", "orders.>"),
    "monitor": ("health.>",),
    "operator": (">",),
    "trader": (">",),
}
"""What a user may hear beside its inbox; from outside, of what `SAID` lets through."""
SERVICES: Final = "SERVICES"
"""The account of the services."""
LIMITS: Final[dict[str, dict[str, int]]] = {
    SERVICES: {"max_connections": 256, "max_subscriptions": 65_536, "max_payload": 8 * 2**20},
    **{user: {"max_connections": 32, "max_subscriptions": 1_024, "max_payload": 64 * 2**10} for user in OUTSIDERS},
}
"""What the broker grants an account: connections in all, subscriptions of each, and the largest message, bytes."""
_LEASES: Final = f"KV_{BUCKET}"
STREAMS: Final = (STREAM, _LEASES)
"""There are no others, and nobody can make one."""


def appends(user: str) -> tuple[str, ...]:
    """The subjects of the kinds that a user may append."""
    return tuple(dict.fromkeys(row.pattern for row in ROWS if user in row.writers))


def publishes(user: str) -> tuple[str, ...]:
    """The subjects that a user may publish to, wildcards included."""
    said = (*appends(user), *_reads(user, STREAM), f"{api_of(user, guarded=True)}.STREAM.MSG.GET.{STREAM}")
    if user == "bootstrap":
        creates = tuple(f"$JS.API.STREAM.CREATE.{stream}" for stream in STREAMS)
        return (*said, epoch.SUBJECT, *creates, f"$JS.API.STREAM.UPDATE.{STREAM}", "$JS.API.INFO")
    if user == "archive":
        return (*said, f"health.{user}.>", f"$JS.API.STREAM.PURGE.{STREAM}")
    if user in ("feed", "gateway"):
        return (*said, f"health.{user}.>")
    if user in FOLDS:
        answers = (f"{REFUSED}.>",) if user in ADDRESSEE.values() else ()
        return (*said, f"health.{user}.>", f"progress.{user}.>", *answers, *_leases(user))
    return said


def _reads(user: str, stream: str) -> tuple[str, ...]:
    """Reading a stream by consumers of one's own."""
    api, names = api_of(user, guarded=True), consumers(user)
    asked = tuple(f"{api}.CONSUMER.{verb}.{stream}.{name}" for name in names for verb in ("CREATE", "DELETE"))
    return (f"{api}.STREAM.INFO.{stream}", *asked, *(f"$JS.FC.{stream}.{name}.*" for name in names))


def _leases(user: str) -> tuple[str, ...]:
    """A fold's own members and leases. Whoever creates a stream says what it repeats elsewhere: no fold may."""
    return (f"$KV.{BUCKET}.m.{user}.>", f"$KV.{BUCKET}.a.{user}.>", *_reads(user, _LEASES))


def inbox(user: str) -> str:
    """Where the answers to a user and its consumers' messages come."""
    return f"_INBOX_{user.replace('-', '_')}.>"


def subscribes(user: str) -> tuple[str, ...]:
    """The subjects that a user may subscribe to."""
    return (inbox(user), *HEARS.get(user, ()))


def accounts(public_keys: Mapping[str, str]) -> str:
    """The `accounts` block of the broker's configuration, from every user's public nkey."""
    services = "\n".join(_user(user, public_keys[user]) for user in USERS if user not in OUTSIDERS)
    outside = "\n".join(_outsider(user, public_keys[user]) for user in OUTSIDERS)
    return (
        f"accounts {{\n  {SERVICES} {{\n"
        f"    jetstream {{ max_streams: {len(STREAMS)}, max_consumers: {MOST_READERS} }}\n"
        f"    limits {{ {_limits(SERVICES)} }}\n"
        f"    users [\n{services}\n    ]\n"
        f"    exports [\n{_exports()}\n    ]\n  }}\n{outside}\n}}\n"
    )


def _outsider(user: str, public_key: str) -> str:
    imports = [
        f"{{ service: {{ account: {SERVICES}, subject: {_quoted(_asked_of(subject))} }}, to: {_quoted(subject)} }}"
        for subject in publishes(user)
    ]
    heard = (*SAID, inbox(user))
    imports += [f"{{ stream: {{ account: {SERVICES}, subject: {_quoted(subject)} }} }}" for subject in heard]
    return (
        f"  {user} {{\n    limits {{ {_limits(user)} }}\n"
        f"    users [\n{_user(user, public_key)}\n    ]\n"
        f"    imports [\n{_lines(imports)}\n    ]\n  }}"
    )


def _exports() -> str:
    """What crosses from the services to users from outside, and for whom."""
    asked: dict[str, list[str]] = {}
    for user in OUTSIDERS:
        for subject in publishes(user):
            asked.setdefault(_asked_of(subject), []).append(user)
    lines = [f"{{ service: {_quoted(subject)}, accounts: [{', '.join(users)}] }}" for subject, users in asked.items()]
    lines += [f"{{ stream: {_quoted(subject)}, accounts: [{', '.join(OUTSIDERS)}] }}" for subject in SAID]
    lines += [f"{{ stream: {_quoted(inbox(user))}, accounts: [{user}] }}" for user in OUTSIDERS]
    return _lines(lines)


def _asked_of(subject: str) -> str:
    """What a subject of a user from outside is called among the services."""
    return API + subject.removeprefix(OUTSIDE_API) if subject.startswith(OUTSIDE_API) else subject


def _user(user: str, public_key: str) -> str:
    publish, subscribe = (", ".join(map(_quoted, subjects)) for subjects in (publishes(user), subscribes(user)))
    return (
        f"      # {user}\n"
        f"      {{ nkey: {public_key}, permissions: {{\n"
        f"        publish: {{ allow: [{publish}] }}\n"
        f"        subscribe: {{ allow: [{subscribe}] }} }} }}"
    )


def _limits(account: str) -> str:
    return ", ".join(f"{name}: {value}" for name, value in LIMITS[account].items())


def _quoted(subject: str) -> str:
    return f'"{subject}"'


def _lines(items: Iterable[str]) -> str:
    return "\n".join(f"      {item}" for item in items)
