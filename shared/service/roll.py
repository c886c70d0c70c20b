"""Which accounts a fold has: those of the settings, and those that the log has opened since.

An account that is opened begins with the round in which that was heard: the fold is made anew with one account more,
and takes over what it remembers, as at the beginning of an epoch.
"""

from collections.abc import Callable, Mapping
from typing import Final

from papertrader.shared.log.kinds import TERMS, Kind
from papertrader.shared.log.sealed import Sealed
from papertrader.shared.log.segments import Latest, matches
from papertrader.shared.log.subjects import ACCOUNT_WIDE, subject
from papertrader.shared.messages import Cancel, Control, Message
from papertrader.shared.messages.accounts import Terms
from papertrader.shared.service.adopting import adopt, copied
from papertrader.shared.service.config import ACCOUNTS, Settings, SettingsError
from papertrader.shared.service.fold import Fold, State
from papertrader.shared.service.outside import OUTSIDE

MOST: Final = 256
"""Accounts that the log may open: each takes a megabyte in every market."""

Make = Callable[[Settings], Fold]


def with_terms(settings: Settings, terms: Mapping[str, Terms]) -> Settings:
    """The settings with the accounts that were opened, traded from outside, and with what was changed of others."""
    tables = {name: dict(settings.tables.get(ACCOUNTS, {}).get(name, {})) for name in settings.accounts}
    for name, said in terms.items():
        own = tables.setdefault(name, {"quoter": {"strategy": OUTSIDE}})
        own["fill_sim"] = {**own.get("fill_sim", {}), **said.settings, "initial_cash": said.balance}
    found = Settings({**settings.tables, ACCOUNTS: tables})
    found.closed = frozenset(name for name, said in terms.items() if said.closed)
    return found


def last_terms(sealed: Sealed, before: int) -> list[tuple[str, Latest]]:
    """The last word on each account that was said before a sequence and is sealed, by subject, in its order."""
    pattern = subject(TERMS, ACCOUNT_WIDE, "*")
    found = [(name, said) for name, said in sealed.catalogue.latest.items() if matches(pattern, name)]
    return sorted([item for item in found if item[1].sequence < before], key=lambda item: item[1].sequence)


class Roll:
    """The accounts of one fold, and the fold for them. `make` makes a fold for settings.

    `terms` are those in force since the last round, in the order in which the accounts were opened.
    """

    def __init__(self, settings: Settings, make: Make) -> None:
        self._make = make
        self._settings = settings
        self.terms: dict[str, Terms] = {}
        self._heard: list[tuple[str, Terms]] = []
        self._closed: set[str] = set()
        self.fold = make(settings)

    @property
    def accounts(self) -> tuple[str, ...] | None:
        """The accounts of the fold, None for one that asks for none."""
        found = getattr(self.fold, "accounts", None)
        return None if found is None else tuple(found)

    def admit(self, kind: Kind, account: str, message: Message) -> str:
        """Take note of a message to an account; returns why it is not to be heard, nothing if it is."""
        known = self.accounts
        if isinstance(message, Terms):
            return self._note(account, message) if known is not None else ""
        if known is not None and account not in known and all(name != account for name, _ in self._heard):
            return f"no account {account!r}; there are {', '.join(sorted(known))}"
        resumes = isinstance(message, Control) and message.action == "resume"
        if (resumes or (kind == "orders" and not isinstance(message, Cancel))) and account in self._closed:
            return f"the account {account!r} is closed"
        return ""

    def _note(self, account: str, said: Terms) -> str:
        """Take terms for the round that is open, unless the settings that they make cannot be used."""
        others = {**self.terms, **dict(self._heard), account: said}
        if len(others) > MOST:
            return f"there are {MOST} accounts already"
        try:
            self._make(with_terms(self._settings, others))
        except SettingsError as error:
            return str(error)
        self._heard.append((account, said))
        self._closed = {name for name, known in others.items() if known.closed}
        return ""

    def begin_round(self) -> Fold:
        """The fold for the round that has been closed: with the accounts that were opened in it."""
        known = self.accounts or ()
        opened: dict[str, Terms] = {}
        for name, said in self._heard:
            if name not in known:
                opened.setdefault(name, said)  # what was said of it afterwards the fold hears itself
        if opened:
            self._renew(self._settings, {**self.terms, **opened})
        self.terms.update(self._heard)
        self._heard.clear()
        return self.fold

    def take_over(self, settings: Settings) -> None:
        """Go on with other settings."""
        self._renew(settings, self.terms)
        self._settings = settings

    def _renew(self, settings: Settings, terms: Mapping[str, Terms]) -> None:
        before, accounts = self.fold, self.accounts
        self.fold = self._make(with_terms(settings, terms))
        adopt(self.fold.state(), copied(before.state()), self.accounts or (), accounts or ())
        getattr(self.fold, "failures", {}).update(getattr(before, "failures", {}))

    def restored(self, terms: Mapping[str, Terms]) -> tuple[State, tuple[str, ...]]:
        """The state and the accounts of a fold that has these terms, to be filled from a checkpoint."""
        if terms:
            self.terms = dict(terms)
            self._closed = {name for name, said in terms.items() if said.closed}
            self.fold = self._make(with_terms(self._settings, terms))
        return self.fold.state(), self.accounts or ()
