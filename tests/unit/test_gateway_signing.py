"""Signatures: what the official SDK and ccxt signed is recovered, and nothing else is."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from papertrader.services.gateway.signing.nonces import FUTURE_MS, KEPT, PAST_MS, Nonces
from papertrader.services.gateway.signing.recover import SignatureError, signers

SIGNED: dict[str, Any] = json.loads((Path(__file__).parent / "signed_by_clients.json").read_text())
"""Made by the clients named in it, with a key of 32 times 0x11."""
ADDRESS = SIGNED["address"]
VECTORS = SIGNED["vectors"]
ORDER = next(item["body"] for item in VECTORS if item["body"]["action"]["type"] == "order")


@pytest.mark.parametrize("vector", VECTORS, ids=lambda item: f"{item['by']}-{item['body']['action']['type']}")
def test_what_a_client_signed_is_recovered(vector: dict[str, Any]) -> None:
    assert ADDRESS in signers(vector["body"])


def test_both_sources_and_every_kind_of_envelope_are_among_the_vectors() -> None:
    envelopes = {
        (signers(item["body"]).index(ADDRESS), bool(item["body"].get("vaultAddress")), item["body"].get("expiresAfter"))
        for item in VECTORS
        if len(signers(item["body"])) == 2
    }
    assert {
        (source, vault, expires) for source in (0, 1) for vault in (False, True) for expires in (None, 0)
    } <= envelopes


def changed(**changes: Any) -> dict[str, Any]:
    body = copy.deepcopy(ORDER)
    return {**body, **changes}


def order_with(**changes: Any) -> dict[str, Any]:
    body = copy.deepcopy(ORDER)
    body["action"]["orders"][0].update(changes)
    return body


@pytest.mark.parametrize(
    "body",
    [
        order_with(s="0.002"),
        order_with(c=None),
        changed(nonce=ORDER["nonce"] + 1),
        changed(vaultAddress="0x" + "aa" * 20),
        changed(expiresAfter=0),
        changed(action={key: ORDER["action"][key] for key in sorted(ORDER["action"])}),
        changed(action={**ORDER["action"], "builder": {"b": "0x" + "22" * 20, "f": 0}}),
        changed(signature={**ORDER["signature"], "v": 55 - ORDER["signature"]["v"]}),
    ],
    ids=["size", "added_key", "nonce", "vault", "expires", "sorted", "builder", "recovery"],
)
def test_what_was_tampered_with_is_somebody_elses(body: dict[str, Any]) -> None:
    assert ADDRESS not in signers(body)


@pytest.mark.parametrize(
    "signature",
    [
        {},
        {"r": "0x0", "s": "0x0", "v": 27},
        {"r": "0x" + "ff" * 32, "s": "0x" + "ff" * 32, "v": 28},
        {"r": "0x" + "ff" * 33, "s": "0x1", "v": 27},
        {"r": "nothing", "s": "0x1", "v": 27},
        {"r": "0x1", "s": "0x1", "v": 99_999},
        {"r": 1, "s": 2, "v": "27"},
    ],
)
def test_what_is_no_signature_is_refused(signature: dict[str, Any]) -> None:
    with pytest.raises(SignatureError, match=r"Unable to recover signer\."):
        signers(changed(signature=signature))


def test_a_vault_may_be_written_without_0x_and_in_any_case() -> None:
    body = next(item["body"] for item in VECTORS if item["body"].get("vaultAddress"))
    bare = str(body["vaultAddress"]).removeprefix("0x")
    assert all(ADDRESS in signers({**body, "vaultAddress": text}) for text in (bare, bare.lower(), f"0x{bare.upper()}"))


NOW = 1_788_490_000_000


def test_a_nonce_counts_once() -> None:
    nonces = Nonces()
    assert nonces.refusal(NOW, NOW) == ""
    nonces.use(NOW)
    assert nonces.refusal(NOW, NOW) == f"Invalid nonce: duplicate nonce {NOW}"
    assert nonces.refusal(NOW - 1, NOW) == ""


def test_a_nonce_below_the_hundred_largest_is_too_low() -> None:
    nonces = Nonces()
    for number in range(KEPT + 1):
        nonces.use(NOW + number)
    assert nonces.refusal(NOW, NOW) == f"Invalid nonce: nonce too low {NOW} < {NOW + 1}"


@pytest.mark.parametrize(
    ("nonce", "refused"), [(NOW - PAST_MS, False), (NOW - PAST_MS - 1, True), (NOW + FUTURE_MS + 1, True)]
)
def test_a_nonce_is_a_time_of_about_now(nonce: int, refused: bool) -> None:
    assert bool(Nonces().refusal(nonce, NOW)) == refused
