"""A page in a real browser, over monitors that a test feeds while it is looked at."""

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from papertrader.services.monitor.config import MonitorConfig
from papertrader.services.monitor.facts.liveness import FEED, STATEFUL, ServiceHealth
from papertrader.services.monitor.page.guard import Served
from papertrader.services.monitor.page.web import Operator, app, serve
from papertrader.services.monitor.service import Monitor
from papertrader.shared.log.subjects import Market
from papertrader.shared.messages import Control
from papertrader.shared.service.fold import Received, Round
from tests.unit.monitoring import ACCOUNT, Session

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
TOKEN = "a-token-of-the-test-run"
UNLOCKED = f"#token={TOKEN}"
AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
INTERVAL_S = 0.2


class Watched:
    """A running page: the monitors behind it, their sessions, and what the browser complained of."""

    def __init__(self, seconds: float, cut: tuple[str, ...] = (), markets: int = 2, venue: str = "test") -> None:
        names = ["BTC", "ETH", *(f"M{index}" for index in range(2, markets))][:markets]
        self.sessions = [Session(cut, 60) if index == 0 else Session(seed=index + 1) for index in range(markets)]
        self.monitors = [Monitor(Market(venue, name), {ACCOUNT: MonitorConfig()}) for name in names]
        self.commands: list[tuple[str, str, str]] = []
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        self.url = ""
        self.served: Served
        self.feed(seconds)
        for monitor in self.monitors:
            monitor.liveness = {
                name: ServiceHealth(heartbeat_age_s=0.3, round=9, round_age_s=0.1, checkpoint_age_s=9.0)
                for name in (FEED, *STATEFUL)
            }

    def feed(self, seconds: float) -> None:
        for monitor, session in zip(self.monitors, self.sessions, strict=True):
            for round_ in session.rounds(seconds):
                monitor.fold(round_)

    async def append(self, market: Market, account: str, command: Control) -> None:
        """The log: what was commanded is heard in the next round."""
        self.commands.append((str(market), account, command.action))
        for monitor, session in zip(self.monitors, self.sessions, strict=True):
            if monitor.market == market:
                round_ = session.round()
                heard = (Received("control", account, command, 10**9), *round_.heard)
                monitor.fold(Round(round_.number, round_.ts, round_.previous_ts, heard, round_.market_data))

    async def serve(self, port: int = 0) -> None:
        operator = Operator(TOKEN, self.append)
        self.served = await serve(app(lambda: self.monitors, interval_s=INTERVAL_S, operator=operator), port)
        self.url = f"http://127.0.0.1:{self.served.addresses[0][1]}"

    def watch(self, page: "Page") -> None:
        page.on(
            "console", lambda said: self.complaints.append(said.text) if said.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "request",
            lambda request: self.elsewhere.append(request.url) if not request.url.startswith(self.url) else None,
        )


class Chromium:
    """One browser for all tests of a module: to start it takes longer than to look."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.runner.run(self._start())

    async def _start(self) -> None:
        from playwright.async_api import async_playwright

        self.driver = await async_playwright().start()
        self.browser = await self.driver.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))

    def close(self) -> None:
        async def end() -> None:
            await self.browser.close()
            await self.driver.stop()

        self.runner.run(end())
        self.runner.close()

    def look(
        self,
        watched: Watched,
        look_: Callable[["Page"], Awaitable[None]],
        query: str = "",
        width: int = 1400,
        scheme: str = "light",
    ) -> None:
        """Serve the page, open the address and `query`, wait for its first state and look at it."""

        async def main() -> None:
            await watched.serve()
            page = await page_of(self.browser, watched, query, width, scheme)
            try:
                await look_(page)
            finally:
                await page.context.close()
                await watched.served.cleanup()

        self.runner.run(main())


async def page_of(browser: "Browser", watched: Watched, query: str, width: int, scheme: Any) -> "Page":
    """A new page in a context of its own."""
    context = await browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    )
    page = await context.new_page()
    watched.watch(page)
    await page.goto(f"{watched.url}/{query}")
    await page.wait_for_selector(".check")
    return page


async def until(page: "Page", expression: str, argument: Any = None, timeout_s: float = 30) -> None:
    """Wait for an expression, or a function of the argument, to be true. The page's policy forbids to ask it inside."""
    deadline = time.monotonic() + timeout_s
    while not await page.evaluate(expression, argument):
        assert time.monotonic() < deadline, f"never true: {expression}"
        await asyncio.sleep(0.05)


async def violations(page: "Page") -> list[str]:
    """What axe-core finds wrong, all of its rules run: rule, element, why."""
    found = await page.evaluate(f"""() => {{ {AXE}; return axe.run(document, {{ resultTypes: ["violations"] }}); }}""")
    return [
        f"{violation['id']}: {node['html'][:160]} {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


async def drawn_pixels(page: "Page", chart: str) -> int:
    """How many pixels of a chart are not blank, after it was scrolled to and drawn."""
    await page.locator(f"#{chart}").scroll_into_view_if_needed()
    await page.wait_for_selector(f"#{chart} canvas", state="attached")
    await page.wait_for_timeout(50)
    script = """id => {
      const c = document.querySelector(`#${id} canvas`);
      const data = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
      return data.filter((value, index) => index % 4 === 3 && value).length; }"""
    count: int = await page.evaluate(script, chart)
    return count
