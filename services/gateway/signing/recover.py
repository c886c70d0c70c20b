"""From a signed request to the addresses that may have signed it."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from coincurve import PublicKey

from papertrader.services.gateway.signing.hashing import (
    SOURCES,
    address_bytes,
    connection_id,
    keccak,
    l1_digest,
    user_digest,
)

U64: Final = 2**64


class SignatureError(ValueError):
    """Nobody can have signed this."""


def _fields(text: str) -> tuple[tuple[str, str], ...]:
    pairs = (field.split(" ") for field in ("string hyperliquidChain," + text).split(","))
    return tuple((kind, name) for kind, name in pairs)


USER_SIGNED: Final[dict[str, tuple[str, tuple[tuple[str, str], ...]]]] = {
    "approveAgent": ("ApproveAgent", _fields("address agentAddress,string agentName,uint64 nonce")),
    "approveBuilderFee": ("ApproveBuilderFee", _fields("string maxFeeRate,address builder,uint64 nonce")),
    "usdSend": ("UsdSend", _fields("string destination,string amount,uint64 time")),
    "spotSend": ("SpotSend", _fields("string destination,string token,string amount,uint64 time")),
    "withdraw3": ("Withdraw", _fields("string destination,string amount,uint64 time")),
    "usdClassTransfer": ("UsdClassTransfer", _fields("string amount,bool toPerp,uint64 nonce")),
    "sendAsset": (
        "SendAsset",
        _fields(
            "string destination,string sourceDex,string destinationDex,string token,string amount,"
            "string fromSubAccount,uint64 nonce"
        ),
    ),
    "userSetAbstraction": ("UserSetAbstraction", _fields("address user,string abstraction,uint64 nonce")),
    "userDexAbstraction": ("UserDexAbstraction", _fields("address user,bool enabled,uint64 nonce")),
    "tokenDelegate": ("TokenDelegate", _fields("address validator,uint64 wei,bool isUndelegate,uint64 nonce")),
    "convertToMultiSigUser": ("ConvertToMultiSigUser", _fields("string signers,uint64 nonce")),
    "cDeposit": ("CDeposit", _fields("uint64 wei,uint64 nonce")),
    "cWithdraw": ("CWithdraw", _fields("uint64 wei,uint64 nonce")),
}
"""Actions that are signed as typed data of their own: the type's name and its fields, by the action's type."""


def signers(body: Mapping[str, Any]) -> tuple[str, ...]:
    """The addresses, lower case, that may have signed a request: one per source, or one for typed data.

    Only one of them exists; the other is nobody's. Raises SignatureError for what cannot be a signature.
    """
    return tuple(address for _, address in sorted(recovered(body)))


def recovered(body: Mapping[str, Any], likely: int = 0) -> Iterator[tuple[int, str]]:
    """The same one after the other, each with its source; the `likely` source comes first."""
    try:
        for source, digest in _digests(body, likely):
            yield source, _address(digest, body["signature"])
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise SignatureError("Unable to recover signer.") from error
    except Exception as error:  # coincurve raises a bare Exception for a point that is not on the curve
        raise SignatureError("Unable to recover signer.") from error


def _digests(body: Mapping[str, Any], likely: int) -> Iterator[tuple[int, bytes]]:
    action = body["action"]
    typed = USER_SIGNED.get(action["type"])
    if typed is not None:
        yield likely, user_digest(*typed, action)
        return
    vault, expires_after = body.get("vaultAddress"), body.get("expiresAfter")
    connection = connection_id(action, body["nonce"], address_bytes(vault) if vault else b"", expires_after)
    for source in sorted(range(len(SOURCES)), key=lambda source: source != likely):
        yield source, l1_digest(connection, source)


def _address(digest: bytes, signature: Mapping[str, Any]) -> str:
    r, s, v = int(signature["r"], 16), int(signature["s"], 16), int(signature["v"])
    raw = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([v - 27 if v >= 27 else v])
    key = PublicKey.from_signature_and_message(raw, digest, hasher=None)
    return "0x" + keccak(key.format(compressed=False)[1:])[-20:].hex()
