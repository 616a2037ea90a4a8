"""The files of an L4B product (section 8 of its specification)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from s4c_lib.l4.declared import own_columns, with_outlines
from s4c_lib.l4.result_item import INPUTS, ProductFiles, ResultAsset, write_inputs, write_result_item
from s4c_lib.l4.vector_files import provenance, result_table, write_geopackage, write_shapefile
from s4c_lib.mowing.effective import effective_configuration
from s4c_lib.mowing.overview_picture import draw_overview
from s4c_lib.mowing.product_tables import (
    EVENT_NOTES,
    RESULT_NOTES,
    SEN4CAP_EVENT_NAMES,
    WIDE_NOTES,
    sen4cap_fields,
    wide_table,
)
from s4c_lib.mowing.settings import PREFIX
from s4c_lib.parameters.values import to_json
from s4c_lib.parcels.l4b_configuration import l4b_text
from s4c_lib.products.export_geometry import bounds
from s4c_lib.products.export_model import ColumnNote

if TYPE_CHECKING:
    from s4c_lib.l4.declared import Declared
    from s4c_lib.l4.mowing import MowingRun

EVENTS: Final = "events.parquet"
PARCELS: Final = "parcels.parquet"
CONFIGURATION: Final = "l4b_config.cfg"
QUICKLOOK: Final = "quicklook.png"
LAYER: Final = "l4b_mowing"
EVENT_LAYER: Final = "l4b_mowing_event"
_STEM: Final = "SEN4CAP_L4B_{}_MowingDetection"
_ROW_GROUP: Final = 65_536
_UNITS: Final = {"max_gap_d": "d"}


class RowGroups:
    """A Parquet file that grows, of sorted rows; it has columns once the first rows are written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: Any = None

    def write(self, rows: pa.Table) -> None:
        """Add rows."""
        import pyarrow.parquet as pq

        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, rows.schema, compression="zstd", compression_level=3)
        self._writer.write_table(rows, row_group_size=_ROW_GROUP)

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.close()


@contextmanager
def row_groups(path: Path) -> Iterator[RowGroups]:
    """Write a Parquet file block after block."""
    groups = RowGroups(path)
    try:
        yield groups
    finally:
        groups.close()


def stem_of(missions: tuple[str, ...]) -> str:
    """Stem of the vector files by the missions used, as Sen4CAP names them.

    >>> stem_of(("S2", "S1"))
    'SEN4CAP_L4B_S1_S2_MowingDetection'
    """
    return _STEM.format("_".join(sorted(missions)))


def write_product(
    told: MowingRun, declared: Declared, counts: Mapping[str, int], *, algorithm: int, tiles_without: Mapping[str, Any]
) -> ProductFiles:
    """Write everything of a product beside its tables of events and parcels, which lie in the work folder already.

    Raises
    ------
    InputError : a column of the declarations cannot be written. StorageError, DiskFullError : the disk.
    """
    import pyarrow.parquet as pq

    run, stem = told.run, stem_of(told.used)
    folder = run.work_folder
    parcels, events = (pq.read_table(folder / name, use_threads=False) for name in (PARCELS, EVENTS))
    configuration = effective_configuration(
        run.parcel_set.year, run.snapshot.values, told.configuration, frozenset(run.job.params.get("settings", {}))
    )
    (folder / CONFIGURATION).write_text(l4b_text(configuration), encoding="utf-8")
    sources = write_inputs(run)
    centres, missing = _write_vectors(told, declared, stem, parcels, events)
    title = f"Mowing, {run.site.name}, {told.first} to {told.last}"
    draw_overview(parcels, events, folder / QUICKLOOK, title=title, centres=centres)
    assets = _assets(stem, parcels, events)
    properties = {
        "s4c:algorithm": algorithm,
        "s4c:first_day": told.first.isoformat(),
        "s4c:last_day": told.last.isoformat(),
        "s4c:configuration_version": told.version,
        "s4c:missions": list(told.used),
        "s4c:missing_missions": list(told.missing),
        "s4c:tiles_without_statistics": dict(tiles_without),
        "s4c:missing_columns": list(missing),
        "s4c:counts": dict(counts),
        "s4c:parameters": {
            **{key: to_json(value) for key, value in sorted(run.snapshot.values.items())},
            **{key: to_json(value) for key, value in told.values.items()},
        },
        "s4c:configuration": configuration.as_dict(),
    }
    write_result_item(run, assets, properties, sources)
    return ProductFiles(QUICKLOOK, {key: asset.file for key, asset in assets.items()})


