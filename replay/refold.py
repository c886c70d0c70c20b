"""A service's fold of one market, folded again from a log; and where it begins after another program."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from papertrader.replay.composition import MEMBERS
from papertrader.shared.log.subjects import Address, Market
from papertrader.shared.messages import Message, RoundEnd
from papertrader.shared.service.bases import Base, bases, bases_beside, beginnings
from papertrader.shared.service.checkpoint import CheckpointStore, LogPosition
from papertrader.shared.service.config import Settings
from papertrader.shared.service.edge import admitted
from papertrader.shared.service.epoch import code_fingerprint
from papertrader.shared.service.fold import Round, RoundBuffer
from papertrader.shared.service.roll import Roll

_encode = msgspec.json.Encoder().encode


class Heard(NamedTuple):
    """A round as a service folded it: what it said is a consequence of this."""

    sequence: int
    round_: Round


class Refold:
    """One service's fold of one market, hearing the log as the service's runner does."""

    def __init__(self, name: str, market: Market, settings: Settings, epoch: int = 0) -> None:
        self.epoch = epoch
        """The epoch that it was made for, 0 if it is made over at the next one."""
        self._buffer = RoundBuffer(MEMBERS[name].inputs)
        self._roll = Roll(settings, lambda changed: MEMBERS[name].make_fold(changed, market))

    @property
    def round(self) -> int:
        """The last round that it has folded."""
        return self._buffer.number

    def restore(self, store: CheckpointStore, market: Market) -> LogPosition | None:
        """Remember what a checkpoint holds, and go on after its position; None if there is none that can be read."""
        position, _ = store.restore_as(market, self._roll.restored)
        if position is not None:
            self._buffer.number, self._buffer.ts = position.round, position.ts
        return position

    def take_over(self, settings: Settings) -> None:
        """Go on with a fold of other settings or accounts, which remembers what this one does."""
        self._roll.take_over(settings)

    def hear(self, where: Address, message: Message, sequence: int) -> None:
        """Take a message that is not a marker."""
        if not where.account or not self._roll.admit(where.kind, where.account, message):
            self._buffer.hear(where.kind, where.account, admitted(message), sequence)

    def end_round(self, end: RoundEnd, sequence: int) -> tuple[Heard, list[tuple[str, str, bytes]]] | None:
        """Fold the round that a marker closes: what was heard and what is said; None if it closes none."""
        if not (self._buffer.is_new(end) and self._buffer.is_whole(end)):
            self._buffer.drop()
            return None
        round_ = self._buffer.close(end)
        fold = self._roll.begin_round()
        said = [(output.kind, output.account, _encode(output.message)) for output in fold.fold(round_)]
        return Heard(sequence, round_), said


class Start(NamedTuple):
    """A fold as it went on from what another program had made: after a sequence."""

    sequence: int
    service: str
    refold: Refold


class Origins(NamedTuple):
    """Where this program goes on from what another has made: the epochs that begin so, and by market the folds."""

    epochs: frozenset[int] = frozenset()
    starts: Mapping[Market, Sequence[Start]] = MappingProxyType({})
    partial: bool = False
    """Whether nothing can be folded from its beginning, for that is gone."""


def origins_after(data_dir: Path | None, first: int) -> Origins:
    """Where this program can begin on a log that begins at a sequence: each fold as early as it can.

    None where nothing is kept that this program has made and that reaches so far.
    """
    found: dict[tuple[Market, str], Start] = {}
    kept = [*bases(data_dir), *bases_beside(data_dir)] if data_dir is not None else []
    for base in kept:
        if base.epoch.code != code_fingerprint():
            continue
        for start, market in _starts(base):
            known = found.get((market, start.service))
            if start.sequence + 1 >= first and (known is None or start.sequence < known.sequence):
                found[market, start.service] = start
    starts: dict[Market, list[Start]] = {}
    for (market, _), start in sorted(found.items(), key=lambda item: item[1].sequence):
        starts.setdefault(market, []).append(start)
    epochs = beginnings(bases(data_dir), code_fingerprint()) if data_dir is not None else []
    return Origins(frozenset(base.epoch.number for base in epochs), starts, partial=True)


def _starts(base: Base) -> Iterator[tuple[Start, Market]]:
    """Every fold that a base remembers."""
    settings = Settings(base.epoch.settings)
    for name, member in MEMBERS.items():
        store = CheckpointStore(base.directory, name, member.state_version)
        for market in store.markets():
            refold = Refold(name, market, settings, base.epoch.number)
            position = refold.restore(store, market)
            if position is not None:
                yield Start(position.sequence, name, refold), market


def origins_of(data_dir: Path | None) -> Origins:
    """What a data directory knows of where this program began; raises ForeignCheckpointError for what does not fit."""
    found = beginnings(bases(data_dir), code_fingerprint()) if data_dir is not None else []
    starts: dict[Market, list[Start]] = {}
    for base in found:
        for start, market in _starts(base):
            starts.setdefault(market, []).append(start)
    return Origins(
        frozenset(base.epoch.number for base in found),
        {market: sorted(items, key=lambda item: item.sequence) for market, items in starts.items()},
    )
