"""The page in a real browser: what it shows, how it is used, by mouse, keys and screen reader, wide and narrow."""

from typing import TYPE_CHECKING

import msgspec
import pytest

from papertrader.services.monitor.config import MonitorConfig
from papertrader.services.monitor.kernel import CHECKS
from papertrader.services.monitor.service import Monitor
from papertrader.shared.log.health import Failure
from papertrader.shared.log.subjects import Market
from tests.page.watching import CHROMIUM, UNLOCKED, Chromium, Watched, drawn_pixels, page_of, until, violations
from tests.unit.monitoring import ACCOUNT, instrument

if TYPE_CHECKING:
    from playwright.async_api import Page

pytest.importorskip("playwright.async_api")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: THE PAGE IS NOT TESTED"),
]
CHARTS = ("price", "equity", "position", "money", "markout", "kappa", "toxicity", "calibration")


def test_page_shows_the_verdict_the_checklist_the_numbers_and_every_chart_without_an_error(chromium: Chromium) -> None:
    watched = Watched(120, cut=("estimator",))

    async def see(page: "Page") -> None:
        first = await page.evaluate("document.querySelector('main').firstElementChild.id")
        assert first == "verdict"
        assert (await page.inner_text("#earns")).startswith("Do not believe it: kappa failing")
        assert await page.inner_text("#believed") == "not to be believed"
        earned = await page.inner_text("#earned")
        assert "bp of turnover" in earned
        assert "quote currency per hour" in earned
        assert "restart estimator" in await page.inner_text("#todo")
        await page.click("#verdict summary")
        assert "moments with fills" in await page.inner_text("#evidence")
        assert "fill model" in await page.inner_text("#assumptions")
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
        assert "test BTC · main · kappa" in await page.inner_text("#alerts")
        assert "1 of 10 checks fail: kappa." in await page.inner_text("#checklist-verdict")
        assert "no estimate for" in await page.inner_text("#events")
        for chart in CHARTS:
            assert await drawn_pixels(page, chart) > 500, chart
        assert len(await page.query_selector_all("#ladder tbody tr")) >= 20
        assert "never touched" in await page.inner_text("#unfilled")
        assert await page.is_hidden("#lost")
        assert await page.is_hidden("#synthetic")

    chromium.look(watched, see)
    assert watched.complaints == []
    assert watched.elsewhere == []


def test_page_follows_the_market_and_is_told_only_what_is_new(chromium: Chromium) -> None:
    watched = Watched(60)

    async def see(page: "Page") -> None:
        before = await page.inner_text("#numbers")
        clock = await page.inner_text("#clock")
        watched.feed(30)
        await until(page, "before => document.getElementById('clock').innerText !== before", clock)
        assert await page.inner_text("#numbers") != before
        fills = watched.monitors[0].facts.accounts[ACCOUNT].fills.now
        await until(page, f"document.getElementById('counts').innerText.includes('fills {fills} ·')")
        assert len(await page.query_selector_all("#fills tbody tr")) == min(fills, 100)

    chromium.look(watched, see)
    assert watched.complaints == []


def test_orders_are_shown_with_age_queue_and_probability(chromium: Chromium) -> None:
    watched = Watched(60)

    async def see(page: "Page") -> None:
        heading = [await cell.inner_text() for cell in await page.query_selector_all("#orders thead th")]
        expected = ["side", "price", "size", "from mid, bp", "age", "queue ahead, at most", "at join", "fill in 10 s"]
        assert heading == expected
        row = [await cell.inner_text() for cell in await page.query_selector_all("#orders tbody tr:first-child > *")]
        assert row[0] == "bid"
        assert row[4].endswith(" s")
        assert row[7] == "20 %"

    chromium.look(watched, see)


def test_choosing_another_market_by_list_table_and_key_shows_it_and_names_it_in_the_address(chromium: Chromium) -> None:
    watched = Watched(60)

    async def shows(page: "Page", index: int) -> None:
        fills = watched.monitors[index].facts.accounts[ACCOUNT].fills.now
        await until(page, f"document.getElementById('counts').innerText.includes('fills {fills} ·')")

    async def see(page: "Page") -> None:
        await page.select_option("#account", index=1)
        await shows(page, 1)
        assert "asset=ETH" in page.url
        await page.click("#all button[aria-label='Show test BTC · main']")
        await shows(page, 0)
        assert "asset=BTC" in page.url
        await page.locator("h1").click()
        await page.keyboard.press("]")
        await shows(page, 1)
        assert await page.evaluate("document.getElementById('account').selectedIndex") == 1
        assert await drawn_pixels(page, "price") > 500

    chromium.look(watched, see)
    assert watched.complaints == []


