"""Biophysical networks: float32 with folded weights against the formula in float64, seconds and peak memory.

Run: ``python benchmarks/networks.py [--megapixels 4] [--model sl2p_v3_s2a_20m]``
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from typing import Any

import numpy as np
import numpy.typing as npt

from s4c_lib.vegetation.networks import VARIABLES, Network, load_network, model_ids


def plain(network: Network, x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The formula on the whole image at once, as one would first write it."""
    scaled = 2 * (x - network.input_min[:, None]) / (network.input_max - network.input_min)[:, None] - 1
    output = network.output_bias + network.output_weight @ np.tanh(
        network.hidden_bias[:, None] + network.hidden_weight @ scaled
    )
    return 0.5 * (output + 1) * (network.target_max - network.target_min) + network.target_min


def measure(work: Any, repeats: int = 3) -> tuple[float, float]:
    """Least CPU seconds of several runs, and MB allocated at the peak of one more."""
    seconds = []
    for _ in range(repeats):
        before = time.process_time()
        work()
        seconds.append(time.process_time() - before)
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return min(seconds), peak / 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megapixels", type=float, default=4)
    parser.add_argument("--model", choices=model_ids(), default="sl2p_v3_s2a_20m")
    options = parser.parse_args()
    networks = [load_network(options.model, variable) for variable in VARIABLES]
    first = networks[0]
    rng = np.random.default_rng(1)
    share = rng.random((len(first.inputs), round(options.megapixels * 1e6)))
    x = first.input_min[:, None] + share * (first.input_max - first.input_min)[:, None]
    small = x.astype(np.float32)
    pixels = x.shape[1] / 1e6
    print(f"{options.model}, {pixels:g} Mpx, lai + fapar + fcover; a 10 m tile has 120.6 Mpx")
    variants = {
        "formula, float64, whole image": lambda: [plain(network, x) for network in networks],
        "evaluate, float64": lambda: [network.evaluate(x) for network in networks],
        "evaluate, float32": lambda: [network.evaluate(small) for network in networks],
    }
    reference = 0.0
    for name, work in variants.items():
        seconds, peak = measure(work)
        reference = reference or seconds
        print(
            f"{name:32} {seconds:6.2f} s CPU  {pixels / seconds:6.1f} Mpx/s  ratio {seconds / reference:4.2f}"
            f"  {peak:6.0f} MB  {seconds / pixels * 120.6:6.1f} s a tile"
        )
    worst = max(float(np.abs(network.evaluate(small) - plain(network, x)).max()) for network in networks)
    print(f"largest difference of float32 {worst:.1e}")


if __name__ == "__main__":
    main()
