"""The compiled loop says what the services say on the bus, message for message, and ends in the same states."""

import gzip
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from papertrader.replay.composition import Composition
from papertrader.replay.judgement import judged
from papertrader.replay.plans import plan
from papertrader.replay.replay import Replayed, in_the_loop, replay
from papertrader.replay.replay import composed as composed_replay
from papertrader.replay.session import Session, sessions
from papertrader.replay.world import KINDS, WORLD
from papertrader.services.feed.config import FeedConfig, SyntheticAsset, SyntheticConfig
from papertrader.services.feed.session_rounds import until
from papertrader.services.feed.sources import sources
from papertrader.services.fill_sim.state import ACCOUNT_STATE
from papertrader.services.monitor.report.summary import summary
from papertrader.services.monitor.service import Monitor
from papertrader.shared.service.config import Settings

DATA = Path(os.environ.get("PAPER_TEST_DATA", "/nowhere"))
SYNTHETIC = FeedConfig(
    synthetic=SyntheticConfig(
        assets=(SyntheticAsset(name="SYN", price=60_000.0, tick_size=1.0, lot_size=1e-5),), duration_s=120.0
    )
)
TAPES = ("binance-usdm-20240808-ETHUSDT.gz", "hyperliquid-20250904-WLFI.gz")
TWO_ACCOUNTS = Settings(
    {
        "accounts": {
            "wide": {"quoter": {"levels": 1, "min_edge_bps": 3.0}},
            "narrow": {"quoter": {"levels": 3}, "fill_sim": {"fill_model": "flat", "leverage": 0.1}},
        }
    }
)


FAST_IN_BURSTS = Settings({"fill_sim": {"fast_cancels": True, "latency_burst_market": 0.5}})


def tape(name: str, duration_s: float = 60.0) -> FeedConfig:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"PAPER_TEST_DATA does not hold {name}")
    return FeedConfig(source="tape", tapes=(path,), duration_s=duration_s)


def one_session(config: FeedConfig, cache: Path) -> Session:
    (session,) = sessions(config, cache)
    return session


def composed(
    config: FeedConfig, settings: Settings
) -> tuple[Composition, dict[tuple[str, str], list[tuple[int, bytes]]]]:
    """The composition after the session, and what it said: by kind and account, the round and the bytes."""
    (source,) = sources(config)
    composition = Composition(settings, source.market)
    said: dict[tuple[str, str], list[tuple[int, bytes]]] = {}
    rounds = until(
        (round_.messages for round_ in source.rounds()), int(config.duration_s * 1e9), config.round_ms * 10**6
    )
    for number, (market_data, end) in enumerate(rounds):
        for spoken in composition.fold(market_data, end):
            kind, account, message = spoken.output
            said.setdefault((kind, account), []).append((number, msgspec.json.encode(message)))
    return composition, said


def replayed_bytes(replayed: Replayed) -> dict[tuple[str, str], list[tuple[int, bytes]]]:
    said: dict[tuple[str, str], list[tuple[int, bytes]]] = {}
    for kind in KINDS:
        for number, account, message in replayed.messages(kind):
            said.setdefault((kind, account), []).append((number, msgspec.json.encode(message)))
    return said


def states(replayed: Replayed) -> Iterator[tuple[str, bytes]]:
    for service, fold in replayed.folds.items():
        for name, array in fold.state().items():
            yield f"{service}.{name}", array.tobytes()


CASES = [
    pytest.param(lambda: SYNTHETIC, Settings({}), id="synthetic"),
    pytest.param(lambda: SYNTHETIC, TWO_ACCOUNTS, id="two-accounts"),
    *(pytest.param(lambda name=name: tape(name), Settings({}), id=name) for name in TAPES),
    pytest.param(lambda: tape(TAPES[1], 120.0), FAST_IN_BURSTS, id="fast-cancels-in-bursts"),
]


@pytest.mark.parametrize(("config", "settings"), CASES)
def test_replay_says_what_the_services_say_and_ends_in_their_states(config, settings, tmp_path) -> None:  # type: ignore[no-untyped-def]
    replayed = replay(one_session(config(), tmp_path), settings)
    composition, said = composed(config(), settings)
    monitor = composition.folds["monitor"]
    assert isinstance(monitor, Monitor)
    checks = {key: messages for key, messages in said.items() if key[0] == "checks"}
    assert checks
    expected = {key: messages for key, messages in said.items() if key not in checks}
    assert replayed_bytes(replayed) == expected
    if len(replayed.accounts) == 1:  # more are in the order of the settings there, in that of their names here
        ends = {
            f"{service}.{name}": array.tobytes()
            for service, fold in composition.folds.items()
            if service != "monitor"
            for name, array in fold.state().items()
        }
        assert dict(states(replayed)) == ends
    judged_monitor = judged(replayed, settings)
    judged_monitor.liveness = {}
    assert summary([judged_monitor]) == summary([monitor])


