"""A live market's rounds, every time given by hand."""

import msgspec
import pytest

from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.live.market import LiveMarket
from papertrader.services.feed.publisher import SessionError
from papertrader.services.feed.venues.config import LiveConfig
from papertrader.shared.log.subjects import Market
from papertrader.shared.messages import Context, Gap, Instrument, Message, RoundEnd

MS = 1_000_000
S = 1_000 * MS
ROUND = 50 * MS
START = 1_000_000 * ROUND
LAG = 300 * MS
"""Local time minus event time of a fresh frame."""
RULES = Instrument(ts=0, tick_size=0.1, lot_size=0.001)


def at(ms: float) -> Context:
    return Context(ts=START + int(ms * MS), recv_ts=0)


def local(ms: float) -> int:
    """Local time when a frame of event time `ms` arrives without any other delay."""
    return START + LAG + int(ms * MS)


def market(**live: object) -> LiveMarket:
    config = FeedConfig(gap_after_ms=3_000, live=LiveConfig(**live))  # type: ignore[arg-type]
    return LiveMarket(Market("venue", "BTC"), RULES, 1, config)


def rounds(found: LiveMarket) -> list[tuple[RoundEnd, tuple[Message, ...]]]:
    """What is on the backlog, the first round with the instrument left out; empties it."""
    taken = [(round_.end, round_.messages[:-1]) for round_ in found.backlog]
    found.backlog.clear()
    return [item for item in taken if not any(isinstance(message, Instrument) for message in item[1])]