def test_charts_zoom_pan_and_tell_the_values_at_the_crosshair(chromium: Chromium) -> None:
    watched = Watched(120)
    span = "document.getElementById('zoomed').innerText"

    async def see(page: "Page") -> None:
        await page.wait_for_selector("#price canvas")
        box = await page.locator("#price .u-over").bounding_box()
        assert box is not None
        await page.mouse.move(box["x"] + 100, box["y"] + 60)
        at = await page.inner_text("#price .legend")
        assert "at 22:" in at
        await page.mouse.move(box["x"] + 300, box["y"] + 60)
        assert await page.inner_text("#price .legend") != at
        await page.mouse.down()
        await page.mouse.move(box["x"] + 500, box["y"] + 60)
        await page.mouse.up()
        assert " s until " in await page.evaluate(span)
        zoomed = await page.evaluate(span)
        await page.click("#zoom button[aria-label='Earlier']")
        assert await page.evaluate(span) != zoomed
        await page.mouse.dblclick(box["x"] + 300, box["y"] + 60)
        assert await page.evaluate(span) == "all time"
        await page.locator("#price .stage").focus()
        await page.keyboard.press("+")
        assert " s until " in await page.evaluate(span)
        await page.keyboard.press("Shift+ArrowLeft")
        await page.keyboard.press("0")
        assert await page.evaluate(span) == "all time"
        await page.keyboard.press("ArrowLeft")
        spoken = await page.inner_text("#price .hidden")
        assert "mid" in spoken
        await page.locator("#price").hover()
        await page.mouse.wheel(0, 0)
        await page.keyboard.down("Control")
        await page.mouse.wheel(0, -100)
        await page.keyboard.up("Control")
        await until(page, f"{span}.includes(' s until ')")
        await page.click("#price .item.good")
        assert await page.get_attribute("#price .item.good", "aria-pressed") == "false"

    chromium.look(watched, see)
    assert watched.complaints == []


def test_accounts_of_one_market_are_compared(chromium: Chromium) -> None:
    watched = Watched(0)
    watched.monitors[0] = Monitor(Market("test", "BTC"), {ACCOUNT: MonitorConfig(), "wide": MonitorConfig()})
    watched.feed(60)

    async def see(page: "Page") -> None:
        assert await drawn_pixels(page, "peers") > 500
        assert [await item.inner_text() for item in await page.query_selector_all("#all tbody tr td:nth-child(2)")] == [
            "main",
            "wide",
            "main",
        ]
        assert "main" in await page.inner_text("#accounts")

    chromium.look(watched, see)
    assert watched.complaints == []


def test_a_synthetic_market_says_so_in_capitals(chromium: Chromium) -> None:
    async def see(page: "Page") -> None:
        assert "SYNTHETIC MARKET" in await page.inner_text("#synthetic")

    chromium.look(Watched(10, venue="synthetic"), see)


def test_names_of_markets_and_accounts_are_text_and_never_markup(chromium: Chromium) -> None:
    watched = Watched(10)
    name = "<img src=x onerror=alert(1)>"
    watched.monitors[0] = Monitor(Market("test", name), {ACCOUNT: MonitorConfig(), "<b>bold</b>": MonitorConfig()})
    watched.feed(20)

    async def see(page: "Page") -> None:
        assert name in await page.inner_text("#all")
        assert await page.query_selector("main img, main table b b") is None
        assert await page.evaluate("document.querySelectorAll('img').length") == 0

    chromium.look(watched, see)
    assert watched.complaints == []


