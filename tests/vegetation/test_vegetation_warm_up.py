"""Kernels are compiled at an installation for the types they are used with, not again at the first product."""

from __future__ import annotations

import numpy as np
from kernel_cases import run_cases

from s4c_lib.kernel_cache import compiled
from s4c_lib.vegetation import indices, network_kernel
from s4c_lib.vegetation.networks import VARIABLES, load_network


def test_warming_up_compiles_for_the_types_in_use() -> None:
    network_kernel.warm_up()
    indices.warm_up()
    kernels = [compiled(kernel) for kernel in (network_kernel.network_rows, indices._difference_rows)]
    before = [len(kernel.signatures) for kernel in kernels]  # type: ignore[attr-defined]
    networks = [load_network("s4c_s2_allbands", variable) for variable in VARIABLES]
    run_cases(networks, np.full((9, 4), 2000, np.int16), np.tile([[0.99], [0.75], [-0.4]], 4))
    block = np.ones((9, 3, 4), np.int16)
    indices.normalised_difference(block[0], block[3], np.zeros((5, 4), np.uint8)[1:4])
    assert [len(kernel.signatures) for kernel in kernels] == before  # type: ignore[attr-defined]
