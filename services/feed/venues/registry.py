"""Which venues there are: every folder beside this file is one."""

import importlib
import pkgutil
from typing import TYPE_CHECKING, Final

from papertrader.services.feed import venues
from papertrader.services.feed.venues.config import Access
from papertrader.services.feed.venues.venue import Venue

if TYPE_CHECKING:
    from papertrader.services.feed.venues.live import LiveVenue

DEFAULT: Final = "hyperliquid"
"""The venue that is meant where none is named."""


def names() -> tuple[str, ...]:
    """The venues' names, in alphabetical order."""
    return tuple(sorted(found.name for found in pkgutil.iter_modules(venues.__path__) if found.ispkg))


def venue(name: str) -> Venue:
    """What a venue's folder says of it; raises ModuleNotFoundError without one."""
    found: Venue = importlib.import_module(f"{venues.__name__}.{name}").VENUE
    return found


def recorded() -> tuple[Venue, ...]:
    """The venues whose raw frames can be on a tape."""
    return tuple(found for found in map(venue, names()) if found.recorded)


def live_venue(config: Access) -> "LiveVenue":
    """The live side of the venue that the settings name; raises LiveError if it cannot be had, or no asset is named."""
    if not config.assets:
        from papertrader.services.feed.venues.live import LiveError

        raise LiveError(f"feed.assets: name what to follow of {config.source}, e.g. {venue(config.source).example}")
    found: LiveVenue = importlib.import_module(f"{venues.__name__}.{config.source}.live").Live(config)
    return found
