"""What a paying agency uploads for a synthetic country, and what a correct import must say about it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.synthetic.landscape.configuration import crop_lut, l4b_configuration, l4c_configuration
from s4c_lib.synthetic.landscape.country import make_landscape
from s4c_lib.synthetic.landscape.delivery import CROP, HOLDING, PARCEL, Rows, columns_of, rows_of, second_delivery
from s4c_lib.synthetic.landscape.faults import Fault, make_faults
from s4c_lib.synthetic.landscape.model import Landscape
from s4c_lib.synthetic.landscape.practices import PracticeTable, practice_tables
from s4c_lib.synthetic.landscape.vector_files import (
    LAYER,
    remove,
    write_geopackage,
    write_parcels,
    write_shapefile_zip,
    write_text,
)

OVERLAP_THRESHOLD: Final = 0.1
GEOPACKAGE, SHAPEFILE = "declarations.gpkg", "declarations.zip"
SHAPEFILE_WITHOUT_CODE_PAGE = "declarations_no_cpg.zip"
SECOND_GEOPACKAGE, SECOND_SHAPEFILE = "declarations_v2.gpkg", "declarations_v2.zip"
LUT, L4B, L4C, TRUTH = "crop_lut.csv", "l4b.cfg", "l4c.cfg", "declarations_truth.json"
_FARMED: Final = 0.66  # of the ground, gaps taken off
_POLYGON: Final = (3, 6)


@dataclass(frozen=True, slots=True)
class DeclarationSummary:
    """What was written.

    Parameters
    ----------
    files : in the order of writing; the truth comes last, so that a folder without it is known to be half made.
    parcels, rows : true parcels, and rows of the GeoPackage.
    faults : rows by kind of fault.
    """

    files: tuple[Path, ...]
    parcels: int
    rows: int
    faults: dict[str, int]


def write_declarations(
    landscape: Landscape, folder: Path, seed: int, *, year: int = 2021, faults: bool = True
) -> DeclarationSummary:
    """Write everything an agency uploads, and ``declarations_truth.json``.

    Parameters
    ----------
    folder : made when missing; files of the same names are replaced, each as a whole.
    year : of the harvest.
    faults : deliver faulty rows beside the true parcels (section 8 of the spec).

    Raises
    ------
    StorageError : a file cannot be written.
    """
    remove(folder / TRUTH)  # what an interrupted run leaves must not look whole beside an older truth
    wrong = make_faults(landscape, seed) if faults else []
    rows = rows_of(landscape, wrong, seed)
    held = np.array([source >= 0 or wrong[-1 - source].shapefile for source in rows.source])
    flat = rows.select(np.flatnonzero(held))
    later, changes = second_delivery(landscape, seed)
    tables = practice_tables(landscape.traits, landscape.ori_id, year, seed, faults=faults)
    epsg = landscape.grid.epsg
    write_geopackage(folder / GEOPACKAGE, rows.shapes, columns_of(rows, seed, numeric_crop=True), epsg)
    columns = columns_of(flat, seed)
    write_shapefile_zip(folder / SHAPEFILE, flat.shapes, columns, epsg)
    write_shapefile_zip(folder / SHAPEFILE_WITHOUT_CODE_PAGE, flat.shapes, columns, epsg, code_page_file=False)
    columns = columns_of(later, seed)
    write_geopackage(folder / SECOND_GEOPACKAGE, later.shapes, columns, epsg)
    write_shapefile_zip(folder / SECOND_SHAPEFILE, later.shapes, columns, epsg)
    texts = {LUT: crop_lut(), L4B: l4b_configuration(year), L4C: l4c_configuration()}
    texts |= {f"practices_{name.lower()}.csv": table.text for name, table in tables.items()}
    truth = _truth(landscape, rows, flat, wrong, tables, changes, year, seed)
    texts[TRUTH] = json.dumps(truth, indent=1, ensure_ascii=False) + "\n"
    for name, text in texts.items():
        write_text(folder / name, text)
    names = (GEOPACKAGE, SHAPEFILE, SHAPEFILE_WITHOUT_CODE_PAGE, SECOND_GEOPACKAGE, SECOND_SHAPEFILE, *texts)
    return DeclarationSummary(
        tuple(folder / name for name in names),
        len(landscape.shapes),
        len(rows.source),
        dict(sorted(Counter(fault.kind for fault in wrong).items())),
    )


def write_parcels_only(
    grid: PixelGrid, count: int, path: Path, seed: int, *, faults: bool = False
) -> DeclarationSummary:
    """Write a declaration file of any size, for tests of volume; the suffix of ``path`` chooses the format.

    Parameters
    ----------
    grid : the window; see `grid_for` for one of the usual density.
    path : ``.gpkg`` or ``.zip`` (Shapefile).

    Raises
    ------
    InputError : the window is too small, or another suffix.
    StorageError : the file cannot be written.
    """
    landscape = make_landscape(grid, count, seed)
    wrong = make_faults(landscape, seed) if faults else []
    rows = rows_of(landscape, wrong, seed)
    if path.suffix == ".zip":
        held = np.array([source >= 0 or wrong[-1 - source].shapefile for source in rows.source])
        rows = rows.select(np.flatnonzero(held))
    write_parcels(path, rows.shapes, columns_of(rows, seed), grid.epsg)
    kinds = Counter(wrong[-1 - source].kind for source in rows.source if source < 0)
    return DeclarationSummary((path,), count, len(rows.source), dict(sorted(kinds.items())))


def grid_for(count: int, west: float, north: float, epsg: int, *, mean_m2: float = 18_000.0) -> PixelGrid:
    """A square window at 10 m, a whole number of 60 m cells, on which ``count`` parcels have a mean area."""
    cells = max(2, int(np.ceil(np.sqrt(count * mean_m2 / _FARMED) / 60)))
    return PixelGrid(epsg, west, north, 10, cells * 6, cells * 6)


def _truth(
    landscape: Landscape,
    rows: Rows,
    flat: Rows,
    faults: Sequence[Fault],
    tables: dict[str, PracticeTable],
    changes: dict[str, list[str]],
    year: int,
    seed: int,
) -> dict[str, Any]:
    """Expected flags and report codes."""
    overlap = overlap_amounts(rows.shapes)
    in_package = {int(source): number for number, source in enumerate(rows.source, start=1)}
    in_shapefile = {int(source): number for number, source in enumerate(flat.source, start=1)}
    twins = {fault.of: fault.kind for fault in faults if fault.kind.endswith("duplicate")}
    suffix = _suffixes(rows.ori_id)
    listed = []
    for number, fault in enumerate(faults):
        row = in_package[-1 - number]
        listed.append(
            {
                "fault": fault.kind,
                "row": {"geopackage": row, "shapefile": in_shapefile.get(-1 - number)},
                "id": fault.ori_id,
                "suffix": suffix[row - 1],
                "holding": fault.holding,
                "crop": fault.crop,
                "of": landscape.ori_id[fault.of] if fault.of >= 0 else None,
                "codes": {
                    "geopackage": list(fault.codes),
                    "shapefile": list(fault.codes if fault.shapefile_codes is None else fault.shapefile_codes),
                },
                "Overlap": bool(overlap[row - 1] > OVERLAP_THRESHOLD),
                "overlap_amount": round(float(overlap[row - 1]), 6),
                "Duplic": _duplicate(fault.kind),
            }
        )
    touched = []
    for position, name in enumerate(landscape.ori_id):
        amount = float(overlap[in_package[position] - 1])
        if amount > 1e-9 or position in twins:
            touched.append(
                {
                    "id": name,
                    "Overlap": amount > OVERLAP_THRESHOLD,
                    "overlap_amount": round(amount, 6),
                    "Duplic": _duplicate(twins.get(position, "")),
                }
            )
    declared, crop = landscape.traits.declared, landscape.traits.crop
    return {
        "year": year,
        "seed": seed,
        "layer": LAYER,
        "mapping": {"parcel": [PARCEL], "holding": [HOLDING], "crop": CROP},
        "encoding": {SHAPEFILE: "cp1252", SHAPEFILE_WITHOUT_CODE_PAGE: "cp1252", SECOND_SHAPEFILE: "cp1252"},
        "counts": {
            "parcels": len(landscape.shapes),
            "wrong_declarations": int((declared != crop).sum()),
            "rows": {"geopackage": len(rows.source), "shapefile": len(flat.source)},
            "faults": dict(sorted(Counter(fault.kind for fault in faults).items())),
        },
        "faults": listed,
        "parcels_touched": touched,
        "practices": {
            name: {"rows": len(table.rows), "wrong": [{"row": row, "code": code} for row, code in table.wrong]}
            for name, table in tables.items()
        },
        "second_delivery": changes,
    }


def overlap_amounts(shapes: npt.NDArray[np.object_]) -> npt.NDArray[np.float64]:
    """Overlap of each row with all others, as a share of its own area (section 3.6), found the plain way.

    Rows without a valid polygon take no part and have 0.
    """
    sound = np.flatnonzero(shapely.is_valid(shapes) & np.isin(shapely.get_type_id(shapes), _POLYGON))
    polygons = shapes[sound]
    one, other = shapely.STRtree(polygons).query(polygons, predicate="intersects")
    pair = one != other
    one, other = one[pair], other[pair]
    shared = shapely.area(shapely.intersection(polygons[one], polygons[other]))
    amounts = np.zeros(len(shapes))
    total = np.bincount(one, shared, minlength=len(sound))
    area = shapely.area(polygons)
    amounts[sound] = np.divide(total, area, out=np.zeros(len(sound)), where=area > 0)
    return amounts


def _duplicate(kind: str) -> dict[str, bool]:
    """Expected ``Duplic`` by profile; of the reference's, vertex order counts (GeoPackage)."""
    return {"default": kind.endswith("duplicate"), "reference": kind == "exact_duplicate"}


def _suffixes(ids: npt.NDArray[np.object_]) -> list[str]:
    """Suffix of repeated identifiers in file order, bijective base 26; empty where the identifier is alone."""
    times = Counter(ids.tolist())
    seen: Counter[str] = Counter()
    suffixes = []
    for name in ids.tolist():
        if name is None or times[name] == 1:
            suffixes.append("")
            continue
        seen[name] += 1
        rank, letters = seen[name], ""
        while rank:
            rank, letter = divmod(rank - 1, 26)
            letters = chr(65 + letter) + letters
        suffixes.append(f"-{letters}")
    return suffixes
