"""The outcome tracker: fills and unfilled quotes in, markouts out."""

from collections.abc import Mapping

import numpy as np

from papertrader.services.outcome_tracker.config import OutcomeTrackerConfig
from papertrader.services.outcome_tracker.kernel import MARKET_STATE, TRACKER, fold_round, on_ack, on_fill, settle
from papertrader.shared.log.subjects import Market
from papertrader.shared.market.records import message_of, record_dtype, records_of, settings_records
from papertrader.shared.market.seconds import new_seconds
from papertrader.shared.messages import Ack, Fill, Markout
from papertrader.shared.service.fold import Output, Round, State
from papertrader.shared.service.market_data import MarketData

ROWS_AT_ONCE = 1024


class OutcomeTracker:
    """Waits in event time for the mid at each horizon after each fill, and says what it was worth."""

    def __init__(self, market: Market, accounts: Mapping[str, OutcomeTrackerConfig]) -> None:
        self.market = market
        self.accounts = tuple(accounts)
        self.trackers = np.zeros(len(accounts), dtype=TRACKER)
        self.settings = settings_records(accounts.values())
        self._market_data = MarketData()
        self._seconds = new_seconds()
        self._market_state = np.zeros(1, dtype=MARKET_STATE)
        self._out = np.zeros(ROWS_AT_ONCE, dtype=record_dtype(Markout))

    def fold(self, round_: Round) -> list[Output]:
        """The markouts whose horizon the clock has passed."""
        outputs: list[Output] = []
        for index, account in enumerate(self.accounts):
            outputs += self._hear(index, account, round_)
        due = fold_round(
            self._market_data.book,
            self._seconds,
            self._market_state,
            self.trackers,
            self.settings,
            self._market_data.events(round_),
            round_.ts,
        )
        for index, account in enumerate(self.accounts if due else ()):
            outputs += self._settle(index, account, round_.ts)
        return outputs

    def state(self) -> State:
        """The arrays that are the state."""
        return {
            "book": self._market_data.book,
            "seconds": self._seconds,
            "market": self._market_state,
            "trackers": self.trackers,
        }

    def _hear(self, index: int, account: str, round_: Round) -> list[Output]:
        outputs: list[Output] = []
        tracker = self.trackers[index]
        fills, acks = round_.of("fills", account), round_.of("acks", account)
        if fills:
            for fill in records_of(Fill, fills):
                outputs += self._said(account, on_fill(tracker, fill, self._out, 0))
        if acks:
            for ack in records_of(Ack, acks):
                on_ack(self._market_state[0], tracker, self.settings[index], ack)
        return outputs

    def _settle(self, index: int, account: str, clock: int) -> list[Output]:
        outputs: list[Output] = []
        written = ROWS_AT_ONCE
        while written == ROWS_AT_ONCE:
            written = settle(self._market_state[0], self.trackers[index], self.settings[index], clock, self._out)
            outputs += self._said(account, written)
        return outputs

    def _said(self, account: str, written: int) -> list[Output]:
        return [Output("markouts", account, message_of(Markout, record)) for record in self._out[:written]]
