"""Questions: by their type, from what the log has told."""

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from papertrader.services.gateway.config import GatewayConfig
from papertrader.services.gateway.exchange.identity import Identities
from papertrader.services.gateway.info import shapes, universe
from papertrader.services.gateway.kernel import decimal, money, requests_allowed
from papertrader.services.gateway.ledger.accounts import PaperAccount
from papertrader.services.gateway.ledger.candles import INTERVALS_MS, interval_ms
from papertrader.services.gateway.ledger.ledger import Ledger
from papertrader.services.gateway.ledger.markets import MarketView
from papertrader.services.gateway.ledger.orders import NS_PER_MS
from papertrader.services.gateway.signing.hashing import address_bytes

MOST: Final = 2_000
"""So many elements a list has at most."""
MOST_CANDLES: Final = 5_000
MS_LIMIT: Final = 2**63
NO_REFERRALS: Final[dict[str, Any]] = {
    "referredBy": None,
    **dict.fromkeys(("cumVlm", "unclaimedRewards", "claimedRewards", "builderRewards"), "0.0"),
    "referrerState": {"stage": "needToTrade", "data": {"required": "10000.0"}},
    "rewardHistory": [],
    "tokenToState": [],
}
NO_STAKE: Final = {
    "delegated": "0.0",
    "undelegated": "0.0",
    "totalPendingWithdrawal": "0.0",
    "nPendingWithdrawals": 0,
}


class UnknownQuestionError(ValueError):
    """A question that is not served, or lacks what it needs: HTTP 422."""


