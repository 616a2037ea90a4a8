"""Compiled kernels are kept by what decides the machine code, and old ones go."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from s4c_lib import kernel_cache
from s4c_lib.errors import StorageError

USE = """
import sys, warnings
from pathlib import Path
from s4c_lib import kernel_cache
if sys.argv[2] == "numba first":
    import numba
folder = kernel_cache.use_cache(Path(sys.argv[1]))
from s4c_lib.parcels import pixel_index_kernels as kernels
import numpy as np
count = np.zeros(1, np.int32)
kernel = kernel_cache.compiled(kernels.count_pixels)
kernel(np.array([0, 2]), np.array([3, 4], np.uint16), count)
print(folder, count[0], sum(kernel.stats.cache_hits.values()))
"""


def run(root: Path, order: str) -> list[str]:
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", USE, str(root), order], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


@pytest.mark.parametrize("order", ["numba first", "numba later"])
def test_a_later_process_finds_what_was_compiled(tmp_path: Path, order: str) -> None:
    folder, count, hits = run(tmp_path, order)
    assert folder == str(tmp_path / f"kernels-{kernel_cache.fingerprint()}")
    assert (count, hits) == ("7", "0")
    assert list(Path(folder).rglob("*count_pixels*.nbc"))
    assert run(tmp_path, order)[1:] == ["7", "1"]


def test_another_source_or_library_is_another_fingerprint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {kernel_cache.fingerprint.__wrapped__()}
    monkeypatch.setattr(kernel_cache, "version", lambda name: "0.0.1" if name == "llvmlite" else "1")
    seen.add(kernel_cache.fingerprint.__wrapped__())
    (tmp_path / "more_kernels.py").write_text("def warm_up(): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(kernel_cache, "KERNEL_MODULES", (*kernel_cache.KERNEL_MODULES, "more_kernels"))
    seen.add(kernel_cache.fingerprint.__wrapped__())
    (tmp_path / "more_kernels.py").write_text("def warm_up(): return 1\n")
    seen.add(kernel_cache.fingerprint.__wrapped__())
    assert len(seen) == 4
    assert "more_kernels" not in sys.modules


def test_every_module_with_kernels_compiles() -> None:
    assert kernel_cache.compile_all() == len(kernel_cache.KERNEL_MODULES)


def test_old_fingerprints_go_and_the_last_ones_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", os.environ.get("NUMBA_CACHE_DIR", ""))
    from numba.core import config

    monkeypatch.setattr(config, "CACHE_DIR", config.CACHE_DIR)
    for age in range(4):
        folder = tmp_path / f"kernels-{age:016d}"
        folder.mkdir()
        (folder / "one.nbc").write_bytes(b"x")
        os.utime(folder, (1_000_000 - age, 1_000_000 - age))
    (tmp_path / "something else").mkdir()
    current = kernel_cache.use_cache(tmp_path)
    removed = kernel_cache.prune_cache(tmp_path, keep=2)
    assert [folder.name[-1] for folder in removed] == ["2", "3"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [f"kernels-{0:016d}", f"kernels-{1:016d}", current.name, "something else"]
    )


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file"):
        kernel_cache.use_cache(tmp_path / "file")
