"""What every fold remembered when an epoch began: copies of the checkpoints, so that a log can be proved from there.

An older program's arithmetic is not kept, so what it said cannot be folded again; what is said since can be, from here.
"""

import shutil
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from papertrader.shared.service.epoch import Epoch, decode

FOLDER: Final = "epochs"
CHECKPOINTS: Final = "checkpoints"
_EPOCH: Final = "epoch.json"


class Base(NamedTuple):
    """Where the folds of an epoch began; `directory` holds their checkpoints, by service."""

    epoch: Epoch
    directory: Path


def keep(data_dir: Path, epoch: Epoch) -> None:
    """Copy the checkpoints as an epoch begins; raises OSError."""
    wanted = data_dir / FOLDER / str(epoch.number)
    partial = wanted.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    if (data_dir / CHECKPOINTS).is_dir():
        shutil.copytree(data_dir / CHECKPOINTS, partial)
    partial.mkdir(parents=True, exist_ok=True)
    (partial / _EPOCH).write_bytes(msgspec.json.encode(epoch))
    shutil.rmtree(wanted, ignore_errors=True)
    partial.replace(wanted)


def bases(data_dir: Path) -> list[Base]:
    """What is kept, by the number of the epoch. What cannot be read is left out."""
    found = []
    for path in (data_dir / FOLDER).glob(f"*/{_EPOCH}"):
        try:
            found.append(Base(decode(path.read_bytes()), path.parent))
        except (OSError, ValueError):
            continue
    return sorted(found, key=lambda base: base.epoch.number)


def beginnings(found: list[Base], code: str) -> list[Base]:
    """The bases from which a program folds on after another one: what that one made it cannot fold itself."""
    made_by = {base.epoch.number: base.epoch.code for base in found}
    return [base for base in found if base.epoch.code == code and made_by.get(base.epoch.number - 1, "") != code]
