"""`python -m tests.fuzz [HOW_MANY] [SEED]`: a million by default, said at the end with what it took."""

import sys
import tempfile
import time
from pathlib import Path

import uvloop

from papertrader.shared.log.broker import Broker
from tests.fuzz.attack import attacked


def main() -> None:
    """Attack a gateway of its own."""
    wanted, seed = (int(text) for text in (*sys.argv[1:], *("1000000", "1")[len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory() as name:
        broker = Broker(Path(name) / "nats")
        broker.start()
        started, used = time.monotonic(), time.process_time()
        try:
            counts = uvloop.run(attacked(broker, wanted, seed))
        finally:
            broker.stop()
    seconds, cpu_s = time.monotonic() - started, time.process_time() - used
    sys.stdout.write(f"{wanted:,} in {seconds:.0f} s ({cpu_s:.0f} s of a processor): {dict(counts)}\n")


if __name__ == "__main__":
    main()
