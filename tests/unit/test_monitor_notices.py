"""Notices: what is told of an account, and that it arrives at a real mail server and a real HTTP receiver."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP

from papertrader.services.monitor.config import MonitorConfig
from papertrader.services.monitor.metrics import NOTICES, samples
from papertrader.services.monitor.notices import outbox as outboxes
from papertrader.services.monitor.notices import watch as watching
from papertrader.services.monitor.notices.news import Notice, Seen, news, told
from papertrader.services.monitor.notices.outbox import Outbox, addresses
from papertrader.services.monitor.notices.watch import Watch
from papertrader.services.monitor.service import Monitor
from papertrader.shared.service.config import SettingsError
from tests.unit.monitoring import ACCOUNT, MARKET, Session

DAY = 86_400_000_000_000
WAIT_S = 20.0


class Received:
    """An HTTP server that keeps what is posted, and answers with `status` after `delay_s`."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.status, self.delay_s = 200, 0.0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                time.sleep(receiver.delay_s)
                if receiver.status == 200:
                    receiver.bodies.append(body)
                self.send_response(receiver.status)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://127.0.0.1:{self.server.server_port}/"

    @property
    def text(self) -> str:
        return "\n".join(body["message"] for body in self.bodies)


@pytest.fixture
def receiver() -> Iterator[Received]:
    received = Received()
    thread = threading.Thread(target=received.server.serve_forever, args=(0.05,))
    thread.start()
    yield received
    received.server.shutdown()
    thread.join()
    received.server.server_close()


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)


def notice(text: str = "x", **fields: Any) -> Notice:
    return Notice(**({"kind": "checks", "market": "v.A", "account": "main", "text": text} | fields))


def texts(before: Seen, now: Seen, day: Seen | None = None, **settings: Any) -> list[str]:
    config = MonitorConfig(**settings)
    return [item.text for item in news("v.A", "main", before, now, day or before, config)]


def test_fill_check_and_limit_are_told_when_they_come() -> None:
    before = Seen(ts=1, fills=3, total=-40.0, failing={"kappa": "old. do"})
    now = Seen(
        ts=2,
        fills=4,
        bought=0.5,
        price=100.0,
        position=0.5,
        total=-51.0,
        currency="USDC",
        failing={"pnl": "cause. remedy"},
    )
    assert texts(before, now, notice_pnl_below=-50.0) == [
        "at 100, position +0.5, PnL -51.00 USDC",
        "check pnl FAILS: cause. remedy",
        "check kappa no longer fails",
        "PnL -51.00 USDC is BELOW -50, position +0.5",
    ]
    assert texts(before, now, notices_about=("pnl",), notice_pnl_below=-50.0) == [
        "PnL -51.00 USDC is BELOW -50, position +0.5"
    ]
    assert texts(now, now, notice_pnl_below=-50.0) == []
    assert texts(Seen(), Seen(fills=1, price=109740.5, position=0.1 + 0.2))[0].startswith("at 109740.5, position +0.3,")
    assert texts(Seen(total=9.0), Seen(total=11.0, currency="USDC"), notice_pnl_above=10.0) == [
        "PnL +11.00 USDC is above +10, position +0"
    ]


