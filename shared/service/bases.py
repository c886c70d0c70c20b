"""What every fold remembered when an epoch began: copies of the checkpoints, so that a log can be proved from there.

An older program's arithmetic is not kept, so what it said cannot be folded again; what is said since can be, from here.
So can what is left of a log whose beginning retention drops: for that there are copies beside the segments.
"""

import contextlib
import shutil
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from papertrader.shared.log.segments import FOLDER as SEGMENTS
from papertrader.shared.service.epoch import Epoch, decode

FOLDER: Final = "epochs"
CHECKPOINTS: Final = "checkpoints"
BESIDE: Final = "bases"
_EPOCH: Final = "epoch.json"


class Base(NamedTuple):
    """Where the folds of an epoch began; `directory` holds their checkpoints, by service."""

    epoch: Epoch
    directory: Path


def base_of(data_dir: Path, epoch: Epoch) -> Path:
    """Where the checkpoints are kept as they were when an epoch began, by service."""
    return data_dir / FOLDER / str(epoch.number)


def keep(data_dir: Path, epoch: Epoch) -> None:
    """Copy the checkpoints as an epoch begins; raises OSError."""
    _copy(data_dir / CHECKPOINTS, base_of(data_dir, epoch), epoch)


def keep_beside(data_dir: Path, epoch: Epoch, sequence: int) -> None:
    """Copy the checkpoints beside the segments, as of about a sequence; raises OSError."""
    _copy(data_dir / CHECKPOINTS, data_dir / SEGMENTS / BESIDE / f"{sequence:015d}", epoch)


def forget_before(data_dir: Path, sequence: int) -> None:
    """Take the copies beside the segments away from which nothing can be folded any more; raises OSError."""
    for path in (data_dir / SEGMENTS / BESIDE).glob("*"):
        if not path.name.isdigit() or int(path.name) < sequence:
            shutil.rmtree(path)


def newest_beside(data_dir: Path) -> int:
    """The sequence of the newest copy beside the segments, 0 if there is none."""
    return max((int(path.name) for path in (data_dir / SEGMENTS / BESIDE).glob("*") if path.name.isdigit()), default=0)


def _copy(checkpoints: Path, wanted: Path, epoch: Epoch) -> None:
    partial = wanted.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    for path in checkpoints.glob("*/*.checkpoint"):  # a service may replace what is copied: a whole one by a whole one
        (partial / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, partial / path.parent.name / path.name)
    partial.mkdir(parents=True, exist_ok=True)
    (partial / _EPOCH).write_bytes(msgspec.json.encode(epoch))
    shutil.rmtree(wanted, ignore_errors=True)
    partial.replace(wanted)


def bases(data_dir: Path) -> list[Base]:
    """What is kept of the beginnings of epochs, by their number. What cannot be read is left out."""
    return sorted(_found(data_dir / FOLDER), key=lambda base: base.epoch.number)


def bases_beside(data_dir: Path) -> list[Base]:
    """What is kept beside the segments, the oldest first. What cannot be read is left out."""
    return sorted(_found(data_dir / SEGMENTS / BESIDE), key=lambda base: base.directory.name)


def _found(folder: Path) -> list[Base]:
    found = []
    for path in folder.glob(f"*/{_EPOCH}"):
        with contextlib.suppress(OSError, ValueError):
            found.append(Base(decode(path.read_bytes()), path.parent))
    return found


def beginnings(found: list[Base], code: str) -> list[Base]:
    """The bases from which a program folds on after another one: what that one made it cannot fold itself."""
    made_by = {base.epoch.number: base.epoch.code for base in found}
    return [base for base in found if base.epoch.code == code and made_by.get(base.epoch.number - 1, "") != code]
