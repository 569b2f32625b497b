# SPDX-License-Identifier: Apache-2.0
"""numba's compiler with the project's options, and types that a checker can follow."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numba

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

# Reassociation and contraction let LLVM vectorise; "nnan" and "ninf" stay off, or the divergence check would go.
_FAST = {"reassoc", "contract", "arcp", "nsz", "afn"}


def compiled(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Compile a kernel to machine code that releases the GIL and is cached on disk."""
    return numba.njit(function, nogil=True, cache=True, fastmath=_FAST, error_model="numpy")


def inlined(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Compile a helper that LLVM must inline into the kernels that call it.

    Inlined by force: a helper that stays a function of its own exists twice, optimized differently, and a kernel just
    compiled calls another one than the same kernel read from the cache; results would differ in the last bit.
    """
    return numba.njit(function, nogil=True, fastmath=_FAST, error_model="numpy", forceinline=True)
