"""Images by digest: `python -m tools.images` asks the registries what every tag is now and writes the digests.

A tag can be moved, a digest cannot. Every image of docker-compose.yml and of the Dockerfile becomes `name:tag@digest`,
and `deploy/images.lock` says what each tag was. Needs Docker with buildx, and registries that answer. `--check` asks
nobody: exit code 1 and a line for each image that has no digest, or another than the lock.
"""

import argparse
import re
import subprocess
import sys
from typing import Final

from tools.locks import ROOT

FILES: Final = (ROOT / "docker-compose.yml", ROOT / "Dockerfile")
LOCK: Final = ROOT / "deploy" / "images.lock"
_IMAGE: Final = re.compile(
    r"(?m)^(?P<before>\s*image: |FROM )(?P<tag>[\w./-]+:[\w.-]+)(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
OURS: Final = "papertrader:"


def references(text: str) -> dict[str, str]:
    """Every image that a file takes from a registry, with its digest, empty where it has none."""
    return {found["tag"]: found["digest"] or "" for found in _IMAGE.finditer(text)}


def pinned(text: str, digests: dict[str, str]) -> str:
    """The file with the digests that are known, and without the others."""

    def written(found: "re.Match[str]") -> str:
        digest = digests.get(found["tag"], "")
        return found["before"] + found["tag"] + (f"@{digest}" if digest else "")

    return _IMAGE.sub(written, text)


def lock() -> dict[str, str]:
    """The digests that are recorded, by tag."""
    lines = (line.split() for line in LOCK.read_text().splitlines() if line and not line.startswith("#"))
    return dict(lines)


def complaints() -> list[str]:
    """What is not pinned, or not to what the lock says."""
    known = lock()
    found = {tag: digest for path in FILES for tag, digest in references(path.read_text()).items()}
    bare = [f"{tag} has no digest" for tag, digest in found.items() if not digest]
    return bare + [
        f"{tag} has the digest {digest}, the lock says {known.get(tag, 'nothing')}"
        for tag, digest in found.items()
        if digest and digest != known.get(tag)
    ]


def asked(tag: str) -> str:
    """The digest that a registry has for a tag now."""
    command = ["docker", "buildx", "imagetools", "inspect", "--format", "{{.Manifest.Digest}}", tag]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode or not re.fullmatch(r"sha256:[0-9a-f]{64}", done.stdout.strip()):
        sys.exit(f"images: nothing was written: no digest of {tag}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.strip()


def main() -> None:
    """Pin, or check."""
    parser = argparse.ArgumentParser(prog="python -m tools.images", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say what is not pinned")
    if parser.parse_args().check:
        wrong = complaints()
        sys.exit("\n".join(f"images: {line}" for line in wrong) if wrong else 0)
    texts = {path: path.read_text() for path in FILES}
    digests = {tag: asked(tag) for text in texts.values() for tag in references(text)}
    for path, text in texts.items():
        path.write_text(pinned(text, digests))
    head = "".join(line for line in LOCK.read_text().splitlines(keepends=True) if line.startswith("#"))
    LOCK.write_text(head + "".join(f"{tag} {digest}\n" for tag, digest in sorted(digests.items())))


if __name__ == "__main__":
    main()
