"""A user's own Sentinel-1 raster and the sidecar that describes it: one product of two files."""

from __future__ import annotations

from pathlib import Path

from s4c_lib.errors import ProductCorruptError
from s4c_lib.sources.names_sentinel1 import OWN
from s4c_lib.sources.product_names import ProductName, parse_product_name
from s4c_lib.sources.product_tree import (
    RASTER_SUFFIXES,
    SIDECAR_SUFFIX,
    ProductTree,
    has_sidecar,
    sidecar_of,
    unreadable,
)
from s4c_lib.sources.radar_sidecar import RadarSidecar, parse_sidecar

_HINT = "correct the sidecar or rename the raster"


def is_described(path: Path) -> bool:
    """Whether a product is a raster with a sidecar: by the file beside it, or by the name of its folder."""
    if has_sidecar(path):
        return True
    name = parse_product_name(path.name)
    return name is not None and name.version == OWN


def described_name(raster: Path) -> ProductName:
    """Name of a raster that has a sidecar beside it; of its files only the sidecar is read.

    Raises
    ------
    ProductCorruptError : the sidecar is wrong, or the raster's own name contradicts it. StorageError : no permission.
    """
    sidecar = raster.with_name(str(sidecar_of(raster.name)))
    try:
        content = sidecar.read_bytes()
    except PermissionError as error:
        raise unreadable(error, sidecar) from error
    except OSError as error:
        raise ProductCorruptError(f"cannot read {sidecar}: {error.strerror}", hint="write the sidecar again") from error
    described = parse_sidecar(content, str(sidecar)).product_name()
    _refuse_other(described, raster.name, str(sidecar))
    return described


def files_of_described(tree: ProductTree) -> tuple[str, RadarSidecar]:
    """The raster of a product, as the tree calls it, and its sidecar, which has been read.

    Raises
    ------
    ProductCorruptError : not one sidecar and its raster, a sidecar that is wrong, or one that describes something
        other than the names of the raster and of the product's folder say.
    """
    sidecars = sorted(file for file in tree.files if file.endswith(SIDECAR_SUFFIX))
    if len(sidecars) != 1:
        raise ProductCorruptError(
            f"{tree.path} has {len(sidecars)} sidecars ({SIDECAR_SUFFIX}), not one", hint="it may still be arriving"
        )
    rasters = sorted(f for f in tree.files if f.lower().endswith(RASTER_SUFFIXES) and sidecar_of(f) == sidecars[0])
    where = tree.where(sidecars[0])
    if len(rasters) != 1:
        raise ProductCorruptError(
            f"{where} describes {len(rasters)} rasters of its name, not one", hint="it may still be arriving"
        )
    sidecar = parse_sidecar(tree.read(sidecars[0]), where)
    described = sidecar.product_name()
    for name in (rasters[0].rsplit("/", 1)[-1], tree.path.name):
        _refuse_other(described, name, where)
    return rasters[0], sidecar


def _refuse_other(described: ProductName, file_name: str, where: str) -> None:
    """Refuse a sidecar that contradicts a name which says the same things."""
    name = parse_product_name(file_name)
    if name is None:
        return
    pairs = {
        "quantity": (described.kind, name.kind),
        "polarisation": (described.polarisations, name.polarisations),
        "time": (described.sensing_start, name.sensing_start),
        "previous_time": (described.previous_time, name.previous_time),
        "relative_orbit": (described.relative_orbit, name.relative_orbit),
        "platform": (described.platform, name.platform),
        "tile": (described.tile, name.tile),
    }
    if name.version == "V1":
        # It says neither platform nor tile, and of backscatter a second time that has no meaning.
        del pairs["platform"], pairs["tile"]
        if described.previous_time is None:
            del pairs["previous_time"]
    wrong = [field for field, (one, other) in pairs.items() if one != other]
    if wrong:
        raise ProductCorruptError(f"{where}: {', '.join(wrong)}: the name {file_name} says otherwise", hint=_HINT)
