"""What the page costs with 20 markets: the first paint, and the share of a core of browser and server while it is open.

`python -m benchmarks.page [SECONDS]` needs chromium. Market data runs at its own speed, four rounds a second each.
The server's share is that of its process with the page open less that without: a difference of two measurements.
"""

import asyncio
import multiprocessing
import os
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.page.watching import ARGUMENTS, CHROMIUM, Watched

MARKETS = 20
HISTORY_S = 30.0
STEP_S = 1.0
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAINTED = "() => Object.fromEntries(performance.getEntriesByType('paint').map(one => [one.name, one.startTime]))"


def cpu_s(root: int) -> float:
    """Processor time of a process and all of its descendants so far, s."""
    parents, used = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(path.parent.name)
        parents[pid], used[pid] = int(fields[1]), (int(fields[11]) + int(fields[12])) / TICKS_PER_S
    tree, waiting = set(), [root]
    while waiting:
        pid = waiting.pop()
        tree.add(pid)
        waiting += [child for child, parent in parents.items() if parent == pid]
    return sum(used.get(pid, 0.0) for pid in tree)


def serve(pipe: Connection) -> None:
    """The monitors, fed in real time, and the page that shows them."""

    async def main() -> None:
        from tests.e2e import watching

        watching.INTERVAL_S = 2.0
        watched = Watched(HISTORY_S, markets=MARKETS)
        await watched.serve()
        pipe.send(watched.url)
        due = time.monotonic()
        while not pipe.poll():
            watched.feed(STEP_S)
            due += STEP_S
            await asyncio.sleep(max(due - time.monotonic(), 0.0))

    asyncio.run(main())


async def measure(url: str, server: int, seconds: float) -> dict[str, Any]:
    """First paint and first numbers, ms after the navigation began; shares of a core while nothing is touched."""
    from playwright.async_api import async_playwright

    before = await _share(server, seconds)
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        page = await browser.new_page(viewport={"width": 1400, "height": 900})
        begun = time.monotonic()
        await page.goto(url)
        await page.wait_for_selector(f"#all tbody tr:nth-child({MARKETS})", state="attached")
        complete_ms = (time.monotonic() - begun) * 1e3
        painted = await page.evaluate(PAINTED)
        await asyncio.sleep(3)
        chromium = min(_children("chrom"))
        shares = await asyncio.gather(_share(server, seconds), _share(chromium, seconds))
        await browser.close()
    return {
        "first_paint_ms": painted["first-paint"],
        "first_contentful_paint_ms": painted["first-contentful-paint"],
        "all_markets_shown_ms": complete_ms,
        "browser_share_of_a_core": shares[1],
        "server_share_of_a_core": max(shares[0] - before, 0.0),
    }


async def _share(root: int, seconds: float) -> float:
    begun, used = time.monotonic(), cpu_s(root)
    await asyncio.sleep(seconds)
    return (cpu_s(root) - used) / (time.monotonic() - begun)


def _children(name: str) -> list[int]:
    """The processes of this one's whose program is called so."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            head, _, tail = path.read_text().rpartition(")")
        except OSError:
            continue
        if name in head and _descends(int(tail.split()[1])):
            found.append(int(path.parent.name))
    return found


def _descends(pid: int) -> bool:
    while pid > 1:
        if pid == os.getpid():
            return True
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return False
    return False


def main() -> None:
    """The command line."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,))
    process.start()
    url = ours.recv()
    assert process.pid is not None
    try:
        found = asyncio.run(measure(url, process.pid, float(sys.argv[1]) if len(sys.argv) > 1 else 20.0))
    finally:
        ours.send("end")
        process.join()
    for name, value in found.items():
        print(f"{name:28s} {value:10.3f}")  # noqa: T201 - this is what it is for


if __name__ == "__main__":
    main()
