"""One market's fold at work: restore, consume, fold a round, append what it says, report progress, checkpoint."""

import logging
import time
from collections import Counter, deque
from collections.abc import Collection, Iterable
from typing import Final, NamedTuple

import msgspec

from papertrader.shared.log.bus import Bus, FencedError
from papertrader.shared.log.health import MarketHealth, progress_subject
from papertrader.shared.log.kinds import ACCOUNT_KINDS, MARKET_DATA, MARKET_TOKEN, TERMS, Kind, decode
from papertrader.shared.log.reader import LogReader
from papertrader.shared.log.refusals import ADDRESSEE, refusal
from papertrader.shared.log.subjects import ACCOUNT_WIDE, Address, Market, address, subject
from papertrader.shared.log.writes import Answer, Stored, Write
from papertrader.shared.messages import Message, RoundEnd
from papertrader.shared.service.checkpoint import CheckpointError, CheckpointStore, ForeignCheckpointError, LogPosition
from papertrader.shared.service.continuation import StateError, check_log, place_said
from papertrader.shared.service.edge import admitted
from papertrader.shared.service.fold import Fold, Output, RoundBuffer
from papertrader.shared.service.roll import Roll, last_terms

log = logging.getLogger(__name__)

CHECKPOINT_EVERY_NS: Final = 300 * 1_000_000_000
CHECKPOINT_RETRY_NS: Final = 10 * 1_000_000_000
_encode: Final = msgspec.json.Encoder().encode


class _Cursor(NamedTuple):
    """The round and place in it of what a service last said on a subject (−1 if nothing), and its sequence."""

    round: int
    place: int
    sequence: int


class _UnderWay(NamedTuple):
    """A write that is not acknowledged yet, and the place in its round of what it says."""

    write: Write
    place: int
    answer: Answer


def filters(market: Market, inputs: Collection[Kind]) -> list[str]:
    """The subjects that a fold of this market reads: its inputs, and always the rounds and which accounts there are."""
    said = [subject(kind, market, "*") for kind in inputs if kind in ACCOUNT_KINDS]
    said.append(subject(TERMS, ACCOUNT_WIDE, "*"))
    if MARKET_TOKEN in inputs:
        return [f"{MARKET_TOKEN}.{market}.>", *said]
    market_data = dict.fromkeys(("instrument", "round", *(kind for kind in inputs if kind in MARKET_DATA)))
    return [subject(kind, market) for kind in market_data] + said