def test_loop_and_services_agree_across_a_hole_in_the_data(tmp_path: Path) -> None:
    whole = tape("hyperliquid-20250904-BTC.gz").tapes[0]
    with gzip.open(whole) as lines:
        first_s = int(next(lines).split()[0]) // 10**9
        kept = [line for line in lines if not 60 <= int(line.split()[0]) // 10**9 - first_s < 90]
    cut = tmp_path / "hole"
    cut.write_bytes(b"".join(kept))
    config = FeedConfig(source="tape", tapes=(cut,), duration_s=120.0)
    session = one_session(config, tmp_path)
    looped, over_services = in_the_loop(session, TWO_ACCOUNTS), composed_replay(session, TWO_ACCOUNTS)
    assert replayed_bytes(over_services) == replayed_bytes(looped)
    assert dict(states(over_services)) == dict(states(looped))
    assert 29e9 < looped.folds["calibration"].state()["controllers"]["gaps_ns"][0] < 32e9


def test_services_replay_a_session_as_the_loop_does(tmp_path: Path) -> None:
    session = one_session(msgspec.structs.replace(SYNTHETIC, duration_s=30.0), tmp_path)
    looped, over_services = in_the_loop(session, TWO_ACCOUNTS), composed_replay(session, TWO_ACCOUNTS)
    assert replayed_bytes(over_services) == replayed_bytes(looped)
    assert len(looped.records("fills", "narrow")) > 0
    assert dict(states(over_services)) == dict(states(looped))


def test_replay_fills_and_learns(tmp_path: Path) -> None:
    replayed = replay(one_session(SYNTHETIC, tmp_path), Settings({}))
    assert len(replayed.records("fills")) > 10
    assert replayed.records("estimate")["own_fills"][-1] == len(replayed.records("fills"))
    assert replayed.records("calibration")["cal_progress"][-1] > 0


def test_replay_with_progress_in_pieces_is_the_same(tmp_path: Path) -> None:
    session = one_session(SYNTHETIC, tmp_path)
    told: list[tuple[int, int]] = []
    in_pieces = replay(session, Settings({}), lambda _, done, total: told.append((done, total)))
    at_once = replay(session, Settings({}))
    assert replayed_bytes(in_pieces) == replayed_bytes(at_once)
    assert dict(states(in_pieces)) == dict(states(at_once))
    assert told[-1] == (len(session.events), len(session.events))


@pytest.mark.parametrize(
    ("next_ts", "boundary", "due_ts", "watch_ts"),
    [
        pytest.param(1_500, 2_000, 1_500, 1_500, id="the exchange comes first"),
        pytest.param(2_500, 2_000, 2_500, 2_001, id="the second ends first: the event after its end closes it"),
        pytest.param(1_000, 2_000, 0, 0, id="due by the clock: any event finds it, an older one as well"),
    ],
)
def test_no_event_before_the_watched_time_finds_anything_due(
    next_ts: int, boundary: int, due_ts: int, watch_ts: int
) -> None:
    market, accounts = np.zeros(1, dtype=WORLD), np.zeros(2, dtype=ACCOUNT_STATE)
    market["book"]["ts"], market["exchange"]["next_funding_ts"] = 1_000, 9_000
    market["estimator_seconds"]["boundary"], market["tracker_seconds"]["boundary"] = boundary, boundary + 1_000
    accounts["next_ts"] = 9_000, next_ts
    plan(market[0], accounts)
    assert market["progress"]["due_ts"] == due_ts
    assert market["progress"]["watch_ts"] == watch_ts


def test_session_from_the_cache_is_the_one_that_was_parsed(tmp_path: Path) -> None:
    parsed = one_session(SYNTHETIC, tmp_path)
    (file,) = tmp_path.glob("*.events")
    mapped = one_session(SYNTHETIC, tmp_path)
    assert np.array_equal(parsed.events, mapped.events)
    assert parsed[:3] == mapped[:3]
    file.write_bytes(file.read_bytes()[:-1])  # a broken file is made anew
    assert np.array_equal(one_session(SYNTHETIC, tmp_path).events, parsed.events)


def test_session_of_other_settings_has_a_cache_file_of_its_own(tmp_path: Path) -> None:
    one_session(SYNTHETIC, tmp_path)
    longer = msgspec.structs.replace(SYNTHETIC, round_ms=100)
    assert one_session(longer, tmp_path).rounds < one_session(SYNTHETIC, tmp_path).rounds
    assert len(list(tmp_path.glob("*.events"))) == 2
