"""Compiled kernels: numba loops compiled at first use and kept, or all at once at an installation (design, section 3).

numba keeps what it compiled, but looks only at the file a loop stands in and at the processor: not at another numpy,
LLVM or numba. So the folder it keeps things in is named by a hash of all that decides the machine code.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from s4c_lib.errors import StorageError

Kernel = Callable[..., Any]

# Modules with kernels: each has a function `warm_up` that calls every kernel of it once, on the smallest input, with
# the types that callers use.
KERNEL_MODULES: Final = (
    "s4c_lib.parcels.pixel_index_kernels",
    "s4c_lib.statistics.kernels",
    "s4c_lib.vegetation.indices",
    "s4c_lib.vegetation.network_kernel",
)
_LIBRARIES: Final = ("numba", "llvmlite", "numpy")
_PREFIX: Final = "kernels-"
_CPU: Final = Path("/proc/cpuinfo")


@cache
def compiled(function: Kernel) -> Kernel:
    """A kernel, compiled; it does not hold Python's lock while it runs.

    A kernel calls no other compiled function of another module: numba would not notice a change there.
    """
    from numba import njit

    kernel: Kernel = njit(cache=True, nogil=True, error_model="numpy")(function)
    return kernel


@cache
def fingerprint() -> str:
    """16 hexadecimal digits of all that decides the machine code: sources of kernels, libraries, Python, processor."""
    digest = hashlib.sha256()
    for name in (*KERNEL_MODULES, __name__):
        digest.update(f"{name} {_source(name)}\n".encode())
    for library in _LIBRARIES:
        digest.update(f"{library} {version(library)}\n".encode())
    digest.update(f"{sys.implementation.cache_tag} {sys.version} {_processor()}".encode())
    return digest.hexdigest()[:16]


def use_cache(root: Path) -> Path:
    """Let numba keep compiled kernels in a folder of their fingerprint under ``root``, here and in child processes.

    To be called before a kernel is used first: one that is compiled already stays where it is.

    Returns
    -------
    Path : the folder.

    Raises
    ------
    StorageError : it cannot be made or written.
    """
    folder = root.absolute() / f"{_PREFIX}{fingerprint()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)  # `prune_cache` keeps those used last
    except OSError as error:
        raise StorageError(
            f"compiled kernels cannot be kept in {folder}: {error.strerror or error}", hint="check the folder"
        ) from error
    # numba reads its settings anew from the environment whenever that changed, so the variable is what counts ...
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
    if "numba" in sys.modules:  # ... but only while it compiles, and it looks for the folder before
        from numba.core import config

        vars(config)["CACHE_DIR"] = str(folder)
    return folder


def compile_all() -> int:
    """Compile every kernel there is, or load what is compiled already; returns the number of modules."""
    for name in KERNEL_MODULES:
        import_module(name).warm_up()
    return len(KERNEL_MODULES)


def prune_cache(root: Path, *, keep: int = 2) -> list[Path]:
    """Remove folders of other fingerprints but for the ``keep`` used last (a release before may still run).

    Returns
    -------
    list : folders that were removed.
    """
    current = f"{_PREFIX}{fingerprint()}"
    others = [folder for folder in root.glob(f"{_PREFIX}*") if folder.is_dir() and folder.name != current]
    old = sorted(others, key=lambda folder: (folder.stat().st_mtime, folder.name), reverse=True)[keep:]
    for folder in old:
        shutil.rmtree(folder)
    return old


def _source(module: str) -> str:
    found = find_spec(module)  # imports the packages it is in, not the module
    if found is None or found.origin is None:
        raise StorageError(f"the source of {module} is not there", hint="install again")
    return hashlib.sha256(Path(found.origin).read_bytes()).hexdigest()


def _processor() -> str:
    """Name and abilities of the processor; asking LLVM would load 100 MB."""
    if not _CPU.is_file():
        return f"{platform.machine()} {platform.processor()}"
    lines = _CPU.read_text(encoding="utf-8", errors="replace").split("\n\n")[0].splitlines()
    told = dict(line.split(":", 1) for line in lines if ":" in line)
    facts = {key.strip(): value.strip() for key, value in told.items()}
    return " ".join([platform.machine(), facts.get("model name", ""), facts.get("flags", facts.get("Features", ""))])
