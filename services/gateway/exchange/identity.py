"""Whose account an address acts for: by the settings, by its first signature, or as an agent."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from papertrader.services.gateway.signing.hashing import address_bytes
from papertrader.services.gateway.signing.nonces import Nonces
from papertrader.shared.messages.actions import SignedAction
from papertrader.shared.service.config import SettingsError


class Signer(NamedTuple):
    """A known address, and the account that it acts for."""

    address: str
    account: str


class _Agent(NamedTuple):
    name: str
    account: str


class Identities:
    """Addresses and agents of all accounts; lower case everywhere."""

    def __init__(self, accounts: Sequence[str], named: Mapping[str, str], free: Sequence[str], opens: bool) -> None:
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
        return found or (self._free[0] if self._free else None)

    def known(self, candidates: Sequence[str], typed: bool) -> Signer | None:
        """The one of the addresses that is known. Typed data is signed by owners alone."""
        for address in candidates:
            if account := self._owners.get(address):
                return Signer(address, account)
        agents = () if typed else candidates
        return next((Signer(item, self._agents[item].account) for item in agents if item in self._agents), None)

    def newcomer(self, candidates: Sequence[str]) -> Signer | None:
        """The account that unknown addresses get by their first signature, if there is one."""
        return Signer(candidates[-1], self._free[0]) if self._free and candidates else None

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
