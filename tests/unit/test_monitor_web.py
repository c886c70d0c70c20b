"""The web server: JSON, events and errors, over real sockets on this machine."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import aiohttp
import pytest

from papertrader.services.monitor.config import MonitorConfig
from papertrader.services.monitor.page.guard import MOST_STREAMS
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
    assert (answer["now"]["asset"], answer["now"]["account_name"]) == name


def test_state_has_series_fills_orders_book_and_learners() -> None:
    _, answer = get_json("/api/state?asset=B", monitors)
    assert len(answer["series"]["ts"]) == len(answer["series"]["mid"]) == 61  # the start and 60 full seconds
    assert len(answer["fills"]["ts"]) == answer["checks"]["counts"]["fills"] == answer["now"]["fills"] > 0
    assert len(answer["now"]["ladder"]["bids"]) >= 10
    assert answer["learned"]["estimate"]["kappa"] > 0
    assert answer["learned"]["calibration"]["cal_gamma"] >= 0.3
    assert [point["horizon_s"] for point in answer["worth"]["markouts"]] == [0.5, 1, 5, 10, 30, 60]
    assert None in answer["series"]["bid"]  # seconds without a quote are null, not NaN
    order = answer["now"]["orders"]["live"][0]
    assert order["side"] == "buy"
    assert 0 < order["age_s"] <= 3.25
    assert order["distance_bps"] > 0
    assert list(answer["peers"]) == ["main", "wide"]
    assert answer["events"][-1]["number"] > 0


def test_portfolio_has_a_row_for_every_market_and_account() -> None:
    _, rows = get_json("/api/portfolio", monitors)
    assert [(row["asset"], row["account_name"]) for row in rows] == [
        ("A", "main"),
        ("A", "wide"),
        ("B", "main"),
        ("B", "wide"),
    ]
    assert rows[2]["total"] is not None
    assert set(rows[2]["states"].values()) <= {"waiting", "pass", "fail"}
    assert all(set(row["alerts"]) == {name for name, state in row["states"].items() if state == "fail"} for row in rows)


@pytest.mark.parametrize(("path", "error"), [("?asset=C", "no account C"), ("?account=x", "no account x")])
def test_unknown_account_is_a_404_that_says_so(path: str, error: str) -> None:
    status, answer = get_json(f"/api/state{path}", monitors)
    assert status == 404
    assert error in answer["error"]


def test_before_the_first_market_the_answers_are_empty_and_not_errors() -> None:
    assert get_json("/api/checks", list) == (200, {"markets": []})
    assert get_json("/api/summary", list) == (200, {"markets": [], "unwatched": {}})
    status, answer = get_json("/api/state", list)
    assert (status, answer["error"]) == (404, "no market yet: waiting for the feed")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"),
        ("/static/app.js", "text/javascript"),
        ("/static/vendor/uPlot.iife.min.js", "text/javascript"),
        ("/static/vendor/uPlot-LICENSE.txt", "text/plain"),
        ("/static/style.css", "text/css"),
        ("/favicon.ico", "image/svg+xml"),
        ("/healthz", "text/plain"),
        ("/api/nothing", "text/plain"),
    ],
)
def test_page_and_assets_are_served_with_a_policy_that_lets_in_their_own_files_alone(path: str, kind: str) -> None:
    async def ask(session: aiohttp.ClientSession) -> tuple[int, str, str]:
        async with session.get(path) as reply:
            return reply.status, reply.content_type, reply.headers["Content-Security-Policy"]

    status, content_type, policy = with_server(monitors, ask)
    assert (status, content_type) == (404 if "nothing" in path else 200, kind)
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy


def test_report_runs_no_script_at_all() -> None:
    async def ask(session: aiohttp.ClientSession) -> tuple[int, str]:
        async with session.get("/report") as reply:
            return reply.status, reply.headers["Content-Security-Policy"]

    status, policy = with_server(monitors, ask)
    assert status == 200
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline';")
    assert "script-src" not in policy


def test_events_begin_with_the_whole_state_and_go_on_with_what_is_new() -> None:
    made, session = monitors(0), Session()
    for round_ in session.rounds(60):
        made[1].fold(round_)

    async def ask(client: aiohttp.ClientSession) -> list[tuple[str, Any, int]]:
        heard: list[tuple[str, Any, int]] = []
        async with client.get("/events?asset=B") as reply:
            assert reply.content_type == "text/event-stream"
            name = ""
            async for line in reply.content:
                text = line.decode().strip()
                name = text.removeprefix("event: ") if text.startswith("event: ") else name
                if text.startswith("data: "):
                    body = text.removeprefix("data: ")
                    heard.append((name, json.loads(body), len(body)))
                    if name == "news":
                        for round_ in session.rounds(1):
                            made[1].fold(round_)
                if [name for name, *_ in heard].count("news") == 4:
                    return heard
        return heard

    heard = with_server(lambda: made, ask)
    assert heard[0][0] == "portfolio"
    first, *later = [(body, length) for name, body, length in heard if name == "news"]
    assert set(first[0]) == {
        "now",
        "checks",
        "learned",
        "worth",
        "peers",
        "services",
        "series",
        "fills",
        "events",
        "verdict",
    }
    series = [ts for body, _ in (first, *later) for ts in body.get("series", {"ts": []})["ts"]]
    assert series == sorted(set(series))  # every row once
    assert len(series) == 64
    assert [len(body["series"]["ts"]) for body, _ in later] == [1, 1, 1]
    assert max(length for _, length in later[:2]) < first[1] / 2
    fills = [number for body, _ in (first, *later) for number in body.get("fills", {"fill_id": []})["fill_id"]]
    assert fills == sorted(set(fills))


def test_a_silent_market_is_told_once_and_then_only_that_the_server_lives() -> None:
    async def ask(client: aiohttp.ClientSession) -> list[str]:
        names: list[str] = []
        async with client.get("/events?asset=B") as reply:
            async for line in reply.content:
                if line.startswith(b"event: "):
                    names.append(line.decode().strip().removeprefix("event: "))
                if len(names) == 5:
                    break
        return names

    made = monitors()
    assert with_server(lambda: made, ask) == ["portfolio", "news", "beat", "beat", "beat"]


def test_more_pages_than_can_be_served_are_told_so() -> None:
    async def ask(client: aiohttp.ClientSession) -> tuple[int, str]:
        open_ = [await client.get("/events") for _ in range(MOST_STREAMS)]
        try:
            async with client.get("/events") as reply:
                return reply.status, await reply.text()
        finally:
            for reply in open_:
                reply.close()

    made = monitors(0)
    status, text = with_server(lambda: made, ask)
    assert status == 503
    assert "close one" in text