def test_what_a_strategy_raises_is_shown_with_count_and_traceback(chromium: Chromium) -> None:
    watched = Watched(30)
    failure = Failure(count=4974, ts=watched.sessions[0].ts, text="ZeroDivisionError: <b>", traceback="mine.py, line 7")
    quoter = watched.monitors[0].liveness["quoter"]
    watched.monitors[0].liveness = {
        **watched.monitors[0].liveness,
        "quoter": msgspec.structs.replace(quoter, failures={ACCOUNT: failure}),
    }

    async def see(page: "Page") -> None:
        assert "4,974 times" in await page.inner_text("#strategy-now")
        assert await page.inner_text("#strategy-text") == "ZeroDivisionError: <b>"
        await page.click("#strategy summary")
        assert "line 7" in await page.inner_text("#traceback")
        assert "the strategy raises" in await page.inner_text("#alerts")

    chromium.look(watched, see)


def test_rules_that_were_guessed_are_named_within_their_panel(chromium: Chromium) -> None:
    watched = Watched(30)
    names = ("tick_size", "lot_size", "min_notional", "funding_interval_s", "maximum_leverage")
    told = msgspec.structs.replace(instrument(), inferred=names)
    round_ = watched.sessions[0].round()
    watched.monitors[0].fold(round_._replace(market_data=(told, *round_.market_data)))

    async def see(page: "Page") -> None:
        said = await page.inner_text("#run")
        assert all(name.replace("_", " ") in said for name in names)
        box = "document.getElementById('run')"
        assert await page.evaluate(f"{box}.scrollWidth <= {box}.clientWidth")

    chromium.look(watched, see)
    assert watched.complaints == []


def test_empty_account_says_what_it_waits_for(chromium: Chromium) -> None:
    watched = Watched(0)

    async def see(page: "Page") -> None:
        assert "No fills yet" in await page.inner_text("#fills")
        assert "No account yet" in await page.inner_text("#pnl")
        assert "Nothing was filled yet" in await page.inner_text("#earns")
        boxes = await page.query_selector_all(".check:not([data-check=checkpoints])")
        assert {await box.get_attribute("class") for box in boxes} == {"check waiting"}

    chromium.look(watched, see)
    assert watched.complaints == []


def test_axe_finds_nothing_wide_and_narrow_in_light_and_dark_and_nothing_scrolls_sideways(chromium: Chromium) -> None:
    watched = Watched(120, cut=("estimator",))

    async def see(first: "Page") -> None:
        assert first.context.browser is not None
        for width in (1400, 320):
            for scheme in ("light", "dark"):
                page = await page_of(first.context.browser, watched, UNLOCKED, width, scheme)
                for chart in CHARTS:
                    assert await drawn_pixels(page, chart) > 500, (width, scheme, chart)
                assert await page.evaluate("document.documentElement.scrollWidth") <= width
                assert await violations(page) == [], (width, scheme)
                await page.click("#flatten")
                assert await violations(page) == [], (width, scheme, "dialog")
                await page.context.close()

    chromium.look(watched, see)
    assert watched.complaints == []


def test_the_theme_can_be_switched_and_is_kept(chromium: Chromium) -> None:
    async def see(page: "Page") -> None:
        background = "getComputedStyle(document.body).backgroundColor"
        dark = await page.evaluate(background)
        await page.click("#theme")
        light = await page.evaluate(background)
        assert light != dark
        assert await page.inner_text("#theme") == "Dark"
        await page.reload()
        await page.wait_for_selector(".check")
        assert await page.evaluate(background) == light
        assert await drawn_pixels(page, "price") > 500
        assert await violations(page) == []

    chromium.look(Watched(60), see, scheme="dark")


def test_lost_connection_is_said_and_the_numbers_stay_until_it_is_back(chromium: Chromium) -> None:
    watched = Watched(60)

    async def see(page: "Page") -> None:
        port = int(watched.url.rsplit(":", 1)[1])
        await watched.served.cleanup()
        await page.wait_for_selector("#lost:visible")
        assert len(await page.query_selector_all(".check")) == len(CHECKS)
        assert await drawn_pixels(page, "price") > 500
        watched.feed(30)
        await watched.serve(port)
        await page.wait_for_selector("#lost", state="hidden")
        fills = watched.monitors[0].facts.accounts[ACCOUNT].fills.now
        await until(page, f"document.getElementById('counts').innerText.includes('fills {fills} ·')")

    chromium.look(watched, see)
