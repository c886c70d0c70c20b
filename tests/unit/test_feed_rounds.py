from papertrader.services.feed.kernel import MarketRound, RoundBuilder
from papertrader.shared.messages import Context, Gap, Instrument, Message, RoundEnd

MS = 1_000_000
ROUND_NS = 50 * MS
START = 1_000 * ROUND_NS
RULES = Instrument(ts=0, tick_size=0.1, lot_size=0.001, significant_figures=5, min_notional=10.0)


def at(ms: int) -> Context:
    return Context(ts=START + ms * MS, recv_ts=0)


def builder() -> RoundBuilder:
    return RoundBuilder(RULES, "session", ROUND_NS, 5_000 * MS)


def cut(*frames: tuple[int, list[Message]]) -> list[MarketRound]:
    rounds = builder()
    found = []
    for number, (recv_ms, messages) in enumerate(frames, start=1):
        found += rounds.add(START + recv_ms * MS, number, messages)
    return found + rounds.end()


def test_first_round_holds_the_instrument_before_the_data() -> None:
    first, data = cut((10, [at(10)]))
    rules, marker = first.messages
    assert isinstance(rules, Instrument)
    assert (rules.ts, rules.tick_size, rules.min_notional) == (START - 1, 0.1, 10.0)
    assert marker == RoundEnd(ts=START - 1, recv_ts=START + 10 * MS, round=999, frame=0, session="session")
    assert data.messages[0] == at(10)


def test_round_closes_when_the_clock_enters_a_later_window() -> None:
    _, first, second = cut((0, [at(0)]), (49, [at(49)]), (50, [at(50)]))
    assert first.messages[:-1] == (at(0), at(49))
    assert (first.end.round, first.end.ts, first.end.frame) == (1000, START + ROUND_NS - 1, 2)
    assert second.messages[:-1] == (at(50),)
    assert (second.end.round, second.end.ts, second.end.frame, second.end.final) == (
        1001,
        START + 2 * ROUND_NS - 1,
        3,
        True,
    )


def test_empty_windows_are_skipped() -> None:
    assert [round_.end.round for round_ in cut((0, [at(0)]), (400, [at(400)]))] == [999, 1000, 1008]


def test_late_message_joins_the_open_round() -> None:
    rounds = cut((0, [at(0)]), (60, [at(60)]), (61, [at(10)]), (70, [at(70)]))
    assert rounds[-1].messages[:-1] == (at(60), at(10), at(70))


def test_messages_of_a_frame_stay_in_one_round() -> None:
    rounds = cut((0, [at(0)]), (60, [at(40), at(60)]))
    assert rounds[1].messages[:-1] == (at(0),)
    assert rounds[2].messages[:-1] == (at(40), at(60))


def test_frames_without_messages_are_counted_but_open_no_round() -> None:
    rounds = cut((0, []), (0, [at(0)]), (20, []), (60, [at(60)]), (61, []))
    assert [round_.end.frame for round_ in rounds] == [1, 3, 5]


def test_silence_beyond_the_limit_is_a_gap_before_the_next_data() -> None:
    _, _, after = cut((0, [at(0)]), (5_001, [at(5_000)]))
    gap = after.messages[0]
    assert gap == Gap(
        ts=START + 5_000 * MS,
        recv_ts=START + 5_001 * MS,
        from_ts=START,
        to_ts=START + 5_000 * MS,
        reason="silence",
    )
    assert after.messages[1] == at(5_000)


def test_silence_up_to_the_limit_is_none() -> None:
    rounds = cut((0, [at(0)]), (5_000, [at(5_000)]))
    assert not any(isinstance(message, Gap) for round_ in rounds for message in round_.messages)


def test_source_that_breaks_off_ends_with_a_gap() -> None:
    rounds = builder()
    rounds.add(START, 1, [at(0)])
    (last,) = rounds.end("tape_truncated")
    assert last.messages[1] == Gap(ts=START, recv_ts=START, from_ts=START, to_ts=START, reason="tape_truncated")
    assert last.end.final


def test_source_without_data_has_no_rounds() -> None:
    assert cut((0, [])) == []
