"""The monitor's fold: hears everything that is said in a market and says whether the loops run."""

import threading
from collections.abc import Collection, Mapping
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from papertrader.services.monitor.config import MonitorConfig
from papertrader.services.monitor.facts import hearing
from papertrader.services.monitor.facts.facts import SECOND, AccountFacts, MarketFacts, quote_notional, take_over
from papertrader.services.monitor.facts.history import History, keep_fill, keep_markout, keep_sample, new_history
from papertrader.services.monitor.facts.liveness import Liveness
from papertrader.services.monitor.facts.market import Reading, follow_quotes, hear_market, levels, read
from papertrader.services.monitor.kernel import judge
from papertrader.shared.log.subjects import Market
from papertrader.shared.messages import Checklist, Fill, Gap, Markout
from papertrader.shared.service.epoch import code_fingerprint
from papertrader.shared.service.fold import Output, Received, Round, State
from papertrader.shared.service.market_data import MarketData

BLOB_BYTES: Final = 131_072


class Facts(msgspec.Struct):
    """All facts of a market: what is encoded in a checkpoint beside the arrays."""

    market: MarketFacts
    accounts: dict[str, AccountFacts]
    code: str = ""
    """The program that they were saved by."""


def note_changes(account: AccountFacts, checklist: Checklist, states: Mapping[str, str]) -> None:
    """Note every check whose state has changed since the last word."""
    for name, state in states.items():
        if account.states and account.states.get(name) != state:
            cause = checklist.checks[name].cause if state == "fail" else f"{name}: {state}"
            account.events.note(checklist.ts, "error" if state == "fail" else "info", "check", cause)


class Monitor:
    """Judges the checklist of every account of one market.

    `liveness` is what the process knows of the services from outside the log. It is no part of the state and never
    enters what is said on the log, so that the log can be folded again; `checklist` judges with it. `outside` names
    the accounts that programs outside trade.
    """

    def __init__(self, market: Market, accounts: Mapping[str, MonitorConfig], outside: Collection[str] = ()) -> None:
        self.market = market
        self._outside = frozenset(outside)
        self.accounts = dict(accounts)
        self.liveness: Liveness = {}
        self.delivered: Mapping[tuple[str, str], int] = {}
        """What became of notices, by service and outcome: from outside the log too, and for metrics alone."""
        self._facts = Facts(MarketFacts(), {name: AccountFacts() for name in accounts})
        self._histories = {name: new_history() for name in accounts}
        self.market_data = MarketData()
        self._blob = np.zeros(BLOB_BYTES * (1 + len(self.accounts)), dtype=np.uint8)
        self._blob_size = np.zeros(1, dtype=np.int64)
        self._handed_to = 0

    @property
    def facts(self) -> Facts:
        """What is known. After `state()` was handed out the arrays may have been restored, so they are read first.

        Only the thread that they were handed to does so: another one, which is asked for metrics, would read them
        while they are being restored, or put what it read in the place of what has been folded since.
        """
        if self._handed_to == threading.get_ident():
            found = msgspec.msgpack.decode(self._blob[: self._blob_size[0]].tobytes(), type=Facts)
            accounts = {name: found.accounts.get(name) or AccountFacts() for name in self.accounts}
            self._facts = Facts(found.market, accounts)
            self._handed_to = 0
            if found.code != code_fingerprint():
                for known in accounts.values():
                    take_over(known)
        return self._facts

    def history(self, account: str) -> History:
        """The bounded history of an account."""
        return self._histories[account]

    def book_levels(self, count: int) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
        """The best bids and asks as (price, size), best first."""
        book = self.market_data.book
        return levels(book, 1, count), levels(book, -1, count)

    def checklist(self, account: str, liveness: Liveness | None = None) -> Checklist:
        """The checklist now, judged by the log and by what the process knows of the services."""
        facts = self.facts
        known = self.liveness if liveness is None else liveness
        return judge(
            account,
            facts.market,
            facts.accounts[account],
            self._histories[account],
            known,
            self.accounts[account],
            account in self._outside,
        )

    def fold(self, round_: Round) -> list[Output]:
        """Hear a round; say the checklist when a state changed, at the very end, and otherwise every `say_every_s`."""
        return self.hear(round_, read(self.market_data, round_))

    def hear(self, round_: Round, reading: Reading) -> list[Output]:
        """`fold` of a round whose events were read into `market_data` before."""
        facts = self.facts
        for account in facts.accounts.values():
            hearing.next_round(account)
        hear_market(facts.market, round_, reading)
        self._follow_quotes(round_)
        for received in round_.heard:
            self._hear(received)
        for message in round_.market_data:
            if isinstance(message, Gap):
                self._note_gap(message)
        for name, account in facts.accounts.items():
            hearing.end_round(account, facts.market.ts)
            keep_sample(self._histories[name], facts.market, account)
        return [output for name in facts.accounts if (output := self._say(name)) is not None]

    def _follow_quotes(self, round_: Round) -> None:
        for name, account in self._facts.accounts.items():
            quiet = self.accounts[name].quiet_prints_per_minute
            follow_quotes(self._facts.market, account, round_.market_data, quiet)

    def _hear(self, received: Received) -> None:
        account = self._facts.accounts.get(received.account)
        hear = hearing.HEARING.get(received.kind)
        if account is None or hear is None:
            return
        ts = self._facts.market.ts
        hear(account, received.message, ts)
        if isinstance(received.message, Fill):
            keep_fill(self._histories[received.account], account, received.message, ts)
        elif isinstance(received.message, Markout):
            notional = quote_notional(self._facts.market, received.message)
            keep_markout(self._histories[received.account], account, received.message, notional)

    def _note_gap(self, gap: Gap) -> None:
        text = f"{(gap.to_ts - gap.from_ts) / SECOND:.1f} s of market data are missing: {gap.reason}"
        for facts in self._facts.accounts.values():
            facts.events.note(gap.ts, "warning", "gap", text)

    def _say(self, name: str) -> Output | None:
        account, config, ts = self._facts.accounts[name], self.accounts[name], self._facts.market.ts
        final = self._facts.market.final
        if ts - account.judged_ts < config.judge_every_s * SECOND and not final:
            return None
        account.judged_ts = ts
        checklist = self.checklist(name, liveness={})
        states: dict[str, str] = {check: judged.state for check, judged in checklist.checks.items()}
        fresh = ts - account.said_ts < config.say_every_s * SECOND
        if states == account.states and fresh and not final:
            return None
        note_changes(account, checklist, states)
        account.states, account.said_ts = states, ts
        return Output("checks", name, checklist)

    def state(self) -> State:
        """The arrays that are the state: book and histories, and the facts encoded into one array of bytes."""
        encoded = msgspec.msgpack.encode(msgspec.structs.replace(self.facts, code=code_fingerprint()))
        if len(encoded) > len(self._blob):
            raise OverflowError(f"the facts of {self.market} take {len(encoded)} bytes, more than {len(self._blob)}")
        self._blob[: len(encoded)] = np.frombuffer(encoded, dtype=np.uint8)
        self._blob_size[0] = len(encoded)
        self._handed_to = threading.get_ident()
        arrays: dict[str, npt.NDArray[np.generic]] = {
            "book": self.market_data.book,
            "facts": self._blob,
            "facts_size": self._blob_size,
        }
        for name, history in self._histories.items():
            arrays |= {f"{name}.{part}": array for part, array in history.arrays().items()}
        return arrays
