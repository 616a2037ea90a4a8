"""Layers as GeoPackage, FlatGeobuf and GeoParquet."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from s4c_lib.products.export_about import about_table, columns_table
from s4c_lib.products.export_columns import GEOMETRY
from s4c_lib.products.export_geometry import bounds
from s4c_lib.products.export_model import ExportOptions
from s4c_lib.products.export_rows import Layer
from s4c_lib.products.export_stream import counted, write_vector
from s4c_lib.products.layer_styles import TABLE, style_table
from s4c_lib.progress import Progress

#: Rows of a Parquet row group (lpis-and-inputs.md 7.1).
_ROW_GROUP: Final = 65_536


def write_geopackage(
    path: Path,
    layers: Sequence[Layer],
    lines: Mapping[str, str],
    options: ExportOptions,
    created: datetime,
    progress: Progress,
) -> None:
    """Write all layers, the tables ``columns`` and ``about``, which GIS programs show like any other, and styles.

    Parameters
    ----------
    created : time that the file says it was made.
    """
    import pyogrio

    moment = created.astimezone(UTC)

    for layer in layers:
        batches = counted(layer.batches(options.batch), len(layer), progress, f"{path.name}: {layer.name}")
        described = {"IDENTIFIER": layer.title, "DESCRIPTION": lines["licence"], "FID": "row_id"}
        write_vector(path, layer.schema, batches, layer, "GPKG", layer_options=described)
    for name, table in (("columns", columns_table(layers)), ("about", about_table(lines))):
        pyogrio.write_arrow(table, path, layer=_free(name, layers), driver="GPKG")
    if (styles := style_table(layers, options.shown_by, moment)) is not None:
        pyogrio.write_arrow(styles, path, layer=_free(TABLE, layers), driver="GPKG", layer_options={"FID": "id"})
    with closing(sqlite3.connect(path)) as database, database:
        # GDAL writes the time of its own clock; the same export is to give the same bytes.
        database.execute("update gpkg_contents set last_change = ?", (f"{moment:%Y-%m-%dT%H:%M:%S}.000Z",))


def write_flatgeobuf(path: Path, layer: Layer, batch: int, progress: Progress) -> None:
    """Write one layer, with a spatial index unless a parcel has no outline: FlatGeobuf allows only one of both."""
    without = bool(layer.geometry.null_count) and bool(
        np.isin(layer.rows, np.flatnonzero(layer.geometry.is_null().to_numpy())).any()
    )
    batches = counted(layer.batches(batch), len(layer), progress, path.name)
    index = {"SPATIAL_INDEX": "NO" if without else "YES"}
    write_vector(path, layer.schema, batches, layer, "FlatGeobuf", layer_options=index)


def write_geoparquet(path: Path, layer: Layer, lines: Mapping[str, str], batch: int, progress: Progress) -> None:
    """Write one layer as GeoParquet 1.1: WKB, zstd, a bounding box for each row."""
    import pyarrow.parquet as pq

    box_name = "bbox"
    while box_name in layer.names:
        box_name = f"{box_name}_"
    box_type = pa.struct([(side, pa.float64()) for side in ("xmin", "ymin", "xmax", "ymax")])
    described = [
        pa.field(item.name, item.type, metadata={"description": item.note.description, "unit": item.note.unit})
        for item in layer.columns
    ]
    schema = pa.schema([*described, pa.field(GEOMETRY, pa.binary()), pa.field(box_name, box_type)])
    whole = np.array([np.inf, np.inf, -np.inf, -np.inf])
    with pq.ParquetWriter(path, schema, compression="zstd", compression_level=3) as writer:
        for rows in counted(layer.batches(batch), len(layer), progress, path.name):
            boxes = bounds(rows.column(GEOMETRY))
            whole = _joined(whole, boxes)
            table = pa.Table.from_arrays([*rows.columns, _box_array(boxes, box_type)], schema=schema)
            writer.write_table(table, row_group_size=_ROW_GROUP)
        writer.add_key_value_metadata(
            {
                "geo": json.dumps(_geo(layer, box_name, whole)),
                "about": json.dumps(lines, ensure_ascii=False),
                "columns": json.dumps(layer.dictionary(), ensure_ascii=False),
            }
        )


def _geo(layer: Layer, box_name: str, whole: npt.NDArray[np.float64]) -> dict[str, Any]:
    column: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": ["MultiPolygon"],
        "crs": layer.crs.to_json_dict(),
        "covering": {"bbox": {side: [box_name, side] for side in ("xmin", "ymin", "xmax", "ymax")}},
    }
    if np.isfinite(whole).all():
        column["bbox"] = whole.tolist()
    return {"version": "1.1.0", "primary_column": GEOMETRY, "columns": {GEOMETRY: column}}


def _joined(whole: npt.NDArray[np.float64], boxes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    known = boxes[~np.isnan(boxes[:, 0])]
    if not len(known):
        return whole
    return np.concatenate([np.minimum(whole[:2], known[:, :2].min(0)), np.maximum(whole[2:], known[:, 2:].max(0))])


def _box_array(boxes: npt.NDArray[np.float64], kind: pa.DataType) -> pa.Array:
    sides = [pa.array(boxes[:, side]) for side in range(4)]
    return pa.StructArray.from_arrays(sides, fields=list(kind), mask=pa.array(np.isnan(boxes[:, 0])))


def _free(name: str, layers: Sequence[Layer]) -> str:
    taken = {layer.name.lower() for layer in layers}
    while name in taken:
        name = f"{name}_"
    return name
