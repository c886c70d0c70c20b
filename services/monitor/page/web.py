"""The monitor's web server: the page, its JSON, a stream of what is new, the report, and commands to the log."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from importlib.resources import files
from typing import Any, Final

import msgspec
from aiohttp import web

from papertrader.services.monitor.page.control import Operator, RefusedError, command
from papertrader.services.monitor.page.guard import HEADERS, MOST_STREAMS, REPORT_POLICY, guarded, serve
from papertrader.services.monitor.page.parts import Shared, Told, View
from papertrader.services.monitor.page.view import checks_view, portfolio_row
from papertrader.services.monitor.report.report import report_html
from papertrader.services.monitor.report.summary import summary
from papertrader.services.monitor.service import Monitor

__all__ = ["Operator", "app", "serve"]

STATIC: Final = files("papertrader.services.monitor") / "page" / "static"
TYPES: Final = {
    "html": "text/html",
    "js": "text/javascript",
    "css": "text/css",
    "svg": "image/svg+xml",
    "txt": "text/plain",
}
PORTFOLIO_EVERY: Final = 2
SLOWEST_READER_S: Final = 20.0
LARGEST_COMMAND: Final = 4_096

_view: Final = web.AppKey[View]("view")
_shared: Final = web.AppKey("shared", Shared)
_streams: Final = web.AppKey("streams", set[object])
_unwatched: Final = web.AppKey[Callable[[], dict[str, str]]]("unwatched")
_settings: Final = web.AppKey[Mapping[str, Any] | None]("settings")
_operator: Final = web.AppKey[Operator | None]("operator")


def app(
    view: View,
    interval_s: float = 2.0,
    settings: Mapping[str, Any] | None = None,
    operator: Operator | None = None,
    hosts: Collection[str] = (),
    unwatched: Callable[[], dict[str, str]] = dict,
) -> web.Application:
    """The web application over the monitors that `view` returns. News go out every `interval_s` of wall time.

    `settings` are those of the run, for the report. Without an `operator` the page only shows; `hosts` are names that
    it answers to, beside addresses and localhost; `unwatched` has the markets that no monitor owns, and why.
    """
    application = web.Application(middlewares=[guarded(hosts)], client_max_size=LARGEST_COMMAND)
    application[_view], application[_settings], application[_operator] = view, settings, operator
    application[_unwatched] = unwatched
    application[_shared], application[_streams] = Shared(interval_s), set()
    for path, handler in _assets():
        application.router.add_get(path, handler)
    for path, answer in ANSWERS.items():
        application.router.add_get(path, answer)
    application.router.add_post("/api/control", control)
    return application


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _assets() -> list[tuple[str, Handler]]:
    """Every file of the page under its name, the page itself and its icon also where browsers ask for them."""
    found = [(f"/static/{name}", _asset(name)) for name in _names("")]
    return [*found, ("/", _asset("index.html")), ("/favicon.ico", _asset("favicon.svg"))]


def _names(folder: str) -> list[str]:
    here = STATIC.joinpath(folder) if folder else STATIC
    inside = [(f"{folder}/{item.name}" if folder else item.name, item.is_dir()) for item in here.iterdir()]
    return [name for path, nested in inside for name in (_names(path) if nested else [path])]


def _asset(name: str) -> Handler:
    body, content_type = STATIC.joinpath(name).read_bytes(), TYPES[name.rpartition(".")[2]]

    async def handler(_request: web.Request) -> web.Response:
        return web.Response(body=body, content_type=content_type, charset="utf-8")

    return handler


def _json(value: Any, status: int = 200) -> web.Response:
    body = value if isinstance(value, bytes) else msgspec.json.encode(value)
    return web.Response(body=body, content_type="application/json", status=status)


def _selected(request: web.Request) -> tuple[Monitor, str]:
    """The monitor and account that the query names, by default the first; raises 404 where there is none."""
    wanted = {name: request.query.get(name, "") for name in ("venue", "asset", "account")}
    for monitor in request.app[_view]():
        if wanted["venue"] in ("", monitor.market.venue) and wanted["asset"] in ("", monitor.market.asset):
            for account in monitor.accounts:
                if wanted["account"] in ("", account):
                    return monitor, account
    named = " ".join(value for value in wanted.values() if value)
    text = f"there is no account {named}" if named else "no market yet: waiting for the feed"
    raise web.HTTPNotFound(text=msgspec.json.encode({"error": text}).decode(), content_type="application/json")


async def checks(request: web.Request) -> web.Response:
    """The checklist of every market and account, with counts and liveness."""
    found = [checks_view(monitor, account) for monitor in request.app[_view]() for account in monitor.accounts]
    return _json({"markets": found})


async def state(request: web.Request) -> web.Response:
    """Everything about one account: `?venue=&asset=&account=`."""
    return _json(Told(request.app[_shared], *_selected(request), request.app[_settings]).news())


async def portfolio(request: web.Request) -> web.Response:
    """One row for every market and account."""
    return _json(_portfolio(request.app))


def _portfolio(application: web.Application) -> bytes:
    def rows() -> list[dict[str, Any]]:
        return [portfolio_row(monitor, account) for monitor in application[_view]() for account in monitor.accounts]

    return application[_shared].get("portfolio", PORTFOLIO_EVERY, rows)


async def summary_(request: web.Request) -> web.Response:
    """The run's numbers, as `papertrader run --json` prints them, and the markets that no monitor owns, and why."""
    found = summary(request.app[_view](), request.app[_settings])
    return _json(found | {"unwatched": request.app[_unwatched]()})


