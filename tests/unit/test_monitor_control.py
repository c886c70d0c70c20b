"""Commands from the page, and what keeps others from giving them: real sockets, hostile requests."""

import asyncio
import json
import stat
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import pytest

from papertrader.services.monitor.config import MonitorConfig
from papertrader.services.monitor.page import control
from papertrader.services.monitor.page.guard import MOST_CONNECTIONS, host_allowed, page_token
from papertrader.services.monitor.page.web import Operator, app, serve
from papertrader.services.monitor.service import Monitor
from papertrader.shared.log.bus import BusError
from papertrader.shared.log.subjects import Market
from papertrader.shared.messages import Control
from papertrader.shared.service.fold import Received, Round
from tests.unit.monitoring import ACCOUNT, Session

T = TypeVar("T")
TOKEN = "a-token-of-the-test-run"
COMMAND = {"venue": "test", "asset": "BTC", "account": ACCOUNT, "action": "pause"}


class System:
    """A monitor and a log that it hears: what a command appends is in the next round."""

    def __init__(self, hears: bool = True, breaks: bool = False) -> None:
        self.monitor = Monitor(Market("test", "BTC"), {ACCOUNT: MonitorConfig()})
        self.said: list[tuple[str, str, str]] = []
        self.hears, self.breaks = hears, breaks
        self.session = Session()
        for round_ in self.session.rounds(2):
            self.monitor.fold(round_)

    async def append(self, market: Market, account: str, command: Control) -> None:
        if self.breaks:
            raise BusError("no broker answers")
        self.said.append((str(market), account, command.action))
        if self.hears:
            round_ = self.session.round()
            heard = (Received("control", account, command, 10**9), *round_.heard)
            self.monitor.fold(Round(round_.number, round_.ts, round_.previous_ts, heard, round_.market_data))


def with_server(
    system: System,
    ask: Callable[[aiohttp.ClientSession], Awaitable[T]],
    hosts: tuple[str, ...] = (),
    timeout_s: float = 10,
) -> T:
    async def main() -> T:
        operator = Operator(TOKEN, system.append)
        runner = await serve(app(lambda: [system.monitor], operator=operator, hosts=hosts), 0, timeout_s=timeout_s)
        try:
            async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as session:
                return await ask(session)
        finally:
            await runner.cleanup()

    return asyncio.run(main())


def post(
    system: System, body: Any = None, headers: dict[str, str] | None = None, hosts: tuple[str, ...] = ()
) -> tuple[int, dict[str, Any]]:
    async def ask(session: aiohttp.ClientSession) -> tuple[int, dict[str, Any]]:
        given = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"} | (headers or {})
        data = body if isinstance(body, bytes) else json.dumps(COMMAND if body is None else body).encode()
        async with session.post("/api/control", data=data, headers=given) as reply:
            text = await reply.text()
            return reply.status, json.loads(text) if text.startswith("{") else {"text": text}

    return with_server(system, ask, hosts)


@pytest.mark.parametrize("action", ["pause", "resume", "flatten", "reset"])
def test_a_command_with_the_token_is_on_the_log_and_said_to_be_heard(action: str) -> None:
    system = System()
    assert post(system, COMMAND | {"action": action}) == (200, {"action": action, "heard": True, "text": "done"})
    assert system.said == [("test.BTC", ACCOUNT, action)]
    events = system.monitor.facts.accounts[ACCOUNT].events.kept
    assert [event.text for event in events if event.kind == "control"] == [f"{action} was commanded"]


@pytest.mark.parametrize(
    ("headers", "status", "why"),
    [
        ({"Authorization": ""}, 403, "token"),
        ({"Authorization": "Bearer wrong"}, 403, "token"),
        ({"Authorization": f"Basic {TOKEN}"}, 403, "token"),
        ({"Origin": "http://evil.example"}, 403, "another origin"),
        ({"Origin": "null"}, 403, "another origin"),
        ({"Sec-Fetch-Site": "cross-site"}, 403, "another site"),
        ({"Content-Type": "text/plain"}, 403, "application/json"),
        ({"Host": "evil.example"}, 421, "its address only"),
        ({"Host": "evil.example:8080"}, 421, "its address only"),
        ({"Host": "127.0.0.1.evil.example"}, 421, "its address only"),
    ],
)
def test_a_command_that_this_page_did_not_give_is_refused_and_changes_nothing(
    headers: dict[str, str], status: int, why: str
) -> None:
    system = System()
    answered, body = post(system, headers=headers)
    assert answered == status
    assert why in (body.get("error") or body["text"])
    assert system.said == []


@pytest.mark.parametrize(
    ("body", "status", "why"),
    [
        (b"{", 400, "not a command"),
        (b"[]", 400, "not a command"),
        (COMMAND | {"action": "explode"}, 400, "Invalid enum value"),
        (COMMAND | {"more": 1}, 400, "unknown field"),
        (COMMAND | {"asset": "DOGE"}, 404, "known are test.BTC main"),
        (COMMAND | {"account": "<script>"}, 404, "no account"),
        (b" " * 5000, 413, ""),
    ],
)
def test_a_command_that_is_none_is_answered_with_what_is_wrong(body: Any, status: int, why: str) -> None:
    system = System()
    answered, answer = post(system, body)
    assert answered == status
    assert why in str(answer)
    assert system.said == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_nothing_but_post_commands(method: str) -> None:
    system = System()

    async def ask(session: aiohttp.ClientSession) -> int:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        async with session.request(method, "/api/control", params=COMMAND, headers=headers) as reply:
            return reply.status

    assert with_server(system, ask) == 405
    assert system.said == []


