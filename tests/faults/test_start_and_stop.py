"""A run is safe to start and to stop: what is wrong is said in one line before anything starts, nothing is left."""

import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.operators import SLOW_MARKET, event_s, folding, processes_of, started, until
from tests.runs import PAPERTRADER, papertrader


def one_line(done: "subprocess.CompletedProcess[str]") -> str:
    """What a command that refused said: one line, and no traceback."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("papertrader: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.mark.slow
def test_second_run_on_a_data_directory_is_refused_and_the_holder_named(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    with started("run", *SLOW_MARKET, "--data-dir", directory) as first:
        assert until(lambda: folding(directory), 90)
        said = one_line(papertrader("run", *SLOW_MARKET, "--data-dir", directory))
        assert f"process {first.pid}" in said
        assert "its page is http://127.0.0.1:" in said
        assert first.poll() is None


@pytest.mark.slow
@pytest.mark.parametrize("end", ["killed", "terminal closed"])
def test_nothing_is_left_of_a_run_however_its_parent_ends(tmp_path: Path, end: str) -> None:
    directory = tmp_path / "data"
    ours, theirs = pty.openpty()
    run = subprocess.Popen(
        [str(PAPERTRADER), "run", *SLOW_MARKET, "--data-dir", str(directory)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: __import__("fcntl").ioctl(0, __import__("termios").TIOCSCTTY, 0),
    )
    os.close(theirs)
    try:
        assert until(lambda: _read(ours) is not None and folding(directory), 90)
        assert len(processes_of(directory)) >= 8
        if end == "killed":
            run.kill()
        else:
            os.close(ours)
        assert until(lambda: run.poll() is not None, 30)
        assert until(lambda: not processes_of(directory), 25), processes_of(directory)
    finally:
        run.kill()
        run.wait()
        if end == "killed":
            os.close(ours)
    again = papertrader("run", *SLOW_MARKET[:-1], "60", "--speed", "0", "--json", "--data-dir", directory)
    assert again.returncode in (0, 1), again.stderr


def _read(terminal: int) -> bytes | None:
    """Take what was written on a terminal, so that nobody waits for it to be read."""
    os.set_blocking(terminal, False)
    try:
        return os.read(terminal, 1 << 20)
    except BlockingIOError:
        return b""
    except OSError:
        return None


@pytest.mark.slow
def test_two_runs_started_together_have_ports_of_their_own(tmp_path: Path) -> None:
    runs = [
        subprocess.Popen(
            [str(PAPERTRADER), "run", "--duration", "30", "--speed", "0", "--json", "--data-dir", str(tmp_path / name)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    said = [run.communicate(timeout=180)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    numbers = [number for text in said for number in re.findall(r"(?:sim|quoter|or|er|ion|feed)\s(\d{4,5})\b", text)]
    assert len(numbers) == len(set(numbers)) == 14
    assert all("had died" not in text for text in said), said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--strategy", "nowhere.to_be:Found"), "strategy 'nowhere.to_be:Found': the module 'nowhere.to_be' cannot be"),
        (("--tape", "/nowhere.gz"), "/nowhere.gz: cannot be read beyond frame 0: [Errno 2] No such file"),
        (("--source", "hyperliquid"), "feed.assets: name what to follow of hyperliquid, e.g. BTC"),
        (("--assets", "SYN9"), "feed.assets: SYN9 not in the source, which holds SYN1, SYN2"),
    ],
)
def test_what_is_not_there_is_named_before_anything_starts(tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    done = papertrader("run", "--duration", "3000", *options, "--data-dir", tmp_path / "data")
    assert said in one_line(done)
    assert not (tmp_path / "data").exists()


DIES_WHEN_QUOTING = """
from pathlib import Path
seen = Path(__file__).with_name("seen")
if seen.exists():
    raise RuntimeError("dies when it quotes")
seen.touch()

class Mine:
    def __init__(self, settings): pass
    def targets(self, view): return []
