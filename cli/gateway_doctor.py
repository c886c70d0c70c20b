"""`papertrader doctor --gateway`: why a bot does not get through, and what to do."""

import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import orjson
from rich.console import Console

from papertrader.services.gateway.config import DIAGNOSIS, GatewayConfig

TIMEOUT_S: Final = 5.0
SILENT_S: Final = 5.0
CLOCK_MS: Final = 60_000
"""A nonce so far from this machine's clock tells of another clock, or is no time at all."""
UNKNOWN_ASSET: Final = "Unknown asset"
OTHERS: Final = {
    "vault": "the bot acts for a vault or sub-account; on paper the vault address must be the signer's own",
    "body": "what came is none of the venue's requests; the client may be newer than this gateway",
    "signature": "the signature is broken: r, s or v are not what the venue takes",
    "not_on_paper": "what it asks for means nothing on paper",
    "too_many_requests": "the account has had more requests than it has earned by trading: gateway.address_requests",
    "ip_weight": "this IP asks more in a minute than the venue allows: subscribe instead, or set gateway.ip_weight",
    "too_early": "a scheduled cancel has to be five seconds ahead of this machine's clock",
    "unknown_asset": "there is no such market in this run",
}


class Finding(NamedTuple):
    """Something that stands in a bot's way, or does not: `fine`."""

    fine: bool
    text: str
    remedy: str = ""


def asked(url: str) -> dict[str, Any] | None:
    """What the gateway at an address says of itself, None if none answers."""
    request = urllib.request.Request(f"{url}/info", orjson.dumps({"type": DIAGNOSIS}))
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            found: dict[str, Any] = orjson.loads(answer.read())
            return found
    except (urllib.error.URLError, OSError, ValueError):
        return None


def url_of(settings: Mapping[str, Any]) -> str:
    """Where the gateway of a run with these settings is."""
    port = settings.get("gateway", {}).get("port", GatewayConfig().port)
    return f"http://{settings.get('bus', {}).get('host', '127.0.0.1')}:{port}"


def examine(url: str, out: Console, as_json: bool) -> bool:
    """Print every finding; whether nothing stands in the way."""
    found = list(findings(url, asked(url)))
    if as_json:
        sys.stdout.buffer.write(orjson.dumps({"findings": [item._asdict() for item in found]}) + b"\n")
    for finding in found if not as_json else ():
        mark = "[green]fine[/green]" if finding.fine else "[red]look[/red]"
        out.print(f"{mark}  {finding.text}", highlight=False, soft_wrap=True)
        if finding.remedy:
            out.print(f"      {finding.remedy}", highlight=False, soft_wrap=True)
    return all(finding.fine for finding in found)


def findings(url: str, state: Mapping[str, Any] | None) -> Iterator[Finding]:
    """What a gateway's state means for a bot."""
    if state is None:
        yield Finding(
            False, f"nothing answers at {url}", "is a run going on, with gateway.enabled, and is this its port?"
        )
        return
    yield Finding(True, f"the gateway answers at {url}")
    yield from _markets(state)
    yield from _accounts(state)
    yield from _traffic(url, state)
    reasons = dict.fromkeys(item["reason"] for item in state["recent"])
    for reason in reasons:
        yield _refused(reason, state)


def _markets(state: Mapping[str, Any]) -> Iterator[Finding]:
    markets = state["markets"]
    if not markets:
        yield Finding(False, "no market is known yet", "the feed has told of none: see its log")
    for market in markets:
        name = f"{market['coin']} is asset {market['asset']}"
        if market["ended"]:
            yield Finding(False, f"{name}; its source has ended", "no order is answered any more: start another run")
        elif market["silent_s"] is None or market["silent_s"] > SILENT_S:
            yield Finding(False, f"{name}; no round has ended for {market['silent_s']} s", "see the feed's log")
        else:
            yield Finding(True, name)


def _accounts(state: Mapping[str, Any]) -> Iterator[Finding]:
    for address, account in state["accounts"].items():
        yield Finding(True, f"{address} has the account {account}")
    for address, account in state["agents"].items():
        yield Finding(True, f"{address} signs for it as an agent: {account}")
    if state["free"]:
        yield Finding(True, f"the next address that signs gets the account {state['free'][0]}")
    elif state.get("opens"):
        yield Finding(True, "the next address that signs gets an account of its own")
    elif not state["accounts"]:
        yield Finding(
            False,
            "there is no account for a bot",
            "`papertrader account open NAME --address 0x...`, run with --strategy none, or set gateway.open_at_most",
        )


def _traffic(url: str, state: Mapping[str, Any]) -> Iterator[Finding]:
    signed, asked_ = sum(state["requests"].values()), state["questions"]
    if signed or state["recent"]:
        yield Finding(True, f"{signed} signed requests and {asked_} questions have come")
    else:
        yield Finding(
            False,
            f"no signed request has come, and {asked_} questions",
            f"is the bot's address {url}? Many clients have two, one for /exchange and one for /ws",
        )


def _refused(reason: str, state: Mapping[str, Any]) -> Finding:
    last = next(item for item in state["recent"] if item["reason"] == reason)
    text = f"refused {state['refusals'].get(reason, 1)} times, {last['age_s']:.0f} s ago at last: {last['text']}"
    if reason == "unknown_signer":
        return Finding(False, text, _unknown(last["addresses"], state))
    if reason in ("nonce", "expired"):
        return Finding(False, text, _clock(last))
    if reason == "order":
        unknown = [item["text"] for item in state["recent"] if item["text"].startswith(UNKNOWN_ASSET)]
        return Finding(not unknown, text, _ids(state) if unknown else "")
    if reason == "no_answer":
        return Finding(False, text, "no round ended while it waited: the market's data has stopped or is slow")
    return Finding(False, text, OTHERS.get(reason, ""))


def _unknown(addresses: list[str], state: Mapping[str, Any]) -> str:
    said, known = " or ".join(addresses), ", ".join(state["accounts"]) or "none"
    return (
        f"it was signed by {said}; known are {known}. If one of those is the bot's, name it in [gateway.accounts], or "
        "leave an account whose strategy is none. If neither is, the bot signs other bytes than it sends: another "
        "order of keys, a field more or less, another chain"
    )


def _clock(last: Mapping[str, Any]) -> str:
    ahead_ms = last["ahead_ms"]
    if abs(ahead_ms) > CLOCK_MS:
        return f"its nonce was {ahead_ms / 1000:+.0f} s from this machine's clock: a nonce is the time of now in ms"
    return "the same request came twice, or two programs sign with one key: each needs an agent of its own"


def _ids(state: Mapping[str, Any]) -> str:
    ids = ", ".join(f"{market['coin']} {market['asset']}" for market in state["markets"])
    return f"asset ids are those of this run's `meta`: {ids}. The bot has others written into it"
