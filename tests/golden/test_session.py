"""Golden sessions: all numbers of whole tapes, as they were when somebody last looked at them and believed them.

A change here is a change of what the product says. Look at every number before recording it anew with
`python -m tests.golden.session TAPES`.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.golden.session import FOLDER, SESSIONS, numbers


def _flat(value: Any, name: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        return {key: leaf for part, item in value.items() for key, leaf in _flat(item, f"{name}.{part}").items()}
    return {name: value}


@pytest.mark.long
@pytest.mark.parametrize("name", SESSIONS)
def test_session_gives_the_recorded_numbers(name: str, tape_dir: Path) -> None:
    """Floats to 1e-9 of their value: another processor may fuse or reorder a multiplication."""
    tape, tables = SESSIONS[name]
    found = _flat(json.loads(json.dumps(numbers(tape_dir / tape, tables))))
    expected = _flat(json.loads((FOLDER / f"{name}.json").read_text()))
    assert set(found) == set(expected)
    for key, value in expected.items():
        if isinstance(value, float):
            assert found[key] == pytest.approx(value, rel=1e-9, abs=1e-9), key
        elif key != ".fills_sha256":
            assert found[key] == value, key


def test_pessimistic_models_fill_no_more_than_the_optimistic_one() -> None:
    """through ≤ fifo, as recorded."""
    fills = {name: json.loads((FOLDER / f"{name}.json").read_text())["fills"] for name in SESSIONS}
    assert fills["btcusdt-through"] <= fills["btcusdt-fifo"]
