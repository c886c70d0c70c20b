"""Calibration: fills, acks, labels and estimates in, the progress of learning and the quality of forecasts out."""

import math
from collections.abc import Mapping

import numpy as np

from papertrader.services.calibration.config import CalibrationConfig
from papertrader.services.calibration.kernel import CONTROLLER, fold_round, hear, on_gap, start
from papertrader.shared import messages
from papertrader.shared.log.subjects import Market
from papertrader.shared.market.records import message_of, record_dtype, records_of, settings_records
from papertrader.shared.messages import Ack, Estimate, Fill, Gap, Markout
from papertrader.shared.service.fold import Output, Round, State


class Calibration:
    """Says how bold quotes may be, and judges every forecast, filled or not."""

    def __init__(self, market: Market, accounts: Mapping[str, CalibrationConfig]) -> None:
        self.market = market
        self.accounts = tuple(accounts)
        self.controllers = np.zeros(len(accounts), dtype=CONTROLLER)
        self.settings = settings_records(accounts.values())
        self._out = np.zeros(len(accounts), dtype=record_dtype(messages.Calibration))
        start(self.controllers, self.settings)

    def fold(self, round_: Round) -> list[Output]:
        """The calibrations that are due."""
        if round_.heard:
            for index, account in enumerate(self.accounts):
                self._hear(index, account, round_)
        for message in round_.market_data:
            if isinstance(message, Gap):
                on_gap(self.controllers, message.from_ts, message.to_ts)
        if not fold_round(self.controllers, self.settings, round_.previous_ts, round_.ts, self._out):
            return []
        return [
            Output("calibration", account, message_of(messages.Calibration, record))
            for account, controller, record in zip(self.accounts, self.controllers, self._out, strict=True)
            if controller["due"]
        ]

    def state(self) -> State:
        """The array that is the state."""
        return {"controllers": self.controllers}

    def _hear(self, index: int, account: str, round_: Round) -> None:
        acks, fills = round_.of("acks", account), round_.of("fills", account)
        labels = [item for item in round_.of("markouts", account) if isinstance(item, Markout) and item.label]
        estimates = [item for item in round_.of("estimate", account) if isinstance(item, Estimate)]
        if acks or fills or labels or estimates:
            confidence = estimates[-1].kappa_confidence if estimates else math.nan
            records = records_of(Ack, acks), records_of(Fill, fills), records_of(Markout, labels)
            hear(self.controllers, index, *records, confidence)
