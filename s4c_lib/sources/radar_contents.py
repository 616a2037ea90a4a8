"""What the pixels of a Sentinel-1 level-2 raster are, before any is read: by its sidecar, or by its tags and name.

Source: preprocessing.md 3.6, 3.8, 4.7; spec/README.md B3.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from s4c_lib.errors import ProductCorruptError
from s4c_lib.sources.described_raster import files_of_described, is_described
from s4c_lib.sources.gdal_threads import single_thread
from s4c_lib.sources.product_kinds import ProductKind, ProductName
from s4c_lib.sources.product_names import bare_name
from s4c_lib.sources.product_tree import RASTER_SUFFIXES, ProductTree, unreadable

QUANTITIES: Final = ("sigma0", "gamma0", "amplitude", "coherence")
# Of UInt16 rasters (preprocessing.md 4.7) without a scale of their own.
_INTEGER_SCALE: Final = 1e-4
_NO_DATA: Final = 0.0
_NAMED_DTYPES: Final = ("float32", "uint16")
_DESCRIBED_DTYPES: Final = ("float32", "float64", "int8", "uint8", "int16", "uint16", "int32", "uint32")
_DIRECTIONS: Final = {
    "asc": "ascending",
    "ascending": "ascending",
    "desc": "descending",
    "descending": "descending",
}
_AGAIN: Final = "make or fetch the product again"
_CORRECT: Final = "correct the sidecar"


@dataclass(frozen=True, slots=True)
class RadarContents:
    """Meaning of the pixels: value = DN * factor + offset, linear or in dB.

    Parameters
    ----------
    name : of the product. file : the raster, as the product's tree calls it.
    no_data : DN; not a number never is data.
    described : by a sidecar.
    platform : ``sentinel-1a``; ``sentinel-1`` where nothing says which.
    direction : ``ascending``, ``descending``, None where nothing says it.
    warnings : what had to be assumed, for the log.
    """

    name: ProductName
    file: str
    quantity: str
    factor: float
    offset: float
    decibel: bool
    no_data: float
    described: bool
    platform: str
    direction: str | None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Header:
    tags: Mapping[str, str]
    dtype: str
    bands: int
    scale: float
    offset: float
    no_data: float | None
    on_metres: bool
    """Whether its pixels are north-up squares in a projected system."""


def radar_contents(tree: ProductTree, name: ProductName) -> RadarContents:
    """Read tags and header of a raster, and its sidecar where it has one.

    Parameters
    ----------
    name : of the product; of one with a sidecar, what it was when it was found.

    Raises
    ------
    ProductCorruptError : not readable, not one band of numbers, or its sidecar, its name and its tags contradict each
        other; names file and field.
    """
    if is_described(tree.path):
        return _by_sidecar(tree, name)
    return _by_name(tree, name)


def _by_sidecar(tree: ProductTree, name: ProductName) -> RadarContents:
    file, sidecar = files_of_described(tree)
    where, described = tree.where(file), sidecar.product_name()
    if described.name != name.name:
        raise ProductCorruptError(
            f"the sidecar of {where} now describes {described.name}, not {name.name}", hint="search the archive again"
        )
    header = _header(tree, file)
    if header.dtype not in _DESCRIBED_DTYPES or header.bands != 1:
        raise ProductCorruptError(f"{where} has {header.bands} bands of {header.dtype}, not one of real numbers")
    if not header.on_metres:
        raise ProductCorruptError(
            f"{where} has no north-up grid of square pixels in a projected system", hint="warp it to one, as UTM"
        )
    stated = {
        "QUANTITY": sidecar.quantity,
        "POL": sidecar.polarisation.lower(),
        "PLATFORM": sidecar.platform.lower(),
        "REL_ORBIT": str(sidecar.relative_orbit),
        "ORBIT_DIRECTION": sidecar.direction,
    }
    _refuse_tags(header.tags, stated, where)
    no_data = sidecar.no_data if sidecar.no_data is not None else header.no_data
    if no_data is None and sidecar.decibel:
        raise ProductCorruptError(
            f"{where}: no_data: neither the sidecar nor the raster says it, and 0 dB is a value", hint=_CORRECT
        )
    return RadarContents(
        name=described,
        file=file,
        quantity=sidecar.quantity,
        factor=_agreed("factor", sidecar.factor, header.scale, 1.0, where),
        offset=_agreed("offset", sidecar.offset, header.offset, 0.0, where),
        decibel=sidecar.decibel,
        no_data=_NO_DATA if no_data is None else no_data,
        described=True,
        platform=described.platform,
        direction=sidecar.direction,
    )


def _by_name(tree: ProductTree, name: ProductName) -> RadarContents:
    file = _named_file(tree, name)
    where, header = tree.where(file), _header(tree, file)
    if header.dtype not in _NAMED_DTYPES or header.bands != 1:
        raise ProductCorruptError(f"{where} has {header.bands} bands of {header.dtype}, not one of float32 or uint16")
    quantity, assumed = _quantity(header.tags, name, where)
    stated = {"POL": name.polarisations[0].lower(), "REL_ORBIT": str(name.relative_orbit)}
    _refuse_tags(header.tags, stated, where)
    return RadarContents(
        name=name,
        file=file,
        quantity=quantity,
        factor=_INTEGER_SCALE if header.dtype == "uint16" and header.scale == 1 else header.scale,
        offset=0.0,
        decibel=False,
        no_data=_NO_DATA if header.no_data is None else header.no_data,
        described=False,
        platform=_platform(header.tags, name, where),
        direction=_DIRECTIONS.get(_tag(header.tags, "ORBIT_DIRECTION")),
        warnings=assumed,
    )


def _named_file(tree: ProductTree, name: ProductName) -> str:
    rasters = sorted(file for file in tree.files if file.lower().endswith(RASTER_SUFFIXES))
    own = [file for file in rasters if bare_name(file.rsplit("/", 1)[-1]).upper() == name.name]
    if len(own or rasters) != 1:
        raise ProductCorruptError(f"{tree.path} holds {len(rasters)} rasters, none of its own name", hint=_AGAIN)
    return (own or rasters)[0]


def _header(tree: ProductTree, file: str) -> _Header:
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    where = tree.where(file)
    try:
        with single_thread(), warnings.catch_warnings():
            # Said below, for products that need a georeference.
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            raster = rasterio.open(tree.gdal_path(file))
        with single_thread(), raster:
            pixel, turned, _, slanted, down, _ = tuple(raster.transform)[:6]
            projected = raster.crs is not None and raster.crs.is_projected and raster.crs.to_epsg() is not None
            return _Header(
                tags={key.upper(): str(value) for key, value in raster.tags().items()},
                dtype=str(raster.dtypes[0]),
                bands=int(raster.count),
                scale=float(raster.scales[0]),
                offset=float(raster.offsets[0]),
                no_data=None if raster.nodata is None else float(raster.nodata),
                on_metres=bool(projected and not turned and not slanted and pixel > 0 and pixel == -down),
            )
    except RasterioError as error:
        reason = " ".join(str(error.__cause__ or error).split())
        if "Permission denied" in reason:
            raise unreadable(PermissionError(13, "Permission denied", where), tree.path) from error
        raise ProductCorruptError(
            f"cannot read {where}: {reason}", hint="it may still be arriving; else fetch it again"
        ) from error


def _agreed(field: str, given: float | None, stated: float, neutral: float, where: str) -> float:
    """The sidecar's number, or the raster's own; both only when they agree."""
    if given is None or given == stated:
        return stated
    if stated != neutral:
        raise ProductCorruptError(
            f"{where}: {field}: the sidecar says {given:g}, the raster itself {stated:g}", hint=_CORRECT
        )
    return given


def _tag(tags: Mapping[str, str], key: str) -> str:
    return tags.get(key, "").strip().lower()


def _refuse_tags(tags: Mapping[str, str], stated: Mapping[str, Any], where: str) -> None:
    """Refuse tags that contradict the sidecar or the name; a tag that is absent or means nothing here does not."""
    for key, expected in stated.items():
        written = _tag(tags, key)
        if key == "PLATFORM":
            written = written.replace("sentinel-1", "s1")
        elif key == "ORBIT_DIRECTION":
            written = _DIRECTIONS.get(written, "")
        elif key == "REL_ORBIT":
            written = written.lstrip("0")
        if written and written != expected:
            raise ProductCorruptError(
                f"{where} has the tag {key} '{tags[key]}', its sidecar or name says {expected}", hint=_AGAIN
            )


def _quantity(tags: Mapping[str, str], name: ProductName, where: str) -> tuple[str, tuple[str, ...]]:
    """The tag QUANTITY; without it what the name's version always held (decision B3)."""
    coherence = name.kind is ProductKind.S1_COHE
    tagged = _tag(tags, "QUANTITY")
    if tagged:
        if tagged not in QUANTITIES or (tagged == "coherence") != coherence:
            raise ProductCorruptError(f"{where} has the tag QUANTITY '{tagged}', its name says otherwise", hint=_AGAIN)
        return tagged, ()
    if coherence:
        return "coherence", ()
    if name.version == "V1":
        return "amplitude", ()
    return "sigma0", (f"{where} has no tag QUANTITY: taken as linear sigma0",)


def _platform(tags: Mapping[str, str], name: ProductName, where: str) -> str:
    """``sentinel-1a``: of the name, for V1 of the tag; ``sentinel-1`` where neither says."""
    tag = _tag(tags, "PLATFORM").replace("sentinel-1", "s1")
    tagged = f"sentinel-{tag[1:]}" if tag in {"s1a", "s1b", "s1c", "s1d"} else None
    if tagged is None or name.platform == "sentinel-1":
        return tagged or name.platform
    if tagged != name.platform:
        raise ProductCorruptError(f"{where} has the tag PLATFORM '{tag}', its name says {name.platform}", hint=_AGAIN)
    return tagged
