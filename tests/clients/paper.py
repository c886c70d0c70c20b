"""A whole run of the product on a recorded tape, and what it says of its accounts itself."""

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PAPERTRADER = Path(os.environ.get("PAPERTRADER", ROOT / ".venv" / "bin" / "papertrader"))
TAPES = Path(os.environ.get("PAPER_TEST_DATA", ROOT.parent / "shared" / "data"))
START_S = 300.0
SETTINGS = """
[monitor]
port = 0

[gateway]
port = 0
open_at_most = 1
accounts = {accounts}

[feed]
speed = {speed}
"""


def wait_until(condition: Callable[[], Any], timeout_s: float = 20.0) -> Any:
    """What a condition says once it says something; fails if it never does."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {timeout_s:.0f} s")


class Paper:
    """`papertrader run` on tapes; `accounts` are names by address, each traded by a program outside."""

    def __init__(self, directory: Path, tapes: list[str], accounts: dict[str, str], speed: float = 2.0) -> None:
        self.directory = directory / "run"
        owners = ", ".join(f'"{address}" = "{name}"' for address, name in accounts.items())
        text = SETTINGS.format(accounts=f"{{{owners}}}", speed=speed)
        text += "".join(f'\n[accounts.{name}.quoter]\nstrategy = "none"\n' for name in accounts.values())
        (directory / "settings.toml").write_text(text)
        tape = [part for name in tapes for part in ("--tape", str(TAPES / name))]
        self._log = (directory / "run.log").open("wb")
        command = [str(PAPERTRADER), "run", "--settings", str(directory / "settings.toml"), *tape]
        command += ["--data-dir", str(self.directory)]
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        wait_until(self._answers, START_S)

    def _answers(self) -> bool:
        assert self._process.poll() is None, Path(self._log.name).read_text()
        try:
            settings = json.loads((self.directory / "settings.json").read_text())
            self.url = f"http://127.0.0.1:{settings['gateway']['port']}"
            self._page = f"http://127.0.0.1:{settings['monitor']['port']}"
            state = self.info({"type": "allMids"})
            known = self.account(next(iter(settings["gateway"]["accounts"].values())))
        except (OSError, ValueError, KeyError, StopIteration):
            return False
        return bool(state) and known["equity"] is not None

    def info(self, body: dict[str, Any]) -> Any:
        """Ask /info without any client."""
        return self.post("info", body)

    def post(self, door: str, body: dict[str, Any]) -> Any:
        """Post without any client."""
        request = urllib.request.Request(f"{self.url}/{door}", json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=15) as answer:
            return json.load(answer)

    def account(self, name: str, coin: str = "BTC") -> dict[str, Any]:
        """What the monitor, which knows nothing of the gateway, says of an account."""
        with urllib.request.urlopen(f"{self._page}/api/summary", timeout=5) as answer:
            markets = json.load(answer)["markets"]
        return next(item for item in markets if item["account"] == name and item["asset"] == coin)

    def command(self, *words: str) -> None:
        """A command of an operator's about this run, which has to succeed."""
        line = [str(PAPERTRADER), *words, "--run", str(self.directory)]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def kill_gateway(self) -> None:
        """kill -9 the gateway of this run; it is started again."""
        wanted = str(self.directory / "settings.json")
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().decode().split("\0")
            except OSError:
                continue
            if "papertrader.services.gateway" in words and wanted in words:
                os.kill(int(path.parent.name), signal.SIGKILL)
        time.sleep(0.2)
        wait_until(self._answers, 60.0)

    def stop(self) -> None:
        """End the run; its log must come out the same when it is folded again."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(60)
        self._log.close()
        done = subprocess.run(
            [str(PAPERTRADER), "verify", str(self.directory), "--json"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
