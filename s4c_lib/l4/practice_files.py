"""The files of an L4C product (section 15 of its specification)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from s4c_lib.l4.declared import with_outlines
from s4c_lib.l4.result_item import INPUTS, ProductFiles, ResultAsset, write_inputs, write_result_item
from s4c_lib.l4.vector_files import provenance, result_table, write_geopackage, write_shapefile
from s4c_lib.practices.configuration_text import effective_text
from s4c_lib.practices.overview_picture import draw_overview
from s4c_lib.practices.product_tables import RESULT_NOTES, WEEKLY_NOTES
from s4c_lib.practices.sen4cap_table import PRODUCT_NAMES, sen4cap_table, write_sen4cap_csv
from s4c_lib.products.export_model import ColumnNote

if TYPE_CHECKING:
    from s4c_lib.l4.practice_inputs import PracticeRun, PracticeTask

RESULTS: Final = "l4c_results.parquet"
WEEKLY: Final = "l4c_weekly.parquet"
MARKERS: Final = "l4c_markers.parquet"
CONFIGURATION: Final = "l4c_config.cfg"
QUICKLOOK: Final = "quicklook.png"
_ROW_GROUP: Final = 65_536
_FURTHER: Final = ("STATUS", "RULE", "FLAGS")
_OF_PARCEL: Final = ("S1Pix",)  # S1PIX of the results says the same, and files do not tell case apart
_SHAPEFILE: Final = {"Area_meters": "Area_meter"}
_DECLARED: Final = ("ori_hold", "ori_crop", "Area_meters", "CTnum", "CT", "LC")


def stem_of(practice: str, country: str, year: int) -> str:
    """Stem of a practice's files, as Sen4CAP names them.

    >>> stem_of("CC", "NLD", 2019)
    'Sen4CAP_L4C_CatchCrop_NLD_2019'
    """
    return f"Sen4CAP_L4C_{PRODUCT_NAMES[practice]}_{country}_{year}"


def piece_of(practice: str) -> str:
    """File of the results of one practice while a run is at work."""
    return f".results_{practice}.parquet"


def pieces(path: Path) -> Iterator[pa.Table]:
    """Row groups of a file."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as content:
        for at in range(content.num_row_groups):
            yield content.read_row_group(at, use_threads=False)


def write_product(told: PracticeRun, counts: Mapping[str, Any], *, algorithm: int) -> ProductFiles:
    """Write everything of a product beside its weekly table and the results of each practice, which are joined.

    Raises
    ------
    InputError : a column of the declarations cannot be written. StorageError, DiskFullError : the disk.
    """
    import pyarrow.parquet as pq

    run, configuration = told.run, told.configuration
    folder = run.work_folder
    (folder / CONFIGURATION).write_text(effective_text(configuration), encoding="utf-8")
    sources = write_inputs(run)
    assets: dict[str, ResultAsset] = {}
    for task in told.tasks:
        assets |= _write_practice(told, task)
    _join(folder, [piece_of(task.practice) for task in told.tasks])
    results = pq.read_table(
        folder / RESULTS, columns=["PRACTICE_TABLE", "C_INDEX", "H_W_START", "STATUS"], use_threads=False
    )
    title = f"Agricultural practices, {run.site.name}, up to {run.as_of}"
    draw_overview(results, folder / QUICKLOOK, title=title)
    assets = {**_tables(told, results.num_rows, counts["weeks"]), **assets, **_others()}
    properties = {
        "s4c:algorithm": algorithm,
        "s4c:country": configuration.country,
        "s4c:configuration_version": told.config_id,
        "s4c:practices": [task.practice for task in told.tasks],
        "s4c:skipped_practices": dict(told.skipped),
        "s4c:tillage": told.tillage,
        "s4c:first_day": told.first.isoformat(),
        "s4c:gap_limit": told.gap_limit.isoformat(),
        "s4c:previous_product": told.previous,
        "s4c:warnings": list(told.warnings),
        "s4c:counts": dict(counts),
        "s4c:configuration": configuration.as_dict(),
    }
    write_result_item(run, assets, properties, sources)
    return ProductFiles(QUICKLOOK, {key: asset.file for key, asset in assets.items()})


