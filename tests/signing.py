"""Signs as the venue's clients do, for tests without any of them; checked against theirs in tests/unit."""

import itertools
import time
from typing import Any, Final

from coincurve import PrivateKey

from papertrader.services.gateway.signing.hashing import connection_id, keccak, l1_digest

KEY: Final = PrivateKey(b"\x11" * 32)


def address_of(key: PrivateKey) -> str:
    """The address of a key."""
    return "0x" + keccak(key.public_key.format(compressed=False)[1:])[-20:].hex()


ADDRESS: Final = address_of(KEY)
NONCES: Final = itertools.count(time.time_ns() // 1_000_000)
"""From now on, each once: two requests of the same millisecond are two."""


def signed(action: dict[str, Any], nonce: int | None = None, source: int = 0, key: PrivateKey = KEY) -> dict[str, Any]:
    """A whole request. `source` 0 signs as `a`, 1 as `b`."""
    number = next(NONCES) if nonce is None else nonce
    digest = l1_digest(connection_id(action, number, b"", None), source)
    raw = key.sign_recoverable(digest, hasher=None)
    signature = {"r": f"0x{raw[:32].hex()}", "s": f"0x{raw[32:64].hex()}", "v": 27 + raw[64]}
    return {"action": action, "nonce": number, "signature": signature}


def order(price: str = "99.0", size: str = "1.0", tif: str = "Alo", **changes: Any) -> dict[str, Any]:
    """An action that places one order."""
    wire = {"a": 0, "b": True, "p": price, "s": size, "r": False, "t": {"limit": {"tif": tif}}, **changes}
    return {"type": "order", "orders": [wire], "grouping": "na"}
