"""A file of the event cache is believed only if it is whole and of its market; else the tape is read again."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from papertrader.replay.session import Session, sessions
from papertrader.services.feed.config import FeedConfig

CONFIG = FeedConfig(duration_s=5.0)


def read(folder: Path) -> list[Session]:
    return list(sessions(CONFIG, folder))


def same(one: Session, other: Session) -> bool:
    columns = ((one.events[name], other.events[name]) for name in one.events.dtype.names)
    return one.market == other.market and all(
        np.array_equal(left, right, equal_nan=left.dtype.kind == "f") for left, right in columns
    )


@pytest.mark.parametrize("place", [0.3, 0.6, 0.99])
def test_flipped_bit_of_the_cache_is_no_other_number(tmp_path: Path, place: float) -> None:
    sound = [Session(*found[:3], np.array(found.events), *found[4:]) for found in read(tmp_path)]
    for path in tmp_path.glob("*.events"):
        content = bytearray(path.read_bytes())
        content[int(len(content) * place)] ^= 1
        path.write_bytes(content)
    assert all(same(one, other) for one, other in zip(sound, read(tmp_path), strict=True))


def test_array_of_another_market_is_not_believed(tmp_path: Path) -> None:
    sound = [Session(*found[:3], np.array(found.events), *found[4:]) for found in read(tmp_path)]
    first, second = sorted(tmp_path.glob("*.events"))
    shutil.copy(second, first)
    assert all(same(one, other) for one, other in zip(sound, read(tmp_path), strict=True))


def test_half_a_file_with_the_length_of_a_whole_one_is_not_believed(tmp_path: Path) -> None:
    sound = [Session(*found[:3], np.array(found.events), *found[4:]) for found in read(tmp_path)]
    for path in tmp_path.glob("*.events"):
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2].ljust(len(content), b"\0"))
    assert all(same(one, other) for one, other in zip(sound, read(tmp_path), strict=True))
