"""Compiled kernels: numba loops compiled at first use and kept."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

Kernel = Callable[..., Any]


@cache
def compiled(function: Kernel) -> Kernel:
    """A kernel, compiled; it does not hold Python's lock while it runs.

    A kernel calls no other compiled function of another module: numba would not notice a change there.
    """
    from numba import njit

    kernel: Kernel = njit(cache=True, nogil=True, error_model="numpy")(function)
    return kernel
