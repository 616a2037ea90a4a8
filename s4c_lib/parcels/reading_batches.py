"""The rows of a dataset in Arrow batches, whatever its format; the text of a Shapefile is put right on the way."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from s4c_lib.errors import InputError
from s4c_lib.parcels.datasets import Dataset, Format, unreadable
from s4c_lib.parcels.encoding import LATIN_1, UTF_8, Encoding
from s4c_lib.parcels.encoding_dbf import decodable_part, deleted_records

BATCH: Final = 65_536
_START: Final = 65_536
_ID_AFTER: Final = re.compile(rb'"Feature"\s*,\s*"id"\s*:')
_ID_BEFORE: Final = re.compile(rb'"id"\s*:[^,{}]*,\s*"type"\s*:\s*"Feature"')
# GeoParquet without "crs" means longitude and latitude (GeoParquet 1.1)
_LON_LAT: Final = "OGC:CRS84"


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows.

    Parameters
    ----------
    number : int64 (rows,), number of the row in the file, 1 and up.
    fid : int64 (rows,), GDAL's number of the feature; -1 where the format has none.
    wkb : bytes or None (rows,), as in the file.
    attributes : the columns of `Source.fields`, with correct text.
    """

    number: npt.NDArray[np.int64]
    fid: npt.NDArray[np.int64]
    wkb: npt.NDArray[np.object_]
    attributes: pa.RecordBatch


@dataclass(slots=True)
class TextFaults:
    """Text that was not in the code page of the file.

    Parameters
    ----------
    replaced : values by column in which undecodable bytes became U+FFFD.
    cut : values by column whose last character was cut off in the file.
    """

    replaced: dict[str, int]
    cut: dict[str, int]


@dataclass(frozen=True, slots=True)
class Source:
    """An open layer.

    Parameters
    ----------
    fields : names of the attributes.
    stated_crs : as the file states it, or None.
    features : rows that the file claims to hold.
    batches : can be walked through once, inside the context.
    text_faults : filled while walking.
    remarks : warnings of the library about the content, filled when the context ends.
    """

    fields: tuple[str, ...]
    stated_crs: str | None
    features: int
    batches: Iterator[Batch]
    text_faults: TextFaults
    remarks: list[str] = field(default_factory=list)


@contextmanager
def opened_source(
    dataset: Dataset, encoding: Encoding, *, read_geometry: bool = True, max_features: int | None = None
) -> Iterator[Source]:
    """Open the chosen layer for reading in batches of 65 536 rows.

    Raises
    ------
    InputError : the file cannot be read, or ends before all its rows were read.
    """
    opened = _parquet if dataset.format == Format.GEOPARQUET else _gdal
    from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, GeometryError

    errors = (DataSourceError, DataLayerError, FeatureError, GeometryError, pa.ArrowException, OSError)
    try:
        with opened(dataset, encoding, read_geometry, max_features) as source, _remarks_of(source):
            yield source
    except errors as error:
        raise unreadable(dataset.shown, error) from error


