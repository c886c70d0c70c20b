"""uv.lock is the one lock; pip's hash-locked requirement files are written from it for containers and make.

`python -m tools.locks` pins what pyproject.toml asks for; `--upgrade` takes the newest of everything.
"""

import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
UV: Final = Path(sys.executable).with_name("uv")
HEADER: Final = "# Written from uv.lock by `make lock`.\n"
FILES: Final[dict[str, tuple[str, ...]]] = {
    "requirements.lock": (),
    "requirements-dev.lock": ("--extra", "dev", "--group", "grafana"),
    "requirements-ccxt.lock": ("--extra", "ccxt", "--group", "ccxt-test"),
    "requirements-audit.lock": ("--only-group", "audit"),
    "requirements-mutation.lock": ("--only-group", "mutation"),
}
"""What each requirement file holds, in terms of pyproject.toml."""
CLIENTS: Final = (Path("tests") / "clients" / "requirements.in", "requirements-clients.lock")
"""The real clients that tests trade with ask for other packages than the product has: their lock is their own."""


def exported(name: str) -> str:
    """A requirement file as uv.lock has it; needs no network."""
    command = [UV, "export", "--quiet", "--frozen", "--no-emit-project", "--no-header", "--no-annotate", *FILES[name]]
    return HEADER + subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def clients(*options: str) -> None:
    """Lock the environment of the real clients."""
    command = [UV, "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--no-header", "--no-annotate"]
    wanted, name = CLIENTS
    found = subprocess.run(
        [*command, "--python-version", "3.11", *options, wanted], cwd=ROOT, check=True, capture_output=True, text=True
    )
    (ROOT / name).write_text(HEADER.replace("uv.lock", str(wanted)) + found.stdout)


def main() -> None:
    """Lock and write the requirement files; options are handed to `uv lock`."""
    subprocess.run([UV, "lock", *sys.argv[1:]], cwd=ROOT, check=True)
    for name in FILES:
        (ROOT / name).write_text(exported(name))
    clients(*sys.argv[1:])


if __name__ == "__main__":
    main()
