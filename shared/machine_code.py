"""Kernels are loaded as machine code alone.

numba keeps a kernel with its bitcode, so that other kernels may link it. To read that takes longer than all the rest,
and nobody needs it who only calls the kernel: it is read when another one links it.
"""

from functools import cache
from typing import Any

import llvmlite.binding as llvm  # type: ignore[import-untyped]
from numba.core.caching import CompileResultCacheImpl, FunctionCache

from papertrader.shared.kernels import KERNELS


class _MachineCode(CompileResultCacheImpl):
    def rebuild(self, target_context: Any, payload: Any) -> Any:
        (name, kind, (machine_code, bitcode)), described, *rest = payload
        engine = target_context.codegen()._engine
        engine._defined_symbols |= {described.llvm_func_name, described.llvm_cpython_wrapper_name}
        kept = (name, kind, (machine_code, _no_bitcode()))
        loaded = super().rebuild(target_context, (kept, described, *rest))  # type: ignore[no-untyped-call]
        loaded.library._shared_module = None
        loaded.library._get_module_for_linking = cache(lambda: llvm.parse_bitcode(bitcode))
        return loaded


@cache
def _no_bitcode() -> bytes:
    empty: bytes = llvm.parse_assembly("").as_bitcode()
    return empty


@cache
def load_machine_code_alone() -> None:
    """Load every kernel so that was made before the first call and is not loaded yet."""
    for kernel in KERNELS:
        kept = getattr(kernel, "_cache", None)
        if isinstance(kept, FunctionCache):
            kept._impl.__class__ = _MachineCode
