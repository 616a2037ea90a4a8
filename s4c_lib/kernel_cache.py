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

import structlog

from s4c_lib.errors import StorageError
from s4c_lib.progress import Progress, silent

Kernel = Callable[..., Any]
log = structlog.get_logger(__name__)

# Modules with kernels: each has a function `warm_up` that calls every kernel of it once, on the smallest input, with
# the types that callers use.
KERNEL_MODULES: Final = (
    "s4c_lib.mowing.evidence_kernels",
    "s4c_lib.mowing.fusion_kernels",
    "s4c_lib.mowing.optical_kernels",
    "s4c_lib.mowing.radar_kernels",
    "s4c_lib.parcels.pixel_index_kernels",
    "s4c_lib.practices.evidence_kernels",
    "s4c_lib.practices.weekly_kernels",
    "s4c_lib.preprocessing.elevation.resampling_kernels",
    "s4c_lib.preprocessing.elevation.terrain",
    "s4c_lib.preprocessing.radar.geocoding_kernels",
    "s4c_lib.products.band_statistics",
    "s4c_lib.products.cog_levels",
    "s4c_lib.readers.flag_kernels",
    "s4c_lib.readers.pixel_kernels",
    "s4c_lib.statistics.kernels",
    "s4c_lib.vegetation.indices",
    "s4c_lib.vegetation.network_kernel",
)
_LIBRARIES: Final = ("numba", "llvmlite", "numpy")
_PREFIX: Final = "kernels-"
_DONE: Final = "complete"
_CPU: Final = Path("/proc/cpuinfo")


@cache
def compiled(function: Kernel) -> Kernel:
    """A kernel, compiled; it does not hold Python's lock while it runs.

    A kernel calls no other compiled function of another module: numba would not notice a change there.
    """
    from numba import njit

    def kernel(*, cache: bool) -> Kernel:
        made: Kernel = njit(cache=cache, nogil=True, error_model="numpy")(function)
        return made

    try:
        return kernel(cache=True)
    except RuntimeError as error:  # numba finds no folder it can write to
        log.warning("a compiled kernel cannot be kept", kernel=function.__name__, error=str(error))
        return kernel(cache=False)


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


def keep_in(root: Path) -> None:
    """`use_cache` where that can be done; else every process compiles what it uses, and the log says why."""
    try:
        use_cache(root)
    except StorageError as error:
        log.warning("compiled kernels are not kept", error=error.one_line)


def compile_into(root: Path, progress: Progress = silent) -> tuple[Path, bool]:
    """Compile every kernel there is into the folder of their fingerprint, unless that was done; old folders go.

    Returns
    -------
    The folder, and whether anything had to be compiled.

    Raises
    ------
    StorageError : the folder cannot be made or written.
    """
    folder = use_cache(root)
    done = folder / _DONE
    # numba compiles a file that was written anew, whatever its content
    files = "".join(f"{name} {_file(name).stat().st_mtime_ns}\n" for name in KERNEL_MODULES)
    if done.is_file() and done.read_text(encoding="utf-8") == files:
        return folder, False
    compile_all(progress)
    unfinished = done.with_name(f"{_DONE}.{os.getpid()}")
    unfinished.write_text(files, encoding="utf-8")
    unfinished.replace(done)
    prune_cache(root)
    return folder, True


def compile_all(progress: Progress = silent) -> int:
    """Compile every kernel there is, or load what is compiled already; returns the number of modules."""
    for number, name in enumerate(KERNEL_MODULES, 1):
        import_module(name).warm_up()
        progress(number, len(KERNEL_MODULES), name)
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
    return hashlib.sha256(_file(module).read_bytes()).hexdigest()


def _file(module: str) -> Path:
    found = find_spec(module)  # imports the packages it is in, not the module
    if found is None or found.origin is None:
        raise StorageError(f"the source of {module} is not there", hint="install again")
    return Path(found.origin)


def _processor() -> str:
    """Name and abilities of the processor; asking LLVM would load 100 MB."""
    if not _CPU.is_file():
        return f"{platform.machine()} {platform.processor()}"
    lines = _CPU.read_text(encoding="utf-8", errors="replace").split("\n\n")[0].splitlines()
    told = dict(line.split(":", 1) for line in lines if ":" in line)
    facts = {key.strip(): value.strip() for key, value in told.items()}
    return " ".join([platform.machine(), facts.get("model name", ""), facts.get("flags", facts.get("Features", ""))])
