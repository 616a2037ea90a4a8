"""Everything a declaration file is checked for, in one call and without a database."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from s4c_lib.errors import InputError
from s4c_lib.geography.archives import ArchiveLimits
from s4c_lib.geography.sentinel2_tiles import Sentinel2Tile
from s4c_lib.parcels.coordinate_systems import (
    accuracy_finding,
    box_in_wgs84,
    identify,
    outside_tiles,
    position_finding,
    tiles_finding,
    total_bounds,
)
from s4c_lib.parcels.crop_lut import CropLut, lut_against_declared
from s4c_lib.parcels.declared import ColumnMapping, DeclaredRows, GeometryFacts, Objects
from s4c_lib.parcels.findings import Finding, Report, Severity, finding, ordered
from s4c_lib.parcels.geometry_checks import geometry_facts
from s4c_lib.parcels.identifiers import distinguished
from s4c_lib.parcels.mapping import mapping_as_dict
from s4c_lib.parcels.reading import Progress as Progress
from s4c_lib.parcels.reading import read_declared, set_aside


def silent(step: str, fraction: float) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """How a file is read and judged.

    Parameters
    ----------
    layer, encoding, epsg : for files with several layers, or that do not state what they are.
    country : ISO 3166 alpha-3, for the encoding.
    na_is_crop : ``NA`` is a crop code of the look-up table, not a missing value.
    profile : ``default`` or ``reference``.
    overlap_threshold : share of its area from which a parcel counts as overlapped.
    max_reject_pct : share of rows set aside above which the file is refused.
    code_normalisation : rule that makes crop codes match, as a report proposed it.
    """

    layer: str | None = None
    encoding: str | None = None
    epsg: int | None = None
    country: str | None = None
    na_is_crop: bool = False
    profile: str = "default"
    overlap_threshold: float = 0.1
    max_reject_pct: float = 1.0
    code_normalisation: str | None = None
    limits: ArchiveLimits | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where parcels should lie: a site, its extent in EPSG:4326 and its tiles."""

    name: str
    extent: BaseGeometry
    tiles: tuple[Sentinel2Tile, ...]


@dataclass(frozen=True, slots=True)
class CheckedDeclarations:
    """Rows that can be imported, with all that is computed from the file alone.

    Parameters
    ----------
    rows : kept rows, in file order; their geometry is ``facts.geometry``.
    ori_id : with the suffix of repeated identifiers.
    rejects : rows set aside, with ``src_row``, ``code`` and their attributes.
    """

    rows: DeclaredRows
    crs: CRS
    ori_id: Objects
    facts: GeometryFacts
    rejects: pa.Table

    def __len__(self) -> int:
        return len(self.rows)


