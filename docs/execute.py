"""Executes the notebooks on a recorded market and keeps what they show: `python -m docs.execute TAPE [FOLDER]`."""

import os
import sys
from pathlib import Path
from typing import Final

import nbformat
from nbclient import NotebookClient

FOLDER: Final = Path(__file__).parent / "notebooks"
LIMIT_S: Final = 900


def execute(notebook: Path, tape: Path, output: Path) -> None:
    """Execute one notebook and write it with its output; raises CellExecutionError with what a cell raised."""
    os.environ["TAPE"] = str(tape.resolve())
    content = nbformat.read(notebook, as_version=4)
    client = NotebookClient(content, timeout=LIMIT_S, resources={"metadata": {"path": str(output.parent)}})
    client.execute(env=dict(os.environ))
    for cell in content.cells:
        cell.metadata.pop("execution", None)  # wall time: the same notebook would never be the same
    nbformat.write(content, output)


def main(tape: Path, folder: Path = FOLDER) -> None:
    """Execute all of them into a folder."""
    for notebook in sorted(FOLDER.glob("*.ipynb")):
        execute(notebook, tape, folder / notebook.name)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