class Runner:
    """Runs one service's fold of one market on the bus."""

    def __init__(
        self, bus: Bus, service: str, market: Market, roll: Roll, inputs: Collection[Kind], store: CheckpointStore
    ) -> None:
        self.market = market
        self.roll = roll
        self.bad: Counter[str] = Counter()
        self.position = LogPosition(sequence=0, round=-1, ts=0)
        self.checkpoint_ts = 0
        self.checkpoint_loads = True
        self.checkpoints = 0
        self.rounds = 0
        self.outputs = 0
        self.suppressed = 0
        self.step_seconds = 0.0
        self.final = False
        self.fenced = False
        self._bus = bus
        self._service = service
        self._store = store
        self._within_round = False
        self._checkpoint_due_ts = 0
        self._told_failures: dict[str, int] = {}
        self._buffer = RoundBuffer(inputs)
        self._cursors: dict[str, _Cursor] = {}
        self._reader = LogReader(bus, filters(market, inputs), 0, self._on_message)

    async def start(self) -> None:
        """Restore the newest checkpoint and fold on from there; raises StateError if that is not to be had."""
        try:
            position, complaints = self._store.restore_as(self.market, self.roll.restored)
        except ForeignCheckpointError as error:
            raise StateError(f"{self.market}: {error}") from None
        await check_log(self._bus, self._service, self.market, position, complaints)
        for complaint in complaints:
            self.bad["checkpoint_refused"] += 1
            log.error("%s %s: %s; folding on from an older place", self._service, self.market, complaint)
        if position is not None:
            self.position = position
            self.checkpoint_ts = position.ts
            self._checkpoint_due_ts = position.ts + CHECKPOINT_EVERY_NS
            self._buffer.number, self._buffer.ts = position.round, position.ts
        else:
            await self._hear_gone()
        self._reader.sequence = self.position.sequence
        await self._reader.start()
        if position is not None:
            await self._report()

    async def _hear_gone(self) -> None:
        """Hear the last terms of accounts that were opened in what is gone of the log."""
        first, _ = await self._bus.extent()
        for name, said in last_terms(self._bus.sealed, before=first):
            await self._on_message(said.sequence, name, said.payload)

    async def stop(self, checkpoint: bool = True) -> None:
        """Stop between two rounds and checkpoint; a round that could not be ended leaves the older checkpoint."""
        await self._reader.stop()
        if checkpoint and self.position.sequence and not self._within_round:
            self.checkpoint()

    @property
    def fold(self) -> Fold:
        """The fold, which is another one when an account has been opened."""
        return self.roll.fold

    @property
    def pending(self) -> int:
        """Messages of the log that wait to be folded."""
        return self._reader.pending

    def catch_up(self, first: int) -> None:
        """Read in the segments what was not read of what lies before `first`, with which the broker's part begins."""
        if first > self._reader.sequence + 1:
            self._reader.read_sealed()

    @property
    def resets(self) -> int:
        """How often the reader had to ask for messages anew."""
        return self._reader.resets

    @property
    def failure(self) -> Exception | None:
        """What broke the fold; nothing is folded after it."""
        return self._reader.failure

    def health(self) -> MarketHealth:
        """What the heartbeat says of this market."""
        return MarketHealth(
            round=self.position.round,
            ts=self.position.ts,
            checkpoint_ts=self.checkpoint_ts,
            checkpoint_loads=self.checkpoint_loads,
            checkpoints=self.checkpoints,
            bad=dict(self.bad),
            failures=dict(getattr(self.fold, "failures", {})),
        )

    async def _on_message(self, sequence: int, name: str, payload: bytes) -> None:
        if self.fenced:
            return
        try:
            where = address(name)
        except ValueError as error:
            self._refuse("unknown_subject", name, error)
            return
        try:
            message: Message = decode(where.kind, payload)
        except ValueError as error:
            self._refuse(f"malformed_{where.kind}", name, error)
            await self._answer(where, sequence, str(error), payload)
            return
        if isinstance(message, RoundEnd):
            await self._on_round_end(sequence, message)
        elif where.account and (reason := self.roll.admit(where.kind, where.account, message)):
            self.bad["unknown_account"] += 1
            log.warning("%s: refused %s for the account %r: %s", self._service, where.kind, where.account, reason)
            await self._answer(where, sequence, reason, payload)
        else:
            kept = admitted(message)
            if kept is not message:
                self.bad["out_of_range"] += 1
            self._buffer.hear(where.kind, where.account, kept, sequence)

    def _refuse(self, reason: str, name: str, error: ValueError) -> None:
        self.bad[reason] += 1
        log.warning("%s: refused a message on %s: %s", self._service, name, error)

    async def _answer(self, where: Address, sequence: int, reason: str, payload: bytes) -> None:
        """Tell who sent a message from outside why it was refused. Told again where it is read again."""
        if where.account and ADDRESSEE.get(where.kind) == self._service:
            await self._bus.publish(*refusal(where, sequence, reason, payload))

    async def _on_round_end(self, sequence: int, end: RoundEnd) -> None:
        if not self._foldable(end):
            self._buffer.drop()
            return
        started = time.perf_counter()
        self._within_round = True
        round_ = self._buffer.close(end)
        outputs = list(self.roll.begin_round().fold(round_))
        self.step_seconds += time.perf_counter() - started
        self._tell_failures()
        try:
            await self._append(end.round, outputs)
        except FencedError as error:
            self.fenced = True
            log.error("%s %s: fenced, giving the market up: %s", self._service, self.market, error)
            return
        self.rounds += 1
        self.position = LogPosition(sequence=sequence, round=end.round, ts=end.ts)
        self._within_round = False
        if end.final or end.ts >= self._checkpoint_due_ts:
            self.checkpoint()
        self.final = end.final
        await self._report()

    def _tell_failures(self) -> None:
        """Log what the user's code raised: the first time, and when it was ten times as often."""
        for account, failure in getattr(self.fold, "failures", {}).items():
            if failure.count >= self._told_failures.get(account, 1):
                self._told_failures[account] = 10 * failure.count
                told = f"{self.market} {account}, {failure.count} so far: {failure.text}\n{failure.traceback}"
                log.error("%s %s", self._service, told)

    async def _report(self) -> None:
        await self._bus.publish(progress_subject(self._service, self.market), str(self.position.round).encode())

    def _foldable(self, end: RoundEnd) -> bool:
        """Whether the round is new and whole. A feed that lost its connection discards it and publishes it again."""
        if not self._buffer.is_new(end):
            return False
        if not self._buffer.is_whole(end):
            self.bad["incomplete_round"] += 1
            return False
        return True

    async def _append(self, number: int, outputs: Iterable[Output]) -> None:
        """Append what was said: within a subject in order, each after the last was acknowledged, all subjects at once.

        Raises FencedError once nothing is under way any more.
        """
        under_way: dict[str, _UnderWay] = {}
        waiting: dict[str, deque[tuple[int, Message]]] = {}
        for index, output in enumerate(outputs):
            name = subject(output.kind, self.market, output.account)
            cursor = self._cursors.get(name) or await self._last_said_on(name)
            if (number, index) <= (cursor.round, cursor.place):
                self.suppressed += 1
            elif name in under_way:
                waiting.setdefault(name, deque()).append((index, output.message))
            else:
                under_way[name] = self._begin(name, number, index, output.message)
        fenced: FencedError | None = None
        while under_way:
            name = next(iter(under_way))
            try:
                self._cursors[name] = await self._end(number, under_way.pop(name))
            except FencedError as error:
                fenced = error
                waiting.pop(name, None)
            if waiting.get(name):
                under_way[name] = self._begin(name, number, *waiting[name].popleft())
        if fenced is not None:
            raise fenced

    def _begin(self, name: str, number: int, index: int, message: Message) -> _UnderWay:
        message_id = f"{self._service}|{self.market}|{number}|{index}"
        write = Write(name, _encode(message), message_id, self._cursors[name].sequence)
        return _UnderWay(write, index, self._bus.begin(write))

    async def _end(self, number: int, said: _UnderWay) -> _Cursor:
        """Where a write has landed. After a foreign program it is tried again; raises FencedError after one of us."""
        write, index, answer = said
        cursor = self._cursors[write.subject]
        while True:
            try:
                cursor = _Cursor(number, index, await self._bus.settle(write, answer))
                break
            except FencedError:
                newest = await self._last_said(write.subject, cursor)
                if (newest.round, newest.place) == (number, index):
                    return newest
                if newest.round != cursor.round or newest.place != cursor.place:
                    raise  # a worker of this very service is ahead; a foreign program only took a turn
                cursor = newest
                write = write._replace(expected_last=cursor.sequence)
                answer = self._bus.begin(write)
        self.outputs += 1
        return cursor

    async def _last_said_on(self, name: str) -> _Cursor:
        """What this service last said on a subject, asked for once."""
        self._cursors[name] = await self._last_said(name, _Cursor(-1, -1, self.position.sequence))
        return self._cursors[name]

    async def _last_said(self, name: str, known: _Cursor) -> _Cursor:
        """The newest of what this service said on a subject, with the sequence of what anybody said last on it.

        That sequence is 0 where the broker holds nothing of the subject any more: a fence asks the broker.
        """
        last = await self._bus.held(name)
        cursor = None if last is None else self._cursor_of(last)
        if cursor is not None:
            return cursor
        sealed = self._sealed_cursor(name)
        if last is None:
            return sealed._replace(sequence=0)
        newest, after, fence = max(known, sealed), max(known.sequence, sealed.sequence), last.sequence
        while (stored := await self._bus.next(name, after)) is not None:
            newest, after, fence = self._cursor_of(stored) or newest, stored.sequence, stored.sequence
        return newest._replace(sequence=fence)

    def _sealed_cursor(self, name: str) -> _Cursor:
        """The newest of what this service said on a subject in what is sealed of the log."""
        said = self._bus.sealed.said(name, self._service)
        cursor = None if said is None else self._cursor_of(Stored(said.sequence, said.message_id, b""))
        return cursor or _Cursor(-1, -1, 0)

    def _cursor_of(self, stored: Stored) -> _Cursor | None:
        """The place of a message in what this service says, None for another program's."""
        place = place_said(stored, self._service, self.market)
        return None if place is None else _Cursor(*place, stored.sequence)

    def checkpoint(self) -> None:
        """Write a checkpoint as of the last folded round and read it back.

        A failure is counted and tried again ten seconds of event time later; the older checkpoint stays.
        """
        self._checkpoint_due_ts = self.position.ts + CHECKPOINT_RETRY_NS
        try:
            roll = self.roll
            self._store.save(self.market, self.position, roll.fold.state(), roll.accounts or (), roll.terms)
            self.checkpoint_loads = False
            self.checkpoint_loads = self._store.newest(self.market) == self.position
        except CheckpointError as error:
            self.bad["checkpoint_failed"] += 1
            self.bad["checkpoint_failing"] = 1
            log.error("%s %s: %s", self._service, self.market, error)
            return
        self.bad.pop("checkpoint_failing", None)
        self._checkpoint_due_ts = self.position.ts + CHECKPOINT_EVERY_NS
        self.checkpoint_ts = self.position.ts
        self.checkpoints += 1