def test_a_command_that_nobody_folds_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "HEARD_WITHIN_S", 0.1)
    status, answer = post(System(hears=False))
    assert (status, answer["heard"]) == (200, False)
    assert "is data coming in?" in answer["text"]


def test_a_log_that_does_not_answer_is_said() -> None:
    status, answer = post(System(breaks=True))
    assert (status, answer["error"]) == (502, "the log did not take the command: no broker answers")


def test_a_page_without_operator_only_shows() -> None:
    async def main() -> tuple[int, str]:
        runner = await serve(app(lambda: [System().monitor]), 0)
        try:
            async with aiohttp.ClientSession() as session:
                url = f"http://127.0.0.1:{runner.addresses[0][1]}/api/control"
                async with session.post(url, json=COMMAND) as reply:
                    return reply.status, await reply.text()
        finally:
            await runner.cleanup()

    status, text = asyncio.run(main())
    assert status == 403
    assert "only shows" in text


@pytest.mark.parametrize("path", ["/", "/api/state", "/api/summary", "/events", "/report", "/static/app.js"])
def test_a_name_that_points_here_reads_nothing(path: str) -> None:
    async def ask(session: aiohttp.ClientSession) -> tuple[int, str]:
        async with session.get(path, headers={"Host": "rebound.example"}) as reply:
            return reply.status, await reply.text()

    status, text = with_server(System(), ask)
    assert status == 421
    assert "page_hosts" in text


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("127.0.0.1:8080", True),
        ("[::1]:8080", True),
        ("192.168.1.7", True),
        ("localhost:8080", True),
        ("LOCALHOST", True),
        ("page.localhost:1", True),
        ("monitor:8080", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.nip.io", False),
        ("evil.example@127.0.0.1:80", True),  # what stands before @ names a user, not the host
        ("127.0.0.1@evil.example", False),
        ("", False),
        ("[::1", False),
        ("monitor2", False),
    ],
)
def test_only_addresses_localhost_and_names_of_the_settings_are_answered(host: str, allowed: bool) -> None:
    assert host_allowed(host, ("Monitor",)) is allowed


def test_the_token_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    token = page_token(tmp_path / "run")
    file = tmp_path / "run" / "page-token"
    assert len(token) >= 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert page_token(tmp_path / "run") == token
    assert page_token(tmp_path / "other") != token
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["page-token"]


@pytest.mark.parametrize(("text", "mode"), [("x" * 40, 0o644), ("short", 0o600), ("", 0o600)])
def test_a_token_that_others_can_read_or_guess_is_replaced(tmp_path: Path, text: str, mode: int) -> None:
    file = tmp_path / "page-token"
    file.write_text(text)
    file.chmod(mode)
    token = page_token(tmp_path)
    assert token != text
    assert file.read_text().strip() == token
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("half", [b"", b"GET / HTTP/1.1\r\nHost: local", b"POST /api/control HTTP/1.1\r\n"])
def test_half_a_request_is_hung_up_on(half: bytes) -> None:
    async def ask(session: aiohttp.ClientSession) -> float:
        begun = time.monotonic()
        reader, writer = await asyncio.open_connection("127.0.0.1", session._base_url.port)
        writer.write(half)
        await asyncio.wait_for(reader.read(), 10)
        writer.close()
        return time.monotonic() - begun

    assert with_server(System(), ask, timeout_s=0.5) < 5


def test_a_request_that_trickles_is_hung_up_on() -> None:
    async def ask(session: aiohttp.ClientSession) -> float:
        begun = time.monotonic()
        reader, writer = await asyncio.open_connection("127.0.0.1", session._base_url.port)
        closed = asyncio.ensure_future(reader.read())
        for byte in b"GET / HTTP/1.1\r\nX: " + b"y" * 1000:
            if closed.done():
                break
            writer.write(bytes([byte]))
            await asyncio.sleep(0.05)
        writer.close()
        return time.monotonic() - begun

    assert with_server(System(), ask, timeout_s=0.5) < 5


def test_half_a_command_is_answered_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "REQUEST_TIMEOUT_S", 0.2)
    head = (
        f"POST /api/control HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    )

    async def ask(session: aiohttp.ClientSession) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", session._base_url.port)
        writer.write(head.encode())
        line = await asyncio.wait_for(reader.readline(), 10)
        writer.close()
        return line

    assert b" 408 " in with_server(System(), ask)


def test_connections_beyond_the_bound_are_refused_and_others_go_on() -> None:
    async def ask(session: aiohttp.ClientSession) -> tuple[bool, int]:
        port = session._base_url.port
        async with session.get("/healthz") as reply:
            assert reply.status == 200
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MOST_CONNECTIONS - 1)]
        await asyncio.sleep(0.1)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            refused = await asyncio.wait_for(reader.read(), 5) == b""
        except ConnectionResetError:
            refused = True
        writer.close()
        async with session.get("/healthz") as reply:  # on the connection that is there
            status = reply.status
        for _, one in held:
            one.close()
        return refused, status

    assert with_server(System(), ask) == (True, 200)
