"""Walking a folder tree for products: what is one, what is not, and why."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from s4c_lib.errors import ProductCorruptError, StorageError
from s4c_lib.sources.described_raster import described_name
from s4c_lib.sources.model import Rejected
from s4c_lib.sources.names_sentinel1 import OWN
from s4c_lib.sources.product_names import ProductKind, ProductName, bare_name, parse_product_name
from s4c_lib.sources.product_tree import RASTER_SUFFIXES, SIDECAR_SUFFIX, is_tar, is_zip, link_fault, sidecar_of

# Enough for Sentinel-2/MSI/L2A/yyyy/MM/dd/<product> and UU/L/SS/yyyy/MM/dd/<product>, with a folder to spare.
DEFAULT_DEPTH = 8
_RASTER_KINDS = (ProductKind.S1_AMP, ProductKind.S1_COHE)
_SIDECAR_SUFFIXES = (".mtd", ".log", ".md5", ".sha256", ".xml", ".json", ".txt", ".png", ".jpg", ".jpeg", ".ovr")


@dataclass(frozen=True, slots=True)
class Found:
    """A folder or file that carries a product's name; nothing of it has been read yet.

    A raster with a sidecar carries the name that follows from the sidecar, which alone has been read.
    """

    path: Path
    name: ProductName


@dataclass(slots=True)
class Scan:
    """What a walk found; both lists in walking order, which is sorted."""

    found: list[Found] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)

    def reject(self, path: Path, code: str, text: str, name: ProductName | None = None) -> None:
        """Note something that is not offered."""
        self.rejected.append(Rejected(str(path), code, text, name))


def scan_folder(folder: Path, *, max_depth: int = DEFAULT_DEPTH) -> Scan:
    """Walk a folder for products, never into one; hidden entries (``.part``) are left alone.

    Parameters
    ----------
    max_depth : entries this many levels below ``folder`` are still looked at; a folder there that is no product is
        reported as ``too_deep``.
    """
    scan = Scan()
    _walk(folder, 1, max_depth, (), scan)
    return scan


def list_folder(folder: Path, scan: Scan) -> Iterator[tuple[Path, bool]]:
    """Entries of a folder and whether each is one itself, real ones before links and by name; faults are noted."""
    listed: list[tuple[bool, str, bool]] = []
    try:
        with os.scandir(folder) as listing:
            for entry in listing:
                if not entry.name.startswith("."):
                    # Where a link leads is asked below: it may lead nowhere, or to itself.
                    listed.append((entry.is_symlink(), entry.name, entry.is_dir(follow_symlinks=False)))
    except OSError as error:
        # A folder that may be listed but not entered fails at its first entry on some file systems.
        scan.reject(folder, "unreadable", f"cannot list {folder}: {error.strerror}")
        return
    for is_link, name, is_folder in sorted(listed):
        path = folder / name
        fault = link_fault(path) if is_link else None
        if fault is None:
            yield path, path.is_dir() if is_link else is_folder
        else:
            scan.reject(path, "dangling_link", fault, parse_product_name(name))


def check_folder_date(found: Found, folder_date: date | None) -> Rejected | None:
    """Refuse a product that lies in another day's folder: a search by date would meet it by chance only."""
    if folder_date is None or found.name.product_date == folder_date:
        return None
    text = f"{found.path} is of {found.name.product_date}, but lies in the folder of {folder_date}; move it"
    return Rejected(str(found.path), "wrong_date_folder", text, found.name)


def _walk(folder: Path, depth: int, max_depth: int, above: tuple[tuple[int, int], ...], scan: Scan) -> None:
    try:
        info = folder.stat()
    except OSError as error:
        scan.reject(folder, "unreadable", f"cannot open {folder}: {error.strerror}")
        return
    identity = (info.st_dev, info.st_ino)
    if identity in above:
        scan.reject(folder, "link_loop", f"the link {folder} leads back into a folder above it")
        return
    entries = list(list_folder(folder, scan))
    files = {path.name for path, is_folder in entries if not is_folder}
    described = {file for file in files if sidecar_of(file) in files}
    stems = tuple(f"{file.rpartition('.')[0]}." for file in sorted(described))
    rasters_of = {sidecar_of(file) for file in files}
    for path, is_folder in entries:
        name = parse_product_name(path.name)
        if path.name in described:
            _described(path, scan)
        elif not is_folder and path.name.endswith(SIDECAR_SUFFIX):
            if path.name not in rasters_of:
                raster = path.name.removesuffix(SIDECAR_SUFFIX)
                text = f"the sidecar {path} describes no raster: {raster}.tif is not there; it may still be arriving"
                scan.reject(path, "input_corrupt", text)
        elif not is_folder:
            if not (path.name.startswith(stems) and path.name.lower().endswith(_SIDECAR_SUFFIXES)):
                _file(path, name, scan)
        elif name is not None:
            scan.found.append(Found(path, name))
        elif path.name.upper().endswith(".SAFE"):
            scan.reject(path, "not_a_product", f"{path} ends in .SAFE, but its name is no known product's")
        elif depth >= max_depth:
            scan.reject(path, "too_deep", f"{path} lies {depth} levels down and was not searched")
        else:
            _walk(path, depth + 1, max_depth, (*above, identity), scan)


def _described(path: Path, scan: Scan) -> None:
    try:
        scan.found.append(Found(path, described_name(path)))
    except (ProductCorruptError, StorageError) as error:
        scan.reject(path, error.code, error.one_line)


def _file(path: Path, name: ProductName | None, scan: Scan) -> None:
    lower = path.name.lower()
    if name is None:
        # Quicklooks, checksums and logs written beside a product are no mistake of anyone.
        if lower.endswith(_SIDECAR_SUFFIXES) and parse_product_name(bare_name(path.name.split(".")[0])) is not None:
            return
        sidecar = sidecar_of(path.name)
        beside = "" if sidecar is None else f", and no sidecar {sidecar} lies beside it"
        scan.reject(path, "not_a_product", f"{path} is no known product: its name fits none{beside}")
    elif name.version == OWN and lower.endswith(RASTER_SUFFIXES):
        text = f"{path} has the name of a raster with a sidecar, but {sidecar_of(path.name)} is not beside it"
        scan.reject(path, "input_corrupt", text, name)
    elif is_zip(path) or is_tar(path) or (lower.endswith(RASTER_SUFFIXES) and name.kind in _RASTER_KINDS):
        scan.found.append(Found(path, name))
    else:
        scan.reject(path, "not_a_product", f"{path} has a product's name, but is neither folder nor archive", name)
