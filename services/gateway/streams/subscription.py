"""What a connection may subscribe to."""

from typing import Any, Final

import msgspec

from papertrader.services.gateway.info.shapes import figures_of
from papertrader.services.gateway.ledger.candles import INTERVALS_MS
from papertrader.services.gateway.signing.hashing import address_bytes

OF_ALL_MARKETS: Final = ("allMids", "assetCtxs", "spotAssetCtxs", "allDexsAssetCtxs")
OF_MARKETS: Final = ("l2Book", "bbo", "trades", "activeAssetCtx", "candle")
OF_ORDERS: Final = ("orderUpdates", "userFills", "userEvents", "user", "userFundings")
OF_STATE: Final = (
    "clearinghouseState",
    "openOrders",
    "spotState",
    "activeAssetData",
    "allDexsClearinghouseState",
    "webData2",
    "webData3",
)
SILENT: Final = (
    "userNonFundingLedgerUpdates",
    "notification",
    "userTwapSliceFills",
    "userTwapHistory",
    "userHistoricalOrders",
)
"""Subscriptions that are taken though nothing ever happens there on paper."""
OF_USERS: Final = (*OF_ORDERS, *OF_STATE, *SILENT)


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """One subscription. `said` is how the client wrote it: it is echoed so."""

    kind: str
    said: dict[str, Any]
    coin: str = ""
    user: str = ""
    interval: str = ""
    fast: bool = False
    figures: int | None = None

    @property
    def key(self) -> tuple[Any, ...]:
        """What makes two subscriptions the same."""
        return self.kind, self.coin, self.user.lower(), self.interval, self.fast, self.figures


def subscription(said: Any) -> Subscription:
    """A subscription as a client wrote it; raises ValueError, KeyError or TypeError for one that is not served."""
    kind = said["type"]
    if kind not in (*OF_ALL_MARKETS, *OF_MARKETS, *OF_USERS):
        raise ValueError(kind)
    if kind in OF_USERS:
        address_bytes(said["user"])
    if kind == "candle" and said["interval"] not in INTERVALS_MS:
        raise ValueError(said["interval"])
    return Subscription(
        kind=kind,
        said=said,
        coin=str(said["coin"]) if kind in OF_MARKETS or kind == "activeAssetData" else "",
        user=str(said["user"]) if kind in OF_USERS else "",
        interval=str(said["interval"]) if kind == "candle" else "",
        fast=bool(said.get("fast", False)),
        figures=figures_of(said),
    )
