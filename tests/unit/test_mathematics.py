"""exp, log, log1p and powers, each within one unit in the last place; and no kernel borrows others from outside."""

import math
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mpf

from papertrader.replay.composition import MEMBERS
from papertrader.shared.kernel_cache import ROOT, kernel_cache, kernel_folders
from papertrader.shared.market.mathematics import (
    decade_of,
    exp,
    geometric,
    halved,
    log,
    log1p,
    logs,
    power,
    ten_to,
)
from papertrader.shared.service.config import Settings

INFINITY, NAN = math.inf, math.nan
LARGEST, SMALLEST, NORMAL = 1.7976931348623157e308, 5e-324, 2.2250738585072014e-308
ULP = 1.0

mpmath.mp.prec = 240


def units_off(true: mpf, got: float) -> float:
    """How many units in the last place of the true value a float is off; 0 for an infinity where it overflows."""
    if math.isinf(got):
        return 0.0 if abs(true) > mpf(LARGEST) and (true > 0) == (got > 0) else INFINITY
    exponent = max(int(mpmath.floor(mpmath.log(abs(true), 2))), -1022) if true else -1022
    return float(abs(mpf(got) - true) / mpf(2) ** (exponent - 52))


every = st.floats(allow_nan=False, allow_infinity=False)
positive = st.floats(min_value=0.0, exclude_min=True, allow_infinity=False)


@settings(deadline=None)
@given(st.floats(min_value=-746.0, max_value=710.0) | st.floats(min_value=-1e-3, max_value=1e-3))
def test_exp_is_right_to_a_unit_in_the_last_place(x: float) -> None:
    assert units_off(mpmath.exp(mpf(x)), exp(x)) <= ULP


@settings(deadline=None)
@given(positive | st.floats(min_value=0.5, max_value=2.0) | st.floats(min_value=SMALLEST, max_value=NORMAL))
def test_log_is_right_to_a_unit_in_the_last_place(x: float) -> None:
    assert units_off(mpmath.log(mpf(x)), log(x)) <= ULP


@settings(deadline=None)
@given(st.floats(min_value=-1.0, exclude_min=True, allow_infinity=False) | st.floats(min_value=-1e-9, max_value=1e-9))
def test_log1p_is_right_to_a_unit_in_the_last_place(x: float) -> None:
    assert units_off(mpmath.log1p(mpf(x)), log1p(x)) <= ULP


@settings(deadline=None)
@given(positive | st.floats(min_value=0.9, max_value=1.1), st.floats(min_value=-746.0, max_value=710.0))
def test_power_is_right_to_a_unit_in_the_last_place(base: float, logarithm: float) -> None:
    exponent = logarithm / math.log(base) if base != 1.0 else logarithm
    assert units_off(mpf(base) ** mpf(exponent), power(base, exponent)) <= ULP


@settings(deadline=None)
@given(st.floats(min_value=-1024.0, max_value=1076.0) | st.floats(min_value=-1.0, max_value=1.0))
def test_halved_is_right_to_a_unit_in_the_last_place(times: float) -> None:
    assert units_off(mpf(2) ** -mpf(times), halved(times)) <= ULP


def random_floats(seed: int, low: float, high: float, count: int) -> Iterator[float]:
    """Floats whose bits are drawn evenly: every magnitude between two positive floats is as probable."""
    bounds = np.array([low, high]).view(np.int64)
    yield from np.random.default_rng(seed).integers(bounds[0], bounds[1], count).view(np.float64).tolist()


@pytest.mark.parametrize(
    ("own", "true", "low", "high"),
    [
        (exp, mpmath.exp, SMALLEST, 709.7),
        (log, mpmath.log, SMALLEST, LARGEST),
        (log, mpmath.log, 0.98, 1.02),
        (log1p, mpmath.log1p, SMALLEST, LARGEST),
    ],
)
def test_thousands_of_floats_of_every_magnitude(
    own: Callable[[float], float], true: Callable[[mpf], mpf], low: float, high: float
) -> None:
    assert max(units_off(true(mpf(x)), own(x)) for x in random_floats(1, low, high, 4000)) <= 0.75


