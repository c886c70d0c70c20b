"""The three doors on one port: `POST /info`, `POST /exchange`, WebSocket `/ws`."""

import asyncio
import ssl
import time
from collections.abc import Coroutine
from typing import Any, Final

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from papertrader.services.gateway.config import DIAGNOSIS
from papertrader.services.gateway.diagnosis import diagnosis
from papertrader.services.gateway.exchange.exchange import Answer
from papertrader.services.gateway.exchange.texts import NOT_DESERIALIZED
from papertrader.services.gateway.info.info import UnknownQuestionError
from papertrader.services.gateway.limits import weight_of
from papertrader.services.gateway.service import Gateway
from papertrader.services.gateway.streams.connection import Connection
from papertrader.services.gateway.streams.subscription import subscription
from papertrader.shared.log.ports import listening_socket

LARGEST_BODY: Final = 2**21
POSTS_IN_FLIGHT: Final = 100
PUSH_AFTER_S: Final = 0.05
"""So long after the answer to a request its news are pushed: a client that takes both in different tasks has taken the
answer by then (nautilus told its strategy of a refused order twice)."""
NO_MARKET: Final = "no market yet: waiting for the feed"
_gateway: Final = web.AppKey[Gateway]("gateway")


def app(gateway: Gateway) -> web.Application:
    """The web application of a gateway. Slashes around a path do not matter: some clients double them."""
    application = web.Application(client_max_size=LARGEST_BODY)
    application[_gateway] = gateway
    application.add_routes([web.post("/{path:.*}", _post), web.get("/{path:.*}", _get)])
    return application


def _door(request: web.Request) -> str:
    return request.path.rstrip("/").rpartition("/")[2]


async def _post(request: web.Request) -> web.StreamResponse:
    door = _door(request)
    if door not in ("info", "exchange"):
        raise web.HTTPNotFound(text="known are POST /info, POST /exchange and the WebSocket /ws")
    try:
        body = msgspec.json.decode(await request.read())
    except (ValueError, RecursionError):
        return _text(422, NOT_DESERIALIZED)
    gateway = request.app[_gateway]
    if gateway.havoc.strikes("busy") or _too_much(gateway, request, door, body):
        return _text(429, "null")
    if door == "info":
        return _info(gateway, body)
    return await _exchange(request, body)


def _too_much(gateway: Gateway, request: web.Request, door: str, body: Any) -> bool:
    """Whether its IP has asked too much lately."""
    weight = weight_of(door, body)
    if gateway.limits.admits(request.remote or "", weight, time.monotonic()):
        return False
    gateway.exchange.refusals.note("ip_weight", f"429: {door} of weight {weight}")
    return True


def _info(gateway: Gateway, body: Any) -> web.Response:
    if isinstance(body, dict) and body.get("type") == DIAGNOSIS:
        return _json(diagnosis(gateway))
    if gateway.ledger.markets.clock_ts == 0:
        return _text(503, NO_MARKET)
    try:
        return _json(gateway.info.answer(body))
    except UnknownQuestionError:
        return _text(422, NOT_DESERIALIZED)


async def _exchange(request: web.Request, body: Any) -> web.StreamResponse:
    """Answer first, push after."""
    gateway = request.app[_gateway]
    answer = await gateway.exchange.answer(body)
    await _be_late(gateway, answer)
    response = _json(answer.body) if answer.status == 200 else _text(answer.status, str(answer.body))
    try:
        await response.prepare(request)
        await response.write_eof()
    finally:
        _release(gateway, answer)
    return response


def _release(gateway: Gateway, answer: Answer) -> None:
    asyncio.get_running_loop().call_later(PUSH_AFTER_S, gateway.streams.release, answer.account, answer.orders)


async def _be_late(gateway: Gateway, answer: Answer) -> None:
    """Where that fault strikes: what is pushed comes before the answer."""
    if gateway.havoc.strikes("late"):
        gateway.streams.release(answer.account, answer.orders)
        await asyncio.sleep(gateway.havoc.late_s)


def _json(value: Any) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")


def _text(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=text, content_type="text/plain")


async def _get(request: web.Request) -> web.StreamResponse:
    if _door(request) != "ws":
        raise web.HTTPNotFound(text="known are POST /info, POST /exchange and the WebSocket /ws")
    gateway = request.app[_gateway]
    if gateway.ledger.markets.clock_ts == 0:
        return _text(503, NO_MARKET)
    socket = web.WebSocketResponse(max_msg_size=LARGEST_BODY)
    await socket.prepare(request)
    connection = Connection(socket, gateway.config.frames_waiting)
    await _Talk(gateway, connection).run()
    return socket


