"""Compiled kernels are kept by what decides the machine code, and old ones go."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s4c_lib import kernel_cache
from s4c_lib.errors import StorageError
from s4c_lib.preprocessing.elevation.terrain import slope_and_aspect
from s4c_lib.products.band_statistics import Moments
from s4c_lib.products.cog_levels import halving
from s4c_lib.readers.flags import coarsened, dilated, flag_shares
from s4c_lib.settings import Settings

PACKAGE = Path(kernel_cache.__file__).parent

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


def kernels_in_use() -> set[tuple[str, str]]:
    """Module and name of every function that some module of the package hands to `compiled`."""
    found = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(("s4c_lib", *path.relative_to(PACKAGE).with_suffix("").parts))
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imported = {
            alias.asname or alias.name: (node.module or "", alias.name)
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "compiled":
                (kernel,) = node.args
                if isinstance(kernel, ast.Attribute):
                    assert isinstance(kernel.value, ast.Name)
                    found.add((".".join(imported[kernel.value.id]), kernel.attr))
                else:
                    assert isinstance(kernel, ast.Name), f"{path}:{node.lineno}: name the kernel"
                    found.add(imported.get(kernel.id, (name, kernel.id)))
    return found


def signatures(module: str, name: str) -> int:
    kernel: Any = kernel_cache.compiled(getattr(import_module(module), name))
    return len(kernel.signatures)


def test_every_kernel_is_compiled_at_an_installation() -> None:
    kernels = kernels_in_use()
    assert ("s4c_lib.statistics.kernels", "walk_integers") in kernels
    # a module that is forgotten there is compiled at the first product, and its changes go unnoticed
    assert {module for module, _ in kernels} == set(kernel_cache.KERNEL_MODULES)
    assert kernel_cache.compile_all() == len(kernel_cache.KERNEL_MODULES)
    assert [kernel for kernel in sorted(kernels) if not signatures(*kernel)] == []


def test_what_callers_use_is_what_was_compiled() -> None:
    kernel_cache.compile_all()
    kernels = sorted(kernels_in_use())
    before = [signatures(*kernel) for kernel in kernels]
    flags = np.zeros((4, 4), np.uint8)
    dilated(flags, 1)
    coarsened(flags, 2)
    flag_shares(flags)
    for kind in (np.uint8, np.int16, np.uint16, np.float32):
        for no_data in (None, 0, -1.5):
            halving("average", no_data)(np.zeros((3, 600, 1), kind)[:, :520])
            Moments(no_data).add(np.zeros((2, 600), kind))
    slope_and_aspect(np.zeros((5, 6), np.float32), 20)
    assert [signatures(*kernel) for kernel in kernels] == before


def test_compiling_is_done_once(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).parent / "s4c"), "kernels", "compile", "--json"]
    environment = {**os.environ, "S4C_KERNEL_CACHE": str(kernel_cache_root())}
    subprocess.run(command, env=environment, check=True, capture_output=True)
    again = subprocess.run([*command], env=environment, check=True, capture_output=True, text=True)
    told = json.loads(again.stdout)
    assert (told["fingerprint"], told["compiled"]) == (kernel_cache.fingerprint(), False)
    assert told["seconds"] < 5
    (tmp_path / "file").write_text("")
    environment["S4C_KERNEL_CACHE"] = str(tmp_path / "file")
    refused = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert refused.returncode == 1
    assert "cannot be kept" in refused.stderr.splitlines()[-1]


def kernel_cache_root() -> Path:
    return Path(os.environ["S4C_KERNEL_CACHE"])


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    kernel_cache.keep_in(tmp_path / "file")


def test_the_folder_is_the_settings_then_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().kernel_folder == kernel_cache_root()
    monkeypatch.delenv("S4C_KERNEL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert Settings().kernel_folder == tmp_path / "sen4cap" / "kernels"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Settings().kernel_folder == tmp_path / ".cache" / "sen4cap" / "kernels"


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