def windows(found: list[tuple[RoundEnd, tuple[Message, ...]]]) -> list[int]:
    return [end.round - START // ROUND for end, _ in found]


def test_round_closes_by_the_clock_a_grace_after_its_window() -> None:
    live = market(grace_ms=20)
    live.hear(local(10), [at(10)])
    live.pass_time(local(69), alive=True)
    assert rounds(live) == []
    live.pass_time(local(70), alive=True)
    ((end, messages),) = rounds(live)
    assert messages == (at(10),)
    assert (end.ts, end.round) == (START + ROUND - 1, START // ROUND)


def test_round_closes_at_once_when_later_data_comes() -> None:
    live = market()
    live.hear(local(10), [at(10)])
    live.hear(local(60), [at(60)])
    assert windows(rounds(live)) == [0]


def test_late_data_joins_a_later_round_and_keeps_its_time() -> None:
    live = market(grace_ms=0)
    live.hear(local(10), [at(10)])
    live.pass_time(local(50), alive=True)
    live.hear(local(60), [at(20)])
    live.pass_time(local(150), alive=True)
    first, second = rounds(live)
    assert windows([first, second]) == [0, 1]
    assert second[1] == (at(20),)


def test_event_clock_never_passes_a_frame_as_fast_as_the_last() -> None:
    live = market(grace_ms=0)
    live.hear(local(10), [at(10)])
    assert live.event_ns(local(500)) == START + 500 * MS
    live.hear(local(500) + 200 * MS, [at(500)])  # slower by 200 ms: the clock follows the newest frame
    assert live.event_ns(local(500) + 200 * MS) == START + 500 * MS


def test_clock_that_jumped_ahead_and_back_stands_still_until_it_has_caught_up() -> None:
    live = market(grace_ms=0)
    live.hear(local(0), [at(0)])
    live.hear(local(100), [at(5_100)])
    for ms in range(200, 6_000, 100):
        live.hear(local(ms), [at(ms)])
        live.pass_time(local(ms) + 60 * MS, alive=True)
    found = rounds(live)
    assert windows(found)[:3] == [0, 102, 104]
    assert len(found[1][1]) == 1 + (5_100 - 200) // 100 + 1
    assert live.event_ns(local(6_000)) == START + 6_000 * MS


def test_quiet_market_on_a_live_connection_goes_on_without_data() -> None:
    live = market(grace_ms=0, idle_ms=1_000)
    live.hear(local(0), [at(0)])
    for ms in range(0, 2_600, 20):
        live.pass_time(local(ms), alive=True)
    found = rounds(live)
    assert windows(found) == [0, 19, 39]  # the last windows over at 1,000 and 2,000 ms
    assert [messages for _, messages in found[1:]] == [(), ()]


def test_while_a_command_is_under_way_a_quiet_market_has_every_round() -> None:
    """Without it an answer waits up to `idle_ms` for a round to end; 3 s after the last command it may again."""
    live = market(grace_ms=0, idle_ms=1_000)
    live.hear(local(0), [at(0)])
    live.command(local(200))
    for ms in range(0, 6_000, 10):
        live.pass_time(local(ms), alive=True)
    found = windows(rounds(live))
    assert [number for number in found if 4 <= number < 60] == list(range(4, 60))
    assert len([number for number in found if number >= 64]) <= 3


def test_data_of_a_later_window_ends_the_empty_one_before_it_while_somebody_waits() -> None:
    """Windows of 50 ms, news every 100 ms: what took effect in an odd one is answered then, not with the even one."""
    live = market(grace_ms=50)
    live.hear(local(0), [at(0)])
    live.hear(local(100), [at(100)])
    assert windows(rounds(live)) == [0], "nobody waits"
    live.command(local(110))
    live.hear(local(200), [at(200)])
    assert windows(rounds(live)) == [2, 3]


def test_time_stands_still_while_the_whole_connection_is_silent() -> None:
    live = market(grace_ms=0)
    live.hear(local(0), [at(0)])
    silent = [live.pass_time(local(ms), alive=False) for ms in range(0, 3_000, 20)]
    assert not any(silent)
    assert windows(rounds(live)) == [0]


def test_silence_is_a_gap_from_the_last_data_which_goes_on_until_data_comes() -> None:
    live = market(grace_ms=0)
    live.hear(local(0), [at(0)])
    silent = [live.pass_time(local(ms), alive=False) for ms in range(0, 9_000, 20)]
    assert silent.count(True) == 1
    live.hear(local(9_000), [at(9_000)])
    live.hear(local(9_100), [at(9_100)])
    gaps = [message for _, messages in rounds(live) for message in messages if isinstance(message, Gap)]
    assert [gap.reason for gap in gaps] == ["silence"] * 3
    assert gaps[0].from_ts == START
    assert [gap.to_ts for gap in gaps[:-1]] == [gap.from_ts for gap in gaps[1:]]
    assert gaps[-1].to_ts == START + 9_000 * MS
    assert live.gaps == {"silence": 1}


def test_gap_of_a_lost_connection_is_published_at_once_and_covers_the_outage() -> None:
    live = market(grace_ms=50)
    live.hear(local(10), [at(10)])
    live.lost("disconnected")
    for ms in range(20, 200, 20):
        live.pass_time(local(ms), alive=False)
    first, gap = rounds(live)
    assert first[1] == (at(10),)
    (message,) = gap[1]
    assert isinstance(message, Gap)
    assert (message.from_ts, message.to_ts) == (START + 10 * MS, gap[0].ts)
    live.hear(local(2_000), [at(2_000)])
    live.hear(local(2_060), [at(2_060)])
    ((_, (second, data)),) = rounds(live)
    assert isinstance(second, Gap)
    assert (second.from_ts, second.to_ts, second.reason) == (message.to_ts, START + 2_000 * MS, "disconnected")
    assert data == at(2_000)
    assert live.gaps == {"disconnected": 1}


def test_outage_before_any_time_passed_is_a_gap_all_the_same() -> None:
    live = market()
    live.hear(local(10), [at(10)])
    live.lost("disconnected")
    live.hear(local(11), [at(11)])
    live.hear(local(60), [at(60)])
    ((_, messages),) = rounds(live)
    assert [type(message) for message in messages] == [Context, Gap, Context]


def test_session_goes_on_after_an_earlier_one_with_a_gap() -> None:
    live = market()
    live.resume(START // ROUND - 100, START - 100 * ROUND)
    live.hear(local(10), [at(10)])
    live.hear(local(60), [at(60)])
    ((_, (gap, _)),) = rounds(live)
    assert isinstance(gap, Gap)
    assert (gap.from_ts, gap.to_ts, gap.reason) == (START - 100 * ROUND, START + 10 * MS, "restarted")


def test_rules_that_the_venue_changes_are_in_force_from_the_round_that_needs_them() -> None:
    live = market()
    live.hear(local(10), [at(10)])
    finer = msgspec.structs.replace(live.instrument, tick_size=live.instrument.tick_size / 10, lot_size=0.5)
    live.tell(finer)
    live.hear(local(11), [at(11)])
    live.tell(msgspec.structs.replace(finer, lot_size=0.25))
    for ms in (12, 60, 61):
        live.hear(local(ms), [at(ms)])
    live.hear(local(110), [at(110)])
    first, changed, waited = (round_.messages[:-1] for round_ in live.backlog)
    assert [type(message) for message in first] == [Instrument]
    assert [type(message) for message in changed] == [Instrument, Context, Context, Context]
    assert isinstance(changed[0], Instrument)
    assert (changed[0].tick_size, changed[0].lot_size) == (finer.tick_size, 0.5)
    assert [type(message) for message in waited] == [Instrument, Context, Context], "what can wait comes with the next"
    assert isinstance(waited[0], Instrument)
    assert waited[0].lot_size == 0.25


def test_session_ahead_of_the_venue_is_refused() -> None:
    live = market()
    live.resume(START // ROUND + 100_000, START + 100_000 * ROUND)
    with pytest.raises(SessionError, match="ahead of the venue"):
        live.hear(local(10), [at(10)])


def test_round_numbers_rise_after_a_session_that_ended_a_little_ahead() -> None:
    live = market(grace_ms=0)
    live.resume(START // ROUND + 5, START + 6 * ROUND - 1)
    live.hear(local(10), [at(10)])
    live.pass_time(local(1_100), alive=True)
    assert windows(rounds(live)) == [7, 21]


def test_full_backlog_drops_data_counts_it_and_makes_a_gap_of_it() -> None:
    live = market(backlog_rounds=10)
    for ms in range(0, 1_000, 50):
        live.hear(local(ms), [at(ms)])
    assert len(live.backlog) == 10
    assert live.bad == {"backlog": 10}
    last = live.backlog[-1].end.ts
    live.backlog.clear()
    live.hear(local(1_000), [at(1_000)])
    live.hear(local(1_050), [at(1_050)])
    live.hear(local(1_100), [at(1_100)])
    gaps = [message for _, messages in rounds(live) for message in messages if isinstance(message, Gap)]
    assert [(gap.reason, gap.to_ts) for gap in gaps] == [("backlog", START + 1_000 * MS)]
    assert gaps[0].from_ts <= last + ROUND
