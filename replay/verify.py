"""Folds a recorded log again and compares everything that the services said, byte for byte.

Each service's fold hears exactly what the log holds in each round, not what the other refolded services say: so the
first difference is where something went wrong, and not what followed from it.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

import msgspec

from papertrader.replay.composition import MEMBERS
from papertrader.replay.refold import Heard, Origins, Refold
from papertrader.shared.log.kinds import TERMS, decode
from papertrader.shared.log.segments import Entry
from papertrader.shared.log.subjects import ACCOUNT_WIDE, Address, Market, address, subject
from papertrader.shared.messages import Message, RoundEnd, Trades
from papertrader.shared.service import epoch
from papertrader.shared.service.config import Settings
from papertrader.shared.service.epoch import Epoch, code_fingerprint

HISTORY: Final = 50_000
"""Messages said that are kept to explain a difference."""
CHAIN_LENGTH: Final = 25
IDS: Final = ("order_id", "fill_id")

_encode: Final = msgspec.json.Encoder().encode


class Place(NamedTuple):
    """Where an output stands: what its message id says."""

    round: int
    market: Market
    service: str
    output: int


class Expected(NamedTuple):
    """What a fold says now."""

    subject: str
    payload: bytes
    heard: Heard


class Difference(NamedTuple):
    """One message that came out otherwise. `expected` is what the fold says now, `found` what the log holds."""

    place: Place
    ts: int
    subject: str
    sequence: int
    expected: bytes | None
    found: bytes | None
    chain: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """The difference and its cause chain, for reading."""
        place = self.place
        where = f"{self.subject}, output {place.output} of {place.service} in round {place.round}, event time {self.ts}"
        if self.expected is None:
            yield f"The log holds a message that the fold does not say: {where}, sequence {self.sequence}"
        elif self.found is None:
            yield f"The log lacks a message that the fold says: {where}"
        else:
            yield f"A message differs: {where}, sequence {self.sequence}"
        yield from self._contents()
        yield "What led to it:"
        yield from (f"  {line}" for line in self.chain)

    def _contents(self) -> Iterator[str]:
        if self.expected is None or self.found is None:
            payload = self.expected or self.found or b""
            yield f"  {payload.decode(errors='replace')}"
            return
        expected, found = _fields(self.expected), _fields(self.found)
        for name in dict.fromkeys((*expected, *found)):
            if expected.get(name) != found.get(name):
                yield f"  {name}: expected {expected.get(name)!r}, found {found.get(name)!r}"
        if expected == found:
            yield f"  expected {self.expected.decode()}"
            yield f"  found    {self.found.decode()}"


def _fields(payload: bytes) -> dict[str, Any]:
    try:
        decoded = msgspec.json.decode(payload)
    except msgspec.DecodeError:
        return {}
    return decoded if isinstance(decoded, dict) else {}


class Verifier:
    """Takes the messages of a log in their order; `differences` has what came out otherwise.

    What another program has made, before this one went on from there, is folded as well, but not this program's to
    prove: `foreign` counts what comes out otherwise there.
    """

    def __init__(self, settings: Settings, origins: Origins | None = None) -> None:
        self.differences: list[Difference] = []
        self.verified: Counter[str] = Counter()
        """Messages that came out the same, by kind."""
        self.inputs: Counter[str] = Counter()
        """Messages that are nobody's output: market data and what other programs said, by kind."""
        self.refused: Counter[str] = Counter()
        self.unanswered = 0
        """Outputs of the last round that a log which was cut off does not hold yet."""
        self.rounds = 0
        self.epochs: list[tuple[int, Epoch]] = []
        """What made the log, and from which sequence on; empty for a log of a version that did not say."""
        self.foreign = 0
        self.before = 0
        """Messages of a log whose beginning is gone that were said before there is a state to fold on from."""
        self.proved_from = 0
        """The sequence after which every fold is proved that is remembered; 0 for a log that is whole."""
        self._begun: dict[tuple[Market, str], int] = {}
        self._origins = origins or Origins()
        self._starts = {market: deque(items) for market, items in self._origins.starts.items()}
        self._proved = self._origins.partial or not self._origins.epochs
        self._proved_from = 0
        self._settings = settings
        self._refolds: dict[Market, dict[str, Refold]] = {}
        self._terms: list[tuple[Address, Message, int]] = []
        self._expected: dict[Place, Expected] = {}
        self._last: dict[Market, RoundEnd] = {}
        self._history: deque[tuple[int, str, bytes]] = deque(maxlen=HISTORY)

    def take(self, entry: Entry) -> None:
        """Take the next message of the log."""
        if entry.subject == epoch.SUBJECT:
            self._begin(entry)
            return
        try:
            where = address(entry.subject)
            message: Message = decode(where.kind, entry.payload)
        except (ValueError, msgspec.DecodeError) as error:
            self.refused[type(error).__name__] += 1
            return
        place = _place(entry.message_id, where.market)
        if place is not None:
            self._compare(entry, where, place)
        else:
            self.inputs[where.kind] += 1
        if where.account:
            self._history.append((entry.sequence, entry.subject, entry.payload))
        if where.market == ACCOUNT_WIDE or where.kind == TERMS:
            if where == (TERMS, ACCOUNT_WIDE, where.account):
                self._hear_everywhere(where, message, entry.sequence)
            return
        self._start(where.market, entry.sequence)
        if isinstance(message, RoundEnd):
            self._end_round(where.market, message, entry.sequence)
            return
        self._hear(where.market, where, message, entry.sequence)

    def _hear(self, market: Market, where: Address, message: Message, sequence: int) -> None:
        for refold in self._market(market).values():
            refold.hear(where, message, sequence)

    def _hear_everywhere(self, where: Address, message: Message, sequence: int) -> None:
        """An account's terms: they hold in every market, also in those that come later."""
        self._terms.append((where, message, sequence))
        for market in self._refolds:
            self._hear(market, where, message, sequence)

    def _begin(self, entry: Entry) -> None:
        """An epoch begins: its settings are those of the log, and every fold is taken over into it by name.

        Not so if another program made it, and this one has gone on later: its settings may be none of ours.
        """
        try:
            begun = epoch.decode(entry.payload)
        except ValueError as error:
            self.refused[type(error).__name__] += 1
            return
        self.epochs.append((entry.sequence, begun))
        later = any(number > begun.number for number in self._origins.epochs)
        proved, self._proved = self._proved, begun.code == code_fingerprint() or not later
        if not self._proved:
            return
        if not proved:
            self._proved_from = entry.sequence
        self._settings = Settings(begun.settings)
        for refolds in self._refolds.values():
            for refold in refolds.values():
                if refold.epoch != begun.number:
                    refold.take_over(self._settings)

    def _start(self, market: Market, sequence: int) -> None:
        """Put the folds that go on from a base in their places, once the log has come there."""
        starts = self._starts.get(market)
        while starts and starts[0].sequence < sequence:
            start = starts.popleft()
            self._market(market)[start.service] = start.refold
            self._begun[market, start.service] = start.refold.round
            for where, message, heard in self._terms:
                if heard > start.sequence:
                    start.refold.hear(where, message, heard)
            if self._origins.partial:
                self.proved_from = max(self.proved_from, start.sequence)

    def finish(self) -> None:
        """The log has ended: what the folds say and the log does not hold is missing, unless it was cut off there."""
        for place, expected in self._expected.items():
            last = self._last[place.market]
            if expected.heard.sequence < self._proved_from or not self._proved:
                self.foreign += 1
            elif not last.final and place.round == last.round:
                self.unanswered += 1
            else:
                self._differs(place, expected.subject, 0, expected, None)
        self._expected.clear()

    @property
    def first(self) -> Difference | None:
        """The earliest difference, None if there is none."""
        return min(self.differences, key=lambda difference: (difference.ts, *difference.place), default=None)

    def _market(self, market: Market) -> dict[str, Refold]:
        if market not in self._refolds and self._origins.partial:
            self._refolds[market] = {}
        elif market not in self._refolds:
            self._refolds[market] = {name: Refold(name, market, self._settings) for name in MEMBERS}
            for heard in self._terms:
                self._hear(market, *heard)
        return self._refolds[market]

    def _end_round(self, market: Market, end: RoundEnd, sequence: int) -> None:
        folded = False
        for name, refold in self._market(market).items():
            result = refold.end_round(end, sequence)
            if result is None:
                continue
            folded = True
            heard, said = result
            for index, (kind, account, payload) in enumerate(said):
                place = Place(end.round, market, name, index)
                self._expected[place] = Expected(subject(kind, market, account), payload, heard)
        if folded:
            self.rounds += 1
            self._last[market] = end

    def _compare(self, entry: Entry, where: Address, place: Place) -> None:
        expected = self._expected.pop(place, None)
        if expected is not None and (expected.subject, expected.payload) == (entry.subject, entry.payload):
            self.verified[where.kind] += 1
            return
        if not self._proved:
            self.foreign += 1
            return
        if self._origins.partial and place.round <= self._begun.get((place.market, place.service), place.round):
            self.before += 1
            return
        self._differs(place, entry.subject, entry.sequence, expected, entry.payload)

    def _differs(self, place: Place, name: str, sequence: int, expected: Expected | None, found: bytes | None) -> None:
        last = self._last.get(place.market)
        ts = expected.heard.round_.ts if expected else (last.ts if last else 0)
        later = bool(self.differences) and ts >= self.differences[0].ts
        chain = () if later else tuple(self._chain(place.market, expected, found))
        payload = expected.payload if expected else None
        self.differences.append(Difference(place, ts, name, sequence, payload, found, chain))

    def _chain(self, market: Market, expected: Expected | None, found: bytes | None) -> Iterator[str]:
        """What the fold heard in that round, and all that was said about the same order, fill and print."""
        fields = _fields(found or b"") | _fields(expected.payload if expected else b"")
        if expected is not None:
            yield from _round_lines(expected.heard, fields.get("trade_id"))
        ids = {name: fields[name] for name in IDS if name in fields}
        about = [
            f"sequence {sequence} {name} {payload.decode(errors='replace')}"
            for sequence, name, payload in self._history
            if address(name).market == market and any(_fields(payload).get(key) == value for key, value in ids.items())
        ]
        yield from about[-CHAIN_LENGTH:]


