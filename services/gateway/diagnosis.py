"""What somebody needs to know whose bot does not get through."""

import time
from typing import Any

from papertrader.services.gateway.service import Gateway


def diagnosis(gateway: Gateway) -> dict[str, Any]:
    """Whose accounts are whose, how fresh the markets are, what was asked for and what was refused lately."""
    now_s, exchange, identities = time.monotonic(), gateway.exchange, gateway.identities
    markets = [
        {
            "coin": view.coin,
            "asset": view.asset,
            "silent_s": round(now_s - view.round_at_s, 1) if view.round >= 0 else None,
            "ended": view.ended,
        }
        for view in gateway.ledger.markets.all
    ]
    return {
        "clock_ms": time.time_ns() // 1_000_000,
        "accounts": identities.owners,
        "free": identities.free,
        "opens": identities.opens,
        "agents": {address: name for name in gateway.ledger.accounts for address, _ in identities.agents_of(name)},
        "markets": markets,
        "requests": dict(exchange.requests),
        "questions": sum(gateway.info.questions.values()),
        "refusals": dict(exchange.refusals),
        "recent": exchange.refusals.told(),
        "behind_messages": gateway.pending,
    }