def test_day_is_summed_up_when_it_is_over() -> None:
    began = Seen(ts=20 * DAY, fills=100, total=5.0, fees=1.0)
    before = Seen(
        ts=21 * DAY - 1, fills=142, total=2.5, fees=1.75, position=-0.1, currency="USDC", failing={"kappa": "."}
    )
    now = Seen(ts=21 * DAY + 1, fills=142, total=2.5, failing={"kappa": "."})
    (text,) = texts(before, now, began)
    assert text == "1970-01-21: 42 fills, PnL -2.50 USDC (fees -0.75), position -0.1, failing checks: kappa"
    (late,) = texts(before, now, began._replace(ts=20 * DAY + DAY // 2))
    assert late.startswith("1970-01-21 since 12:00 UTC: 42 fills")


def test_many_become_one_message() -> None:
    fills = [notice("at 9, position +1", kind="fills", fills=1, bought=1.0) for _ in range(3)]
    sold = notice("at 9, position +1", kind="fills", fills=2, bought=0.0, sold=2.0)
    title, body = told([*fills, notice("check a FAILS"), sold])
    assert title == "papertrader: 2 notices"
    assert body.splitlines() == [
        "v.A main: check a FAILS",
        "v.A main: 5 fills: bought 3, sold 2, the last at 9, position +1",
    ]
    assert told([fills[0]])[1] == "v.A main: bought 1 at 9, position +1"
    assert told([notice(str(number)) for number in range(30)])[1].splitlines()[-1] == "... and 10 more"


def test_watch_tells_of_a_session_what_happened_since_it_began() -> None:
    monitor, session, watch = Monitor(MARKET, {ACCOUNT: MonitorConfig()}), Session(), Watch()
    assert watch.look([monitor]) == []
    for round_ in session.rounds(60):
        monitor.fold(round_)
    assert [item.text for item in watch.look([monitor])] == ["is watched from now on"]
    fills = monitor.facts.accounts[ACCOUNT].fills.now
    for round_ in session.rounds(120):
        monitor.fold(round_)
    found = [item for item in watch.look([monitor]) if item.kind == "fills"]
    assert sum(item.fills for item in found) == monitor.facts.accounts[ACCOUNT].fills.now - fills > 1
    assert found[0].bought + found[0].sold > 0
    assert [item for item in watch.look([monitor]) if item.kind == "fills"] == []


def test_webhook_gets_the_first_at_once_and_the_burst_as_one(receiver: Received) -> None:
    outbox = Outbox(addresses_of(receiver.url)[0], every_s=0.5)
    outbox.start()
    outbox.put([notice("first")])
    until(lambda: len(receiver.bodies) == 1)
    for number in range(50):
        outbox.put([notice(f"n{number}", kind="fills", fills=1, bought=1.0)])
    until(lambda: len(receiver.bodies) == 2)
    outbox.stop()
    assert receiver.bodies[1]["message"] == "v.A main: 50 fills: bought 50, sold 0, the last n49"
    assert {key.outcome: count for key, count in outbox.counts.items()} == {"delivered": 51}


def addresses_of(*urls: str) -> list[Any]:
    from apprise import Apprise

    return [Apprise.instantiate(url) for url in urls]


def test_what_fails_is_counted_and_tried_again(receiver: Received, caplog: pytest.LogCaptureFixture) -> None:
    receiver.status = 500
    outbox = Outbox(addresses_of(receiver.url)[0], every_s=0.05)
    outbox.start()
    outbox.put([notice("liquidated")])
    until(lambda: outbox.counts[("v.A", "JSON", "failed")] >= 2)
    receiver.status = 200
    until(lambda: receiver.bodies)
    outbox.stop()
    assert receiver.bodies[0]["message"] == "v.A main: liquidated"
    assert outbox.counts[("v.A", "JSON", "delivered")] == 1
    assert "1 notices not delivered by JSON" in caplog.text


def test_slow_receiver_holds_up_nobody_and_more_than_can_wait_is_dropped_and_counted(receiver: Received) -> None:
    receiver.delay_s = 1.0
    outbox = Outbox(addresses_of(receiver.url)[0], every_s=0.05)
    outbox.start()
    outbox.put([notice("first")])
    began = time.monotonic()
    for _ in range(30):
        outbox.put([notice(str(number)) for number in range(100)])
    assert time.monotonic() - began < 0.5
    outbox.stop()
    assert outbox.counts[("v.A", "JSON", "dropped")] >= outboxes.WAITING


@asynccontextmanager
async def mail_server() -> AsyncIterator[tuple[int, list[bytes]]]:
    mails: list[bytes] = []

    class Handler:
        async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
            mails.append(envelope.content)
            return "250 OK"

    server = await asyncio.get_running_loop().create_server(lambda: SMTP(Handler()), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], mails
    finally:
        server.close()


def test_monitor_sends_mail_and_webhook_of_what_happens_and_counts_it(
    receiver: Received, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LOOK_EVERY_S", 0.05)
    config = MonitorConfig(notices=str(tmp_path / "notices.txt"), notices_every_s=1.0)
    monitor, session = Monitor(MARKET, {ACCOUNT: config}), Session()

    async def work() -> list[bytes]:
        async with mail_server() as (port, mails):
            mail = f"mailto://127.0.0.1:{port}?from=paper@x.org&to=desk@x.org"
            (tmp_path / "notices.txt").write_text(f"# mine\n{receiver.url}\n{mail}\n")
            task = asyncio.ensure_future(watching.watch(lambda: [monitor], config))
            ended = time.monotonic() + WAIT_S
            while monitor.delivered.get(("E-Mail", "delivered"), 0) < 2 and time.monotonic() < ended:
                for round_ in session.rounds(1):
                    monitor.fold(round_)
                await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return mails

    mails = [message_from_bytes(content, policy=policy.default) for content in asyncio.run(work())]
    assert {mail["To"] for mail in mails} == {"desk@x.org"}
    bodies = [mail.get_body(("plain", "html")) for mail in mails]
    for text in (receiver.text, "".join(body.get_content() for body in bodies if body)):
        assert "is watched from now on" in text
        assert "fills: bought" in text
    counted = {sample.labels[2:]: sample.value for sample in samples(MARKET, monitor) if sample.metric is NOTICES}
    assert min(counted["JSON", "delivered"], counted["E-Mail", "delivered"]) > 1
    assert counted["JSON", "failed"] == counted["E-Mail", "failed"] == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("json://127.0.0.1:1/x\nno url at all\n", "line 2 of .* is no URL that Apprise knows"),
        ("# nothing\n", "holds no URL"),
    ],
)
def test_wrong_file_is_said_without_its_secrets(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "n.txt").write_text(content)
    with pytest.raises(SettingsError, match=said) as error:
        addresses(str(tmp_path / "n.txt"))
    assert "no url at all" not in str(error.value)


def test_file_that_is_missing_a_url_in_its_place_and_no_apprise_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        addresses(str(tmp_path / "n.txt"))
    with pytest.raises(SettingsError, match="must be a file that holds Apprise URLs"):
        addresses("tgram://token/chat")
    (tmp_path / "n.txt").write_text("json://127.0.0.1\n")
    monkeypatch.setitem(__import__("sys").modules, "apprise", None)
    with pytest.raises(SettingsError, match=r"pip install 'papertrader\[notices\]'"):
        addresses(str(tmp_path / "n.txt"))
