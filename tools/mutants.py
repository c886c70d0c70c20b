"""Writes every mutant of a source into a folder, by cosmic-ray's operators: `python -m tools.mutants SOURCE FOLDER`.

Of the many ways in which an operator can be exchanged one is taken, its inverse, and of a comparison also its
boundary: the others are noticed by the same tests.
"""

import sys
from pathlib import Path
from typing import Final

from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator

BINARY: Final = ("Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "FloorDiv_Mul", "Mod_Mul", "Pow_Mul", "BitOr_BitAnd")
COMPARISON: Final = ("Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt", "Eq_NotEq", "NotEq_Eq")
OTHERS: Final = (
    *("AddNot", "ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ReplaceAndWithOr", "ReplaceOrWithAnd"),
    *("NumberReplacer", "ZeroIterationForLoop", "ReplaceBreakWithContinue", "ReplaceContinueWithBreak"),
    *("ReplaceUnaryOperator_Delete_USub", "ReplaceUnaryOperator_Delete_Not"),
)
OPERATORS: Final = (
    *(f"ReplaceBinaryOperator_{name}" for name in BINARY),
    *(f"ReplaceComparisonOperator_{name}" for name in COMPARISON),
    *OTHERS,
)


def write_mutants(source: Path, folder: Path) -> int:
    """Write the mutants as `OPERATOR-OCCURRENCE.py`; returns how many there are."""
    code = source.read_text()
    written = 0
    for name in OPERATORS:
        operator, occurrence = get_operator(f"core/{name}")(), 0
        while (mutant := mutate_code(code, operator, occurrence)) is not None:
            if matters(code, mutant):
                (folder / f"{name}-{occurrence}.py").write_text(mutant)
                written += 1
            occurrence += 1
    return written


def matters(code: str, mutant: str) -> bool:
    """Whether more changed than how a kernel is compiled."""
    pairs = zip(code.splitlines(), mutant.splitlines(), strict=True)
    return any(old != new and not old.startswith("@") for old, new in pairs)


if __name__ == "__main__":
    print(write_mutants(Path(sys.argv[1]), Path(sys.argv[2])))  # noqa: T201
