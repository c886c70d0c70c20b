"""Accounts that no strategy of ours trades, but a program outside: a bot, or a client of the bus."""

from typing import Final

from papertrader.shared.service.config import ACCOUNTS, Settings

OUTSIDE: Final = "none"
"""The strategy of an account that a program outside trades."""


def traded_outside(settings: Settings) -> tuple[str, ...]:
    """The accounts that programs outside trade, in the order of the settings."""
    common = settings.tables.get("quoter", {})
    own = settings.tables.get(ACCOUNTS, {})
    quoters = {account: {**common, **own.get(account, {}).get("quoter", {})} for account in settings.accounts}
    return tuple(account for account, quoter in quoters.items() if quoter.get("strategy") == OUTSIDE)