@contextmanager
def _remarks_of(source: Source) -> Iterator[None]:
    """Take what GDAL remarks about the content as remarks of the source; pass all other warnings on."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for item in caught:
        if issubclass(item.category, RuntimeWarning):
            source.remarks.append(" ".join(str(item.message).split()))
        else:
            warnings.warn_explicit(item.message, item.category, item.filename, item.lineno)


@contextmanager
def _gdal(dataset: Dataset, encoding: Encoding, read_geometry: bool, max_features: int | None) -> Iterator[Source]:
    import pyogrio

    shapefile = dataset.format == Format.SHAPEFILE
    options: dict[str, Any] = {"layer": dataset.inner_layer}
    if shapefile:
        # ISO-8859-1 maps every byte to one character, so that nothing is lost before the text is put right below
        options["encoding"] = LATIN_1
    info = pyogrio.read_info(dataset.path, force_feature_count=True, **options)
    with warnings.catch_warnings():
        # M is dropped later, so that it cannot be kept is no news
        warnings.filterwarnings("ignore", message="Measured", category=UserWarning)
        with pyogrio.raw.open_arrow(
            dataset.path,
            use_pyarrow=True,
            return_fids=True,
            read_geometry=read_geometry,
            # Arrow streams cannot be limited: small batches, of which the rest is not asked for
            batch_size=min(BATCH, max_features or BATCH),
            **options,
        ) as (meta, reader):
            page = encoding.name if shapefile else None
            columns = _GdalColumns(dataset, meta, reader.schema.names, page)
            expected = int(info["features"]) - len(_deleted(dataset))
            wanted = expected if max_features is None else min(expected, max_features)
            faults = TextFaults({}, {})
            batches = _gdal_batches(dataset, reader, columns, wanted, max_features is not None, faults)
            yield Source(columns.fields, meta["crs"], expected, batches, faults)


class _GdalColumns:
    """Which column of GDAL's stream is what."""

    def __init__(self, dataset: Dataset, meta: dict[str, Any], names: Sequence[str], page: str | None) -> None:
        self.page = page
        self.shapefile = dataset.format == Format.SHAPEFILE
        self.fid = list(names).index(meta["fid_column"] or "OGC_FID")
        geometry = meta["geometry_name"] or "wkb_geometry"
        # geometry comes last; a field of the same name would come before it
        self.geometry = max((i for i, name in enumerate(names) if name == geometry), default=None)
        own = [str(name) if page is None else _put_right(str(name), page, cut=True)[0] for name in meta["fields"]]
        count = len(own)
        after = [i for i in range(len(names)) if i not in (self.fid, self.geometry)]
        self.positions = after[:count]
        # the key of a GeoPackage is a column of the agency; so is the numeric id of a GeoJSON feature
        self.with_key = dataset.format == Format.GEOPACKAGE or (
            dataset.format == Format.GEOJSON and "id" not in own and _has_ids(dataset)
        )
        name = "id" if dataset.format == Format.GEOJSON else str(meta["fid_column"])
        key = [name] if self.with_key else []
        self.fields = _distinct([*key, *own])


def _deleted(dataset: Dataset) -> list[int]:
    """Records that GDAL counts and does not show."""
    dbf = dataset.side_file(".dbf") if dataset.format == Format.SHAPEFILE else None
    return deleted_records(dbf) if dbf is not None else []


def _gdal_batches(
    dataset: Dataset, reader: Any, columns: _GdalColumns, wanted: int, limited: bool, faults: TextFaults
) -> Iterator[Batch]:
    done = 0
    for batch in reader:
        batch = batch.slice(0, wanted - done) if limited else batch
        fid = batch.column(columns.fid).to_numpy()
        number = fid + 1 if columns.shapefile else np.arange(done + 1, done + len(batch) + 1, dtype=np.int64)
        arrays = [batch.column(columns.fid)] if columns.with_key else []
        arrays += [batch.column(position) for position in columns.positions]
        named = zip(columns.fields, arrays, strict=True)
        arrays = [_correct_text(array, name, columns.page, faults) for name, array in named]
        wkb = np.full(len(batch), None, dtype=object)
        if columns.geometry is not None:
            wkb = batch.column(columns.geometry).to_numpy(zero_copy_only=False)
        done += len(batch)
        yield Batch(number, fid, wkb, pa.RecordBatch.from_arrays(arrays, names=list(columns.fields)))
        if limited and done >= wanted:
            return
    if done < wanted:
        raise InputError(
            f"{dataset.shown} ends early: {done} of {wanted} rows could be read.", hint="Export it again and upload."
        )


@contextmanager
def _parquet(dataset: Dataset, encoding: Encoding, read_geometry: bool, max_features: int | None) -> Iterator[Source]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(dataset.path) as file:
        schema = file.schema_arrow
        geo = _geo_metadata(dataset, schema)
        name = geo["primary_column"]
        column = geo["columns"][name]
        if column.get("encoding") != "WKB":
            raise InputError(
                f"{dataset.shown}: geometry column {name} has the encoding {column.get('encoding')}.",
                hint="Write the GeoParquet file with WKB geometries.",
            )
        bbox = (column.get("covering") or {}).get("bbox") or {}
        covering = {path[0] for path in bbox.values() if path}
        fields = tuple(field for field in schema.names if field != name and field not in covering)
        faults = TextFaults({}, {})
        batches = _parquet_batches(file, fields, name if read_geometry else None, max_features, faults)
        crs = column.get("crs", _LON_LAT)
        stated = json.dumps(crs) if isinstance(crs, dict) else crs
        yield Source(fields, stated, file.metadata.num_rows, batches, faults)


