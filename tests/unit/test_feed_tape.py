import gzip
from collections import Counter
from pathlib import Path

import pytest

from papertrader.shared.market.tape import TapeError, read_tape

LINES = [b'%d {"n":%d}\n' % (1_700_000_000_000_000_000 + number, number) for number in range(5_000)]


def read(path: Path) -> tuple[list[tuple[int, bytes]], Counter[str], str]:
    bad: Counter[str] = Counter()
    frames = []
    try:
        for frame in read_tape(path, bad):
            frames.append(frame)  # noqa: PERF402 - what came before the error counts
    except TapeError as error:
        return frames, bad, str(error)
    return frames, bad, ""


@pytest.mark.parametrize("compressed", [False, True])
def test_tape_plain_or_gzip_yields_time_and_frame(tmp_path: Path, compressed: bool) -> None:
    path = tmp_path / "tape"
    content = b'1757015216673878000 {"channel":"pong"}\n17 a b\n'
    path.write_bytes(gzip.compress(content) if compressed else content)
    frames, bad, error = read(path)
    assert frames == [(1_757_015_216_673_878_000, b'{"channel":"pong"}\n'), (17, b"a b\n")]
    assert not bad
    assert not error


def test_tape_of_two_gzip_members_is_read_through(tmp_path: Path) -> None:
    path = tmp_path / "tape.gz"
    path.write_bytes(gzip.compress(b"1 a\n") + gzip.compress(b"2 b\n"))
    assert read(path)[0] == [(1, b"a\n"), (2, b"b\n")]


def test_tape_line_of_another_form_is_counted_and_skipped(tmp_path: Path) -> None:
    path = tmp_path / "tape"
    path.write_bytes(b"\nabc {}\n-5 {}\n12\n12 \n1_0 {}\n99999999999999999999 {}\n\xff\xfe x\n7 {}\n")
    frames, bad, error = read(path)
    assert frames == [(7, b"{}\n")]
    assert bad == {"malformed_line": 8}
    assert not error


def test_tape_truncated_gzip_yields_all_whole_lines_then_names_file_and_frame(tmp_path: Path) -> None:
    path = tmp_path / "cut.gz"
    whole = gzip.compress(b"".join(LINES))
    path.write_bytes(whole[: len(whole) // 2])
    frames, _, error = read(path)
    assert 1_000 < len(frames) < len(LINES)
    assert frames == [(int(line.split()[0]), line.split(b" ", 1)[1]) for line in LINES[: len(frames)]]
    assert "cut.gz" in error
    assert f"frame {len(frames)}" in error


def test_tape_corrupt_gzip_is_an_error_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "corrupt.gz"
    content = bytearray(gzip.compress(b"".join(LINES)))
    content[len(content) // 2 : len(content) // 2 + 40] = b"\x00" * 40
    path.write_bytes(content)
    frames, _, error = read(path)
    assert 0 < len(frames) < len(LINES)
    assert "corrupt.gz" in error


@pytest.mark.parametrize("content", [b"", b"\n\n", gzip.compress(b"", mtime=0)])
def test_tape_without_a_frame_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "empty"
    path.write_bytes(content)
    assert "holds no frame" in read(path)[2]


def test_tape_missing_is_refused_by_name(tmp_path: Path) -> None:
    assert "nowhere.gz" in read(tmp_path / "nowhere.gz")[2]
