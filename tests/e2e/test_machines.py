"""A log that one machine wrote comes out the same byte for byte on machines with other processors and libraries."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.e2e.running import run_json
from tests.runs import PAPERTRADER

OTHERS = {
    "the C library's variants without fused multiply-add": {
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F,-AVX512VL"
    },
    "kernels compiled for any processor": {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""},
}


def verified_by(run: Path, machine: dict[str, str]) -> dict[str, int]:
    command = [str(PAPERTRADER), "verify", str(run), "--json"]
    environment = os.environ | machine
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=1800, check=False)
    found = json.loads(done.stdout)
    assert found["same"], found["first_difference"]
    counts: dict[str, int] = found["verified"]
    return counts


@pytest.mark.long
def test_log_of_a_real_tape_is_verified_on_every_machine(tmp_path: Path, tape_dir: Path) -> None:
    tape = tape_dir / "hyperliquid-20250904-BTC.gz"
    run_json(tmp_path, "--source", "tape", "--tape", tape, "--speed", 0, "--duration", 600)
    here = verified_by(tmp_path, {})
    assert here["estimate"] > 100
    for name, machine in OTHERS.items():
        assert verified_by(tmp_path, machine) == here, name


@pytest.mark.slow
def test_library_variants_change_nothing(tmp_path: Path) -> None:
    run_json(tmp_path, "--speed", 0, "--duration", 120)
    variants = OTHERS["the C library's variants without fused multiply-add"]
    assert verified_by(tmp_path, variants) == verified_by(tmp_path, {})


FOREIGN = """
import llvmlite.binding
llvmlite.binding.get_host_cpu_name = lambda: "{name}"
from numba.core.event import Listener, install_listener

class Compiled(Listener):
    names = []
    def on_start(self, event):
        self.names.append(str(event.data["dispatcher"]))
    def on_end(self, event):
        pass

from papertrader.replay.composition import MEMBERS
from papertrader.shared.service.config import Settings
with install_listener("numba:compile", Compiled()):
    for member in MEMBERS.values():
        member.warm(Settings({{}}))
print(len(Compiled.names))
"""


@pytest.mark.long
def test_processor_of_another_name_compiles_nothing_that_an_image_brought(tmp_path: Path) -> None:
    """As in the image: kernels of the builder's cache, another processor. Without the baseline all are compiled."""
    image = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": str(tmp_path)}
    assert compiled_by("znver4", image) > 50
    assert compiled_by("skylake", image) == 0


def compiled_by(name: str, environment: dict[str, str]) -> int:
    command = [str(PAPERTRADER.with_name("python")), "-c", FOREIGN.format(name=name)]
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | environment, timeout=1800, check=False
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)
