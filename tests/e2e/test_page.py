"""The page in a real browser, over a monitor that is fed while it is looked at."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from papertrader.services.monitor.config import MonitorConfig
from papertrader.services.monitor.facts.liveness import FEED, STATEFUL, ServiceHealth
from papertrader.services.monitor.kernel import CHECKS
from papertrader.services.monitor.page.web import app, serve
from papertrader.services.monitor.service import Monitor
from papertrader.shared.log.subjects import Market
from tests.unit.monitoring import ACCOUNT, Session

playwright = pytest.importorskip("playwright.async_api")
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
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: THE PAGE IS NOT TESTED"),
]


class Watched:
    """A running page: the browser page, the monitors behind it, their sessions, and what the console said."""

    def __init__(self, seconds: float, cut: tuple[str, ...] = ()) -> None:
        self.sessions = [Session(cut, 60), Session(seed=2)]
        self.monitors = [Monitor(Market("test", asset), {ACCOUNT: MonitorConfig()}) for asset in ("BTC", "ETH")]
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        self.url = ""
        self.runner: web.AppRunner
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


@asynccontextmanager
async def opened(watched: Watched, query: str = "", width: int = 1280) -> AsyncIterator["playwright.Page"]:
    watched.runner = await serve(app(lambda: watched.monitors, interval_s=0.2), 0)
    watched.url = f"http://127.0.0.1:{watched.runner.addresses[0][1]}"
    async with playwright.async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        page = await browser.new_page(viewport={"width": width, "height": 800})
        page.on(
            "console", lambda said: watched.complaints.append(said.text) if said.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: watched.complaints.append(str(error)))
        page.on(
            "request",
            lambda request: watched.elsewhere.append(request.url) if not request.url.startswith(watched.url) else None,
        )
        try:
            await page.goto(watched.url + "/" + query)
            await page.wait_for_selector(".check")
            yield page
        finally:
            await browser.close()
            await watched.runner.cleanup()


def look(
    watched: Watched, look_: Callable[["playwright.Page"], Awaitable[None]], query: str = "", width: int = 1280
) -> None:
    async def main() -> None:
        async with opened(watched, query, width) as page:
            await look_(page)

    asyncio.run(main())


async def drawn_pixels(page: "playwright.Page", canvas: str) -> int:
    """How many pixels of a canvas are not blank."""
    script = """id => {
      const c = document.getElementById(id), data = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
      return data.filter((value, index) => index % 4 === 3 && value).length; }"""
    count: int = await page.evaluate(script, canvas)
    return count


def test_page_shows_the_checklist_the_numbers_and_every_chart_without_an_error() -> None:
    watched = Watched(120, cut=("estimator",))

    async def see(page: "playwright.Page") -> None:
        shown = {
            await box.get_attribute("data-check"): await box.get_attribute("class")
            for box in await page.query_selector_all(".check")
        }
        assert list(shown) == list(CHECKS)
        assert shown["kappa"] == "check fail"
        assert shown["pnl"] == "check pass"
        kappa = await page.inner_text("[data-check=kappa]")
        assert "no estimate for" in kappa
        assert "restart estimator" in kappa
        assert "1 of 10 checks fail: kappa." in await page.inner_text("#verdict")
        for canvas in ("price", "money", "kappa", "toxicity", "calibration", "markout"):
            assert await drawn_pixels(page, canvas) > 500, canvas
        assert len(await page.query_selector_all("#ladder tr")) >= 20
        assert "never touched" in await page.inner_text("#unfilled")
        assert await page.is_hidden("#lost")

    look(watched, see)
    assert watched.complaints == []
    assert watched.elsewhere == []


def test_page_follows_the_market_without_a_reload() -> None:
    watched = Watched(60)

    async def see(page: "playwright.Page") -> None:
        before = await page.inner_text("#numbers")
        clock = await page.inner_text("#clock")
        watched.feed(30)
        await page.wait_for_function("before => document.getElementById('clock').innerText !== before", arg=clock)
        assert await page.inner_text("#numbers") != before
        fills = watched.monitors[0].facts.accounts[ACCOUNT].fills.now
        await page.wait_for_function(f"document.getElementById('counts').innerText.includes('fills {fills} ·')")

    look(watched, see)
    assert watched.complaints == []


def test_choosing_another_market_shows_it_and_names_it_in_the_address() -> None:
    watched = Watched(60)

    async def see(page: "playwright.Page") -> None:
        await page.click("nav button:nth-child(2)")
        await page.wait_for_selector("nav button:nth-child(2)[aria-pressed=true]")
        assert "asset=ETH" in page.url
        facts = watched.monitors[1].facts.accounts[ACCOUNT]
        await page.wait_for_function(
            f"document.getElementById('counts').innerText.includes('fills {facts.fills.now} ·')"
        )

    look(watched, see)


def test_empty_account_says_what_it_waits_for() -> None:
    watched = Watched(0)

    async def see(page: "playwright.Page") -> None:
        assert "No fills yet: waiting for the first quote." in await page.inner_text("#fills")
        assert "No account yet" in await page.inner_text("#pnl")
        boxes = await page.query_selector_all(".check:not([data-check=checkpoints])")
        assert {await box.get_attribute("class") for box in boxes} == {"check waiting"}

    look(watched, see)
    assert watched.complaints == []


def test_phone_is_wide_enough_for_the_page() -> None:
    async def see(page: "playwright.Page") -> None:
        assert await page.evaluate("document.documentElement.scrollWidth") <= 390

    look(Watched(60), see, width=390)


def test_lost_connection_is_said_and_the_numbers_stay_until_it_is_back() -> None:
    watched = Watched(60)

    async def see(page: "playwright.Page") -> None:
        port = int(watched.url.rsplit(":", 1)[1])
        await watched.runner.cleanup()
        await page.wait_for_selector("#lost:visible")
        assert len(await page.query_selector_all(".check")) == len(CHECKS)
        assert await drawn_pixels(page, "price") > 500
        watched.feed(30)
        watched.runner = await serve(app(lambda: watched.monitors, interval_s=0.2), port)
        await page.wait_for_selector("#lost", state="hidden")
        fills = watched.monitors[0].facts.accounts[ACCOUNT].fills.now
        await page.wait_for_function(f"document.getElementById('counts').innerText.includes('fills {fills} ·')")

    look(watched, see)
