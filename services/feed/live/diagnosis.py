"""What is wrong with the connection to a venue: every step from name to data, each with cause and remedy."""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator
from typing import Final, Literal, NamedTuple
from urllib.parse import urlsplit

import aiohttp

from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.live.connection import reason_of
from papertrader.services.feed.live.session import LiveSession
from papertrader.services.feed.venues.live import LiveError, LiveVenue
from papertrader.shared.messages import Instrument

DATA_TIMEOUT_S: Final = 8.0
CONNECT_TIMEOUT_S: Final = 5.0
CLOCK_TOLERANCE_S: Final = 2.0
LATE_S: Final = 5.0

State = Literal["pass", "warn", "fail"]


class Step(NamedTuple):
    """One step of the diagnosis: what was tried, how it went, why, and what helps."""

    name: str
    state: State
    finding: str
    remedy: str = ""


async def diagnose(config: FeedConfig, venue: LiveVenue) -> AsyncIterator[Step]:
    """Try every step in turn; the first that fails is the last."""
    addresses = sorted({_address(url) for url in _urls(venue)})
    for host, port, encrypted in addresses:
        async for step in _reach(host, port, encrypted):
            yield step
            if step.state == "fail":
                return
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=config.live.request_timeout_s)) as http:
        step, instruments = await _rules(venue, http, config.assets)
        yield step
        if instruments:
            async for step in _data(config, venue, http, instruments):
                yield step


def _urls(venue: LiveVenue) -> list[str]:
    return [venue.rest_url, *(plan.url for line in venue.lines(["X"]) for plan in line.sockets)]


def _address(url: str) -> tuple[str, int, bool]:
    parts = urlsplit(url)
    encrypted = parts.scheme in ("https", "wss")
    return parts.hostname or "", parts.port or (443 if encrypted else 80), encrypted


async def _reach(host: str, port: int, encrypted: bool) -> AsyncIterator[Step]:
    """Name, port and certificate of one address."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        remedy = "check the network and the name server (/etc/resolv.conf), or the spelling of feed.venue_url"
        yield Step(f"name {host}", "fail", f"cannot be resolved: {error}", remedy)
        return
    yield Step(f"name {host}", "pass", f"is {found[0][4][0]}")
    context = ssl.create_default_context() if encrypted else None
    started = time.monotonic()
    try:
        _, writer = await asyncio.wait_for(
            asyncio.open_connection(host, port, ssl=context, server_hostname=host if encrypted else None),
            CONNECT_TIMEOUT_S,
        )
    except ssl.SSLError as error:
        remedy = "a proxy that opens TLS, a missing CA bundle (ca-certificates), or a wrong clock of this machine"
        yield Step(f"TLS of {host}:{port}", "fail", f"refused: {error.reason or error}", remedy)
    except TimeoutError:
        remedy = "a firewall drops the packets: let this machine reach the port"
        yield Step(f"port {host}:{port}", "fail", f"does not answer within {CONNECT_TIMEOUT_S:.0f} s", remedy)
    except OSError as error:
        remedy = "nothing listens there: check feed.venue_url, or start the venue server"
        yield Step(f"port {host}:{port}", "fail", f"cannot be reached: {error.strerror or error}", remedy)
    else:
        writer.close()
        yield Step(f"port {host}:{port}", "pass", f"open, {(time.monotonic() - started) * 1e3:.0f} ms")


async def _rules(
    venue: LiveVenue, http: aiohttp.ClientSession, assets: tuple[str, ...]
) -> tuple[Step, dict[str, Instrument]]:
    """Whether the venue's REST answers, and knows the assets."""
    try:
        found = await venue.instruments(http, assets)
    except LiveError as error:
        return Step("assets", "fail", str(error), "write the assets as the venue spells them"), {}
    except aiohttp.ClientResponseError as error:
        remedies = {429: "wait a minute: too many requests", 418: "this address is banned for a while: wait"}
        remedy = remedies.get(error.status, "403 and 451 mean that the venue does not serve this country or network")
        return Step("REST", "fail", f"answers {error.status} {error.message}", remedy), {}
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        return Step("REST", "fail", f"{reason_of(error)}: {error or type(error).__name__}", "try again in a minute"), {}
    rules = ", ".join(f"{asset} (tick {item.tick_size:g}, lot {item.lot_size:g})" for asset, item in found.items())
    return Step("assets", "pass", f"traded: {rules}"), found


async def _data(
    config: FeedConfig, venue: LiveVenue, http: aiohttp.ClientSession, instruments: dict[str, Instrument]
) -> AsyncIterator[Step]:
    """Whether the sockets open and bring data, and how old it is."""
    session = LiveSession(config, venue, http, instruments)
    work = asyncio.create_task(session.run())
    deadline = time.monotonic() + DATA_TIMEOUT_S
    try:
        markets = session.markets.values()
        while time.monotonic() < deadline and not all(market.messages["bbo"] for market in markets):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    for connection in session.connections:
        yield _line_step(connection.line.name, connection.breaks.total(), connection.data_at, connection.last_error)
    for asset, market in session.markets.items():
        yield _market_step(asset, market.messages.total(), market.messages["bbo"], dict(market.bad))
    lags = [(market.last_recv_ts - market.last_ts) * 1e-9 for market in session.markets.values() if market.last_ts]
    if lags:
        yield _clock_step(min(lags))


def _line_step(name: str, breaks: int, data_at: float, error: str) -> Step:
    if breaks:
        remedy = "if it repeats: fewer assets, another network, or the venue is in maintenance"
        return Step(f"socket {name}", "warn" if data_at else "fail", f"broke {breaks} times: {error}", remedy)
    if not data_at:
        return Step(f"socket {name}", "fail", "does not open", "a proxy or firewall that lets no WebSocket through")
    return Step(f"socket {name}", "pass", "open")


def _market_step(asset: str, messages: int, touches: int, bad: dict[str, int]) -> Step:
    refused = f"; refused: {', '.join(f'{count} {reason}' for reason, count in bad.items())}" if bad else ""
    if touches:
        return Step(f"data of {asset}", "warn" if bad else "pass", f"{messages} messages{refused}")
    remedy = "the venue accepts the subscription but sends nothing: it may be delisted, halted or not served here"
    if refused:
        remedy = "the venue's frames have changed, or the clock is wrong: record a minute and look at the tape"
    return Step(f"data of {asset}", "fail", f"no best bid and ask within {DATA_TIMEOUT_S:.0f} s{refused}", remedy)


def _clock_step(lag_s: float) -> Step:
    if lag_s < -CLOCK_TOLERANCE_S:
        finding = f"this machine's clock is at least {-lag_s:.1f} s behind the venue"
        return Step("clock", "warn", finding, "switch on time synchronisation (timedatectl set-ntp true)")
    if lag_s > LATE_S:
        remedy = "switch on time synchronisation, or look for a slow network: paper fills use the venue's own times"
        return Step("clock", "warn", f"data is {lag_s:.1f} s old when it comes, or this clock is ahead", remedy)
    return Step("clock", "pass", f"data is {lag_s * 1e3:.0f} ms old when it comes")
