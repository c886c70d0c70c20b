"""Whatever goes wrong between the venue and the feed: the market recovers, gaps are told, nothing is invented."""

import os
from functools import cache

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from papertrader.replay.composition import Composition
from papertrader.services.feed.kernel import MarketRound
from papertrader.shared.messages import Bbo, Book, Fill, Gap, Instrument, Markout, RoundEnd, Trades
from papertrader.shared.service.config import Settings
from tests.crossing import crossed
from tests.faulty_line import MARKET, FaultyLine
from tools.venue_server.faults import KINDS, Fault
from tools.venue_server.frames import COINS, Frame, of_synthetic

SLOW = bool(os.environ.get("SLOW_TESTS"))
SEQUENCES = 1_000 if SLOW else 150
FOLDED_SEQUENCES = 60 if SLOW else 8
FAULTS_S = 12.0
"""Faults begin within this time."""
LONGEST_S = 3.0
JUMPS_MS = (-60_000, -3_000, 3_000, 8_000, 12_000, 3_600_000)
SESSION_S = 32.0
"""Long enough after the last fault for a clock that jumped 10 s ahead, and was believed, to be caught up."""

fault = st.builds(
    Fault,
    at_s=st.floats(0.5, FAULTS_S),
    kind=st.sampled_from(KINDS),
    duration_s=st.sampled_from((0.0, 0.1, 0.7, 2.0, LONGEST_S)),
    jump_ms=st.sampled_from(JUMPS_MS),
)
sequences = st.lists(fault, min_size=1, max_size=8)


@cache
def frames(seed: int) -> tuple[Instrument, list[Frame]]:
    programme = of_synthetic("hyperliquid", SESSION_S, seed=seed, assets=COINS[:1])
    return programme.instruments["BTC"], list(programme.frames())


@cache
def undisturbed(seed: int) -> FaultyLine:
    instrument, played = frames(seed)
    line = FaultyLine(instrument, (), 0)
    line.play(played)
    return line


def disturbed(faults: list[Fault], seed: int) -> FaultyLine:
    instrument, played = frames(seed)
    line = FaultyLine(instrument, faults, seed)
    line.play(played)
    return line


def true_prints(seed: int) -> dict[int, tuple[float, float]]:
    return {
        trade_id: (trades.prices[index], trades.sizes[index])
        for round_ in undisturbed(seed).rounds
        for trades in round_.messages
        if isinstance(trades, Trades)
        for index, trade_id in enumerate(trades.trade_ids)
    }


def last_touch(rounds: list[MarketRound]) -> Bbo:
    touches = [message for round_ in rounds for message in round_.messages if isinstance(message, Bbo)]
    return msgspec.structs.replace(touches[-1], recv_ts=0)


def assert_rounds_in_order(rounds: list[MarketRound]) -> None:
    previous: RoundEnd | None = None
    for round_ in rounds:
        end = round_.end
        assert all(message.ts <= end.ts for message in round_.messages)
        assert previous is None or (end.round > previous.round and end.ts > previous.ts)
        previous = end


@settings(max_examples=SEQUENCES, deadline=None, suppress_health_check=list(HealthCheck))
@given(faults=sequences, seed=st.integers(0, 3))
def test_feed_recovers_from_any_faults_and_invents_nothing(faults: list[Fault], seed: int) -> None:
    line = disturbed(faults, seed)
    assert_rounds_in_order(line.rounds)
    known = true_prints(seed)
    seen: set[int] = set()
    gaps = []
    for round_ in line.rounds:
        for message in round_.messages:
            if isinstance(message, Trades):
                assert seen.isdisjoint(message.trade_ids)
                seen.update(message.trade_ids)
            elif isinstance(message, Gap):
                gaps.append(message)
            elif isinstance(message, Bbo):
                assert message.bid_price is None or message.ask_price is None or message.bid_price < message.ask_price
            elif isinstance(message, Book) and message.bid_prices and message.ask_prices:
                assert message.bid_prices[0] < message.ask_prices[0]
    garbled = any(item.kind == "garbage" for item in faults)  # a broken byte may still be a valid print
    assert garbled or seen <= set(known)
    assert all(gap.from_ts <= gap.to_ts for gap in gaps)
    assert line.losses > 0 or not line.market.gaps["disconnected"]
    assert not line.losses or line.market.gaps.total() > 0  # a line that was silent before it broke is one gap
    assert last_touch(line.rounds) == last_touch(undisturbed(seed).rounds)


@settings(max_examples=FOLDED_SEQUENCES, deadline=None, suppress_health_check=list(HealthCheck))
@given(faults=sequences, seed=st.integers(0, 3))
def test_paper_exchange_behind_any_faults_fills_only_on_true_prints_and_guesses_no_markout(
    faults: list[Fault], seed: int
) -> None:
    line = disturbed([item for item in faults if item.kind != "garbage"], seed)
    known = true_prints(seed)
    folds = Composition(Settings({}), MARKET)
    gaps: list[Gap] = []
    fills: dict[int, Fill] = {}
    shown: list[Book | Bbo] = []
    for round_ in line.rounds:
        *market_data, _ = round_.messages
        gaps += [message for message in market_data if isinstance(message, Gap)]
        shown += [message for message in market_data if isinstance(message, Book | Bbo)]
        for spoken in folds.fold(market_data, round_.end):
            said = spoken.output.message
            if isinstance(said, Fill):
                fills[said.fill_id] = said
                if said.trade_id == 0:  # a book that crossed the order: the other side stood at its price or through it
                    assert crossed(said, shown)
                else:
                    assert said.trade_id in known
                    assert said.size <= known[said.trade_id][1] + 1e-9
            elif isinstance(said, Markout) and said.filled and said.resolved:
                due_ts = said.fill_ts + int(said.horizon_s * 1e9)
                assert not any(gap.from_ts < due_ts and gap.to_ts > said.fill_ts for gap in gaps)