class Info:
    """Answers questions."""

    def __init__(self, ledger: Ledger, identities: Identities, config: GatewayConfig) -> None:
        self._free_requests = config.address_requests
        self._opening_balance = config.opening_balance
        self._ledger = ledger
        self._identities = identities
        self.questions: Counter[str] = Counter()
        self._answers: dict[str, Callable[[dict[str, Any]], Any]] = {
            **self._of_markets(),
            **self._of_users(),
            "exchangeStatus": lambda _: {"time": self.clock_ms, "specialStatuses": None},
            "perpDexs": lambda _: [None],
            "outcomeMeta": lambda _: {"outcomes": [], "questions": [], "deployers": [], "feeScale": "0.0"},
            "perpsAtOpenInterestCap": lambda _: [],
            "predictedFundings": lambda _: [],
            "fundingHistory": lambda _: [],
            "maxBuilderFee": lambda _: 0,
            "referral": lambda _: dict(NO_REFERRALS),
            "isVip": lambda _: False,
            "vaultDetails": lambda _: None,
            "marginTable": self._margin_table,
        }

    def _of_markets(self) -> dict[str, Callable[[dict[str, Any]], Any]]:
        markets = self._ledger.markets
        return {
            "meta": lambda _: universe.meta(markets),
            "metaAndAssetCtxs": lambda _: [universe.meta(markets), universe.contexts(markets)],
            "allPerpMetas": lambda _: [universe.meta(markets)],
            "spotMeta": lambda _: universe.spot_meta(markets),
            "spotMetaAndAssetCtxs": lambda _: [universe.spot_meta(markets), universe.spot_contexts(markets)],
            "allMids": lambda _: universe.mids(markets),
            "l2Book": lambda body: shapes.book(self.market(body), figures=shapes.figures_of(body)),
            "recentTrades": self._recent_trades,
            "candleSnapshot": self._candles,
        }

    def _of_users(self) -> dict[str, Callable[[dict[str, Any]], Any]]:
        return {
            "clearinghouseState": lambda body: self.clearinghouse(self.account(body)),
            "spotClearinghouseState": lambda body: self.spot(self.account(body)),
            "openOrders": lambda body: [shapes.basic_order(order) for order in self.open_orders(body)],
            "frontendOpenOrders": lambda body: [shapes.front_order(order) for order in self.open_orders(body)],
            "orderStatus": self._order_status,
            "historicalOrders": self._history,
            "userFills": lambda body: self.fills(self.account(body)),
            "userFillsByTime": self._fills_by_time,
            "userFunding": self._fundings,
            "userNonFundingLedgerUpdates": lambda _: [],
            "userFees": lambda body: self._fees(self.account(body)),
            "userRateLimit": lambda body: self._rate_limit(self.account(body)),
            "userAbstraction": lambda body: account.mode if (account := self.account(body)) else "default",
            "userDexAbstraction": lambda _: False,
            "userRole": self._role,
            "extraAgents": self._agents,
            "subAccounts": lambda _: None,
            "subAccounts2": lambda _: None,
            "portfolio": lambda _: [],
            "userTwapSliceFills": lambda _: [],
            "userVaultEquities": lambda _: [],
            "delegations": lambda _: [],
            "delegatorHistory": lambda _: [],
            "delegatorRewards": lambda _: [],
            "delegatorSummary": lambda _: dict(NO_STAKE),
            "twapHistory": lambda _: [],
            "approvedBuilders": lambda _: [],
            "userToMultiSigSigners": lambda _: None,
            "legalCheck": lambda _: {"acceptedTerms": True, "userAllowed": True, "restrictions": "n"},
            "activeAssetData": self.active_asset,
            "webData2": self.web_data,
        }

    @property
    def clock_ms(self) -> int:
        """The event clock, ms UTC."""
        return self._ledger.markets.clock_ts // NS_PER_MS

    def answer(self, body: Any) -> Any:
        """Answer a question; raises UnknownQuestionError."""
        kind = body.get("type") if isinstance(body, dict) else None
        answer = self._answers.get(kind) if isinstance(kind, str) else None
        if answer is None:
            self.questions["unknown"] += 1
            raise UnknownQuestionError(kind)
        self.questions[str(kind)] += 1
        try:
            return answer(body)
        except (KeyError, TypeError, ValueError) as error:
            raise UnknownQuestionError(kind) from error

    def account(self, body: dict[str, Any]) -> PaperAccount | None:
        """The account of the user that a question names; None for one that has none."""
        user = body["user"]
        address_bytes(user)
        name = self._identities.account_of(user) or self._identities.owner_of(user)
        return self._ledger.accounts.get(name) if name else self._prospect()

    def _prospect(self) -> PaperAccount | None:
        """What an address that is not known would have, had it signed."""
        if not self._identities.opens:
            return None
        account = PaperAccount("")
        account.begin([view.coin for view in self._ledger.markets.all], self._opening_balance)
        return account

    def market(self, body: dict[str, Any]) -> MarketView:
        """The market that a question names."""
        view = self._ledger.markets.coin(body["coin"])
        if view is None:
            raise UnknownQuestionError(body["coin"])
        return view

    def clearinghouse(self, account: PaperAccount | None) -> dict[str, Any]:
        """Margin and positions."""
        return shapes.clearinghouse(account, self._ledger.markets.perpetuals, self.clock_ms)

    def spot(self, account: PaperAccount | None) -> dict[str, Any]:
        """Spot balances."""
        return shapes.spot_balances(account, self._ledger.markets.spot, self._ledger.markets.perpetuals)

    def open_orders(self, body: dict[str, Any]) -> list[Any]:
        """The orders that rest, newest first."""
        account = self.account(body)
        return account.orders.open()[::-1] if account else []

    def fills(self, account: PaperAccount | None) -> list[dict[str, Any]]:
        """Fills, newest first."""
        return [shapes.fill(trade) for trade in reversed(account.trades)][:MOST] if account else []

    def fundings(self, account: PaperAccount | None) -> list[dict[str, Any]]:
        """Payments of funding as a stream tells them, newest first."""
        return [shapes.funding(paid) for paid in reversed(account.fundings)] if account else []

    def _fills_by_time(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        start, end = _times(body)
        account = self.account(body)
        found = [trade for trade in account.trades if start <= trade.time_ms <= end] if account else []
        return [shapes.fill(trade) for trade in found[:MOST]]

    def _fundings(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        start, end = _times(body)
        account = self.account(body)
        return (
            [shapes.funding_entry(paid) for paid in account.fundings if start <= paid.time_ms <= end] if account else []
        )

    def _order_status(self, body: dict[str, Any]) -> dict[str, Any]:
        account, key = self.account(body), body["oid"]
        if not isinstance(key, int | str):
            raise UnknownQuestionError("oid")
        order = account.orders.find(key) if account else None
        if order is None or order.status == "pending":
            return {"status": "unknownOid"}
        return {"status": "order", "order": shapes.order_with_status(order)}

    def _history(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        account = self.account(body)
        orders = [order for order in account.orders.all() if order.status != "pending"] if account else []
        return [shapes.order_with_status(order) for order in orders[:MOST]]

    def _recent_trades(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        view = self.market(body)
        return [item for trades, _ in reversed(view.prints) for item in reversed(shapes.prints(view, trades))][:50]

    def _candles(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        wanted = body["req"]
        view, interval = self.market(wanted), wanted["interval"]
        if interval not in INTERVALS_MS:
            raise UnknownQuestionError(interval)
        start, end = _times(wanted)
        found = view.candles.of(interval, start, end)[-MOST_CANDLES:]
        return [shapes.candle(view, interval, interval_ms(interval), candle) for candle in found]

    def _margin_table(self, body: dict[str, Any]) -> dict[str, Any]:
        tables = dict(universe.meta(self._ledger.markets)["marginTables"])
        return dict(tables[body["id"]])

    def _fees(self, account: PaperAccount | None) -> dict[str, Any]:
        moneys = [held.money for held in account.holdings.values() if held.money] if account else []
        rates = [(item.taker_fee_bps, item.maker_fee_bps) for item in moneys if item.taker_fee_bps is not None]
        taker, maker = rates[0] if rates else (None, None)
        cross, add = f"{(4.5 if taker is None else taker) / 1e4:.6f}", f"{(1.5 if maker is None else maker) / 1e4:.6f}"
        schedule = {"cross": cross, "add": add, "spotCross": cross, "spotAdd": add, "tiers": {"vip": [], "mm": []}}
        return {
            "dailyUserVlm": [],
            "feeSchedule": {**schedule, "referralDiscount": "0.0", "stakingDiscountTiers": []},
            "userCrossRate": cross,
            "userAddRate": add,
            "userSpotCrossRate": cross,
            "userSpotAddRate": add,
            "activeReferralDiscount": "0.0",
            "trial": None,
            "feeTrialEscrow": "0.0",
            "nextTrialAvailableTimestamp": None,
            "stakingLink": None,
            "activeStakingDiscount": {"bpsOfMaxSupply": "0.0", "discount": "0.0"},
        }

    def _rate_limit(self, account: PaperAccount | None) -> dict[str, Any]:
        turnover = account.turnover if account else 0.0
        used = account.requests if account else 0
        return {
            "cumVlm": money(turnover),
            "nRequestsUsed": used,
            "nRequestsCap": requests_allowed(self._free_requests, turnover, False),
            "nRequestsSurplus": 0,
        }

    def _role(self, body: dict[str, Any]) -> dict[str, Any]:
        account, user = self.account(body), body["user"]
        if self._identities.owner_of(user):
            return {"role": "agent", "data": {"user": user}}
        return {"role": "user" if account else "missing"}

    def _agents(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        account = self.account(body)
        agents = self._identities.agents_of(account.name) if account else []
        return [{"name": name, "address": address, "validUntil": MS_LIMIT // 10**6} for address, name in agents]

    def active_asset(self, body: dict[str, Any]) -> dict[str, Any]:
        """What an account may do in one market."""
        view, account = self.market(body), self.account(body)
        held = account.holding(view.coin) if account else None
        available = max(held.money.margin_available, 0.0) if held and held.money else 0.0
        leverage = (held.leverage if held else 0.0) or (held.money.leverage if held and held.money else 1.0) or 1.0
        most = available * leverage / view.mark if view.mark else 0.0
        return {
            "user": body["user"],
            "coin": view.coin,
            "leverage": {"type": "cross", "value": int(leverage)},
            "maxTradeSzs": [decimal(most)] * 2,
            "availableToTrade": [money(available)] * 2,
            "markPx": decimal(view.mark),
        }

    def web_data(self, body: dict[str, Any]) -> dict[str, Any]:
        """An account and all markets at a glance."""
        account, markets = self.account(body), self._ledger.markets
        agent = next(iter(self._agents(body)), None)
        return {
            "clearinghouseState": self.clearinghouse(account),
            "leadingVaults": [],
            "totalVaultEquity": "0.0",
            "openOrders": [shapes.front_order(order) for order in self.open_orders(body)],
            "agentAddress": agent["address"] if agent else None,
            "agentValidUntil": agent["validUntil"] if agent else None,
            "cumLedger": "0.0",
            "meta": universe.meta(markets),
            "assetCtxs": universe.contexts(markets),
            "serverTime": self.clock_ms,
            "isVault": False,
            "user": body["user"],
            "twapStates": [],
            "spotState": self.spot(account),
            "spotAssetCtxs": universe.spot_contexts(markets),
            "perpsAtOpenInterestCap": [],
        }

    def web_data_3(self, body: dict[str, Any]) -> dict[str, Any]:
        """What `webData3` tells of an account."""
        whole = self.web_data(body)
        state = ("agentAddress", "agentValidUntil", "cumLedger", "serverTime", "isVault", "user")
        dex = ("totalVaultEquity", "perpsAtOpenInterestCap", "leadingVaults")
        return {
            "userState": {key: whole[key] for key in state},
            "perpDexStates": [{key: whole[key] for key in dex}],
        }


def _times(body: dict[str, Any]) -> tuple[int, int]:
    end = body.get("endTime")
    return int(body.get("startTime") or 0), MS_LIMIT if end is None else int(end)
