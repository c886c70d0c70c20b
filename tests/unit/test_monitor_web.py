"""The web server: JSON, events and errors, over real sockets on this machine."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import aiohttp
import pytest

from papertrader.services.monitor.config import MonitorConfig
from papertrader.services.monitor.page.web import app, serve
from papertrader.services.monitor.service import Monitor
from papertrader.shared.log.subjects import Market
from tests.unit.monitoring import ACCOUNT, Session

T = TypeVar("T")


def monitors(seconds: float = 60.0) -> list[Monitor]:
    made = [Monitor(Market("test", asset), {ACCOUNT: MonitorConfig(), "wide": MonitorConfig()}) for asset in ("A", "B")]
    for round_ in Session().rounds(seconds):
        made[1].fold(round_)
    return made


def with_server(view: Callable[[], list[Monitor]], ask: Callable[[aiohttp.ClientSession], Awaitable[T]]) -> T:
    async def main() -> T:
        runner = await serve(app(view, interval_s=0.05), 0)
        host, port = runner.addresses[0]
        assert host == "127.0.0.1"
        try:
            async with aiohttp.ClientSession(f"http://{host}:{port}") as session:
                return await ask(session)
        finally:
            await runner.cleanup()

    return asyncio.run(main())


def get_json(path: str, view: Callable[[], list[Monitor]]) -> tuple[int, Any]:
    async def ask(session: aiohttp.ClientSession) -> tuple[int, Any]:
        async with session.get(path) as reply:
            return reply.status, json.loads(await reply.text())

    return with_server(view, ask)


def test_checks_list_every_market_and_account() -> None:
    status, answer = get_json("/api/checks", monitors)
    names = [(item["asset"], item["account_name"]) for item in answer["markets"]]
    assert status == 200
    assert names == [("A", "main"), ("A", "wide"), ("B", "main"), ("B", "wide")]
    assert set(answer["markets"][0]) >= {"checks", "counts", "counts_equal", "liveness"}


@pytest.mark.parametrize(
    ("query", "name"),
    [("", ("A", "main")), ("?asset=B", ("B", "main")), ("?venue=test&asset=B&account=wide", ("B", "wide"))],
)
def test_state_is_of_the_account_asked_for(query: str, name: tuple[str, str]) -> None:
    status, answer = get_json(f"/api/state{query}", monitors)
    assert status == 200
    assert (answer["asset"], answer["account_name"]) == name


def test_state_has_series_fills_book_and_learners() -> None:
    _, answer = get_json("/api/state?asset=B", monitors)
    assert len(answer["series"]["ts"]) == len(answer["series"]["mid"]) == 61  # the start and 60 full seconds
    assert len(answer["fills"]["ts"]) == answer["counts"]["fills"] > 0
    assert len(answer["ladder"]["bids"]) >= 10
    assert answer["estimate"]["kappa"] > 0
    assert answer["calibration"]["cal_gamma"] >= 0.3
    assert [point["horizon_s"] for point in answer["markouts"]] == [0.5, 1, 5, 10, 30, 60]
    assert None in answer["series"]["bid"]  # seconds without a quote are null, not NaN


@pytest.mark.parametrize(("path", "error"), [("?asset=C", "no account C"), ("?account=x", "no account x")])
def test_unknown_account_is_a_404_that_says_so(path: str, error: str) -> None:
    status, answer = get_json(f"/api/state{path}", monitors)
    assert status == 404
    assert error in answer["error"]


def test_before_the_first_market_the_answers_are_empty_and_not_errors() -> None:
    assert get_json("/api/checks", list) == (200, {"markets": []})
    assert get_json("/api/summary", list) == (200, {"markets": []})
    status, answer = get_json("/api/state", list)
    assert (status, answer["error"]) == (404, "no market yet: waiting for the feed")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"),
        ("/app.js", "text/javascript"),
        ("/charts.js", "text/javascript"),
        ("/style.css", "text/css"),
        ("/favicon.ico", "image/svg+xml"),
        ("/report", "text/html"),
        ("/healthz", "text/plain"),
    ],
)
def test_page_and_assets_are_served_with_a_policy_that_forbids_other_hosts(path: str, kind: str) -> None:
    async def ask(session: aiohttp.ClientSession) -> tuple[int, str, str]:
        async with session.get(path) as reply:
            return reply.status, reply.content_type, reply.headers["Content-Security-Policy"]

    status, content_type, policy = with_server(monitors, ask)
    assert (status, content_type) == (200, kind)
    assert policy.startswith("default-src 'self'")


def test_events_follow_the_fold() -> None:
    made, session = monitors(0), Session()

    async def ask(client: aiohttp.ClientSession) -> list[tuple[str, Any]]:
        heard: list[tuple[str, Any]] = []
        async with client.get("/events?asset=B") as reply:
            assert reply.content_type == "text/event-stream"
            name = ""
            async for line in reply.content:
                text = line.decode().strip()
                name = text.removeprefix("event: ") if text.startswith("event: ") else name
                if text.startswith("data: "):
                    heard.append((name, json.loads(text.removeprefix("data: "))))
                    for round_ in session.rounds(1):
                        made[1].fold(round_)
                if len(heard) == 6:
                    return heard
        return heard

    heard = with_server(lambda: made, ask)
    assert [name for name, _ in heard] == ["overview", "live"] * 3
    clocks = [live["ts"] for name, live in heard if name == "live"]
    assert clocks == sorted(set(clocks))
    assert all(live["asset"] == "B" for name, live in heard if name == "live")
