"""Bodies and frames that are nearly right: every kind that the gateway knows, with something in it broken.

No order among them has a size, so that one that comes through by chance is none either.
"""

import random
from typing import Any, Final

import msgspec

from papertrader.services.gateway.exchange.texts import MEANINGLESS, NOTHING_TO_DO
from papertrader.services.gateway.streams.subscription import OF_ALL_MARKETS, OF_MARKETS, OF_USERS
from tests.signing import ADDRESS, KEY, signed

CLOID: Final = "0x" + "07" * 16
STRANGER: Final = type(KEY)(b"\x77" * 32)
QUESTIONS: Final = (
    *("meta", "metaAndAssetCtxs", "allPerpMetas", "spotMeta", "spotMetaAndAssetCtxs", "allMids", "l2Book"),
    *("recentTrades", "candleSnapshot", "clearinghouseState", "spotClearinghouseState", "openOrders"),
    *("frontendOpenOrders", "orderStatus", "historicalOrders", "userFills", "userFillsByTime", "userFunding"),
    *("userFees", "userRateLimit", "userAbstraction", "userRole", "extraAgents", "portfolio", "webData2"),
    *("activeAssetData", "marginTable", "fundingHistory", "vaultDetails", "delegatorSummary", "paperDiagnosis"),
)
WORDS: Final = (
    *("type", "order", "cancel", "user", ADDRESS, "BTC", "l2Book", "action", "nonce", "a", "o", "t", "c", "", "0x"),
    *("NaN", "inf", "-1", "1e400", "99.9", "0.0", "Gtc", "Ioc", "normalTpsl", "tp", "1m", CLOID, "\x00", "é", "𝟗"),
)
LEAVES: Final[tuple[Any, ...]] = (
    *(0, 1, -1, 7, 2**53, 2**63, 2**64 - 1, -(2**63), 1.5, -0.0, 1e308, True, False, None, [], {}, [[]]),
    *WORDS,
)


def _order(**changes: Any) -> dict[str, Any]:
    return {"a": 0, "b": True, "p": "99.0", "s": "0", "r": False, "t": {"limit": {"tif": "Gtc"}}, "c": CLOID, **changes}


def actions(chance: random.Random) -> dict[str, Any]:
    """A sound action that changes nothing."""
    stop = _order(t={"trigger": {"isMarket": True, "triggerPx": "90.0", "tpsl": "sl"}})
    known: list[dict[str, Any]] = [
        {"type": "order", "orders": [_order()], "grouping": "na"},
        {"type": "order", "orders": [_order(), stop, stop], "grouping": "normalTpsl"},
        {"type": "order", "orders": [_order()] * 20, "grouping": {"p": 10}},
        {"type": "cancel", "cancels": [{"a": 0, "o": 1}], "f": True},
        {"type": "cancelByCloid", "cancels": [{"asset": 0, "cloid": CLOID}]},
        {"type": "modify", "oid": 1, "order": _order()},
        {"type": "batchModify", "modifies": [{"oid": CLOID, "order": stop, "a": True}], "a": False},
        {"type": "scheduleCancel", "time": 1},
        {"type": "updateLeverage", "asset": 0, "isCross": True, "leverage": 0},
        {"type": "approveAgent", "agentAddress": ADDRESS, "agentName": "x", "nonce": 1, "signatureChainId": "0x1"},
        {"type": chance.choice((*NOTHING_TO_DO, *MEANINGLESS))},
    ]
    return chance.choice(known)


def question(chance: random.Random) -> dict[str, Any]:
    """A sound question."""
    times = {"startTime": 0, "endTime": 2**41, "oid": chance.choice((1, CLOID)), "id": 50, "aggregateByTime": True}
    req = {"coin": "BTC", "interval": "1m", "startTime": 0, "endTime": 2**41}
    return {"type": chance.choice(QUESTIONS), "user": ADDRESS, "coin": "BTC", "nSigFigs": 5, "req": req, **times}


def wish(chance: random.Random) -> dict[str, Any]:
    """A sound subscription."""
    kind = chance.choice((*OF_ALL_MARKETS, *OF_MARKETS, *OF_USERS))
    return {"type": kind, "user": ADDRESS, "coin": "BTC", "interval": "1m", "fast": True, "nSigFigs": 3}


