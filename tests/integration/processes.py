"""Service processes as the supervisor starts them."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from tests.conftest import ROOT


def settings_file(folder: Path, tables: Mapping[str, Any]) -> Path:
    """A settings file with these tables."""
    path = folder / "settings.json"
    path.write_bytes(msgspec.json.encode(tables))
    return path


class ServiceProcess:
    """`python -m <module> --settings <file>`; what it says is kept."""

    def __init__(self, module: str, settings: Path) -> None:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PAPER_")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, "--settings", str(settings)],
            cwd=ROOT,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def kill(self) -> None:
        """kill -9."""
        if self.running:
            self._process.kill()
            self._process.communicate()

    def stop(self) -> int:
        """Ask it to leave; its exit code."""
        self._process.terminate()
        return self.ended()[0]

    def ended(self) -> tuple[int, str]:
        """Its exit code and what it said, once it has ended."""
        try:
            said = self._process.communicate(timeout=60)[1]
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise
        return self._process.returncode, said
