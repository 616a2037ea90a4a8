"""MAJA's parameter files (GIPP) of one satellite and tile, put into the input folder (``preprocessing.md`` 2.6).

Common ones are linked; those of the tile are linked where the set has them, else derived from the set's common form by
writing the tile into name and text. Built against the file names and the three elements that Sen4CAP documents.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from s4c_lib.preprocessing.executor import ExecutorError
from s4c_lib.preprocessing.work_folder import linked_tree
from s4c_lib.reasons import Reason

TILE_TYPES: Final = ("L2SITE", "CKEXTL", "CKQLTL")
_NAMED_ELEMENTS = (b"File_Name", b"Applicability_NickName", b"Applicable_SiteDefinition_Id")
_FOLDERS = {"sentinel-2": "SENTINEL2", "landsat": "LANDSAT8"}


def gipp_folder(gipp: Path, platform: str) -> Path:
    """Folder of a satellite's set: ``SENTINEL2`` or ``LANDSAT8`` below ``gipp`` where it exists, else ``gipp``."""
    family = "sentinel-2" if platform.startswith("sentinel-2") else "landsat"
    folder = gipp / _FOLDERS[family]
    return folder if folder.is_dir() else gipp


def assemble_gipp(gipp: Path, platform: str, tile: str, target: Path) -> tuple[Path, ...]:
    """Link or derive all parameter files into ``target``.

    Parameters
    ----------
    platform : ``sentinel-2a`` ... ``landsat-9``. tile : MGRS id, or path and row.

    Returns
    -------
    Where the links lead.

    Raises
    ------
    ExecutorError : no common files, half of a pair, or a type of the tile missing, each type on its own
        (``aux_missing``).
    """
    folder = gipp_folder(gipp, platform)
    own, shared = _prefixes(platform)
    real: list[Path] = []
    for path in _common(folder, own, shared):
        real += linked_tree(path, target / path.name)
    for kind in TILE_TYPES:
        of_tile = _of_tile(folder, own, shared, kind, _tile_field(folder, platform, tile))
        if of_tile is not None:
            real += linked_tree(of_tile, target / of_tile.name)
        else:
            _derive(folder, own, shared, kind, platform, tile, target)
    return tuple(real)


def _prefixes(platform: str) -> tuple[str, str]:
    """Prefix of the satellite's own files, and of those shared with its twins: ``S2A`` and ``S2``."""
    if platform.startswith("sentinel-2"):
        return f"S2{platform[-1].upper()}", "S2"
    return "L8", "L8"


def _common(folder: Path, own: str, shared: str) -> list[Path]:
    for prefix in (own, shared):
        found = sorted(
            path for path in folder.glob(f"{prefix}*_L_*") if path.name.endswith((".EEF", ".HDR", ".DBL", ".DBL.DIR"))
        )
        if found:
            break
    else:
        raise _missing(f"{folder} holds no common parameter file {own}*_L_*")
    names = {path.name for path in found}
    for name in sorted(names):
        stem = name.removesuffix(".HDR")
        if name.endswith(".HDR") and f"{stem}.DBL" not in names and f"{stem}.DBL.DIR" not in names:
            raise _missing(f"{folder / name} has no .DBL or .DBL.DIR beside it")
    return found


def _tile_field(folder: Path, platform: str, tile: str) -> str:
    """How a tile is written in file names: Landsat's European sets put ``EU`` before it."""
    landsat = not platform.startswith("sentinel-2")
    return f"EU{tile}" if landsat and any(folder.glob("*EUCMN00*")) else tile


def _of_tile(folder: Path, own: str, shared: str, kind: str, field: str) -> Path | None:
    for prefix in (own, shared):
        found = sorted(folder.glob(f"{prefix}*_{kind}_S_{field}*.EEF"))
        if found:
            return found[-1]
    return None


def _derive(folder: Path, own: str, shared: str, kind: str, platform: str, tile: str, target: Path) -> None:
    common = "ALLSITES" if platform.startswith("sentinel-2") else "CMN00"
    template = _of_tile(folder, own, shared, kind, _tile_field(folder, platform, common))
    if template is None:
        raise _missing(f"{folder} has {kind} neither for tile {tile} nor for {common}")
    derived = with_tile(template.read_bytes(), common, tile)
    if derived is None:
        raise _missing(f"{template} does not name {common} in {', '.join(e.decode() for e in _NAMED_ELEMENTS)}")
    (target / template.name.replace(common, tile)).write_bytes(derived)


def with_tile(content: bytes, common: str, tile: str) -> bytes | None:
    """Write a tile in the place of ``common`` in the three elements that name it; all else stays as it is.

    Returns
    -------
    None when one of them is absent or does not hold ``common``.
    """
    for element in _NAMED_ELEMENTS:
        pattern = re.compile(rb"(<" + element + rb"(?:\s[^>]*)?>[^<]*?)" + re.escape(common.encode()) + rb"([^<]*<)")
        content, count = pattern.subn(rb"\g<1>" + tile.encode() + rb"\g<2>", content)
        if count == 0:
            return None
    return content


def _missing(text: str) -> ExecutorError:
    return ExecutorError(text, hint="complete the folder of processor.l2a.maja.gipp-path", code=Reason.AUX_MISSING)