class _Talk:
    """One connection's conversation."""

    def __init__(self, gateway: Gateway, connection: Connection) -> None:
        self._gateway = gateway
        self._connection = connection
        self._posts: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Take frames until the client leaves. There is no greeting: some clients break on one."""
        streams = self._gateway.streams
        streams.connections.add(self._connection)
        writing = asyncio.create_task(self._connection.write())
        closing = self._close_in_time()
        try:
            async for message in self._connection.socket:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    self._take(message.data)
        finally:
            streams.leave(self._connection)
            writing.cancel()
            if closing is not None:
                closing.cancel()

    def _close_in_time(self) -> asyncio.TimerHandle | None:
        """Where that fault is armed: the socket is closed after its time, whatever goes on."""
        havoc = self._gateway.havoc

        def close() -> None:
            havoc.struck["close"] += 1
            self._start(self._close())

        return asyncio.get_running_loop().call_later(havoc.close_s, close) if havoc.close_s else None

    async def _close(self) -> None:
        await self._connection.socket.close(code=WSCloseCode.GOING_AWAY)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin what goes on when the client has left: an order that is under way concerns his other connections."""
        task = asyncio.create_task(work)
        self._posts.add(task)
        task.add_done_callback(self._posts.discard)

    def _take(self, text: str | bytes) -> None:
        try:
            frame = msgspec.json.decode(text)
            method = frame["method"]
            if method == "ping":
                self._connection.send({"channel": "pong"})
            elif method in ("subscribe", "unsubscribe"):
                self._subscribe(method, frame["subscription"])
            elif method == "post":
                self._begin_post(frame)
            else:
                raise ValueError(method)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            shown = text if isinstance(text, str) else text.decode(errors="replace")
            self._error(f"Error parsing JSON into valid websocket request: {shown[:200]}")

    def _error(self, text: str) -> None:
        self._connection.send({"channel": "error", "data": text})

    def _subscribe(self, method: str, said: Any) -> None:
        streams = self._gateway.streams
        shown = msgspec.json.encode(said).decode()
        try:
            wanted = subscription(said)
            if method == "unsubscribe":
                streams.unsubscribe(self._connection, wanted)
            elif wanted.key in self._connection.subscriptions:
                self._error(f"Already subscribed: {shown}")
            else:
                streams.subscribe(self._connection, wanted)
        except (ValueError, KeyError, TypeError, AttributeError):
            self._error(f"Invalid subscription {shown}")

    def _begin_post(self, frame: dict[str, Any]) -> None:
        number, request = frame["id"], frame["request"]
        if not isinstance(number, int) or request["type"] not in ("info", "action"):
            raise ValueError("post")
        if self._connection.posts >= POSTS_IN_FLIGHT or self._gateway.havoc.strikes("busy"):
            self._answer(number, {"type": "error", "payload": "429 Too Many Requests"})
            return
        self._connection.posts += 1
        self._start(self._post(number, request["type"], request["payload"]))

    async def _post(self, number: int, kind: str, payload: Any) -> None:
        answer = Answer(200, None)
        try:
            if kind == "info":
                data = self._gateway.info.answer(payload)
                self._answer(number, {"type": "info", "payload": {"type": payload["type"], "data": data}})
                return
            answer = await self._gateway.exchange.answer(payload)
            await _be_late(self._gateway, answer)
            fine = answer.status == 200
            said = {"type": "action", "payload": answer.body}
            self._answer(number, said if fine else {"type": "error", "payload": f"{answer.status} {answer.body}"})
        except UnknownQuestionError:
            self._answer(number, {"type": "error", "payload": f"422 {NOT_DESERIALIZED}"})
        finally:
            self._connection.posts -= 1
            _release(self._gateway, answer)

    def _answer(self, number: int, response: dict[str, Any]) -> None:
        self._connection.send({"channel": "post", "data": {"id": number, "response": response}})


async def serve(gateway: Gateway, host: str, port: int) -> web.AppRunner:
    """Listen; raises PortError if the port is taken."""
    listening = listening_socket(host, port)
    runner = web.AppRunner(app(gateway), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    return runner


async def serve_tls(runner: web.AppRunner, host: str, port: int, context: ssl.SSLContext) -> int:
    """Listen with TLS as well; returns the port, raises PortError if it is taken."""
    listening = listening_socket(host, port)
    await web.SockSite(runner, listening, ssl_context=context).start()
    found: int = listening.getsockname()[1]
    return found