def _write_vectors(
    told: MowingRun, declared: Declared, stem: str, parcels: pa.Table, events: pa.Table
) -> tuple[Any, tuple[str, ...]]:
    """Write GeoPackage and Shapefile; returns the middle of each parcel, and additional columns that are nowhere."""
    run = told.run
    notes = {name: ColumnNote(text, _UNITS.get(name, "")) for name, text in WIDE_NOTES.items()}
    wide = wide_table(parcels, events)
    own, missing = own_columns(declared, told.settings.additional_columns)
    origin = provenance(run, {key: json.dumps(to_json(value)) for key, value in told.values.items()})
    crs = run.parcel_set.crs_wkt
    table = events.rename_columns([SEN4CAP_EVENT_NAMES.get(name, name) for name in events.column_names])
    with with_outlines(declared, progress=run.progress) as outlines:
        write_geopackage(
            run.work_folder,
            stem,
            outlines,
            crs,
            result_table(run, LAYER, wide, notes),
            origin,
            own=own if own.num_columns > 1 else None,
            tables={EVENT_LAYER: table},
            progress=run.progress,
        )
        legacy = _sen4cap_columns(outlines, own, sen4cap_fields(wide), with_crop=bool(told.settings.crop_filter))
        write_shapefile(run.work_folder, stem, legacy, crs, origin, progress=run.progress)
        centres = [_middles(batch.column(0)) for batch in outlines.select(["geometry"]).to_batches()]
        return np.concatenate(centres) if centres else np.empty((0, 2)), missing


def _sen4cap_columns(outlines: pa.Table, own: pa.Table, fields: pa.Table, *, with_crop: bool) -> pa.Table:
    """The columns of Sen4CAP's Shapefile: parcel, additional ones, results (sections 2.1 and 8)."""
    columns: dict[str, Any] = {"NewID": outlines["NewID"]}
    if with_crop:
        columns["CTnum"] = outlines["CTnum"]
    columns |= {"Ori_hold": outlines["ori_hold"], "Ori_id": outlines["ori_id"], "Ori_crop": outlines["ori_crop"]}
    columns["Area_meter"] = outlines["Area_meters"]
    taken = {name.casefold() for name in (*columns, *fields.column_names)}
    columns |= {name: own[name] for name in own.column_names if name.casefold() not in taken}
    columns |= {name: fields[name] for name in fields.column_names if name != "NewID"}
    return pa.table({**columns, "geometry": outlines["geometry"]})


def _middles(wkb: pa.Array) -> Any:
    box = bounds(wkb)
    return (box[:, :2] + box[:, 2:]) / 2


def _assets(stem: str, parcels: pa.Table, events: pa.Table) -> dict[str, ResultAsset]:
    reported = int(pc.sum(events["reported"]).as_py() or 0)
    return {
        "data": ResultAsset(
            f"{stem}.gpkg", f"Parcels ({LAYER}) and events ({EVENT_LAYER})", rows=len(parcels), columns=WIDE_NOTES
        ),
        "events": ResultAsset(
            EVENTS, f"Events, {reported} of them reported", rows=len(events), columns=dict(EVENT_NOTES)
        ),
        "parcels": ResultAsset(PARCELS, "A row for each parcel", rows=len(parcels), columns=dict(RESULT_NOTES)),
        "shapefile": ResultAsset(f"{stem}.shp", "Parcels with the fields of Sen4CAP: shapes", rows=len(parcels)),
        "shapefile_table": ResultAsset(f"{stem}.dbf", "Parcels with the fields of Sen4CAP: attributes"),
        "shapefile_index": ResultAsset(f"{stem}.shx", "Index of the shapes"),
        "shapefile_crs": ResultAsset(f"{stem}.prj", "Coordinate system of the shapes", ("metadata",)),
        "shapefile_encoding": ResultAsset(f"{stem}.cpg", "Encoding of the attributes", ("metadata",)),
        "shapefile_columns": ResultAsset(f"{stem}_columns.csv", "What the attributes hold", ("metadata",)),
        "configuration": ResultAsset(
            CONFIGURATION, f"Every value of {PREFIX}* it was made with, as a configuration file", ("metadata",)
        ),
        "inputs": ResultAsset(INPUTS, "Files of statistics it was made of", ("metadata",)),
        "thumbnail": ResultAsset(QUICKLOOK, "Overview", ("overview", "thumbnail")),
    }
