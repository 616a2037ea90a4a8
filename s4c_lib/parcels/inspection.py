"""A first look at an upload, before any mapping is chosen: layers, columns, samples, place (3.1)."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

from s4c_lib.geography.archives import ArchiveLimits
from s4c_lib.parcels.datasets import Dataset, Format, opened_dataset, size_findings, stated_crs
from s4c_lib.parcels.encoding import Encoding
from s4c_lib.parcels.findings import Finding, ordered
from s4c_lib.parcels.mapping import Suggestion, suggest
from s4c_lib.parcels.reading import dataset_encoding
from s4c_lib.parcels.reading_batches import Source, opened_source
from s4c_lib.parcels.reading_geometry import shapes_of

SAMPLE_ROWS: Final = 20
# Enough for the estimates, few enough to stay within the five seconds of the specification.
LOOKED_AT: Final = 65_536
Bounds = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the file.

    Parameters
    ----------
    type : in Arrow's words (``string``, ``int32``, ``double``).
    distinct : number of distinct values, estimated where not all rows were looked at.
    null_share : 0 to 1, of the rows looked at; empty text counts as null.
    """

    name: str
    type: str
    distinct: int
    null_share: float


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a file holds; `as_dict` is plain JSON.

    Parameters
    ----------
    layers : name and geometry type of each layer with geometries.
    geometry_types : rows looked at by type of geometry; ``null`` for none.
    crs : name and EPSG code (or None) of the coordinate system, or None where there is none.
    bounds, bounds_lonlat : west, south, east, north, of the file's system and in degrees; None where unknown.
    looked_at : rows from which columns and geometry types were described.
    samples : the first rows, values as JSON.
    findings : what can be said so far (CRS-01, DECL-10, DECL-12).
    """

    file: str
    format: str
    layer: str
    layers: tuple[tuple[str, str], ...]
    features: int
    geometry_types: dict[str, int]
    crs: dict[str, Any] | None
    bounds: Bounds | None
    bounds_lonlat: Bounds | None
    columns: tuple[Column, ...]
    looked_at: int
    samples: tuple[dict[str, Any], ...]
    encoding: Encoding
    suggestion: Suggestion | None
    findings: tuple[Finding, ...]

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        columns = [
            {"name": item.name, "type": item.type, "distinct": item.distinct, "null_share": item.null_share}
            for item in self.columns
        ]
        return {
            "file": self.file,
            "format": self.format,
            "layer": self.layer,
            "layers": [{"name": name, "geometry_type": kind} for name, kind in self.layers],
            "features": self.features,
            "geometry_types": self.geometry_types,
            "crs": self.crs,
            "bounds": list(self.bounds) if self.bounds else None,
            "bounds_lonlat": list(self.bounds_lonlat) if self.bounds_lonlat else None,
            "columns": columns,
            "looked_at": self.looked_at,
            "samples": list(self.samples),
            "encoding": self.encoding.as_dict(),
            "suggestion": self.suggestion.as_dict() if self.suggestion else None,
            "findings": [item.as_dict() for item in self.findings],
        }


def inspect(
    path: Path,
    layer: str | None = None,
    *,
    encoding: str | None = None,
    epsg: int | None = None,
    country: str | None = None,
    limits: ArchiveLimits | None = None,
    work_dir: Path | None = None,
) -> Inspection:
    """Describe a file; of a GeoPackage with several layers the first, unless one is named.

    Parameters
    ----------
    path, layer, encoding, epsg, country, limits, work_dir : as of `read_declared`.

    Raises
    ------
    InputError : ZIP-01 to -09, or the file cannot be read.
    """
    with opened_dataset(path, layer=layer, limits=limits, work_dir=work_dir, first_of_several=True) as dataset:
        page = dataset_encoding(dataset, encoding, country, epsg)
        with opened_source(dataset, page, max_features=LOOKED_AT) as source:
            table, kinds, seen = _first_rows(source)
            crs, findings = stated_crs(source.stated_crs, epsg, dataset.shown)
            features = source.features
        bounds = _bounds(dataset) or (seen if features <= table.num_rows else None)
        columns = tuple(_column(name, table[name], features) for name in table.column_names)
        return Inspection(
            file=path.name,
            format=dataset.format.value,
            layer=dataset.layer,
            layers=tuple((item.name, item.geometry_type) for item in dataset.layers),
            features=features,
            geometry_types=kinds,
            crs={"name": crs.name, "epsg": crs.to_epsg(min_confidence=70)} if crs else None,
            bounds=bounds,
            bounds_lonlat=_lonlat(bounds, crs),
            columns=columns,
            looked_at=table.num_rows,
            samples=tuple(_plain(row) for row in table.slice(0, SAMPLE_ROWS).to_pylist()),
            encoding=page,
            suggestion=suggest(table.column_names),
            findings=ordered([*findings, *page.findings(), *size_findings(dataset)]),
        )


def _first_rows(source: Source) -> tuple[pa.Table, dict[str, int], Bounds | None]:
    """Attributes, geometry types and bounds of the rows looked at."""
    batches, kinds, boxes = [], [], []
    for batch in source.batches:
        shapes = shapes_of(batch.wkb)
        ids = shapely.get_type_id(shapes.geometry)
        kinds.append(np.where(shapes.curved, _CURVED, ids))
        boxes.append(shapely.total_bounds(shapes.geometry))
        batches.append(batch.attributes)
    if not batches:
        return pa.table({name: pa.array([], pa.string()) for name in source.fields}), {}, None
    values, counts = np.unique(np.concatenate(kinds), return_counts=True)
    named = {_type_name(int(value)): int(count) for value, count in zip(values, counts, strict=True)}
    stacked = np.array(boxes)
    stacked = stacked[np.isfinite(stacked).all(axis=1)]
    seen = None
    if len(stacked):
        low, high = stacked[:, :2].min(axis=0), stacked[:, 2:].max(axis=0)
        seen = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    return pa.Table.from_batches(batches), named, seen


_CURVED: Final = 99


def _type_name(kind: int) -> str:
    if kind == _CURVED:
        return "Curve"
    return str(shapely.geometry.base.GEOMETRY_TYPES[kind]) if kind >= 0 else "null"


def _bounds(dataset: Dataset) -> Bounds | None:
    """Bounds as the file states them, or as its covering column does."""
    if dataset.format == Format.GEOPARQUET:
        return _parquet_bounds(dataset)
    import pyogrio

    found = pyogrio.read_info(dataset.path, layer=dataset.inner_layer, force_total_bounds=True)["total_bounds"]
    return _finite(found)


def _parquet_bounds(dataset: Dataset) -> Bounds | None:
    import json

    import pyarrow.parquet as pq

    with pq.ParquetFile(dataset.path) as file:
        geo = json.loads(file.schema_arrow.metadata[b"geo"])
    return _finite(geo["columns"][geo["primary_column"]].get("bbox"))


def _finite(values: Sequence[float] | None) -> Bounds | None:
    if values is None or len(values) not in (4, 6) or not all(map(math.isfinite, values)):
        return None
    half = len(values) // 2
    west, south, east, north = values[0], values[1], values[half], values[half + 1]
    return (float(west), float(south), float(east), float(north))


def _lonlat(bounds: Bounds | None, crs: CRS | None) -> Bounds | None:
    if bounds is None or crs is None:
        return None
    try:
        to_degrees = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
        west, south, east, north = to_degrees.transform_bounds(*bounds)
    except ProjError:  # the place cannot be shown; CRS checks of the import say why
        return None
    return _finite((west, south, east, north))


def _column(name: str, values: pa.ChunkedArray, features: int) -> Column:
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    rows = len(array)
    null = pc.is_null(array)
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        null = pc.or_(null, pc.equal(pc.utf8_length(array), 0).fill_null(False))
    missing = int(pc.sum(null).as_py() or 0)
    share = round(missing / rows, 6) if rows else 0.0
    return Column(name, str(array.type), _distinct(array, features), share)


def _distinct(array: pa.Array, features: int) -> int:
    """Distinct values of the whole column, estimated from its first rows (Charikar et al. 2000, "GEE")."""
    if not len(array):
        return 0
    try:
        counts = pc.value_counts(array.drop_null()).field("counts").to_numpy()
    except pa.ArrowNotImplementedError:  # lists and structures cannot be compared: no estimate
        return 0
    if features <= len(array) or not len(counts):
        return len(counts)
    once = int((counts == 1).sum())
    if once == len(counts):
        return round(len(counts) * features / len(array))
    return round(math.sqrt(features / len(array)) * once + len(counts) - once)


def _plain(value: Any) -> Any:
    """A value as JSON knows it."""
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return _plain(float(value))
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    return value if value is None or isinstance(value, bool | int | str) else str(value)
