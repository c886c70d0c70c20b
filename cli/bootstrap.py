"""What must be there before the services start: a key per broker user, the log, and the leases' bucket.

`python -m papertrader.cli.bootstrap keys DIRECTORY` makes every missing key, writes the broker's list of users, and
draws the password of Grafana's `admin`;
`python -m papertrader.cli.bootstrap log` creates the log, or brings its limits up to date, and the leases' bucket.
"""

import argparse
import asyncio
import secrets
import sys
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import msgspec
import nkeys
from nats.js.errors import APIError

from papertrader import __version__
from papertrader.replay.settings import effective
from papertrader.shared.log.bus import Bus, BusError
from papertrader.shared.log.health import FOLDS
from papertrader.shared.log.lease import create_bucket
from papertrader.shared.log.subjects import Market, subject
from papertrader.shared.messages import RoundEnd
from papertrader.shared.service.bases import bases, keep
from papertrader.shared.service.bus_config import BusConfig
from papertrader.shared.service.checkpoint import CheckpointError, CheckpointStore
from papertrader.shared.service.config import Settings, SettingsError, load
from papertrader.shared.service.epoch import CODE, Epoch, begin, changes, check_sealed, current, following
from papertrader.shared.service.permissions import USERS, accounts

USERS_FILE: Final = Path("nats") / "users.conf"
PASSWORD_FILE: Final = Path("grafana") / "password"


def make_keys(directory: Path) -> None:
    """Write `<user>/seed` for every user that has none, the public keys with their permissions for the broker, and a
    password for Grafana where there is none.
    """
    public_keys = {user: _public_key(directory / user / "seed") for user in USERS}
    users = directory / USERS_FILE
    users.parent.mkdir(parents=True, exist_ok=True)
    users.write_text(accounts(public_keys))
    password = directory / PASSWORD_FILE
    password.parent.mkdir(parents=True, exist_ok=True)
    if not password.exists():
        password.write_text(secrets.token_urlsafe(24))
        password.chmod(0o444)  # in a volume that only Grafana sees, under a user of its own


def _public_key(path: Path) -> str:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o400)
        path.chmod(0o600)
        path.write_bytes(nkeys.encode_seed(secrets.token_bytes(32), nkeys.PREFIX_BYTE_USER))
        path.chmod(0o400)
    key: str = nkeys.from_seed(bytearray(path.read_bytes())).public_key.decode()
    return key


async def create_log(config: BusConfig, settings: Settings) -> list[str]:
    """Create the log and the bucket of the leases, and begin an epoch if anything has changed; raises BusError.

    Returns what is new in the epoch, empty if it is the log's first or none begins.
    """
    bus = await Bus.connect(config.url, "bootstrap", data_dir=Path(config.data_dir), **config.login())
    try:
        await bus.create_stream(*config.limits)
        changed = await _begin_epoch(bus, Path(config.data_dir), settings)
        await _create_bucket(bus)
    finally:
        await bus.close()
    return changed


async def _create_bucket(bus: Bus) -> None:
    try:
        await create_bucket(bus)
    except APIError as error:
        raise BusError(
            f"the broker has another bucket of leases: {error.description}; stop it, and start anew"
        ) from error


async def _begin_epoch(bus: Bus, directory: Path, settings: Settings) -> list[str]:
    await check_sealed(bus)
    last = await current(bus)
    if last is not None:
        _see_that_no_epoch_is_gone(directory, last)
    epoch = following(last, Settings(effective(settings.tables)), __version__)
    changed = changes(last, epoch) if last is not None else []
    if any(not line.startswith(CODE) for line in changed):
        await _see_that_all_is_folded(bus, directory, changed)
    if epoch != last:
        keep(directory, epoch)
        await begin(bus, epoch)
    return changed


def _see_that_no_epoch_is_gone(directory: Path, last: Epoch) -> None:
    """Raise BusError if the directory knows of a later epoch than the log; of the next one it knows before the log."""
    kept = max((base.epoch.number for base in bases(directory) if base.epoch.log == last.log), default=0)
    if kept > last.number + 1:
        raise BusError(
            f"epoch {kept} of {directory} is gone: its log was purged, or is an older copy, and ends in epoch "
            f"{last.number}; put back what was taken away, or go on in another data directory"
        )


async def _see_that_all_is_folded(bus: Bus, directory: Path, changed: list[str]) -> None:
    """Raise BusError if a fold has not folded the log to its end: the rest would be folded with other settings."""
    for service in FOLDS:
        folder = directory / "checkpoints" / service
        store = CheckpointStore(folder.parent, service)
        for path in sorted(folder.glob("*.checkpoint")):
            venue, _, asset = unquote(path.stem).partition(".")
            market = Market(venue, asset)
            last = await bus.last(subject("round", market))
            if last is not None and _round(store, market) < msgspec.json.decode(last.payload, type=RoundEnd).round:
                raise BusError(
                    f"settings or accounts have changed ({'; '.join(changed)}), but {service} has not folded {market} "
                    "to the end of the log: run it once more with the settings that it had, end it with Ctrl-C, then "
                    "change them"
                )


def _round(store: CheckpointStore, market: Market) -> int:
    """The round that a fold has remembered last, −1 if that cannot be read."""
    try:
        return store.newest(market).round
    except CheckpointError:
        return -1


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
            settings = load()
            for line in asyncio.run(create_log(settings.section("bus", BusConfig), settings)):
                sys.stderr.write(f"bootstrap: a new epoch: {line}\n")
    except (SettingsError, BusError, CheckpointError, OSError) as error:
        sys.exit(f"bootstrap: {error}")


if __name__ == "__main__":
    main()