async def report(request: web.Request) -> web.Response:
    """The self-contained HTML report of the run so far."""
    monitors = list(request.app[_view]())
    settings = request.app[_settings]
    text = report_html(summary(monitors, settings), monitors, settings)
    return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": REPORT_POLICY})


async def healthz(_request: web.Request) -> web.Response:
    """Says that the server answers."""
    return web.Response(text="ok\n")


async def control(request: web.Request) -> web.Response:
    """Pause, resume, flatten or reset an account: `{"venue", "asset", "account", "action"}` and the token."""
    try:
        return _json(await command(request, request.app[_operator], list(request.app[_view]())))
    except RefusedError as error:
        return _json({"error": str(error)}, error.status)


async def events(request: web.Request) -> web.StreamResponse:
    """Server-sent events: `portfolio`, a row for every account, and `news`, what is new of the selected one.

    Each goes out when something changed, and a `beat` when nothing did. The first `news` is the whole state.
    """
    streams = request.app[_streams]
    if len(streams) >= MOST_STREAMS:
        return _json({"error": f"{MOST_STREAMS} pages are open already: close one"}, 503)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", **HEADERS})
    streams.add(response)
    try:
        await response.prepare(request)
        await _tell(request, response)
    except (ConnectionResetError, TimeoutError, asyncio.CancelledError):
        pass
    finally:
        streams.discard(response)
    return response


async def _tell(request: web.Request, response: web.StreamResponse) -> None:
    told: Told | None = None
    rows = b""
    while True:
        said = []
        latest = _portfolio(request.app)
        if latest != rows:
            rows = latest
            said.append(_event("portfolio", rows))
        told = _told(request, told)
        news = told.news() if told else b"{}"
        said.append(_event("news", news) if news != b"{}" else _event("beat", b"0"))
        async with asyncio.timeout(SLOWEST_READER_S):
            await response.write(b"".join(said))
        await asyncio.sleep(request.app[_shared].interval_s)


def _told(request: web.Request, told: Told | None) -> Told | None:
    """What was told so far; begun anew when the market has another owner or its first one."""
    try:
        monitor, account = _selected(request)
    except web.HTTPNotFound:
        return None
    if told is not None and told.monitor is monitor:
        return told
    return Told(request.app[_shared], monitor, account, request.app[_settings])


def _event(name: str, encoded: bytes) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), encoded)


ANSWERS: Final[dict[str, Handler]] = {
    "/api/checks": checks,
    "/api/state": state,
    "/api/portfolio": portfolio,
    "/api/summary": summary_,
    "/report": report,
    "/events": events,
    "/healthz": healthz,
}
