"""The monitor's web server: the page, its JSON, a stream of events, the report. Reads the folds, changes nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from importlib.resources import files
from typing import Any, Final

import msgspec
from aiohttp import web

from papertrader.services.monitor.page.view import checks_view, live_view, state_view
from papertrader.services.monitor.report.report import report_html
from papertrader.services.monitor.report.summary import summary
from papertrader.services.monitor.service import Monitor
from papertrader.shared.log.ports import listening_socket

View = Callable[[], Iterable[Monitor]]
"""Gives the monitors of all owned markets, at the moment of asking."""

PAGE: Final = files("papertrader.services.monitor") / "page"
ASSETS: Final = {
    "/": ("index.html", "text/html"),
    "/app.js": ("app.js", "text/javascript"),
    "/charts.js": ("charts.js", "text/javascript"),
    "/style.css": ("style.css", "text/css"),
    "/favicon.svg": ("favicon.svg", "image/svg+xml"),
    "/favicon.ico": ("favicon.svg", "image/svg+xml"),
}
POLICY: Final = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"
HEADERS: Final = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}

_view: Final = web.AppKey[View]("view")
_interval: Final = web.AppKey("interval_s", float)
_settings: Final = web.AppKey[Mapping[str, Any] | None]("settings")


def app(view: View, interval_s: float = 1.0, settings: Mapping[str, Any] | None = None) -> web.Application:
    """The web application over the monitors that `view` returns. Events go out every `interval_s` of wall time.

    `settings` are the settings of the run, shown in the report.
    """
    application = web.Application(middlewares=[_headers])
    application[_view], application[_interval], application[_settings] = view, interval_s, settings
    application.add_routes([web.get(path, _asset(*asset)) for path, asset in ASSETS.items()])
    application.add_routes(
        [
            web.get("/api/checks", checks),
            web.get("/api/state", state),
            web.get("/api/summary", summary_),
            web.get("/report", report),
            web.get("/events", events),
            web.get("/healthz", healthz),
        ]
    )
    return application


async def serve(application: web.Application, port: int, host: str = "127.0.0.1") -> web.AppRunner:
    """Serve the application; `await runner.cleanup()` stops it. Port 0 takes a free one (`runner.addresses`)."""
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.SockSite(runner, listening_socket(host, port)).start()
    return runner


@web.middleware
async def _headers(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    response = await handler(request)
    if not response.prepared:
        response.headers.update(HEADERS)
        response.enable_compression()
    return response


def _asset(name: str, content_type: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    body = (PAGE / name).read_bytes()

    async def handler(_request: web.Request) -> web.Response:
        return web.Response(body=body, content_type=content_type, charset="utf-8")

    return handler


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json", status=status)


def _selected(request: web.Request) -> tuple[Monitor, str]:
    """The monitor and account that the query names, by default the first; raises 404 where there is none."""
    wanted = {name: request.query.get(name, "") for name in ("venue", "asset", "account")}
    for monitor in request.app[_view]():
        if wanted["venue"] in ("", monitor.market.venue) and wanted["asset"] in ("", monitor.market.asset):
            for account in monitor.accounts:
                if wanted["account"] in ("", account):
                    return monitor, account
    names = " ".join(value for value in wanted.values() if value)
    text = f"there is no account {names}" if names else "no market yet: waiting for the feed"
    raise web.HTTPNotFound(text=msgspec.json.encode({"error": text}).decode(), content_type="application/json")


async def checks(request: web.Request) -> web.Response:
    """The checklist of every market and account, with counts and liveness."""
    return _json({"markets": _all_checks(request)})


def _all_checks(request: web.Request) -> list[dict[str, Any]]:
    return [checks_view(monitor, account) for monitor in request.app[_view]() for account in monitor.accounts]


async def state(request: web.Request) -> web.Response:
    """Everything about one account: `?venue=&asset=&account=`."""
    return _json(state_view(*_selected(request)))


async def summary_(request: web.Request) -> web.Response:
    """The run's numbers, as `papertrader run --json` prints them."""
    return _json(summary(request.app[_view](), request.app[_settings]))


async def report(request: web.Request) -> web.Response:
    """The self-contained HTML report of the run so far."""
    monitors = list(request.app[_view]())
    settings = request.app[_settings]
    return web.Response(text=report_html(summary(monitors, settings), monitors, settings), content_type="text/html")


async def healthz(_request: web.Request) -> web.Response:
    """Says that the server answers."""
    return web.Response(text="ok\n")


async def events(request: web.Request) -> web.StreamResponse:
    """Server-sent events: `overview` (state of every check everywhere) and `live` (the selected account)."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", **HEADERS})
    await response.prepare(request)
    try:
        while True:
            await response.write(_event("overview", _overview(request)))
            live = _live(request)
            if live is not None:
                await response.write(_event("live", live))
            await asyncio.sleep(request.app[_interval])
    except (ConnectionResetError, asyncio.CancelledError):
        pass
    return response


def _event(name: str, value: Any) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode(value) + b"\n\n"


def _overview(request: web.Request) -> list[dict[str, Any]]:
    return [
        {
            **{name: item[name] for name in ("venue", "asset", "account_name", "verdict")},
            "states": {name: check.state for name, check in item["checks"].items()},
        }
        for item in _all_checks(request)
    ]


def _live(request: web.Request) -> dict[str, Any] | None:
    try:
        return live_view(*_selected(request))
    except web.HTTPNotFound:
        return None
