"""The page commands: with a confirmation, by mouse and by keys, behind its token."""

from typing import TYPE_CHECKING

import pytest

from tests.page.watching import CHROMIUM, TOKEN, UNLOCKED, Chromium, Watched, until
from tests.unit.monitoring import ACCOUNT

if TYPE_CHECKING:
    from playwright.async_api import Page

pytest.importorskip("playwright.async_api")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: THE PAGE IS NOT TESTED"),
]


def test_a_command_asks_first_and_then_says_what_became_of_it(chromium: Chromium) -> None:
    watched = Watched(30)

    async def obeys(page: "Page", action: str) -> None:
        await page.click(f"#{action}")
        assert await page.is_visible("#confirm")
        assert "test BTC · main" in await page.inner_text("#confirm-title")
        await page.click("#confirm-no")
        assert watched.commands == []
        await page.click(f"#{action}")
        await page.click("#confirm-yes")
        await until(page, f"document.getElementById('obeyed').innerText === '{action} of test BTC · main: done'")
        assert watched.commands == [("test.BTC", ACCOUNT, action)]
        state = "quoting" if action == "resume" else "paused by command"
        await until(page, "state => document.getElementById('quoting').innerText === state", state)
        await until(page, f"document.getElementById('events').innerText.includes('{action} was commanded')")
        watched.commands.clear()

    async def see(page: "Page") -> None:
        assert TOKEN not in page.url  # it has left the address
        for action in ("pause", "resume", "flatten", "reset"):
            await obeys(page, action)

    chromium.look(watched, see, UNLOCKED)
    assert watched.complaints == []


def test_keys_alone_reach_and_work_every_control(chromium: Chromium) -> None:
    watched = Watched(30)

    async def see(page: "Page") -> None:
        reached = set()
        for _ in range(60):
            await page.keyboard.press("Tab")
            reached.add(await page.evaluate("document.activeElement.id || document.activeElement.textContent"))
        assert {"account", "theme", "help", "pause", "resume", "flatten", "reset", "unlock", "Report"} <= reached
        await page.locator("#pause").focus()
        await page.keyboard.press("Tab")
        outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"
        await page.evaluate("document.activeElement.blur()")
        await page.keyboard.press("p")
        assert await page.evaluate("document.activeElement.id") == "confirm-no"  # nothing by accident
        await page.keyboard.press("Escape")
        assert await page.is_hidden("#confirm")
        assert watched.commands == []
        await page.keyboard.press("f")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await until(page, "document.getElementById('obeyed').innerText.endsWith('done')")
        assert watched.commands == [("test.BTC", ACCOUNT, "flatten")]
        await page.keyboard.press("?")
        listed = await page.inner_text("#key-list")
        assert all(word in listed for word in ("pause", "resume", "flatten", "reset", "next account", "light or dark"))
        await page.keyboard.press("Escape")
        await until(page, "!document.querySelector('dialog[open]')")
        await page.keyboard.press("5")
        await until(page, "document.activeElement.id === 'checks'")

    chromium.look(watched, see, UNLOCKED)
    assert watched.complaints == []


def test_a_key_right_after_a_dialog_has_closed_is_heard(chromium: Chromium) -> None:
    """Until the next frame the focus is still within the dialog that closed."""
    watched = Watched(30)
    hurried = """() => {
        const press = (where, key) => where.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
        press(document.body, "p");
        document.getElementById("confirm").close();
        press(document.getElementById("confirm-no"), "f");
        return document.getElementById("confirm-title").innerText;
    }"""

    async def see(page: "Page") -> None:
        assert (await page.evaluate(hurried)).startswith("Flatten ")
        assert await page.is_visible("#confirm")

    chromium.look(watched, see, UNLOCKED)


def test_without_the_token_nothing_is_commanded_and_a_wrong_one_is_refused(chromium: Chromium) -> None:
    watched = Watched(30)

    async def see(page: "Page") -> None:
        assert "locked" in await page.inner_text("#obeyed")
        await page.click("#pause")
        assert await page.is_visible("#token-dialog")
        await page.fill("#token", "wrong")
        await page.keyboard.press("Enter")
        await page.click("#pause")
        await page.click("#confirm-yes")
        await until(page, "document.getElementById('obeyed').innerText.includes('token is missing or wrong')")
        await page.click("#unlock")  # which says Lock now
        await page.click("#unlock")
        await page.fill("#token", TOKEN)
        await page.click("#token-yes")
        await page.click("#pause")
        await page.click("#confirm-yes")
        await until(page, "document.getElementById('obeyed').innerText.endsWith('done')")

    chromium.look(watched, see)
    assert watched.commands == [("test.BTC", ACCOUNT, "pause")]
    assert [said for said in watched.complaints if "403" not in said] == []
