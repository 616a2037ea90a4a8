"""What an export is made of, what the user chooses, and what came out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

if TYPE_CHECKING:
    import geopandas as gpd

#: Shapefile and dBASE readers count bytes in signed 32-bit numbers.
SHAPEFILE_BYTES: Final = 2**31 - 1


class Format(StrEnum):
    """File format; the value is the file name's extension."""

    GEOPACKAGE = "gpkg"
    SHAPEFILE = "shp"
    GEOPARQUET = "parquet"
    FLATGEOBUF = "fgb"
    CSV = "csv"


class Layout(StrEnum):
    """``long``: a layer per product, a row per result; ``wide``: one row per parcel, newest product of each kind."""

    LONG = "long"
    WIDE = "wide"


@dataclass(frozen=True, slots=True)
class ColumnNote:
    """What a column holds, for the column dictionary."""

    description: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class ResultTable:
    """Results of one product.

    Parameters
    ----------
    name : short and unique in its kind: layer name and prefix of columns (``l4a``, ``l4c``).
    product_id : of the catalogue, or the product's name; shown in every file.
    table : column ``NewID`` and, where a parcel has several rows, the key column; further columns as they are.
        Common ones: ``status`` (``processed`` or the reason why not), ``decision``, ``confidence``, ``observations``.
    key : the column that tells rows of one parcel apart (``PRACTICE`` of L4C); None for one row per parcel.
    columns : notes on the columns; those without one are listed with their type only.
    as_of : last date used; in the wide layout the newest product of each name is taken.
    versions : configuration and other inputs of the product (``l4c_config``: ``3``).
    """

    name: str
    product_id: str
    table: pa.Table = field(repr=False)
    key: str | None = None
    columns: Mapping[str, ColumnNote] = field(default_factory=dict)
    as_of: date | None = None
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Provenance:
    """What every exported file says about itself.

    Parameters
    ----------
    created_at : time of the export, with time zone.
    versions : of the inputs, by kind (``declarations``, ``lut``, ``l4b_config`` …).
    parameters : decision rules and others that the reader of the results needs.
    """

    site: str
    year: int
    created_at: datetime
    licence: str
    software: str
    versions: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def created(self) -> str:
        """Time of the export in UTC, ISO 8601."""
        return f"{self.created_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


@dataclass(frozen=True, slots=True)
class ExportFrame:
    """Everything there is to export.

    Parameters
    ----------
    declarations : ``NewID``, the columns of lpis-and-inputs.md 3.5 and ``geometry`` as WKB; or a GeoDataFrame. A
        memory-mapped table stays on disk.
    crs : of the geometry, as pyproj understands it; a GeoDataFrame brings its own.
    attributes : the agency's own columns, keyed by ``NewID`` or ``src_row``.
    lut : crop codes by ``Ori_crop``; joined to all parcels, those without a line too.
    results : of any number of products.
    """

    declarations: pa.Table | gpd.GeoDataFrame = field(repr=False)
    provenance: Provenance
    crs: Any = None
    attributes: pa.Table | None = field(default=None, repr=False)
    lut: pa.Table | None = field(default=None, repr=False)
    results: tuple[ResultTable, ...] = ()


@dataclass(frozen=True, slots=True)
class ExportFilter:
    """Which parcels; conditions are combined with "and", values of one condition with "or"; empty is no condition.

    Parameters
    ----------
    crops, holdings : ``ori_crop``, ``ori_hold``. groups : ``CTnumL4A``. land_cover : ``LC``.
    tiles : ``primary_tile``. decisions : of any product of the export.
    bbox : west, south, east, north in the system of the declarations; parcels that touch it.
    deleted : also parcels no longer declared.
    """

    crops: tuple[str, ...] = ()
    groups: tuple[int, ...] = ()
    land_cover: tuple[int, ...] = ()
    holdings: tuple[str, ...] = ()
    tiles: tuple[str, ...] = ()
    decisions: tuple[str, ...] = ()
    bbox: tuple[float, float, float, float] | None = None
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """How to export.

    Parameters
    ----------
    name : stem of the file names.
    columns : names to keep, in their order; empty keeps all. ``NewID`` is always there.
    attributes : add the agency's own columns.
    crs : of the written geometry; None keeps it.
    encoding : of CSV and Shapefile; other formats are always UTF-8.
    delimiter, decimal, bom : of CSV. csv_geometry : add the geometry as WKT.
    shapefile_bytes : size at which a Shapefile is split.
    batch : rows in memory at a time.
    shown_by : column whose style a GeoPackage is first shown in; by default the most telling one there is.
    """

    formats: tuple[Format, ...] = (Format.GEOPACKAGE,)
    layout: Layout = Layout.LONG
    name: str = "parcels"
    columns: tuple[str, ...] = ()
    attributes: bool = False
    filter: ExportFilter = field(default_factory=ExportFilter)
    crs: Any = None
    encoding: str = "utf-8"
    delimiter: str = ","
    decimal: str = "."
    bom: bool = False
    csv_geometry: bool = False
    shapefile_bytes: int = SHAPEFILE_BYTES
    batch: int = 65_536
    shown_by: str = ""


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """One written file; ``rows`` is 0 for side files."""

    path: Path
    bytes: int
    rows: int = 0


@dataclass(frozen=True, slots=True)
class ExportSummary:
    """What was written and what is not in it.

    Parameters
    ----------
    parcels : that fit the filter. rows : by layer.
    left_out : counts by reason (``filter``, ``deleted``).
    warnings : one line each (shortened texts, results of unknown parcels …).
    """

    files: tuple[ExportedFile, ...]
    parcels: int
    rows: Mapping[str, int]
    left_out: Mapping[str, int]
    warnings: tuple[str, ...] = ()