def test_every_edge_of_the_tables() -> None:
    edges = (np.arange(129) * (1 << 45) + 0x3FE6955500000000).view(np.float64)
    for edge in edges.tolist():
        for x in (math.nextafter(edge, 0.0), edge, math.nextafter(edge, 2.0)):
            assert units_off(mpmath.log(mpf(x)), log(x)) <= 0.51
    for step in range(-300, 300):
        middle = (step + 0.5) * math.log(2) / 128
        for x in (math.nextafter(middle, -INFINITY), middle, math.nextafter(middle, INFINITY)):
            assert units_off(mpmath.exp(mpf(x)), exp(x)) <= 0.51


@pytest.mark.parametrize(
    ("x", "wanted"),
    [
        (0.0, 1.0),
        (-0.0, 1.0),
        (SMALLEST, 1.0),
        (709.782712893384, 1.7976931348622732e308),
        (709.7827128933841, INFINITY),
        (750.0, INFINITY),
        (LARGEST, INFINITY),
        (INFINITY, INFINITY),
        (-745.1332191019411, SMALLEST),
        (-745.1332191019412, 0.0),
        (-750.0, 0.0),
        (-LARGEST, 0.0),
        (-INFINITY, 0.0),
        (NAN, NAN),
    ],
)
def test_exp_at_its_ends(x: float, wanted: float) -> None:
    assert exp(x) == pytest.approx(wanted, rel=2.3e-16, abs=0, nan_ok=True)


@pytest.mark.parametrize(
    ("x", "wanted", "wanted_1p"),
    [
        (0.0, -INFINITY, 0.0),
        (-0.0, -INFINITY, 0.0),
        (1.0, 0.0, 0.6931471805599453),
        (-1.0, NAN, -INFINITY),
        (-1.5, NAN, NAN),
        (-INFINITY, NAN, NAN),
        (INFINITY, INFINITY, INFINITY),
        (NAN, NAN, NAN),
        (SMALLEST, -744.4400719213812, SMALLEST),
        (NORMAL, -708.3964185322641, NORMAL),
        (LARGEST, 709.782712893384, 709.782712893384),
    ],
)
def test_logarithms_at_their_ends(x: float, wanted: float, wanted_1p: float) -> None:
    same = {"rel": 0, "abs": 0, "nan_ok": True}
    assert log(x) == pytest.approx(wanted, **same)
    assert log1p(x) == pytest.approx(wanted_1p, **same)


@pytest.mark.parametrize("base", [0.0, SMALLEST, 0.5, 1.0, 2.0, LARGEST, INFINITY, NAN])
@pytest.mark.parametrize("exponent", [0.0, 1.0, -1.0, 0.5, SMALLEST, LARGEST, -LARGEST, INFINITY, -INFINITY, NAN])
def test_power_at_its_ends_is_what_ieee_754_says(base: float, exponent: float) -> None:
    with np.errstate(all="ignore"):
        assert power(base, exponent) == pytest.approx(float(np.power(base, exponent)), rel=4e-16, abs=0, nan_ok=True)


def test_a_negative_base_has_no_power() -> None:
    assert math.isnan(power(-2.0, 0.5))


def test_whole_half_lives_are_exact() -> None:
    assert [halved(float(n)) for n in range(-1023, 1075)] == [math.ldexp(1.0, -n) for n in range(-1023, 1075)]
    assert (halved(1e9), halved(INFINITY), halved(-1e9)) == (0.0, 0.0, INFINITY)
    assert math.isnan(halved(NAN))


def test_powers_of_ten_and_decades() -> None:
    assert [ten_to(n) for n in (-400, -323, -5, 0, 22, 308, 400)] == [1e-323, 1e-323, 1e-5, 1.0, 1e22, 1e308, 1e308]
    assert all(decade_of(float(f"1e{n}")) == n for n in range(-323, 309))
    assert [decade_of(math.nextafter(10.0**n, 0.0)) for n in range(23)] == list(range(-1, 22))


def test_tables_for_constants() -> None:
    assert logs([[1.0, 2.0], [0.5, 4.0]]).tolist() == [[0.0, log(2.0)], [log(0.5), log(4.0)]]
    steps = geometric(100.0, 50_000.0, 128)
    assert (steps[0], steps[-1]) == (100.0, 50_000.0)
    for step, value in enumerate(steps.tolist()):
        assert value == pytest.approx(float(100 * mpf(500) ** (mpf(step) / 127)), rel=1e-15, abs=0)


