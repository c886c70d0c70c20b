"""Keccak and the EIP-712 digests of the venue's two kinds of signatures.

Source: hyperliquid-python-sdk 0.24.0, `hyperliquid/utils/signing.py`, and what eight clients were seen to sign.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgpack
from Crypto.Hash import keccak as _keccak


def keccak(data: bytes) -> bytes:
    """The Keccak-256 hash."""
    return _keccak.new(digest_bits=256, data=data).digest()


_DOMAIN: Final = keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
_AGENT: Final = keccak(b"Agent(string source,bytes32 connectionId)")
SOURCES: Final = (b"a", b"b")
"""What clients sign as: `a` for the venue, `b` for any other address, a local one too; some take `a` always."""


def domain(name: bytes, chain_id: int) -> bytes:
    """The hash of a signing domain of version 1 without a contract."""
    return keccak(_DOMAIN + keccak(name) + keccak(b"1") + chain_id.to_bytes(32, "big") + bytes(32))


_L1_DOMAIN: Final = domain(b"Exchange", 1337)
_SOURCE_HASHES: Final = tuple(keccak(source) for source in SOURCES)


def connection_id(action: Mapping[str, Any], nonce: int, vault: bytes, expires_after: int | None) -> bytes:
    """The hash of an action as it came, keys in their order; `vault` is empty or an address of 20 bytes."""
    tail = nonce.to_bytes(8, "big") + (b"\x01" + vault if vault else b"\x00")
    if expires_after is not None:
        tail += b"\x00" + expires_after.to_bytes(8, "big")
    packed: bytes = msgpack.packb(action)
    return keccak(packed + tail)


def l1_digest(connection: bytes, source: int) -> bytes:
    """What is signed for an action as one of the `SOURCES`, by its place."""
    return keccak(b"\x19\x01" + _L1_DOMAIN + keccak(_AGENT + _SOURCE_HASHES[source] + connection))


def user_digest(name: str, fields: tuple[tuple[str, str], ...], action: Mapping[str, Any]) -> bytes:
    """What is signed for an action that names its own user: `fields` are (type, name) pairs in their order.

    Raises ValueError, KeyError or TypeError for a field that is not of its type.
    """
    chain = int(str(action["signatureChainId"]), 16)
    signature = ",".join(f"{kind} {field}" for kind, field in fields)
    type_hash = keccak(f"HyperliquidTransaction:{name}({signature})".encode())
    encoded = b"".join(_encoded(kind, action.get(field)) for kind, field in fields)
    return keccak(b"\x19\x01" + domain(b"HyperliquidSignTransaction", chain) + keccak(type_hash + encoded))


def _encoded(kind: str, value: Any) -> bytes:
    if kind == "string":
        return keccak(("" if value is None else str(value)).encode())
    if kind == "address":
        return bytes(12) + address_bytes(str(value))
    return int(value).to_bytes(32, "big")


def address_bytes(text: str) -> bytes:
    """An address of 20 bytes, written in any case, with or without `0x`; raises ValueError for any other text."""
    found = bytes.fromhex(text[2:] if text[:2] in ("0x", "0X") else text)
    if len(found) != 20:
        raise ValueError(f"{text!r} is no address")
    return found
