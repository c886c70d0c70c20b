"""Follows a public address of Hyperliquid live: market data and the address' own stream, through its ghost.

`orderUpdates` and `userFills` are public for every address. What was ordered while the connection was down is not
followed; orders that stood then are compared only if their end is heard.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import aiohttp
import orjson

from papertrader.replay.twin.comparison import Compared
from papertrader.replay.twin.ghost import DELAY_NS, Ghost
from papertrader.replay.twin.record import RecordError
from papertrader.replay.twin.twin import p_fill
from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.live.market import LiveMarket
from papertrader.services.feed.live.session import LiveSession, live_session
from papertrader.services.feed.venues.hyperliquid.live import URL
from papertrader.services.feed.venues.registry import live_venue
from papertrader.services.fill_sim.config import FillSimConfig

log = logging.getLogger(__name__)

ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")
STREAMS: Final = ("orderUpdates", "userFills")
PING_S: Final = 30.0
STEP_S: Final = 0.1
RETRY_S: Final = 2.0

Tell = Callable[[Ghost, list[Compared]], None]
"""Told of the orders of a market that have ended on both sides."""


async def follow(feed: FeedConfig, config: FillSimConfig, address: str, stop: asyncio.Event, tell: Tell) -> None:
    """Follow an address until `stop`. Raises RecordError for what is no address, LiveError for an unknown asset."""
    if not ADDRESS.fullmatch(address):
        raise RecordError(f"{address!r} is no address: 0x and 40 hexadecimal digits")
    if feed.source != "hyperliquid":
        raise RecordError("only Hyperliquid shows an address' orders to everybody: use --source hyperliquid")
    async with live_session(feed, live_venue(feed)) as session:
        ghosts = {asset: Ghost(market.market, config, p_fill) for asset, market in session.markets.items()}
        tasks = [
            asyncio.create_task(session.run()),
            asyncio.create_task(_hear_address(feed, address, ghosts)),
            asyncio.create_task(_pass_time(session, ghosts, tell)),
            asyncio.create_task(stop.wait()),
        ]
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        for task in done:
            task.result()


async def _pass_time(session: LiveSession, ghosts: Mapping[str, Ghost], tell: Tell) -> None:
    """Fold the rounds that are old enough for their orders to be known."""
    while True:
        await asyncio.sleep(STEP_S)
        for asset, market in session.markets.items():
            for messages in _old_enough(market, session.clock.now_ns()):
                rows = ghosts[asset].fold(messages)
                if rows:
                    tell(ghosts[asset], rows)


def _old_enough(market: LiveMarket, now_ns: int) -> Iterable[tuple[Any, ...]]:
    known_ts = market.event_ns(now_ns) - DELAY_NS
    while market.backlog and market.backlog[0].end.ts <= known_ts:
        yield market.backlog.popleft().messages


async def _hear_address(feed: FeedConfig, address: str, ghosts: Mapping[str, Ghost]) -> None:
    """Hand every entry of the address' streams to the ghost of its coin; connect again for ever."""
    url = f"ws{(feed.venue_url or URL).rstrip('/').removeprefix('http')}/ws"
    async with aiohttp.ClientSession() as http:
        while True:
            try:
                async with http.ws_connect(url, max_msg_size=0) as socket:
                    await _subscribe(socket, address)
                    await _hear_socket(socket, ghosts)
            except (aiohttp.ClientError, OSError) as error:
                log.warning("the address' stream broke: %s; connecting again", error)
            await asyncio.sleep(RETRY_S)


async def _hear_socket(socket: aiohttp.ClientWebSocketResponse, ghosts: Mapping[str, Ghost]) -> None:
    """Hear until the socket is closed. The venue closes one that is silent for a minute, so silence is answered."""
    while True:
        try:
            frame = await socket.receive(timeout=PING_S)
        except TimeoutError:
            await socket.send_str('{"method":"ping"}')
            continue
        if frame.type is not aiohttp.WSMsgType.TEXT:
            return
        hear_frame(frame.data, ghosts)


async def _subscribe(socket: aiohttp.ClientWebSocketResponse, address: str) -> None:
    for stream in STREAMS:
        subscription = {"type": stream, "user": address}
        await socket.send_str(orjson.dumps({"method": "subscribe", "subscription": subscription}).decode())


def hear_frame(text: str | bytes, ghosts: Mapping[str, Ghost]) -> None:
    """Hand a frame's entries to the ghosts of their coins; what is no frame of these streams is passed over."""
    try:
        frame = orjson.loads(text)
    except orjson.JSONDecodeError:
        return
    channel, data = frame.get("channel"), frame.get("data")
    entries = data if channel == "orderUpdates" else data.get("fills", ()) if channel == "userFills" else ()
    for entry in entries:
        coin = entry.get("coin") or entry.get("order", {}).get("coin")
        if coin in ghosts:
            ghosts[coin].hear(entry)
