"""Kernels are compiled before the first command that needs them, once, and a failure is told."""

import threading
import time
from pathlib import Path

import pytest
import typer

from papertrader.cli import kernels
from papertrader.shared.kernel_cache import KernelCacheError


@pytest.fixture
def compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """An empty cache; the commands that would compile."""
    commands: list[list[str]] = []
    cache = tmp_path / "0123456789abcdef"
    cache.mkdir()
    monkeypatch.setattr(kernels, "kernel_cache", lambda: cache)

    class Done:
        returncode = 0

    def run(command: list[str], *, check: bool) -> Done:
        commands.append(command)
        return Done()

    monkeypatch.setattr(kernels.subprocess, "run", run)
    return commands


def test_each_part_is_compiled_once_in_a_process_of_its_own(compiled: list[list[str]]) -> None:
    for part in ("replay", "replay", "services", "replay"):
        kernels.ensure_compiled(part)
    assert [command[-1] for command in compiled] == ["replay", "services"]
    assert compiled[0][1:-1] == ["-P", "-m", "papertrader.cli.compiling"]


def test_commands_that_start_together_compile_once(compiled: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    compile_once = kernels.compile_parts

    def slowly(parts: list[str]) -> None:
        time.sleep(0.2)
        compile_once(parts)

    monkeypatch.setattr(kernels, "compile_parts", slowly)
    commands = [threading.Thread(target=kernels.ensure_compiled, args=("replay",)) for _ in range(3)]
    for command in commands:
        command.start()
    for command in commands:
        command.join()
    assert len(compiled) == 1


def test_kernels_of_an_image_that_cannot_be_written_to_are_used(
    compiled: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    kernels.ensure_compiled("replay")

    def read_only(*_: object, **__: object) -> None:
        raise OSError("Read-only file system")

    monkeypatch.setattr(Path, "touch", read_only)
    kernels.ensure_compiled("replay")
    assert len(compiled) == 1


def test_compiling_that_fails_ends_the_command_and_is_tried_again(
    compiled: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failed:
        returncode = 3

    monkeypatch.setattr(kernels.subprocess, "run", lambda command, check: compiled.append(command) or Failed())
    for _ in range(2):
        with pytest.raises(typer.Exit) as ended:
            kernels.ensure_compiled("replay")
        assert ended.value.exit_code == 3
    assert len(compiled) == 2


def test_unknown_part_is_named() -> None:
    with pytest.raises(KernelCacheError, match="warm everything: there are services and replay"):
        kernels.compile_parts(["everything"])


def test_cache_that_cannot_be_had_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused() -> Path:
        raise KernelCacheError("kept nowhere; set NUMBA_CACHE_DIR to a folder of yours")

    monkeypatch.setattr(kernels, "kernel_cache", refused)
    with pytest.raises(typer.Exit) as ended:
        kernels.ensure_compiled("replay")
    assert ended.value.exit_code == 2
    assert capsys.readouterr().err == "papertrader: kept nowhere; set NUMBA_CACHE_DIR to a folder of yours\n"
