"""The wheel as a user gets it: built from the sdist, installed into an empty environment, tried from another folder.

`python -m tests.wheel` tries it on every Python of 3.11 to 3.13 that is here, and says loudly which is not.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import orjson

ROOT: Final = Path(__file__).resolve().parents[2]
UV: Final = str(Path(sys.executable).with_name("uv"))
PYTHONS: Final = ("3.11", "3.12", "3.13")
MYPY: Final = "mypy==2.4.1"
FAILED_CHECK: Final = 1


def say(text: str) -> None:
    """A line of progress."""
    print(f"wheel: {text}", flush=True)  # noqa: T201


def run(
    command: Sequence[str | Path],
    cwd: Path,
    environment: dict[str, str] | None = None,
    *,
    codes: tuple[int, ...] = (0,),
) -> str:
    """Run a command and return what it said on standard output; fails the test for any other exit code."""
    done = subprocess.run(command, cwd=cwd, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in codes:
        sys.exit(f"wheel: {' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def built(folder: Path) -> Path:
    """The wheel, made from the sdist as an installer without a wheel would make it."""
    run([UV, "build", "--quiet", "--out-dir", folder, ROOT], ROOT)
    (wheel,) = folder.glob("*.whl")
    (sdist,) = folder.glob("*.tar.gz")
    names = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    claimed = {name for name in names if not name.endswith(".dist-info")}
    assert claimed == {"papertrader"}, f"the wheel claims {claimed}"
    packed = zipfile.ZipFile(wheel).namelist()
    for needed in (
        "papertrader/py.typed",
        "papertrader/services/monitor/page/static/app.js",
        "papertrader/cli/main.py",
    ):
        assert needed in packed, f"{needed} is not in the wheel"
    say(f"{sdist.name} and {wheel.name} claim papertrader and nothing else")
    return wheel


def found(version: str) -> str:
    """An interpreter of a version that runs, empty if this machine has none."""
    candidates = [*sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"), reverse=True)]
    candidates += [Path(path) for name in (f"python{version}", "python3") if (path := shutil.which(name))]
    program = "import sys; print('%d.%d' % sys.version_info[:2])"
    for python in candidates:
        done = subprocess.run([python, "-c", program], capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout.strip() == version:
            return str(python)
    return ""


class Installed:
    """An environment that holds the wheel and what it asks for, at the locked versions, and a home of its own."""

    def __init__(self, python: str, wheel: Path, folder: Path) -> None:
        self.bin, self.work, home = folder / "venv" / "bin", folder / "work", folder / "home"
        self.work.mkdir()
        home.mkdir()
        run([UV, "venv", "--quiet", "--python", python, folder / "venv"], folder)
        install = [
            UV,
            "pip",
            "install",
            "--quiet",
            "--python",
            self.bin / "python",
            "--constraint",
            ROOT / "requirements.lock",
        ]
        run([*install, wheel, MYPY], folder)
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PAPER_", "PYTHON", "NUMBA_", "XDG_"))
        }
        self.environment = kept | {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
        self.environment.pop("VIRTUAL_ENV", None)

    def __call__(self, *command: str, codes: tuple[int, ...] = (0,)) -> str:
        """Run a command of the environment in the user's folder."""
        return run([self.bin / command[0], *command[1:]], self.work, self.environment, codes=codes)


def try_out(environment: Installed, *, whole: bool) -> None:
    """Version, types, a replay, and (`whole`) the services on a broker and strategies of the current folder."""
    site = environment("python", "-c", "import papertrader; print(papertrader.__path__[0])").strip()
    before = installed_files(Path(site))
    say(environment("papertrader", "--version").strip())
    shutil.copy(ROOT / "tests" / "wheel" / "user_program.py", environment.work)
    environment("mypy", "--strict", "user_program.py")
    say("every public name is there for mypy --strict")
    shutil.copy(ROOT / "docs" / "examples" / "fixed_spread.py", environment.work)
    replay(environment)
    if whole:
        run_services(environment)
        for strategy in ("fixed_spread.py:FixedSpread", "fixed_spread:FixedSpread"):
            replay(environment, "--strategy", strategy)
    assert installed_files(Path(site)) == before, "something was written beside the installed sources"
    say("nothing was written beside the installed sources")


def installed_files(site: Path) -> set[str]:
    """The files of the installed package but Python's own byte code."""
    return {str(path) for path in site.rglob("*") if path.is_file() and path.suffix != ".pyc"}


def replay(environment: Installed, *options: str) -> None:
    """A short replay fills and its counts agree."""
    said = environment("papertrader", "replay", "--duration", "60", "--json", *options, codes=(0, FAILED_CHECK))
    markets = orjson.loads(said)["markets"]
    assert all(market["fills"] > 0 and market["counts_equal"] for market in markets), markets
    say(f"replay {' '.join(options)}: {sum(market['fills'] for market in markets)} fills")


def run_services(environment: Installed) -> None:
    """A run with a broker and every service gives results that can be loaded."""
    command = ("run", "--duration", "60", "--speed", "0", "--json", "--data-dir", "data")
    markets = orjson.loads(environment("papertrader", *command, codes=(0, FAILED_CHECK)))["markets"]
    fills = sum(market["fills"] for market in markets)
    program = "import papertrader; print(len(papertrader.load('data').fills))"
    loaded = int(environment("python", "-c", program))
    assert loaded == fills > 0, f"the run made {fills} fills, {loaded} were loaded"
    say(f"run: {fills} fills, all of them loaded")


def try_on(version: str, wheel: Path, folder: Path, *, whole: bool) -> bool:
    """Try the wheel on one Python; False if this machine has none."""
    python = found(version)
    if not python:
        say(f"!!! NOT TESTED on Python {version}: this machine has none !!!")
        return False
    say(f"Python {version}: {python}")
    place = folder / version
    place.mkdir()
    try_out(Installed(python, wheel, place), whole=whole)
    say(f"Python {version}: done")
    return True


def main() -> None:
    """Build once, try on every Python, two at a time; the whole of it on the first."""
    versions = sys.argv[1:] or PYTHONS
    with tempfile.TemporaryDirectory(prefix="papertrader-wheel-") as name, ThreadPoolExecutor(2) as pool:
        folder = Path(name)
        wheel = built(folder / "dist")
        tries = [pool.submit(try_on, version, wheel, folder, whole=version == versions[0]) for version in versions]
        tried = [one.result() for one in tries]
        if not any(tried):
            sys.exit("wheel: tested on no Python at all")


if __name__ == "__main__":
    main()
