"""`python -m tools.venue_server`: serve a venue on this machine.

python -m tools.venue_server                                   the synthetic market as Hyperliquid on port 3002
python -m tools.venue_server --venue binance --port 3003
python -m tools.venue_server --tape btc.gz --speed 10          a recorded tape
python -m tools.venue_server --script faults.json              faults at given seconds
curl -d '{"fault": "silence", "duration_s": 20}' localhost:3002/control
"""

import argparse
import asyncio
import contextlib
import logging
from pathlib import Path

import msgspec

from papertrader.services.feed.config import SyntheticAsset
from tools.venue_server.faults import Fault
from tools.venue_server.frames import Programme, of_synthetic, of_tapes
from tools.venue_server.protocols import PROTOCOLS
from tools.venue_server.server import VenueServer


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="venue_server", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--venue", choices=sorted(PROTOCOLS), default="hyperliquid", help="venue to be, without a tape")
    parser.add_argument("--tape", type=Path, action="append", default=[], help="tape to play; may be repeated")
    parser.add_argument("--coins", type=int, default=0, help="so many synthetic coins C001, C002, ... instead of a few")
    parser.add_argument("--duration", type=float, default=86_400.0, help="length of the synthetic market, s")
    parser.add_argument("--seed", type=int, default=1, help="seed of the synthetic market and of the garbage")
    parser.add_argument("--speed", type=float, default=1.0, help="event seconds per second; 0: as fast as clients read")
    parser.add_argument("--delay", type=float, default=0.3, help="age of the first frame when it is sent, s")
    parser.add_argument("--as-recorded", action="store_true", help="send a tape untouched, with its own times")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=3002, help="port to listen on")
    parser.add_argument("--script", type=Path, help="JSON list of [at second, fault, duration, jump in ms]")
    return parser.parse_args()


def _programme(arguments: argparse.Namespace) -> Programme:
    if arguments.tape:
        return of_tapes(arguments.tape)
    coins = [
        SyntheticAsset(name=f"C{number:03}", price=100.0, tick_size=0.01, lot_size=0.01)
        for number in range(1, arguments.coins + 1)
    ]
    return of_synthetic(arguments.venue, arguments.duration, arguments.seed, coins)


async def _serve(arguments: argparse.Namespace) -> None:
    programme = _programme(arguments)
    script = msgspec.json.decode(arguments.script.read_bytes(), type=list[Fault]) if arguments.script else ()
    server = VenueServer(
        programme,
        PROTOCOLS[programme.venue],
        speed=arguments.speed,
        restamp=not arguments.as_recorded,
        delay_s=arguments.delay,
        script=script,
        seed=arguments.seed,
    )
    await server.start(arguments.port, arguments.host)
    logging.info("%s with %s on %s", programme.venue, ", ".join(programme.instruments), server.url)
    try:
        await asyncio.Event().wait()
    finally:
        await server.stop()


def main() -> None:
    """Serve until Ctrl-C."""
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s venue server: %(message)s")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(_arguments()))


if __name__ == "__main__":
    main()
