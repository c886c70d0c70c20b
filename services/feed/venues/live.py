"""What a live venue is: where to connect, what to ask for, and the trading rules of its markets."""

import difflib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

import aiohttp
import msgspec

from papertrader.services.feed.adapter import Adapter
from papertrader.shared.messages import Instrument

T = TypeVar("T")


class LiveError(ValueError):
    """What was asked of a live venue cannot be had; the text says what to change."""


class Socket(NamedTuple):
    """One WebSocket: what to send when it opens, and what keeps it alive.

    Without a `ping` text the protocol's own ping is sent; a frame that begins with `pong` is no data.
    """

    url: str
    hello: tuple[str, ...] = ()
    ping: str = ""
    pong: bytes = b"\x00"


class Line(NamedTuple):
    """Sockets that live and die together, and the assets that miss data while they are down.

    A line without assets is a mere addition: nothing is missed while it is down.
    """

    name: str
    sockets: tuple[Socket, ...]
    assets: frozenset[str]
    max_age_s: float = 1e9


class Question(NamedTuple):
    """A small public request, to measure the way by: with a body a POST.

    `time_field` is where the answer has the venue's own time, ms; empty where it has none.
    """

    url: str
    body: Mapping[str, str] | None = None
    time_field: str = ""


class LiveVenue(Protocol):
    """A venue that can be followed live."""

    name: str

    @property
    def adapter(self) -> Adapter:
        """What reads the venue's frames."""
        ...

    @property
    def opening(self) -> Sequence[bytes]:
        """Frames that a session begins with: what REST has told of the assets, in order to be on the tape."""
        ...

    @property
    def rest_url(self) -> str:
        """The address that REST requests go to."""
        ...

    @property
    def question(self) -> Question | None:
        """The smallest public request; None of a venue that another library speaks to."""
        ...

    async def instruments(self, http: aiohttp.ClientSession, assets: Collection[str]) -> dict[str, Instrument]:
        """The trading rules of the assets; raises LiveError for one that the venue does not trade."""
        ...

    def lines(self, assets: Collection[str]) -> list[Line]:
        """The connections that bring the assets' market data."""
        ...

    async def beside(self, http: aiohttp.ClientSession, hear: Callable[[bytes], None]) -> None:
        """What runs beside the connections, for ever; what it receives it hands to `hear`."""
        ...

    def asset_of(self, frame: bytes) -> str:
        """The asset that a frame belongs to, as the venue spells it; empty if to none."""
        ...


def choose(wanted: Collection[str], listed: Mapping[str, T], venue: str) -> dict[str, T]:
    """What is listed of the wanted assets; raises LiveError with the closest name for one that is not listed."""
    for asset in wanted:
        if asset not in listed:
            folded = {name.casefold(): name for name in listed}
            close = difflib.get_close_matches(asset.casefold(), list(folded), 1)
            hint = f"; did you mean {folded[close[0]]!r}?" if close else ""
            raise LiveError(f"feed.assets: {venue} does not trade {asset!r}{hint}")
    return {asset: listed[asset] for asset in wanted}


async def ask(
    http: aiohttp.ClientSession, url: str, decoder: "msgspec.json.Decoder[T]", body: Mapping[str, str] | None = None
) -> T:
    """The typed answer to a GET, or with a body to a POST; raises aiohttp.ClientError for any other answer."""
    method = "GET" if body is None else "POST"
    async with http.request(method, url, json=body, raise_for_status=True) as response:
        content = await response.read()
    try:
        return decoder.decode(content)
    except msgspec.MsgspecError as error:
        raise aiohttp.ClientPayloadError(f"{url} gave an answer that is not understood: {error}") from None
