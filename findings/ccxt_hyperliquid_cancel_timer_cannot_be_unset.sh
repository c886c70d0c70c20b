#!/usr/bin/env bash
# ccxt 4.5.90, hyperliquid: cancel_all_orders_after(0) does not unset the dead man's switch.
#
# The method's own description says "time in milliseconds, 0 represents cancel the timer". But it always sends
# {"type": "scheduleCancel", "time": <nonce + timeout>}, with 0 a time that is now. The venue unsets the timer by an action
# without `time`, and refuses a time that is less than 5 seconds ahead ("Scheduled cancel time too early"): the timer that was
# set before stays, and a bot that "cancelled" it loses its orders when it is due.
# Source: ccxt/hyperliquid.py, cancel_all_orders_after; the venue's documentation of scheduleCancel.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ccxt==4.5.90 coincurve==21.0.0
venv/bin/python - <<'PYTHON'
import json
import sys

import ccxt

sent = []
exchange = ccxt.hyperliquid({"privateKey": "0x" + "11" * 32, "walletAddress": "0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a"})
exchange.markets = {}


def fetch(url, method="GET", headers=None, body=None):
    sent.append(json.loads(body))
    return {"status": "ok", "response": {"type": "default"}}


exchange.fetch = fetch
exchange.cancel_all_orders_after(0)
request = next(item for item in sent if item.get("action", {}).get("type") == "scheduleCancel")
print("ccxt", ccxt.__version__)
print("cancel_all_orders_after(0) sends", request["action"], "with nonce", request["nonce"])
as_found = request["action"].get("time") == request["nonce"]
print("the timer is set to now, not unset" if as_found else "CHANGED")
sys.exit(0 if as_found else 1)
PYTHON