def scraps(chance: random.Random, depth: int = 3) -> Any:
    """Something JSON, made of what the venue's bodies are made of."""
    shape = chance.random()
    if shape < 0.6 or depth == 0:
        return chance.choice(LEAVES)
    if shape < 0.8:
        return [scraps(chance, depth - 1) for _ in range(chance.randrange(4))]
    return {str(chance.choice(WORDS)): scraps(chance, depth - 1) for _ in range(chance.randrange(4))}


def broken(chance: random.Random, value: Any) -> Any:
    """A copy of which one place is replaced, left out, added or doubled."""
    if isinstance(value, dict) and value and chance.random() < 0.8:
        key = chance.choice(list(value))
        what = chance.random()
        if what < 0.1:
            return {name: item for name, item in value.items() if name != key}
        if what < 0.2:
            return {**value, str(chance.choice(WORDS)): scraps(chance)}
        return {**value, key: broken(chance, value[key])}
    if isinstance(value, list) and value and chance.random() < 0.8:
        place = chance.randrange(len(value))
        if chance.random() < 0.2:
            return value * chance.randrange(3)
        return [*value[:place], broken(chance, value[place]), *value[place + 1 :]]
    return scraps(chance)


def without_size(value: Any) -> Any:
    """The same with no size anywhere that is one."""
    if isinstance(value, list):
        return [without_size(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: "0" if key == "s" and isinstance(item, str) else without_size(item) for key, item in value.items()}


def request(chance: random.Random) -> dict[str, Any]:
    """A signed request, broken before it was signed, afterwards, or not at all."""
    action = actions(chance)
    for _ in range(chance.choice((0, 1, 1, 1, 2))):
        action = broken(chance, action)
    action = without_size(action) if isinstance(action, dict) else {"type": "noop", "x": scraps(chance)}
    try:
        whole = signed(action, source=chance.randrange(2), key=KEY if chance.random() < 0.8 else STRANGER)
    except (ValueError, TypeError, OverflowError):  # what msgpack cannot say nobody can sign
        whole = {**signed({"type": "noop"}), "action": action}
    if chance.random() < 0.3:
        part = chance.choice([*whole, "vaultAddress", "expiresAfter"])
        whole[part] = broken(chance, whole[part]) if part in whole and chance.random() < 0.5 else scraps(chance)
        whole = without_size(whole)
    return whole


def spoilt(chance: random.Random, raw: bytes) -> bytes:
    """Bytes of which a few are others, that end too early or go on."""
    what, changed = chance.random(), bytearray(raw)
    if what < 0.4:
        for _ in range(chance.randrange(1, 4)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
    elif what < 0.7:
        del changed[chance.randrange(len(changed)) :]
    elif what < 0.8:
        changed += chance.choice((b"}", b"null", b"\xff\xfe", b"[" * 2_000, bytes(50)))
    else:
        place = chance.randrange(len(changed))
        changed[place:place] = chance.choice((b'"', b"{", b"\\u0000", b"\\ud800", b"9" * 400, b"[" * 600))
    return bytes(changed)


def body(chance: random.Random, door: str) -> bytes:
    """A body for a door."""
    value = request(chance) if door == "exchange" else question(chance)
    if door == "info" and chance.random() < 0.8:
        value = broken(chance, value)
    raw = msgspec.json.encode(value)
    return spoilt(chance, raw) if chance.random() < 0.15 else raw


def frame(chance: random.Random) -> bytes:
    """A frame of a WebSocket."""
    kind = chance.choice(("subscribe", "unsubscribe", "info", "action", "action", "ping"))
    value: Any = {"method": kind, "subscription": wish(chance)}
    if kind in ("info", "action"):
        payload = question(chance) if kind == "info" else request(chance)
        value = {"method": "post", "id": chance.randrange(1_000), "request": {"type": kind, "payload": payload}}
    if chance.random() < 0.5:
        value = without_size(broken(chance, value))
    raw = msgspec.json.encode(value)
    return spoilt(chance, raw) if chance.random() < 0.1 else raw
