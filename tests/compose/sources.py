"""The stack on other sources of market data: a tape, and a live venue that this machine plays."""

import json
import os
import time
from pathlib import Path
from typing import Final

from tests.compose.healthy import all_checks_pass, keeps_up, up
from tests.compose.stack import ROOT, Stack, until

SYNTHETIC: Final = '[feed]\nsource = "synthetic"\nspeed = {speed}\n[feed.synthetic]\nduration_s = 2592000.0\n'
TAPE: Final = '[feed]\nsource = "tape"\nspeed = {speed}\ntapes = ["/tapes/{name}"]\n'
VENUE_URL: Final = "http://venue:3002"
TELL: Final = (
    "import json, urllib.request as r; "
    "r.urlopen(r.Request('http://127.0.0.1:3002/control', json.dumps({'fault': '%s'}).encode()))"
)
ASSETS: Final = {"hyperliquid": ["BTC", "ETH"], "binance": ["BTCUSDT", "ETHUSDT"]}


class Choice:
    """The settings file and the `.env` of the run, changed under the stack's feet."""

    def __init__(self, directory: Path) -> None:
        self.settings = directory / "settings.toml"
        self.env = directory / "e2e.env"
        self.env.write_text("")
        self.synthetic(1.0)

    def synthetic(self, speed: float) -> None:
        """The synthetic market."""
        self.settings.write_text(SYNTHETIC.format(speed=speed))

    def tape(self, name: str, speed: float) -> None:
        """A tape."""
        self.settings.write_text(TAPE.format(name=name, speed=speed))

    def live(self, venue: str) -> None:
        """What `.env.example` says for a live venue, and the address of the one that stands in for it."""
        lines = (ROOT / ".env.example").read_text().splitlines()
        place = lines.index(f"#PAPER_FEED_SOURCE={venue}")
        chosen = [line.removeprefix("#") for line in lines[place : place + 2]]
        assert chosen[1] == f"PAPER_FEED_ASSETS={json.dumps(ASSETS[venue])}", chosen
        self.env.write_text("\n".join([*chosen, f"PAPER_FEED_VENUE_URL={VENUE_URL}", ""]))


def faster(stack: Stack, choice: Choice, speed: float) -> None:
    """Let event time pass faster."""
    choice.synthetic(speed)
    stack.compose("restart", "feed")
    keeps_up(stack)


def real_tape(stack: Stack, choice: Choice, speed: float) -> str:
    """From nothing, on a recorded session of a real venue: of a market with sweeps enough to judge toxicity in time."""
    stack.compose("down", "-v")
    choice.tape(os.environ.get("COMPOSE_TAPE", "hyperliquid-20250904-BTC.gz"), speed)
    up(stack)
    return all_checks_pass(stack, 300)


def live(stack: Stack, choice: Choice, venue: str) -> str:
    """From nothing, live by two lines of `.env`."""
    stack.compose("down", "-v")
    choice.live(venue)
    files = "docker-compose.yml:tests/compose/venue.yml"
    stack.environment |= {"VENUE": venue, "COMPOSE_PROFILES": "record", "COMPOSE_FILE": files}
    stack.compose("up", "-d", "--wait", "venue")
    stack.compose("up", "-d", "--wait")
    return _followed(stack, venue)


def live_on(stack: Stack, choice: Choice, venue: str) -> str:
    """From one live venue to another, by two other lines of `.env`."""
    choice.live(venue)
    stack.environment["VENUE"] = venue
    for services in (["venue"], ["feed", "recorder"]):
        stack.compose("up", "-d", "--wait", "--no-deps", *services)
    return _followed(stack, venue)


def _followed(stack: Stack, venue: str) -> str:
    """Fills come; the venue hangs up once, which is a gap and no more; the recorder has written tapes."""
    started = time.monotonic()
    fills = f'min(sum by (asset) (paper_fills_total{{venue="{venue}"}}))'
    until(lambda: stack.value(fills) > 0, 120, lambda: stack.values("paper_fills_total"))
    filled = time.monotonic() - started
    stack.docker("exec", stack.container("venue"), "python", "-c", TELL % "close_1006")
    until(lambda: stack.value('min(sum by (asset) (paper_feed_gaps_total{reason="disconnected"}))') >= 1, 30)
    until(lambda: stack.value("min(paper_feed_connected)") == 1, 30, lambda: stack.values("paper_feed_connected"))
    keeps_up(stack)
    found = stack.values(f'paper_check{{venue="{venue}",state="fail"}} == 1')
    assert not found, found
    return f"filled after {filled:.0f} s; {_recorded(stack, venue)}"


def _recorded(stack: Stack, venue: str) -> str:
    """End the recording and read it."""
    stack.compose("stop", "recorder")
    tapes = f"/recordings/{venue}"
    manifest = json.loads(stack.docker("exec", stack.container("feed"), "cat", f"{tapes}/manifest.json"))
    assert {tape["asset"] for tape in manifest["tapes"]} == set(ASSETS[venue]), manifest
    assert {gap["reason"] for gap in manifest["gaps"]} == {"disconnected"}, manifest
    read = ("run", "--rm", "-T", "cli", "convert", tapes, "--to", "tardis", "--output", "/tmp/converted")
    written = stack.compose(*read)
    assert all(f"{venue}-{asset}-trades" in written for asset in ASSETS[venue]), written
    return f"{sum(tape['frames'] for tape in manifest['tapes'])} frames recorded, and they can be read"
