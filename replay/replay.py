"""Replays a session through the closed loop, and lets the monitor judge it as it judges a run on the bus."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from papertrader.replay.composition import Composition
from papertrader.replay.loop import run
from papertrader.replay.session import NS_PER_MS, NS_PER_S, Session
from papertrader.replay.world import (
    KINDS,
    Folds,
    Said,
    accounts_of,
    grown,
    hand_back,
    limits,
    new_folds,
    new_market,
    new_said,
    new_scratch,
)
from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.publisher import until
from papertrader.services.feed.sources import sources
from papertrader.services.monitor.config import MonitorConfig
from papertrader.services.monitor.facts.liveness import FEED, ServiceHealth
from papertrader.services.monitor.service import Monitor
from papertrader.services.quoter.config import QuoterConfig
from papertrader.services.quoter.strategy import BUILT_IN
from papertrader.shared.log.kinds import KINDS as MESSAGES
from papertrader.shared.log.kinds import Kind
from papertrader.shared.market.commands import command_of
from papertrader.shared.market.events import GAP, PRINT, ROUND, Events, Grid
from papertrader.shared.market.records import Records, message_of
from papertrader.shared.messages import Gap, Message, Trades
from papertrader.shared.service.config import Settings
from papertrader.shared.service.fold import Received, Round, canonical

ROUNDS_AT_ONCE: Final = 2_000
"""Rounds between two reports of progress."""

Progress = Callable[[str, int, int], None]
"""Told the market, the rows folded and all rows."""


class ReplayError(RuntimeError):
    """A replay that cannot be trusted; the text says why."""


class Replayed(NamedTuple):
    """A replayed session. `counts` are the messages by kind, as `KINDS` has them; `folds` are the services then."""

    session: Session
    accounts: tuple[str, ...]
    said: Said
    counts: tuple[int, ...]
    folds: Folds

    def records(self, kind: Kind, account: str | None = None) -> Records:
        """All records of a kind, or those of one account."""
        rows, addresses = self._rows(kind)
        return rows if account is None else rows[addresses["account"] == self.accounts.index(account)]

    def _rows(self, kind: Kind) -> tuple[Records, Records]:
        said, count = self.said, self.counts[KINDS.index(kind)]
        rows, addresses = getattr(said, kind)
        return rows[:count], addresses[:count]

    def messages(self, kind: Kind) -> Iterator[tuple[int, str, Message]]:
        """The messages of a kind in order, each with the index of its round and its account."""
        rows, addresses = self._rows(kind)
        for row, (account, number) in zip(rows, addresses.tolist(), strict=True):
            message = command_of(row) if kind == "orders" else message_of(MESSAGES[kind].struct, row)
            yield number, self.accounts[account], message


def compiled(settings: Settings) -> bool:
    """Whether every account quotes with the built-in strategy, which is what the compiled loop knows."""
    return all(config.strategy == BUILT_IN for config in settings.by_account("quoter", QuoterConfig).values())


def replay(session: Session, settings: Settings, progress: Progress | None = None) -> Replayed:
    """Replay a session with the built-in strategy. Raises ReplayError if a round said more than there was room for."""
    folds = new_folds(settings, session.market)
    names = folds.fill_sim.accounts
    configs = settings.by_account("quoter", QuoterConfig)
    market, accounts = new_market(folds, session.instrument), accounts_of(folds, [configs[name] for name in names])
    said, scratch = new_said(len(names)), new_scratch(len(names))
    state = market["progress"][0]
    state["limit"] = limits(said, len(names))
    rounds = ROUNDS_AT_ONCE if progress else len(session.events)
    while state["row"] < len(session.events):
        if not run(market, accounts, said, scratch, session.events, rounds):
            said = grown(said, state["count"], len(names))
            state["limit"] = limits(said, len(names))
        if progress is not None:
            progress(str(session.market), int(state["row"]), len(session.events))
    if state["lost"]:
        raise ReplayError(f"{session.market}: a round brought more markouts than there is room for")
    hand_back(market, folds)
    return Replayed(session, names, said, tuple(state["count"].tolist()[: len(KINDS)]), folds)


def judged(replayed: Replayed, settings: Settings) -> Monitor:
    """The monitor after it has heard a replayed session, as it would have on the bus."""
    session = replayed.session
    monitor = Monitor(session.market, settings.by_account("monitor", MonitorConfig))
    said = _by_round(replayed)
    previous_ts = 0
    rounds = list(_rounds(session))
    for number, (end, events) in enumerate(rounds):
        round_ = Round(
            number=int(end["id"]),
            ts=int(end["ts"]),
            previous_ts=previous_ts,
            heard=canonical(said.pop(number - 1, ())),
            market_data=_market_data(session, number, events),
            final=number == len(rounds) - 1,
            events=events,
        )
        monitor.fold(round_)
        previous_ts = round_.ts
    monitor.liveness = _feed_ended(session.bad)
    return monitor


def _rounds(session: Session) -> Iterator[tuple[Any, Events]]:
    """Each round's marker and its market data."""
    start = 0
    for row in np.flatnonzero(session.events["kind"] == ROUND).tolist():
        yield session.events[row], session.events[start:row]
        start = row + 1


def _by_round(replayed: Replayed) -> dict[int, list[Received]]:
    heard: dict[int, list[Received]] = {}
    sequence = 0
    for kind in KINDS:
        for number, account, message in replayed.messages(kind):
            sequence += 1
            heard.setdefault(number, []).append(Received(kind, account, message, sequence))
    return heard


def _market_data(session: Session, number: int, events: Events) -> tuple[Message, ...]:
    """What the monitor reads of the market beside the book: the rules, the prints and the gaps."""
    messages: list[Message] = [session.instrument] if number == 0 else []
    if not len(events):
        return tuple(messages)
    prints = events[events["kind"] == PRINT]
    if len(prints):
        messages.append(_trades(prints, Grid(session.instrument)))
    gaps = events[events["kind"] == GAP][["id", "ts"]].tolist()
    messages += [Gap(ts=to_ts, recv_ts=0, from_ts=from_ts, to_ts=to_ts, reason="") for from_ts, to_ts in gaps]
    return tuple(messages)


def _trades(prints: Records, grid: Grid) -> Trades:
    times = prints["ts"].tolist()
    return Trades(
        ts=max(times),
        recv_ts=0,
        times=times,
        prices=[grid.price(tick) for tick in prints["tick"].tolist()],
        sizes=prints["size"].tolist(),
        aggressors=["buy" if side > 0 else "sell" for side in prints["side"].tolist()],
        trade_ids=prints["id"].tolist(),
    )


def _feed_ended(bad: Mapping[str, int]) -> dict[str, ServiceHealth]:
    return {FEED: ServiceHealth(heartbeat_age_s=0.0, bad_messages=dict(bad), final=True)}


def composed(config: FeedConfig, settings: Settings, progress: Progress | None = None) -> Iterator[Monitor]:
    """The monitors of all markets after a replay over the services themselves: slower, for any strategy."""
    for source in sources(config):
        composition = Composition(settings, source.market)
        rounds = (round_.messages for round_ in source.rounds())
        for number, (market_data, end) in enumerate(
            until(rounds, int(config.duration_s * NS_PER_S), config.round_ms * NS_PER_MS)
        ):
            composition.fold(market_data, end)
            if progress is not None and number % ROUNDS_AT_ONCE == 0:
                progress(str(source.market), number, 0)
        monitor = composition.folds["monitor"]
        assert isinstance(monitor, Monitor)
        monitor.liveness = _feed_ended(source.bad)
        yield monitor
