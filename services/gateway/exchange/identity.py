"""Whose account an address acts for: by the settings, by its first signature, or as an agent."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from papertrader.services.gateway.signing.hashing import address_bytes
from papertrader.services.gateway.signing.nonces import Nonces
from papertrader.shared.messages.accounts import Terms
from papertrader.shared.messages.actions import SignedAction
from papertrader.shared.service.config import SettingsError

MOST_ASKED: Final = 10_000
"""So many unknown addresses are remembered that somebody has asked about."""


class Signer(NamedTuple):
    """A known address, and the account that it acts for."""

    address: str
    account: str


class _Agent(NamedTuple):
    name: str
    account: str


class Identities:
    """Addresses and agents of all accounts; lower case everywhere."""

    def __init__(
        self, accounts: Sequence[str], named: Mapping[str, str], free: Sequence[str], opens: bool, open_at_most: int = 0
    ) -> None:
        self._owners = {name.lower(): name for name in accounts if is_address(name)}
        for address, account in named.items():
            if not is_address(address):
                raise SettingsError(f"[gateway] accounts: {address!r} is no address of 0x and 40 hexadecimal digits")
            if account not in accounts:
                raise SettingsError(
                    f"[gateway] accounts: there is no account {account!r}; known are {', '.join(accounts)}"
                )
            self._owners[address.lower()] = account
        taken = set(self._owners.values())
        self._free = [account for account in free if account not in taken] if opens else []
        self._left_to_open = open_at_most if opens else 0
        self._accounts = set(accounts)
        self._closed: set[str] = set()
        self._asked: set[str] = set()
        self._agents: dict[str, _Agent] = {}
        self._nonces: dict[str, Nonces] = {}

    @property
    def owners(self) -> dict[str, str]:
        """The account of every address that has one."""
        return dict(self._owners)

    @property
    def free(self) -> list[str]:
        """The accounts that the next unknown addresses get."""
        return list(self._free)

    def account_of(self, address: str) -> str | None:
        """The account of an address; of one that has none yet, the account that it would get."""
        found = self._owners.get(address.lower())
        if found is None and len(self._asked) < MOST_ASKED:
            self._asked.add(address.lower())
        return found or (self._free[0] if self._free else None)

    def likely(self, candidates: Sequence[str]) -> str:
        """The one of some addresses that is closed, or that somebody has asked about; else that of a local client."""
        known = (address for address in candidates if address in self._owners or address in self._asked)
        return next(known, candidates[-1])

    def known(self, candidates: Sequence[str], typed: bool) -> Signer | None:
        """The one of the addresses that is known and not closed. Typed data is signed by owners alone."""
        for address in candidates:
            account = self._owners.get(address)
            if account is not None and account not in self._closed:
                return Signer(address, account)
        agents = () if typed else candidates
        found = (Signer(item, self._agents[item].account) for item in agents if item in self._agents)
        return next((signer for signer in found if signer.account not in self._closed), None)

    def newcomer(self, candidates: Sequence[str]) -> Signer | None:
        """The account that unknown addresses get by their first signature: one that nobody has, or a new one."""
        if not candidates or any(address in self._owners for address in candidates):
            return None
        address = self.likely(candidates)
        if self._free:
            return Signer(address, self._free[0])
        return Signer(address, address) if self.opens else None

    @property
    def opens(self) -> bool:
        """Whether the next address that signs gets an account of its own, where no other is left."""
        return self._left_to_open > 0

    def nonces(self, address: str) -> Nonces:
        """The nonces that an address has used."""
        return self._nonces.setdefault(address, Nonces())

    def agents_of(self, account: str) -> list[tuple[str, str]]:
        """The agents of an account: (address, name)."""
        return [(address, agent.name) for address, agent in self._agents.items() if agent.account == account]

    def owner_of(self, agent: str) -> str | None:
        """The account of an agent."""
        found = self._agents.get(agent.lower())
        return found.account if found else None

    def on_signed(self, account: str, action: SignedAction) -> None:
        """Take an accepted request from the log: who signed has that account from then on, and used that nonce."""
        self.claim(account, action.addresses)
        for address in action.addresses:
            if address in self._owners or address in self._agents:
                self.nonces(address).use(action.nonce)
        if action.agent:
            self._approve(account, action.agent, action.agent_name)

    def claim(self, account: str, addresses: Sequence[str]) -> None:
        """Addresses of which none is known yet have this account from now on."""
        if addresses and self.known(addresses, False) is None:
            self._owners.update(dict.fromkeys(addresses, account))
            self._free = [name for name in self._free if name != account]

    def on_terms(self, account: str, terms: Terms) -> None:
        """Take from the log which accounts there are, who trades them, and which are closed."""
        for address in (terms.address, account):
            if is_address(address):
                self._owners[address.lower()] = account
        if account not in self._accounts:
            self._accounts.add(account)
            self._left_to_open -= 1
        if terms.address or terms.closed:
            self._free = [name for name in self._free if name != account]
        self._closed = self._closed - {account} | ({account} if terms.closed else set())

    def _approve(self, account: str, agent: str, name: str) -> None:
        """An agent takes the place of the one of the same name, or without one of the one without."""
        for address, other in self.agents_of(account):
            if other == name:
                del self._agents[address]
        self._agents[agent.lower()] = _Agent(name, account)


def is_address(text: str) -> bool:
    """Whether a text is an address, written with `0x`."""
    try:
        return text[:2].lower() == "0x" and bool(address_bytes(text))
    except ValueError:
        return False
