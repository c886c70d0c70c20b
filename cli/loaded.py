"""Tells which files of compiled kernels a part of the system loads: `python -m papertrader.cli.loaded services`."""

import sys
from typing import Any


def loaded(part: str) -> list[str]:
    """The files that are opened while a part's kernels, compiled before, are loaded: some as soon as imported."""
    found: set[str] = set()

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and str(arguments[0]).endswith(".nbc"):
            found.add(str(arguments[0]))

    sys.addaudithook(note)
    from papertrader.cli.compiling import PARTS

    PARTS[part]()
    return sorted(found)


if __name__ == "__main__":
    sys.stdout.write("\n".join(loaded(sys.argv[1])))
