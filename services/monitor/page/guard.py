"""Who may read the page and who may command: the Host asked for, the token, the origin, and how much at once."""

import asyncio
import hmac
import os
import secrets
from collections.abc import Awaitable, Callable, Collection
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from aiohttp import web

from papertrader.shared.log.ports import listening_socket

TOKEN_FILE: Final = "page-token"
TOKEN_BYTES: Final = 24
LEAST_TOKEN: Final = 16
REQUEST_TIMEOUT_S: Final = 10.0
"""A connection that has not sent a whole request for so long is closed."""
MOST_CONNECTIONS: Final = 128
MOST_STREAMS: Final = 32
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
REPORT_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def page_token(directory: Path) -> str:
    """The token that lets a page command: that of `page-token` in a run's directory, made if it is not there.

    Only the owner can read the file. A token that others could read, or that is too short, is replaced.
    """
    path = directory / TOKEN_FILE
    directory.mkdir(parents=True, exist_ok=True)
    for _ in range(2):
        try:
            there = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            _make_token(path)
            continue
        with os.fdopen(there) as file:
            text = file.read(256).strip()
            if len(text) >= LEAST_TOKEN and not os.fstat(file.fileno()).st_mode & 0o077:
                return text
        path.unlink()
        _make_token(path)
    return path.read_text().strip()


def _make_token(path: Path) -> None:
    """Write a new token; whoever comes second finds that of the first."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(TOKEN_BYTES) + "\n")
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def host_allowed(host: str, names: Collection[str]) -> bool:
    """Whether a Host header may be answered: an IP address, this machine's own name `localhost`, or one of `names`.

    A page of somebody else that lets its name point here (DNS rebinding) comes with its own name.
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name == "localhost" or name.endswith(".localhost") or name in {known.lower() for known in names}:
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def refusal(request: web.Request, token: str) -> str:
    """Why a command is refused; empty when it may be obeyed: from this page itself, as JSON, with the token."""
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("Host"):
        return "a page of another origin may not command"
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        return "a page of another site may not command"
    if request.content_type != "application/json":
        return "a command is JSON: Content-Type must be application/json"
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), token.encode()):
        return f"the token is missing or wrong: it is in the address that `papertrader run` prints and in {TOKEN_FILE}"
    return ""


def guarded(names: Collection[str]) -> Callable[..., Awaitable[web.StreamResponse]]:
    """A middleware that answers only to its own Host, and puts the headers on every answer."""

    @web.middleware
    async def middleware(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if not host_allowed(request.headers.get("Host", ""), names):
            text = "this page answers to its address only; another name is let in by [monitor] page_hosts\n"
            return web.Response(status=421, text=text, headers=HEADERS)
        try:
            response = await handler(request)
        except web.HTTPException as error:
            error.headers.update(HEADERS)
            raise
        if not response.prepared:
            response.headers.update({name: value for name, value in HEADERS.items() if name not in response.headers})
            response.enable_compression()
        return response

    return middleware


class _Refusing(asyncio.Protocol):
    """Closes a connection at once."""

    def connection_made(self, transport: Any) -> None:
        """One too many."""
        transport.abort()


class Served:
    """A running server: `addresses`, and `cleanup()` stops it."""

    def __init__(self, runner: web.AppRunner, listening: asyncio.Server) -> None:
        self._runner, self._listening = runner, listening
        self.addresses = [socket.getsockname() for socket in listening.sockets]

    async def cleanup(self) -> None:
        """Stop listening, end what is under way, free the port."""
        self._listening.close()
        await self._runner.cleanup()


async def serve(
    application: web.Application, port: int, host: str = "127.0.0.1", timeout_s: float = REQUEST_TIMEOUT_S
) -> Served:
    """Serve the application; port 0 takes a free one.

    More than `MOST_CONNECTIONS` are refused; who does not send a whole request within `timeout_s` is hung up on.
    """
    taken = listening_socket(host, port)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0, keepalive_timeout=timeout_s)
    await runner.setup()
    server = runner.server
    assert server is not None  # setup has made it

    def connection() -> asyncio.Protocol:
        return _Refusing() if len(server.connections) >= MOST_CONNECTIONS else server()

    listening = await asyncio.get_running_loop().create_server(connection, sock=taken)
    return Served(runner, listening)