def _write_practice(told: PracticeRun, task: PracticeTask) -> dict[str, ResultAsset]:
    """CSV, GeoPackage and Shapefile of one practice."""
    run, practice = told.run, task.practice
    stem = stem_of(practice, told.configuration.country, told.year)
    piece, key = run.work_folder / piece_of(practice), practice.lower()
    rows = write_sen4cap_csv(run.work_folder / f"{stem}_CSV.csv", pieces(piece), tillage=told.tillage)
    run.progress(0, 0, f"files of {practice}")
    table = _as_text(piece, tillage=told.tillage)
    numbers = table["NewID"].to_numpy()
    declared = told.declared.take(np.isin(told.declared.parcel_id, numbers))
    notes = {name: ColumnNote(RESULT_NOTES.get(name, "")) for name in table.column_names}
    origin, crs = provenance(run), run.parcel_set.crs_wkt
    with with_outlines(declared, progress=run.progress) as outlines:
        shown = outlines.drop_columns([name for name in _OF_PARCEL if name in outlines.column_names])
        layer = result_table(run, f"l4c_{key}", table, notes)
        write_geopackage(run.work_folder, stem, shown, crs, layer, origin, progress=run.progress)
        columns = {"NewID": outlines["NewID"], **{name: outlines[name] for name in _DECLARED}}
        columns |= {name: table[name] for name in table.column_names if name != "NewID"}
        legacy = pa.table({**columns, "geometry": outlines["geometry"]})
        write_shapefile(run.work_folder, stem, legacy, crs, origin, names=_SHAPEFILE, progress=run.progress)
    named = PRODUCT_NAMES[practice]
    columns_noted = {name: RESULT_NOTES.get(name, "") for name in table.column_names}
    return {
        f"data_{key}": ResultAsset(f"{stem}.gpkg", f"{named}: parcels", rows=len(table), columns=columns_noted),
        f"csv_{key}": ResultAsset(f"{stem}_CSV.csv", f"{named}: Sen4CAP's table", rows=rows),
        f"shapefile_{key}": ResultAsset(f"{stem}.shp", f"{named}: shapes", rows=len(table)),
        f"shapefile_table_{key}": ResultAsset(f"{stem}.dbf", f"{named}: attributes of the shapes"),
        f"shapefile_index_{key}": ResultAsset(f"{stem}.shx", f"{named}: index of the shapes"),
        f"shapefile_crs_{key}": ResultAsset(f"{stem}.prj", f"{named}: coordinate system", ("metadata",)),
        f"shapefile_encoding_{key}": ResultAsset(f"{stem}.cpg", f"{named}: encoding", ("metadata",)),
        f"shapefile_columns_{key}": ResultAsset(f"{stem}_columns.csv", f"{named}: columns", ("metadata",)),
    }


def _as_text(piece: Path, *, tillage: bool) -> pa.Table:
    """Sen4CAP's columns and what explains them, of rows that have a parcel."""
    parts = []
    for rows in pieces(piece):
        there = rows.filter(rows["NewID"].is_valid())
        texts = sen4cap_table(there, tillage=tillage)
        columns = {"NewID": there["NewID"], **{name: texts[name] for name in texts.column_names if name != "FIELD_ID"}}
        columns |= {name: there[name].cast(pa.string()) for name in _FURTHER}
        parts.append(pa.table(columns))
    return pa.concat_tables(parts)


def _join(folder: Path, names: list[str]) -> None:
    """Make one file of the results of all practices."""
    import pyarrow.parquet as pq

    paths = [folder / name for name in names]
    if len(paths) == 1:
        paths[0].replace(folder / RESULTS)
        return
    with pq.ParquetWriter(
        folder / RESULTS, pq.read_schema(paths[0]), compression="zstd", compression_level=3
    ) as writer:
        for path in paths:
            for rows in pieces(path):
                writer.write_table(rows.cast(writer.schema), row_group_size=_ROW_GROUP)
            path.unlink()


def _tables(told: PracticeRun, rows: int, weeks: int) -> dict[str, ResultAsset]:
    found = {
        "results": ResultAsset(RESULTS, "A row for each parcel and practice", rows=rows, columns=RESULT_NOTES),
        "weekly": ResultAsset(WEEKLY, "A row for each week of them", rows=weeks, columns=WEEKLY_NOTES),
    }
    if (told.run.work_folder / MARKERS).exists():
        found["markers"] = ResultAsset(MARKERS, "M1 to M5 by week as Sen4CAP's marker database codes them")
    return found


def _others() -> dict[str, ResultAsset]:
    return {
        "configuration": ResultAsset(CONFIGURATION, "Every threshold it was made with", ("metadata",)),
        "inputs": ResultAsset(INPUTS, "Files of statistics it was made of", ("metadata",)),
        "thumbnail": ResultAsset(QUICKLOOK, "Overview", ("overview", "thumbnail")),
    }