def check_declarations(
    path: Path,
    mapping: ColumnMapping,
    options: CheckOptions = CheckOptions(),
    *,
    surroundings: Surroundings | None = None,
    lut: CropLut | None = None,
    progress: Progress = silent,
) -> tuple[CheckedDeclarations | None, Report]:
    """Read and check a declaration file.

    Returns
    -------
    checked : None when the file cannot be used at all. report : says whether it may be imported.

    Raises
    ------
    StorageError : the disk fails. InputError : the file does not exist.
    """
    progress("read", 0)
    try:
        rows, findings = read_declared(
            path,
            mapping,
            layer=options.layer,
            encoding=options.encoding,
            epsg=options.epsg,
            country=options.country,
            na_is_crop=options.na_is_crop,
            limits=options.limits,
            progress=progress,
        )
    except InputError as error:
        if not error.code[:1].isupper():
            raise
        return None, _report(path, 0, 0, [finding(error.code, Severity.REFUSED, error.one_line)], {})
    keep, missing = set_aside(rows, max_reject_pct=options.max_reject_pct)
    kept = taken(rows, keep)
    findings = [*findings, *missing]
    facts = _facts(rows, mapping)
    total, stated = len(rows), rows.crs
    if stated is None or not len(kept):
        return None, _report(path, total, len(kept), findings, facts)
    rejects = _rejects(rows, keep, missing)
    # Half a million outlines take a third of a gigabyte: what is copied is let go.
    del rows
    crs, unknown = identify(stated)
    findings += [] if unknown is None else [unknown]
    identifiers = distinguished(kept.ori_id_raw, kept.src_row, columns=", ".join(mapping.parcel_id))
    findings += identifiers.findings
    progress("geometry", 0)
    centre = None if surroundings is None else surroundings.extent.centroid
    geometry, found = geometry_facts(
        kept.geometry,
        crs,
        profile="reference" if options.profile == "reference" else "default",
        overlap_threshold=options.overlap_threshold,
        src_row=kept.src_row,
        names=identifiers.ori_id,
        declared_area=kept.declared_area,
        place=None if centre is None else (centre.x, centre.y),
    )
    findings += found
    kept = replace(kept, geometry=geometry.geometry)
    progress("position", 0)
    bounds = total_bounds(kept.geometry)
    if bounds is not None:
        box = box_in_wgs84(bounds, crs)
        accuracy = accuracy_finding(crs, None if box is None else box.bounds)
        findings += [] if accuracy is None else [accuracy]
        facts |= {"bounds": [round(value, 3) for value in bounds]}
        if surroundings is not None:
            findings += _about_place(kept, identifiers.ori_id, bounds, crs, surroundings)
    if lut is not None:
        match, about_codes = lut_against_declared(
            lut,
            kept.ori_crop,
            area_m2=geometry.area_m2,
            rows=kept.src_row,
            normalisation=options.code_normalisation,
        )
        findings += about_codes
        if options.code_normalisation is not None:
            # Stored as the table writes them, so that everything after joins by plain text.
            known = match.position >= 0
            codes = kept.ori_crop.copy()
            codes[known] = np.asarray(lut.ori_crop, dtype=object)[match.position[known]]
            kept = replace(kept, ori_crop=codes)
        facts |= {"crop_codes_matched_pct": round(100 * match.share, 2)}
    facts |= {"crs": crs.to_string(), "area_ha": round(float(geometry.area_m2.sum()) / 1e4, 1)}
    progress("checked", 1)
    checked = CheckedDeclarations(kept, crs, identifiers.ori_id, geometry, rejects)
    return checked, _report(path, total, len(kept), findings, facts)


def taken(rows: DeclaredRows, keep: npt.NDArray[np.bool_]) -> DeclaredRows:
    """Some of the rows."""
    return replace(
        rows,
        src_row=rows.src_row[keep],
        geometry=rows.geometry[keep],
        had_z=rows.had_z[keep],
        was_curved=rows.was_curved[keep],
        ori_id_raw=rows.ori_id_raw[keep],
        ori_hold=rows.ori_hold[keep],
        ori_crop=rows.ori_crop[keep],
        declared_area=rows.declared_area[keep],
        attributes=rows.attributes.filter(pa.array(keep)),
    )


def _about_place(
    kept: DeclaredRows, names: Objects, bounds: tuple[float, float, float, float], crs: CRS, site: Surroundings
) -> list[Finding]:
    elsewhere = position_finding(bounds, crs, site.extent, site.name)
    if elsewhere is not None or not site.tiles:
        return [] if elsewhere is None else [elsewhere]
    outside = outside_tiles(kept.geometry, crs, [tile.footprint_wgs84() for tile in site.tiles])
    beyond = tiles_finding(outside, kept.src_row, names)
    return [] if beyond is None else [beyond]


def _facts(rows: DeclaredRows, mapping: ColumnMapping) -> dict[str, Any]:
    return {
        "layer": rows.layer,
        "encoding": rows.encoding,
        "crs": None if rows.crs is None else rows.crs.to_string(),
        "bounds": None,
        "mapping": mapping_as_dict(mapping),
    }


def _rejects(rows: DeclaredRows, keep: npt.NDArray[np.bool_], findings: list[Finding]) -> pa.Table:
    codes = np.full(len(rows) + 1, None, dtype=object)
    position = {int(row): number for number, row in enumerate(rows.src_row)} if not keep.all() else {}
    for item in findings:
        if item.severity == Severity.SET_ASIDE:
            for row in item.rows:
                codes[position[row]] = item.code
    apart = ~keep
    table = rows.attributes.filter(pa.array(apart))
    return table.append_column("code", pa.array(codes[:-1][apart], pa.string()))


def _report(path: Path, rows: int, accepted: int, findings: list[Finding], facts: dict[str, Any]) -> Report:
    return Report("declarations", path.name, rows, accepted, rows - accepted, ordered(findings), facts)
