"""Trade from a program of one's own: orders out, acks and fills in, over the broker that a run prints.

async with Client("hyperliquid.BTC", account="mine", url="nats://127.0.0.1:4222") as client:
    order_id = await client.place("buy", 60_000.0, 0.01)
    async for message in client:
        ...  # messages.Ack, messages.Fill, messages.Account as they come; messages.Refusal of what nobody could read
"""

import asyncio
import itertools
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

import msgspec
from nats.aio.msg import Msg
from nats.js.errors import NotFoundError

from papertrader.shared.log.bus import Bus, BusError
from papertrader.shared.log.kinds import KINDS, Kind, decode
from papertrader.shared.log.reader import LogReader
from papertrader.shared.log.refusals import Refusal, refusal_subject
from papertrader.shared.log.subjects import Market, address, subject
from papertrader.shared.messages import (
    Cancel,
    Command,
    Message,
    Modify,
    Place,
    RoundEnd,
    TimeInForce,
    Trigger,
    TriggerKind,
)

__all__ = ["Client", "ClientError"]

HEARD: Final[tuple[Kind, ...]] = ("acks", "fills", "account")
_CLOCK: Final = "round"


class ClientError(RuntimeError):
    """The client cannot trade or hear; the text says what to change."""


def url_of(data_dir: Path) -> str:
    """The URL of the broker of a run, from what the run wrote into its data directory. Raises ClientError."""
    try:
        settings = msgspec.json.decode((data_dir / "settings.json").read_bytes())
        return str(settings["bus"]["url"])
    except (OSError, msgspec.DecodeError, KeyError, TypeError):
        raise ClientError(f"{data_dir} is not the --data-dir of a run, or its run has not started yet") from None


