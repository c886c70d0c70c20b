"""What must be there before the services start: a key per broker user, the log, and the leases' bucket.

`python -m papertrader.cli.bootstrap keys DIRECTORY` makes every missing key and writes the broker's list of users;
`python -m papertrader.cli.bootstrap log` creates the log, or brings its limits up to date, and the leases' bucket.
"""

import argparse
import asyncio
import secrets
import sys
from pathlib import Path
from typing import Final

import nkeys
from nats.js.errors import APIError

from papertrader.shared.log.bus import Bus, BusError
from papertrader.shared.log.lease import create_bucket
from papertrader.shared.service.config import SettingsError, load
from papertrader.shared.service.permissions import USERS, authorization
from papertrader.shared.service.runtime import BusConfig

USERS_FILE: Final = Path("nats") / "users.conf"


def make_keys(directory: Path) -> None:
    """Write `<user>/seed` for every user that has none, and the public keys with their permissions for the broker."""
    public_keys = {user: _public_key(directory / user / "seed") for user in USERS}
    users = directory / USERS_FILE
    users.parent.mkdir(parents=True, exist_ok=True)
    users.write_text(authorization(public_keys))


def _public_key(path: Path) -> str:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o400)
        path.chmod(0o600)
        path.write_bytes(nkeys.encode_seed(secrets.token_bytes(32), nkeys.PREFIX_BYTE_USER))
        path.chmod(0o400)
    key: str = nkeys.from_seed(bytearray(path.read_bytes())).public_key.decode()
    return key


async def make_ready(config: BusConfig, own: bool) -> None:
    """See that a broker answers, and if it is one's `own` that it takes the log; raises BusError if not."""
    if own:
        await create_log(config)
        return
    bus = await Bus.connect(config.url, "bootstrap", **config.login())
    await bus.close()


async def create_log(config: BusConfig) -> None:
    """Create the log and the bucket of the leases; raises BusError."""
    bus = await Bus.connect(config.url, "bootstrap", **config.login())
    await bus.create_stream(config.max_bytes, config.max_age_s)
    try:
        await create_bucket(bus)
    except APIError as error:
        raise BusError(
            f"the broker has another bucket of leases: {error.description}; stop it, and start anew"
        ) from error
    await bus.close()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="bootstrap", description=__doc__)
    parser.add_argument("step", choices=["keys", "log"])
    parser.add_argument("directory", nargs="?", type=Path, default=Path("keys"))
    arguments = parser.parse_args()
    try:
        if arguments.step == "keys":
            make_keys(arguments.directory)
        else:
            asyncio.run(create_log(load().section("bus", BusConfig)))
    except (SettingsError, BusError, OSError) as error:
        sys.exit(f"bootstrap: {error}")


if __name__ == "__main__":
    main()
