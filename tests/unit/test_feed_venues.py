"""A venue is a folder: one that is put beside the others is known everywhere, and nothing else is touched."""

import gzip
import subprocess
import sys
from pathlib import Path

import pytest

from papertrader.replay.replay import replay
from papertrader.replay.session import sessions
from papertrader.services.feed import venues
from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.sources import discover
from papertrader.services.feed.venues import registry
from papertrader.shared.log.subjects import Market
from papertrader.shared.service.config import Settings

MS = 1_000_000
T0 = 1_757_015_216_000
TOY = {
    "__init__.py": """
from papertrader.services.feed.venues.venue import Venue

from .frames import ToyAdapter
from .rules import MIN_NOTIONAL

VENUE = Venue("toy", "MARBLE", ToyAdapter, min_notional=MIN_NOTIONAL)
""",
    "rules.py": """
MIN_NOTIONAL = 2.0
""",
    "frames.py": """
from papertrader.services.feed.adapter import NO_ASSET, NS_PER_MS, AssetAdapter
from papertrader.shared.messages import Bbo, Trades


class Asset:
    def __init__(self, guard):
        self.guard = guard


class ToyAdapter(AssetAdapter):
    \"\"\"Lines such as `quote MARBLE 1757015216000 99.5 3 100.5 2` and `print MARBLE 1757015216000 100.5 0.5 7`.\"\"\"

    def __init__(self, assets=None):
        super().__init__(Asset, assets)

    def frame(self, recv_ns, data):
        try:
            kind, name, time, *words = data.decode().split()
            ts, numbers = int(time) * NS_PER_MS, list(map(float, words))
        except ValueError:
            self.bad[NO_ASSET]["undecodable"] += 1
            return []
        if (asset := self._asset(name)) is None:
            return []
        if kind == "quote":
            names = ("bid_price", "bid_size", "ask_price", "ask_size")
            bbo = Bbo(ts=ts, recv_ts=recv_ns, **dict(zip(names, numbers, strict=True)))
            return [(name, bbo)] if asset.guard.accepts_bbo(bbo, 0) else []
        price, size, trade_id = numbers
        if not asset.guard.accepts_print(price, size, ts, recv_ns):
            return []
        lists = {"times": [ts], "prices": [price], "sizes": [size], "aggressors": ["buy"], "trade_ids": [int(trade_id)]}
        return [(name, Trades(ts=ts, recv_ts=recv_ns, **lists))]
""",
    "live.py": """
from .frames import ToyAdapter


class Live:
    name = "toy"
    opening = ()

    def __init__(self, config):
        self.adapter = ToyAdapter(frozenset(config.assets))
        self.rest_url = config.venue_url or "https://toy.invalid"
""",
}


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that holds the toy's, beside the other venues for as long as the test lasts."""
    folder = tmp_path / "more" / "toy"
    folder.mkdir(parents=True)
    for name, text in TOY.items():
        (folder / name).write_text(text)
    monkeypatch.setattr(venues, "__path__", [*venues.__path__, str(folder.parent)])
    for name in ("", ".frames", ".rules", ".live"):
        monkeypatch.delitem(sys.modules, f"{venues.__name__}.toy{name}", raising=False)
    return folder.parent


def tape(path: Path) -> Path:
    lines = []
    for number in range(600):
        time, bid = T0 + 100 * number, 99.5 + 0.5 * (number // 10 % 5)
        lines.append(f"{(time + 5) * MS} quote MARBLE {time} {bid} 3 {bid + 1} 2\n")
        lines.append(f"{(time + 6) * MS} print MARBLE {time + 1} {bid + 1} 0.5 {number}\n")
    path.write_bytes(gzip.compress("".join(lines).encode()))
    return path


def test_every_folder_is_a_venue_of_its_name() -> None:
    assert registry.names() == ("binance", "ccxt", "hyperliquid")
    assert [registry.venue(name).name for name in registry.names()] == [*registry.names()]
    assert [found.name for found in registry.recorded()] == ["binance", "hyperliquid"]


def test_tape_of_a_venue_that_is_a_new_folder_is_discovered_and_replayed(toy: Path, tmp_path: Path) -> None:
    path = tape(tmp_path / "toy.gz")
    found = discover(path)
    assert found.venue.name == "toy"
    assert (found.instruments["MARBLE"].tick_size, found.instruments["MARBLE"].min_notional) == (0.1, 2.0)
    (session,) = sessions(FeedConfig(source="tape", tapes=(path,)), tmp_path / "cache")
    assert session.market == Market("toy", "MARBLE")
    orders = list(replay(session, Settings({})).messages("orders"))
    assert len(orders) > 0


def test_settings_and_commands_know_a_new_folder(toy: Path) -> None:
    """In a process of its own, whose settings are made when the folder is there."""
    script = f"""
from papertrader.services.feed import venues
venues.__path__.append({str(toy)!r})
from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.venues.registry import live_venue
from papertrader.shared.service.config import Settings
config = Settings({{"feed": {{"source": "toy", "assets": ["MARBLE"]}}}}).section("feed", FeedConfig)
print(live_venue(config).rest_url)
from papertrader.cli.main import app
app(["record", "--help"])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("https://toy.invalid\n")
    assert "binance or hyperliquid or toy" in done.stdout
    refused = subprocess.run(
        [Path(sys.executable).with_name("papertrader"), "doctor", "--source", "toy"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 2
    assert "toy" in refused.stderr
