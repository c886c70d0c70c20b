"""A certificate authority of the gateway's own, for clients that speak TLS only: X.509 (RFC 5280), ECDSA on P-256.

The authority is made once and kept, so that a bot has to be told of it once; the server's certificate is made at each
start.
"""

import datetime
import os
import secrets
import ssl
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Final, NamedTuple

from Crypto.Hash import SHA1, SHA256
from Crypto.PublicKey import ECC
from Crypto.Signature import DSS

AUTHORITY_FILE: Final = "gateway-ca.pem"
"""What a bot is to trust."""
_AUTHORITY_KEY: Final = "gateway-ca.key"
_SERVER_FILE: Final = "gateway-tls.pem"
AUTHORITY_DAYS: Final = 3_650
SERVER_DAYS: Final = 365
BACKDATED: Final = datetime.timedelta(days=1)
"""How long before now a certificate begins: clocks differ."""

_SEQUENCE: Final = 0x30
_SET: Final = 0x31
_INTEGER: Final = 0x02
_BITS: Final = 0x03
_OCTETS: Final = 0x04
_TEXT: Final = 0x0C
_UTC_TIME: Final = 0x17
_TIME: Final = 0x18
_YES: Final = bytes.fromhex("0101ff")
_ECDSA_WITH_SHA256: Final = bytes.fromhex("06082a8648ce3d040302")
_COMMON_NAME: Final = bytes.fromhex("0603550403")
_BASIC_CONSTRAINTS: Final = bytes.fromhex("0603551d13")
_KEY_USAGE: Final = bytes.fromhex("0603551d0f")
_EXTENDED_KEY_USAGE: Final = bytes.fromhex("0603551d25")
_ALTERNATIVE_NAMES: Final = bytes.fromhex("0603551d11")
_SUBJECT_KEY: Final = bytes.fromhex("0603551d0e")
_AUTHORITY_KEY_ID: Final = bytes.fromhex("0603551d23")
_SERVER_AUTHENTICATION: Final = bytes.fromhex("06082b06010505070301")


class Authority(NamedTuple):
    """Who signs the server's certificate."""

    name: str
    key: ECC.EccKey


def der(tag: int, *parts: bytes) -> bytes:
    """A value in DER: its tag, its length, its content."""
    content = b"".join(parts)
    size = len(content)
    if size < 128:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 128 + len(length))) + length + content


def server_context(directory: Path, names: Sequence[str]) -> ssl.SSLContext:
    """What a server with these names speaks TLS with; the authority lies in the directory. Raises OSError."""
    authority = _authority(directory)
    key = ECC.generate(curve="P-256")
    chain = _pem(certificate(authority, key, names, SERVER_DAYS)) + (directory / AUTHORITY_FILE).read_text()
    _write_secret(directory / _SERVER_FILE, key.export_key(format="PEM") + "\n" + chain)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / _SERVER_FILE)
    return context


def _authority(directory: Path) -> Authority:
    """The authority that lies in a directory, made if there is none."""
    file, key_file = directory / AUTHORITY_FILE, directory / _AUTHORITY_KEY
    name = "papertrader gateway"
    if file.exists() and key_file.exists():
        return Authority(name, ECC.import_key(key_file.read_text()))
    made = Authority(name, ECC.generate(curve="P-256"))
    directory.mkdir(parents=True, exist_ok=True)
    _write_secret(key_file, made.key.export_key(format="PEM") + "\n")
    file.write_text(_pem(certificate(made, made.key, (), AUTHORITY_DAYS)))
    return made


def certificate(authority: Authority, key: ECC.EccKey, names: Sequence[str], days: int) -> bytes:
    """A certificate in DER, of a server with these names; without names that of the authority itself."""
    now = datetime.datetime.now(datetime.UTC)
    algorithm = der(_SEQUENCE, _ECDSA_WITH_SHA256)
    public = key.public_key().export_key(format="DER")
    extensions = _of_server(authority, key, names) if names else _of_authority(key)
    body = der(
        _SEQUENCE,
        der(0xA0, der(_INTEGER, b"\x02")),
        der(_INTEGER, b"\x01" + secrets.token_bytes(15)),
        algorithm,
        _name(authority.name),
        der(_SEQUENCE, _time(now - BACKDATED), _time(now + datetime.timedelta(days=days))),
        _name(names[0] if names else authority.name),
        public,
        der(0xA3, der(_SEQUENCE, *extensions)),
    )
    signature = DSS.new(authority.key, "fips-186-3", encoding="der").sign(SHA256.new(body))
    return der(_SEQUENCE, body, algorithm, der(_BITS, b"\x00", signature))


def _of_authority(key: ECC.EccKey) -> list[bytes]:
    """It signs certificates of servers, and no authorities."""
    return [
        der(_SEQUENCE, _BASIC_CONSTRAINTS, _YES, der(_OCTETS, der(_SEQUENCE, _YES, der(_INTEGER, b"\x00")))),
        der(_SEQUENCE, _KEY_USAGE, _YES, der(_OCTETS, der(_BITS, b"\x01\x06"))),
        der(_SEQUENCE, _SUBJECT_KEY, der(_OCTETS, der(_OCTETS, _identifier(key)))),
    ]


def _of_server(authority: Authority, key: ECC.EccKey, names: Sequence[str]) -> list[bytes]:
    """It is a server with these names."""
    return [
        der(_SEQUENCE, _KEY_USAGE, _YES, der(_OCTETS, der(_BITS, b"\x07\x80"))),
        der(_SEQUENCE, _EXTENDED_KEY_USAGE, der(_OCTETS, der(_SEQUENCE, _SERVER_AUTHENTICATION))),
        der(_SEQUENCE, _SUBJECT_KEY, der(_OCTETS, der(_OCTETS, _identifier(key)))),
        der(_SEQUENCE, _AUTHORITY_KEY_ID, der(_OCTETS, der(_SEQUENCE, der(0x80, _identifier(authority.key))))),
        der(_SEQUENCE, _ALTERNATIVE_NAMES, der(_OCTETS, der(_SEQUENCE, *map(_alternative, names)))),
    ]


def _alternative(name: str) -> bytes:
    try:
        return der(0x87, ip_address(name).packed)
    except ValueError:
        return der(0x82, name.encode("ascii"))


def _identifier(key: ECC.EccKey) -> bytes:
    """The usual name of a key: the hash of its point."""
    return SHA1.new(key.public_key().export_key(format="raw")).digest()


def _name(text: str) -> bytes:
    return der(_SEQUENCE, der(_SET, der(_SEQUENCE, _COMMON_NAME, der(_TEXT, text.encode()))))


def _time(moment: datetime.datetime) -> bytes:
    """A moment, as the years before and after 2050 are written."""
    if moment.year < 2050:
        return der(_UTC_TIME, moment.strftime("%y%m%d%H%M%SZ").encode())
    return der(_TIME, moment.strftime("%Y%m%d%H%M%SZ").encode())


def _pem(certificate_: bytes) -> str:
    return ssl.DER_cert_to_PEM_cert(certificate_)


def _write_secret(path: Path, text: str) -> None:
    """Write a file that nobody else may read."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