def _parquet_batches(
    file: Any, fields: tuple[str, ...], geometry: str | None, max_features: int | None, faults: TextFaults
) -> Iterator[Batch]:
    done = 0
    for batch in file.iter_batches(BATCH, columns=[*fields, *([geometry] if geometry else [])]):
        if max_features is not None:
            batch = batch.slice(0, max_features - done)
        number = np.arange(done + 1, done + len(batch) + 1, dtype=np.int64)
        arrays = [_correct_text(batch.column(name), name, None, faults) for name in fields]
        wkb = np.full(len(batch), None, dtype=object)
        if geometry:
            wkb = batch.column(geometry).to_numpy(zero_copy_only=False)
        attributes = pa.RecordBatch.from_arrays(arrays, names=list(fields))
        yield Batch(number, np.full(len(batch), -1), wkb, attributes)
        done += len(batch)
        if done == max_features:
            return


def _geo_metadata(dataset: Dataset, schema: pa.Schema) -> dict[str, Any]:
    raw = (schema.metadata or {}).get(b"geo")
    try:
        geo = json.loads(raw) if raw else None
        if isinstance(geo, dict) and isinstance(geo["columns"][geo["primary_column"]], dict):
            schema.field(geo["primary_column"])
            return geo
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{dataset.shown}: its GeoParquet metadata cannot be read ({error}).", hint="Export it again."
        ) from error
    raise InputError(
        f"{dataset.shown} is Parquet without geometry (no GeoParquet metadata).", hint="Export it as GeoParquet."
    )


def _correct_text(array: pa.Array, name: str, page: str | None, faults: TextFaults) -> pa.Array:
    """Text in the code page ``page`` that was read as ISO-8859-1; or, without a page, what claims to be UTF-8."""
    if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
        return array
    raw = array.cast(pa.binary())
    if page is None:
        if _is_valid(array):
            return array
        look = pa.array([value is not None and not _is_valid_bytes(value) for value in raw.to_pylist()])
    else:
        if page == LATIN_1:
            return array
        look = pc.match_substring_regex(array, r"[^\x00-\x7f]").fill_null(False)
    if not pc.any(look).as_py():
        return array
    distinct = raw.filter(look).dictionary_encode()
    put_right, replaced, cut = [], [], []
    for value in distinct.dictionary.to_pylist():
        if page is None:
            text, bad, short = value.decode(UTF_8, "replace"), True, False
        else:
            text, bad, short = _put_right(value.decode(UTF_8), page)
        put_right.append(text)
        replaced.append(bad)
        cut.append(short)
    indices = distinct.indices.to_numpy()
    for flags, counts in ((replaced, faults.replaced), (cut, faults.cut)):
        rows = int(np.asarray(flags)[indices].sum())
        if rows:
            counts[name] = counts.get(name, 0) + rows
    new = pa.array(put_right, pa.string()).take(distinct.indices).cast(array.type)
    base = array if page is not None else pc.if_else(look, "", raw).cast(array.type)
    return pc.replace_with_mask(base, look, new)


def _put_right(text: str, page: str, *, cut: bool = False) -> tuple[str, bool, bool]:
    """The text as it was meant, whether bytes of it had to be replaced, whether its end was cut off."""
    value = text.encode(LATIN_1)
    try:
        return value.decode(page), False, False
    except UnicodeDecodeError:
        if page == UTF_8:
            part = decodable_part(value)
            if _is_valid_bytes(part):
                return part.decode(UTF_8), False, not cut
        return value.decode(page, "replace"), True, False


def _is_valid(array: pa.Array) -> bool:
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _is_valid_bytes(value: bytes) -> bool:
    try:
        value.decode(UTF_8)
    except UnicodeDecodeError:
        return False
    return True


def _has_ids(dataset: Dataset) -> bool:
    """Whether the first feature of a GeoJSON file has an ``id``; GDAL makes up numbers where it has none."""
    with dataset.path.open("rb") as file:
        start = file.read(_START)
    return bool(_ID_AFTER.search(start) or _ID_BEFORE.search(start))


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Names told apart by a number where a file has the same twice."""
    result: list[str] = []
    for name in names:
        new, number = name, 2
        while new in result:
            new, number = f"{name}_{number}", number + 1
        result.append(new)
    return tuple(result)
