"""The estimator: market data, fills, acks and labels in, estimates out."""

from collections.abc import Mapping

import numpy as np

from papertrader.services.estimator.config import EstimatorConfig
from papertrader.services.estimator.grid import regrid_shadows
from papertrader.services.estimator.kernel import ESTIMATOR, MARKET_STATE, fold_round, hear, start
from papertrader.shared.log.subjects import Market
from papertrader.shared.market.features import new_features
from papertrader.shared.market.records import message_of, record_dtype, records_of, settings_records
from papertrader.shared.market.regrid import grid_of
from papertrader.shared.market.seconds import new_seconds
from papertrader.shared.messages import Ack, Estimate, Fill, Markout
from papertrader.shared.service.fold import Output, Round, State, instrument_of
from papertrader.shared.service.market_data import MarketData


class Estimator:
    """Learns κ, volatility, regime and toxicity, one set per account."""

    def __init__(self, market: Market, accounts: Mapping[str, EstimatorConfig]) -> None:
        self.market = market
        self.accounts = tuple(accounts)
        self.settings = settings_records(accounts.values())
        self.estimators = np.zeros(len(accounts), dtype=ESTIMATOR)
        self.seconds = new_seconds()
        self._market_data = MarketData()
        self._features = new_features()
        self.market_state = np.zeros(1, dtype=MARKET_STATE)
        self._out = np.zeros(len(accounts), dtype=record_dtype(Estimate))
        start(self.market_state, self.estimators, self.settings)

    def fold(self, round_: Round) -> list[Output]:
        """The estimates that are due."""
        left = self._market_data.learn(instrument_of(round_))
        if left is not None:
            grid = grid_of(self._market_data.book[0])
            regrid_shadows(self.market_state, self.estimators, left, grid)
        for index, account in enumerate(self.accounts):
            self._hear(index, account, round_)
        said = fold_round(
            self._market_data.book,
            self._features,
            self.seconds,
            self.market_state,
            self.estimators,
            self.settings,
            self._market_data.events(round_),
            round_.previous_ts,
            round_.ts,
            self._out,
        )
        return self._estimates() if said else []

    def state(self) -> State:
        """The arrays that are the state."""
        return {
            "book": self._market_data.book,
            "features": self._features,
            "seconds": self.seconds,
            "market": self.market_state,
            "estimators": self.estimators,
        }

    def _hear(self, index: int, account: str, round_: Round) -> None:
        acks, fills = round_.of("acks", account), round_.of("fills", account)
        labels = [item for item in round_.of("markouts", account) if isinstance(item, Markout) and item.label]
        if acks or fills or labels:
            records = records_of(Ack, acks), records_of(Fill, fills), records_of(Markout, labels)
            hear(self._market_data.book, self.market_state, self.estimators, index, *records)

    def _estimates(self) -> list[Output]:
        return [
            Output("estimate", account, message_of(Estimate, record))
            for account, estimator, record in zip(self.accounts, self.estimators, self._out, strict=True)
            if estimator["due"]
        ]
