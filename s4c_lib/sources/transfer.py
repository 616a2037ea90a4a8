"""Bringing a product of a local archive under a target folder: copied, linked, or only checked.

The source is opened for reading and nothing else. Under the target a product appears by one rename, when it is
complete; what is unfinished lies in ``<target>/.part/<name>.<attempt>/`` and is continued by the next call.
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

from s4c_lib.errors import ConflictError, InputError, ProductCorruptError, Sen4capError
from s4c_lib.sources.model import FetchMode, FetchResult, Progress
from s4c_lib.sources.part_folder import PART_FOLDER, holding, publish, remove, storage_error, take_over
from s4c_lib.sources.partial_copy import PartialCopy, existing_copy
from s4c_lib.sources.product_kinds import ProductName
from s4c_lib.sources.product_tree import FileEntry, has_sidecar, link_fault, stat_files
from s4c_lib.sources.verify import VerifyReport, verify_product


def fetch_local(
    source: Path, name: ProductName, target_dir: Path, mode: FetchMode, progress: Progress | None = None
) -> FetchResult:
    """Copy, link or check one product.

    Parameters
    ----------
    mode : ``copy`` puts user-writable files under the target, continuing an interrupted copy; ``symlink`` puts an
        absolute link there, replacing a link that leads nowhere or elsewhere; ``check`` leaves the target alone. A
        raster with a sidecar becomes a folder of its product's name that holds both, or links to both.

    Returns
    -------
    The path to use: under the target, or the archive's own for ``check``.

    Raises
    ------
    ProductCorruptError : the product is incomplete (see `verify_product`); nothing appears under the target.
    DiskFullError : no space; the unfinished copy is removed, since on a full disk its bytes are needed.
    StorageError : reading or writing failed, or another process is fetching the same product (``transfer_busy``).
    ConflictError : ``symlink`` meets a real product of that name under the target.
    InputError : the mode is ``download``.
    """
    began = time.monotonic()
    fault = link_fault(source)
    if fault is not None:
        raise ProductCorruptError(fault, hint="restore the target or remove the link")
    match mode:
        case FetchMode.COPY:
            path, report, checksum = _copy(source, name, target_dir, progress)
            checksum_of = "content"
        case FetchMode.SYMLINK:
            report = verify_product(source, name)
            path = _link(source, name, target_dir)
            checksum, checksum_of = listing_checksum(stat_files(source)), "listing"
        case FetchMode.CHECK:
            report = verify_product(source, name)
            path = source.absolute()
            checksum, checksum_of = listing_checksum(stat_files(source)), "listing"
        case FetchMode.DOWNLOAD:
            raise InputError("a local archive has nothing to download", hint="use copy, symlink or check")
    if progress is not None and mode is not FetchMode.COPY:
        progress(report.size_bytes, report.size_bytes)
    return FetchResult(
        path=path,
        size_bytes=report.size_bytes,
        checksum=checksum,
        checksum_of=checksum_of,
        mode=mode,
        seconds=time.monotonic() - began,
        tile_problems=report.tile_problems,
        warnings=report.warnings,
    )


def listing_checksum(entries: list[FileEntry]) -> str:
    """SHA-256 over sorted relative paths and sizes; no content is read."""
    digest = hashlib.sha256()
    for entry in sorted(entries, key=lambda item: item.path):
        digest.update(f"{entry.path}\0{entry.size}\n".encode())
    return digest.hexdigest()


def content_checksum(files: dict[str, tuple[int, str]]) -> str:
    """SHA-256 over sorted relative paths, sizes and the sha256 of each file's bytes (path -> size, hex)."""
    digest = hashlib.sha256()
    for path in sorted(files):
        size, content = files[path]
        digest.update(f"{path}\0{size}\0{content}\n".encode())
    return digest.hexdigest()


def _copy(
    source: Path, name: ProductName, target_dir: Path, progress: Progress | None
) -> tuple[Path, VerifyReport, str]:
    called = _called(source, name)
    final = target_dir / called
    entries = stat_files(source)
    if source.is_dir() or has_sidecar(source):
        # Costs little beside the copy and spares the disk a product that cannot be used. An archive file is checked
        # after the copy only: its checksums mean reading all of it.
        verify_product(source, name)
    try:
        with holding(target_dir, called):
            digests = existing_copy(source, final, entries)
            if digests is not None:
                report = verify_product(final, name)
                if progress is not None:
                    progress(report.size_bytes, report.size_bytes)
            else:
                part = PartialCopy.open(target_dir, source, called)
                digests = part.fill(entries, progress)
                report = verify_product(part.path, name)
                part.publish(final)
    except Sen4capError:
        raise
    except OSError as error:
        raise storage_error(error, target_dir) from error
    return final, report, content_checksum(digests)


def _called(source: Path, name: ProductName) -> str:
    """Name of the product under the target: its own; a raster with a sidecar may be called as many others are."""
    return name.name if has_sidecar(source) else source.name


def _link(source: Path, name: ProductName, target_dir: Path) -> Path:
    called = _called(source, name)
    final = target_dir / called
    try:
        with holding(target_dir, called):
            if has_sidecar(source):
                _link_pair(source, final)
                return final
            wanted = source.absolute()
            if final.exists() and not final.is_symlink():
                raise _real(final)
            if final.is_symlink() and final.readlink() == wanted:
                return final
            # Made aside and renamed over: a link cannot be replaced in one step otherwise.
            fresh = target_dir / PART_FOLDER / f"{called}.link"
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(wanted)
            fresh.replace(final)
    except Sen4capError:
        raise
    except OSError as error:
        raise storage_error(error, target_dir) from error
    return final


def _link_pair(source: Path, final: Path) -> None:
    """Make a folder of two links, to a raster and its sidecar: the raster is not known by its name alone."""
    wanted = {entry.path: source.absolute().with_name(entry.path) for entry in stat_files(source)}
    if final.is_dir() and not final.is_symlink():
        there = list(final.iterdir())
        if not all(path.is_symlink() for path in there):
            raise _real(final)
        if {path.name: path.readlink() for path in there} == wanted:
            return
    fresh = take_over(final.parent, final.name) / final.name
    remove(fresh)
    fresh.mkdir()
    for name, target in wanted.items():
        (fresh / name).symlink_to(target)
    publish(fresh, final)


def _real(final: Path) -> ConflictError:
    return ConflictError(
        f"{final} is a real product, not a link", hint="delete it, or fetch with copy instead of symlink"
    )