class Client:
    """One paper account in one market. Use it with `async with`; iterate over it for what it hears.

    What is placed reaches the log exactly once and what is heard comes in order and without a hole, over breaks of the
    connection and restarts of the broker: calls then wait. `hear` names kinds of messages: `acks`, `fills`, `account`,
    `markouts`, `estimate`, `calibration` of the account, and `instrument`, `book`, `depth`, `bbo`, `trades`, `ctx`,
    `gap`, `round` of the market. Hearing begins now, or after the `sequence` that an earlier client had reached. At the
    start the broker has to answer within `timeout_s`. The broker is found by its `url`, or by `run`, the `--data-dir`
    of a run on this machine.
    """

    def __init__(
        self,
        market: str,
        *,
        account: str = "main",
        url: str = "nats://127.0.0.1:4222",
        run: Path | str | None = None,
        nkey_seed_file: str | None = None,
        hear: Sequence[Kind] = HEARD,
        after: int | None = None,
        timeout_s: float = 10.0,
    ) -> None:
        venue, dot, asset = market.partition(".")
        if not (venue and dot and asset):
            raise ClientError(f"market was {market!r}: write <venue>.<asset>, e.g. hyperliquid.BTC")
        if unknown := [kind for kind in hear if kind not in KINDS]:
            raise ClientError(f"nothing is called {unknown[0]!r}; one can hear {', '.join(KINDS)}")
        self.market, self.account = Market(venue, asset), account
        self._url, self._timeout_s = url if run is None else url_of(Path(run)), timeout_s
        self._data_dir = None if run is None else Path(run)
        self._login: dict[str, Any] = {"nkeys_seed": nkey_seed_file} if nkey_seed_file else {}
        self._hear, self._after = tuple(hear), after
        self._clock_ts = 0
        self._ids = itertools.count(time.time_ns())
        self._name, self._commands = uuid.uuid4().hex, itertools.count()
        self._heard: asyncio.Queue[Message | Refusal | None] = asyncio.Queue(1024)
        self.refused = 0
        """Messages that were malformed: the services do not take them either."""
        self._bus: Bus | None = None
        self._reader: LogReader | None = None

    async def __aenter__(self) -> Self:
        """Connect and begin to hear; raises ClientError if no broker answers, or nobody feeds the market."""
        try:
            self._bus = await Bus.connect(self._url, "trader", self._timeout_s, self._data_dir, **self._login)
        except BusError as error:
            raise ClientError(str(error)) from error
        try:
            first, newest = await self._bus.extent()
            last = await self._bus.last(subject(_CLOCK, self.market))
        except NotFoundError:
            last = None
        if last is None:
            await self._bus.close()
            raise ClientError(f"nobody has told anything of {self.market} yet: is its feed running?")
        self._clock_ts = decode(_CLOCK, last.payload).ts
        after = newest if self._after is None else self._after
        if after + 1 < first:
            await self._bus.close()
            raise ClientError(
                f"the log begins at sequence {first} here, hearing was to go on after {after}: name the data directory "
                "with run=, where it is older, or begin now"
            )
        subjects = [subject(kind, self.market, self.account) for kind in dict.fromkeys((*self._hear, _CLOCK))]
        self._reader = LogReader(self._bus, subjects, after, self._take)
        await self._reader.start()
        await self._bus.subscribe(refusal_subject(self.market, self.account), self._refused)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave. Open orders stay."""
        assert self._bus is not None
        assert self._reader is not None
        while not self._heard.empty():
            self._heard.get_nowait()  # nobody reads any more, and the reader must not wait for room
        await self._reader.stop()
        self._heard.put_nowait(None)
        await self._bus.close()

    @property
    def clock_ts(self) -> int:
        """The market's event clock, ns UTC: the end of the last round that was heard."""
        return self._clock_ts

    @property
    def sequence(self) -> int:
        """How far the log was heard: `after` for a client that goes on from here."""
        assert self._reader is not None
        return self._reader.sequence

    async def place(
        self,
        side: Literal["buy", "sell"],
        price: float,
        size: float,
        *,
        time_in_force: TimeInForce = "post_only",
        order_id: int | None = None,
        p_fill: float | None = None,
        p_adverse: float | None = None,
        priority_bps: float = 0.0,
    ) -> int:
        """Place an order, price in quote currency, size in base units; returns its id. An ack says what became of it.

        `p_fill` forecasts a fill within 10 s, `p_adverse` an adverse move within 5 s of a fill: both are judged later.
        `priority_bps` is bid for a place in the block, bps of the order's value, where the venue sells them.
        """
        chosen = next(self._ids) if order_id is None else order_id
        order = Place(
            ts=self.clock_ts,
            order_id=chosen,
            side=side,
            price=price,
            size=size,
            time_in_force=time_in_force,
            p_fill=p_fill,
            p_adverse=p_adverse,
            priority_bps=priority_bps,
        )
        await self._say(order)
        return chosen

    async def place_trigger(
        self,
        side: Literal["buy", "sell"],
        price: float,
        size: float,
        trigger_price: float,
        trigger: TriggerKind = "stop",
        *,
        time_in_force: Literal["gtc", "ioc"] = "ioc",
        reduce_only: bool = True,
        order_id: int | None = None,
    ) -> int:
        """Place an order that waits until the mark reaches `trigger_price`; returns its id.

        `price` is its limit from then on, quote currency: an `ioc` takes no worse, a `gtc` rests there.
        """
        chosen = next(self._ids) if order_id is None else order_id
        order = Trigger(
            ts=self.clock_ts,
            order_id=chosen,
            side=side,
            price=price,
            size=size,
            trigger_price=trigger_price,
            trigger=trigger,
            time_in_force=time_in_force,
            reduce_only=reduce_only,
        )
        await self._say(order)
        return chosen

    async def cancel(self, order_id: int, fast: bool = False) -> None:
        """Cancel an order, `fast` with Hyperliquid's `f`."""
        await self._say(Cancel(ts=self.clock_ts, order_id=order_id, fast=fast))

    async def modify(self, order_id: int, price: float, size: float) -> None:
        """Change an order. A new price joins the back of the queue; a smaller size keeps its place."""
        await self._say(Modify(ts=self.clock_ts, order_id=order_id, price=price, size=size))

    async def __aiter__(self) -> AsyncIterator[Message | Refusal]:
        """What is heard, message by message, until the client is left; and what was refused of what anybody sent."""
        while (message := await self._heard.get()) is not None:
            yield message

    async def _say(self, command: Command) -> None:
        assert self._bus is not None
        name = subject("orders", self.market, self.account)
        await self._bus.append(name, msgspec.json.encode(command), f"client|{self._name}|{next(self._commands)}")

    async def _refused(self, message: Msg) -> None:
        await self._heard.put(msgspec.json.decode(message.data, type=Refusal))

    async def _take(self, _sequence: int, name: str, payload: bytes) -> None:
        kind = address(name).kind
        try:
            message = decode(kind, payload)
        except ValueError:
            self.refused += 1
            return
        if isinstance(message, RoundEnd):
            self._clock_ts = max(self._clock_ts, message.ts)
        if kind in self._hear:
            await self._heard.put(message)