def test_without_compiling_the_same_bits() -> None:
    for x in random_floats(2, 1e-300, 700.0, 500):
        for own in (exp, log, log1p, halved):
            assert own.py_func(x) == own(x)
        assert power.py_func(x, 0.7) == power(x, 0.7)


# --- kernels -------------------------------------------------------------------------------------------------------

EXACT = {"floor", "ceil", "rint", "trunc", "nearbyint", "round", "fmod", "fabs", "sqrt", "copysign", "ldexp", "frexp"}
"""Rounding, remainders and roots have one right answer, and every library gives it."""
LIBM = {
    stem + suffix
    for stem in (
        *("exp", "exp2", "exp10", "expm1", "log", "log2", "log10", "log1p", "pow", "cbrt", "hypot"),
        *("sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh"),
        *("erf", "erfc", "tgamma", "lgamma", "fma"),
    )
    for suffix in ("", "f", "l")
}
VECTOR = re.compile(r"^(__svml_|_ZGV|__powi|cblas_|numba_(gemm|gemv|xx|ez_))")


def borrowed_names(compiled: bytes) -> set[str]:
    """The undefined symbols of the ELF object that one file of numba's cache holds."""
    image = compiled[compiled.index(b"\x7fELF") :]
    offset, size, count = *struct.unpack_from("<Q", image, 0x28), *struct.unpack_from("<HH", image, 0x3A)
    sections = [struct.unpack_from("<IIQQQQIIQQ", image, offset + index * size) for index in range(count)]
    names = set()
    for section in sections:
        if section[1] == 2:  # the symbol table; its link is the table of names
            strings = sections[section[6]][4]
            for at in range(section[4], section[4] + section[5], 24):
                name, _, _, where = struct.unpack_from("<IBBH", image, at)
                if where == 0 and name:
                    names.add(image[strings + name : image.index(b"\0", strings + name)].decode())
    return names


@pytest.fixture(scope="module")
def compiled() -> list[Path]:
    for service in MEMBERS.values():
        service.warm(Settings({}))
    return sorted(path for folder in kernel_folders() for path in folder.glob("*.nbc"))


def test_no_kernel_calls_the_c_librarys_mathematics(compiled: list[Path]) -> None:
    assert len(compiled) > 100
    on_the_log = [path for path in compiled if not path.parent.name.startswith("replay.judge.")]
    borrowed = {name for path in on_the_log for name in borrowed_names(path.read_bytes())}
    assert {name for name in borrowed if name in LIBM or VECTOR.match(name)} == set()


def test_the_search_finds_a_borrowed_function(tmp_path: Path) -> None:
    """The test above can fail."""
    code = (
        "import numpy as np\nfrom papertrader.shared.kernels import njit\n"
        "@njit(cache=True)\ndef borrows(x):\n    return np.exp(x) + np.floor(x)\n"
    )
    (tmp_path / "borrows.py").write_text(code)
    space: dict[str, Any] = {"__file__": str(tmp_path / "borrows.py"), "__name__": "borrows"}
    exec(compile(code, str(tmp_path / "borrows.py"), "exec"), space)
    space["borrows"](1.0)
    found = set(kernel_cache().rglob("borrows.borrows*.nbc"))
    try:
        assert any("exp" in borrowed_names(path.read_bytes()) for path in found)
    finally:
        for path in [*found, *kernel_cache().rglob("borrows.borrows*.nbi")]:
            path.unlink()


def test_no_source_of_a_kernel_asks_numpy_or_math_for_them() -> None:
    """Constants that a kernel is compiled with come from here too: numpy's own depend on the processor."""
    names = LIBM | {"power", "geomspace", "logspace", "float_power", "logaddexp", "dot", "matmul", "vdot", "inner"}
    wanted = re.compile(rf"\b(?:np|numpy|math)\.({'|'.join(sorted(names))})\(")
    allowed = {Path("shared/market/mathematics.py")}
    for folder in ("shared", "services", "replay"):
        for path in (ROOT / folder).rglob("*.py"):
            source = path.read_text()
            if "njit" in source and path.relative_to(ROOT) not in allowed:
                assert not wanted.findall(source), path