def _round_lines(heard: Heard, trade_id: Any) -> Iterator[str]:
    round_ = heard.round_
    count = len(round_.market_data)
    yield f"round {round_.number} closed at sequence {heard.sequence} with {count} market data messages"
    for message in round_.market_data:
        if isinstance(message, Trades) and trade_id in message.trade_ids:
            row = message.trade_ids.index(trade_id)
            side, size, price = message.aggressors[row], message.sizes[row], message.prices[row]
            yield f"print {trade_id} at {message.times[row]}: {side} {size} at {price}"
    for item in round_.heard[:CHAIN_LENGTH]:
        yield f"heard sequence {item.sequence} {item.kind} of {item.account} {_encode(item.message).decode()}"
    if len(round_.heard) > CHAIN_LENGTH:
        yield f"and {len(round_.heard) - CHAIN_LENGTH} more"


def _place(message_id: str, market: Market) -> Place | None:
    fields = message_id.split("|")
    if len(fields) != 4 or fields[0] not in MEMBERS or not (fields[2].isdigit() and fields[3].isdigit()):
        return None
    return Place(int(fields[2]), market, fields[0], int(fields[3]))


def verify(entries: Iterable[Entry], settings: Settings) -> Verifier:
    """Fold a whole log again."""
    verifier = Verifier(settings)
    for entry in entries:
        verifier.take(entry)
    verifier.finish()
    return verifier