"""


@pytest.mark.slow
def test_quoter_that_cannot_start_ends_the_run_and_says_why(tmp_path: Path) -> None:
    """Whose strategy could be loaded beforehand, and cannot be loaded any more."""
    begun, mine = time.monotonic(), tmp_path / "mine.py"
    mine.write_text(DIES_WHEN_QUOTING)
    done = papertrader("run", *SLOW_MARKET, "--strategy", f"{mine}:Mine", "--data-dir", tmp_path / "data")
    assert done.returncode == 2
    assert "dies when it quotes" in done.stderr
    assert time.monotonic() - begun < 150
    shutil.rmtree(tmp_path / "data")  # no log that could be verified


def test_broker_that_does_not_answer_ends_the_run_in_one_line(tmp_path: Path) -> None:
    begun = time.monotonic()
    done = papertrader("run", *SLOW_MARKET, "--nats", "nats://127.0.0.1:9", "--data-dir", tmp_path / "data")
    assert "no NATS server answers at nats://127.0.0.1:9" in one_line(done)
    assert time.monotonic() - begun < 90


def test_page_port_that_was_asked_for_and_is_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        settings = tmp_path / "settings.toml"
        settings.write_text(f"[monitor]\nport = {port}\n")
        done = papertrader("run", *SLOW_MARKET, "--settings", settings, "--data-dir", tmp_path / "data")
    assert f"port {port} is in use" in one_line(done)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"NO TINY DISK: mounting needs root: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_disk_that_is_full_is_named_before_anything_starts(disk: Path) -> None:
    said = one_line(papertrader("run", *SLOW_MARKET, "--data-dir", disk / "data"))
    assert str(disk / "data") in said
    assert "MiB left" in said
    assert not list(disk.rglob("*.log"))


def test_disk_that_cannot_be_written_to_is_named_before_anything_starts(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    said = one_line(papertrader("run", *SLOW_MARKET, "--data-dir", disk / "data"))
    assert f"{disk / 'data'} cannot be written to: Read-only file system" in said


def test_file_in_place_of_the_data_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = one_line(papertrader("run", *SLOW_MARKET, "--data-dir", tmp_path / "file" / "data"))
    assert f"{tmp_path / 'file' / 'data'} cannot be written to" in said


RECORD = ("record", "--source", "hyperliquid", "--assets", "BTC", "--venue-url", "http://127.0.0.1:9")


def test_recording_of_a_venue_that_is_not_there_ends_with_its_duration(tmp_path: Path) -> None:
    begun = time.monotonic()
    done = papertrader(*RECORD, "--duration", "2", "--output", tmp_path, timeout_s=90)
    assert "hyperliquid has not answered" in one_line(done)
    assert time.monotonic() - begun < 60


def test_recording_of_a_venue_that_is_not_there_ends_with_the_first_interrupt(tmp_path: Path) -> None:
    with started(*RECORD, "--output", tmp_path) as record:
        assert until(lambda: (tmp_path / "manifest.json").exists(), 60)
        time.sleep(1)  # it asks
        record.send_signal(signal.SIGINT)
        assert "has not answered" in record.communicate(timeout=20)[1]


@pytest.mark.long
def test_synthetic_market_goes_on_until_it_is_stopped_and_can_be_read_afterwards(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    with started("run", "--speed", "0", "--json", "--data-dir", directory) as run:
        assert until(lambda: event_s(directory) > 400, 120)
        run.send_signal(signal.SIGINT)
        printed = run.communicate(timeout=60)[0]
    report = papertrader("report", tmp_path / "report.html", "--data-dir", directory)
    assert report.returncode == 0, report.stderr
    assert b"SYN1" in (tmp_path / "report.html").read_bytes()
    numbers = papertrader("report", "--json", "--data-dir", directory).stdout
    assert '"fills":' in numbers
    assert printed
    with started("open", directory) as page:
        assert page.stderr is not None
        line = page.stderr.readline()
        assert "http://127.0.0.1:" in line, line
        import urllib.request

        address = line.split()[1]
        assert b"SYN1" in urllib.request.urlopen(f"{address}/api/summary", timeout=10).read()
