"""Layers of an export from its tables: what is joined to what, under which names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from pyproj import CRS, Transformer

from s4c_lib.errors import InputError, NothingToDoError
from s4c_lib.products.export_columns import GEOMETRY, LEADING, NOTES
from s4c_lib.products.export_geometry import coordinate_system, transformer_between
from s4c_lib.products.export_model import (
    ColumnNote,
    ExportFrame,
    ExportOptions,
    Layout,
    ResultTable,
)
from s4c_lib.products.export_rows import Layer, LayerColumn, Rows
from s4c_lib.products.export_selection import Sources, attribute_key, column_like, decided, key_ranks, link, select


@dataclass(frozen=True, slots=True)
class Layers:
    """Layers to write and what is to be said about them."""

    layers: tuple[Layer, ...]
    parcels: int
    left_out: Mapping[str, int]
    warnings: tuple[str, ...]


class _Names:
    """Names already given, without regard to case as in GeoPackage."""

    def __init__(self, given: Iterable[str] = ()) -> None:
        # What GDAL calls the geometry and the row number of a GeoPackage stays free.
        self._taken = {GEOMETRY, "geom", "fid", "row_id"} | {name.lower() for name in given}

    def give(self, name: str, prefix: str) -> str:
        free = name or prefix
        while free.lower() in self._taken:
            free = f"{prefix}_{free}"
        self._taken.add(free.lower())
        return free

    def under(self, prefix: str) -> Callable[[str], str]:
        """Names that all begin with a prefix."""
        return lambda name: self.give(f"{prefix}_{name}", prefix)


def build_layers(frame: ExportFrame, options: ExportOptions) -> Layers:
    """Join and select.

    Raises
    ------
    InputError : a table cannot be joined, a wished column does not exist.
    NothingToDoError : no parcel fits the filter.
    """
    declarations, given_crs = declarations_table(frame)
    source_crs = coordinate_system(given_crs, "the declarations")
    crs = source_crs if options.crs is None else coordinate_system(options.crs, "the export")
    sources = link(declarations, frame.lut, frame.attributes if options.attributes else None, frame.results)
    fits, left_out = select(sources, options.filter, options.batch)
    if not fits.any():
        raise NothingToDoError("No parcel fits the filter of the export.")
    make = _Maker(sources, options, crs, transformer_between(source_crs, crs))
    chosen = np.flatnonzero(fits)
    warnings = [*_unjoined(sources, chosen)]
    if not frame.results:
        layers = [make.layer(options.name, "Declared parcels", make.base(chosen), chosen)]
    elif options.layout == Layout.WIDE:
        newest, older = _newest(sources)
        warnings += [f"{item.name} {item.product_id} is not in the export: a newer product is." for item in older]
        layers = [make.wide(chosen, newest)]
    else:
        names = _Names()
        layers = [
            make.long(index, names.give(result.name, "product"), fits) for index, result in enumerate(sources.results)
        ]
    return Layers(_with_columns(layers, options.columns), len(chosen), left_out, tuple(warnings))


def declarations_table(frame: ExportFrame) -> tuple[pa.Table, Any]:
    """Declarations as an Arrow table with WKB outlines, and their coordinate system."""
    given = frame.declarations
    if isinstance(given, pa.Table):
        table, crs = given, frame.crs
    else:
        table = pa.Table.from_pandas(given.drop(columns=given.geometry.name), preserve_index=False)
        wkb = pa.array(given.geometry.to_wkb().to_numpy(), pa.binary(), from_pandas=True)
        table, crs = table.append_column(GEOMETRY, wkb), frame.crs if given.crs is None else given.crs
    if GEOMETRY not in table.column_names:
        raise InputError(f'Column "{GEOMETRY}" is missing in the declarations.', hint="give the outlines as WKB")
    return table, crs


class _Maker:
    """Makes layers out of linked tables."""

    def __init__(self, sources: Sources, options: ExportOptions, crs: CRS, transformer: Transformer | None) -> None:
        self._sources = sources
        self._options = options
        self._crs = crs
        self._transformer = transformer

    def layer(self, name: str, title: str, columns: Sequence[LayerColumn], rows: Rows) -> Layer:
        geometry = self._sources.declarations[GEOMETRY]
        return Layer(name, title, tuple(columns), geometry, rows, self._crs, self._transformer)

    def base(self, parcels: Rows) -> list[LayerColumn]:
        """Columns of the parcel itself: leading ones, other declared ones, crop table, own attributes."""
        sources, names = self._sources, _Names()
        columns: list[LayerColumn] = []

        def add(table: pa.Table, rows: Rows, source: str, prefix: str, without: Sequence[str]) -> None:
            for name in table.column_names:
                if name in without:
                    continue
                note = NOTES.get(name, ColumnNote("")) if prefix != "orig" else ColumnNote("As delivered")
                columns.append(LayerColumn(names.give(name, prefix), table[name], rows, note, source))

        add(sources.declarations, parcels, "declarations", "decl", (GEOMETRY,))
        if sources.lut is not None:
            # Declarations exported from a joined view bring the crop columns already; the crop table is newer.
            key = column_like(sources.lut, "Ori_crop") or ""
            add(sources.lut, sources.lut_rows[parcels], "lut", "lut", (key,))
        if sources.attributes is not None:
            key = attribute_key(sources.declarations, sources.attributes)
            add(sources.attributes, sources.attribute_rows[parcels], "own attributes", "orig", (key,))
        leading = [item for name in LEADING for item in columns if item.name == name]
        return [*leading, *(item for item in columns if item.name not in LEADING)]

    def long(self, index: int, name: str, fits: Any) -> Layer:
        """Rows of one product, sorted by parcel and key."""
        result, parcels = self._sources.results[index], self._sources.result_rows[index]
        keep = (parcels >= 0) & fits[parcels]
        if self._options.filter.decisions:
            keep &= decided(result, self._options.filter.decisions)
        rows = np.flatnonzero(keep)
        rows = rows[np.lexsort((key_ranks(result)[rows], parcels[rows]))]
        columns = self.base(parcels[rows])
        names = _Names(item.name for item in columns)
        product = pa.chunked_array([pa.array([result.product_id])])
        columns.append(
            LayerColumn(
                names.give("product", result.name), product, np.zeros(len(rows), np.int64), NOTES["product"], "export"
            )
        )
        columns += self._result_columns(result, rows, lambda column: names.give(column, result.name))
        return self.layer(name, f"{result.name} {result.product_id}", columns, parcels[rows])

    def wide(self, parcels: Rows, newest: Sequence[int]) -> Layer:
        """One row per parcel, results beside each other."""
        columns = self.base(parcels)
        names = _Names(item.name for item in columns)
        for index in newest:
            result, owners = self._sources.results[index], self._sources.result_rows[index]
            for suffix, rows in _by_key(result):
                row_of = np.full(self._sources.declarations.num_rows, -1, dtype=np.int64)
                known = rows[owners[rows] >= 0]
                row_of[owners[known]] = known
                prefix = f"{result.name}_{suffix}" if suffix else result.name
                columns += self._result_columns(result, row_of[parcels], names.under(prefix), without=result.key)
        return self.layer(self._options.name, "Declared parcels with results", columns, parcels)

    def _result_columns(
        self, result: ResultTable, rows: Rows, named: Callable[[str], str], without: str | None = None
    ) -> list[LayerColumn]:
        own = [item for item in result.table.column_names if item not in ("NewID", without, GEOMETRY)]
        return [
            LayerColumn(
                named(item),
                result.table[item],
                rows,
                result.columns.get(item) or NOTES.get(item.lower(), ColumnNote("")),
                f"{result.name} {result.product_id}",
            )
            for item in own
        ]


def _by_key(result: ResultTable) -> list[tuple[str, Rows]]:
    """Rows of a product by the value of its key, in alphabetical order."""
    if result.key is None:
        return [("", np.arange(result.table.num_rows, dtype=np.int64))]
    values = np.array([item or "" for item in result.table[result.key].cast(pa.string()).to_pylist()], dtype=object)
    return [(str(value) or "none", np.flatnonzero(values == value)) for value in sorted(set(values))]


def _newest(sources: Sources) -> tuple[list[int], list[ResultTable]]:
    """Index of the newest product of each name, in the given order; and the others."""
    best: dict[str, int] = {}
    for index, result in enumerate(sources.results):
        held = best.get(result.name)
        if held is None or _day(result) >= _day(sources.results[held]):
            best[result.name] = index
    chosen = sorted(best.values())
    return chosen, [item for index, item in enumerate(sources.results) if index not in chosen]


def _day(result: ResultTable) -> str:
    return "" if result.as_of is None else result.as_of.isoformat()


def _unjoined(sources: Sources, chosen: Rows) -> Iterable[str]:
    if sources.lut is not None and (missing := int((sources.lut_rows[chosen] < 0).sum())):
        yield f"Parcels whose crop code the crop table does not name: {missing}; their crop columns are empty."
    if sources.attributes is not None and (missing := int((sources.attribute_rows[chosen] < 0).sum())):
        yield f"Parcels without own attributes: {missing}; these columns are empty."
    for result, rows in zip(sources.results, sources.result_rows, strict=True):
        if unknown := int((rows < 0).sum()):
            yield f"Results of {result.name} {result.product_id} of no declared parcel: {unknown}; left out."


def _with_columns(layers: Sequence[Layer], wanted: Sequence[str]) -> tuple[Layer, ...]:
    """Keep the wished columns, in the wished order; NewID comes first unless it is wished elsewhere."""
    if not wanted:
        return tuple(layers)
    known = {name for layer in layers for name in layer.names}
    if unknown := [name for name in wanted if name not in known]:
        raise InputError(
            f"The export has no column {', '.join(map(repr, unknown))}.", hint=f"choose from {', '.join(sorted(known))}"
        )
    order = list(dict.fromkeys(wanted if "NewID" in wanted else ("NewID", *wanted)))
    return tuple(
        Layer(
            layer.name,
            layer.title,
            tuple(item for name in order for item in layer.columns if item.name == name),
            layer.geometry,
            layer.rows,
            layer.crs,
            layer.transformer,
        )
        for layer in layers
    )
