"""Columns of an export: the plain types every format can hold, and what the system's own columns mean."""

from __future__ import annotations

import json
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from s4c_lib.errors import InputError
from s4c_lib.products.export_model import ColumnNote

GEOMETRY: Final = "geometry"
#: First columns of every export, in this order (lpis-and-inputs.md 6.2).
LEADING: Final = ("NewID", "ori_id", "ori_hold", "ori_crop", "CT", "LC", "Area_meters")

_FLAG: Final = "1 yes, 0 no"
NOTES: Final[dict[str, ColumnNote]] = {
    "NewID": ColumnNote("Number of the parcel, unique in the site and year"),
    "HoldID": ColumnNote("Number of the holding"),
    "ori_id": ColumnNote("Identifier of the parcel as declared, made unique"),
    "ori_id_raw": ColumnNote("Identifier of the parcel as declared"),
    "ori_hold": ColumnNote("Identifier of the holding as declared"),
    "ori_crop": ColumnNote("Crop code as declared"),
    "src_row": ColumnNote("Row in the delivered file, from 1"),
    "GeomValid": ColumnNote("Whether the outline is valid as delivered"),
    "geom_repaired": ColumnNote("Whether the outline was repaired"),
    "n_parts": ColumnNote("Polygons the parcel consists of"),
    "Area_meters": ColumnNote("Area of the outline", "m2"),
    "declared_area": ColumnNote("Area as declared", "m2"),
    "ShapeInd": ColumnNote("Perimeter / (2 sqrt(pi area)); 1 for a circle"),
    "Overlap": ColumnNote("Whether more than the allowed share of the area lies under other parcels"),
    "overlap_amount": ColumnNote("Share of the area under other parcels; may exceed 1"),
    "Duplic": ColumnNote("Whether another parcel has the same outline"),
    "duplic_group": ColumnNote("Number shared by parcels of the same outline; 0 without"),
    "S2Pix": ColumnNote("Sentinel-2 pixels (10 m) whose centre lies 5 m or more inside"),
    "S1Pix": ColumnNote("Sentinel-1 pixels (20 m) whose centre lies 10 m or more inside"),
    "shared_pix": ColumnNote("Sentinel-2 pixels that another parcel has too"),
    "primary_tile": ColumnNote("Sentinel-2 tile with most pixels of the parcel"),
    "is_deleted": ColumnNote("Whether the parcel is no longer declared"),
    "inserted_timestamp": ColumnNote("First import of the parcel (UTC)"),
    "updated_timestamp": ColumnNote("Last change of the parcel (UTC)"),
    "geom_change_ratio": ColumnNote("Changed area / joint area of the earlier and the present outline"),
    "CTnum": ColumnNote("Number of the crop in the crop table"),
    "CT": ColumnNote("Name of the crop"),
    "LC": ColumnNote(
        "Land cover: 1 annual, 2 permanent crop, 3 grassland, 4 fallow, 5 greenhouse or nursery, 0 other natural area"
    ),
    "CTnumL4A": ColumnNote("Number of the group used by crop type classification"),
    "CTL4A": ColumnNote("Name of the group used by crop type classification"),
    "CTnumDIV": ColumnNote("Number of the group used for crop diversification"),
    "CTDIV": ColumnNote("Name of the group used for crop diversification"),
    "EAA": ColumnNote(f"Eligible agricultural area: {_FLAG}"),
    "AL": ColumnNote(f"Arable land: {_FLAG}"),
    "PGrass": ColumnNote(f"Permanent grassland: {_FLAG}"),
    "TGrass": ColumnNote(f"Temporary grassland: {_FLAG}"),
    "Fallow": ColumnNote(f"Fallow land: {_FLAG}"),
    "Cwater": ColumnNote(f"Crop under water: {_FLAG}"),
    "Legum": ColumnNote(f"Leguminous crop: {_FLAG}"),
    "HCAT": ColumnNote("Code of the crop in the harmonised crop list of EuroCrops"),
    "CT_en": ColumnNote("English name of the crop"),
    "product": ColumnNote("Product the result comes from"),
    "status": ColumnNote("'processed', or why there is no result"),
    "decision": ColumnNote("yes, no, inconclusive, not_applicable or not_monitorable; 'no' asks for a review"),
    "confidence": ColumnNote("Confidence of the result", "0 to 1"),
    "observations": ColumnNote("Valid satellite observations used"),
}


def plain_type(kind: pa.DataType, column: str) -> pa.DataType:
    """Type a column is written in: numbers, text, yes/no, dates and times that GDAL and Parquet both know.

    Raises
    ------
    InputError : for a type without a plain counterpart.
    """
    if pa.types.is_dictionary(kind):
        return plain_type(kind.value_type, column)
    if pa.types.is_boolean(kind) or kind in (pa.int16(), pa.int32(), pa.int64(), pa.float32(), pa.float64()):
        return kind
    if pa.types.is_date(kind):
        return pa.date32()
    if pa.types.is_timestamp(kind):
        return pa.timestamp("ms", kind.tz)
    if pa.types.is_null(kind) or _is_text(kind) or _is_nested(kind) or _is_bytes(kind):
        return pa.string()
    if kind in (pa.int8(), pa.uint8()):
        return pa.int16()
    if kind == pa.uint16():
        return pa.int32()
    if kind in (pa.uint32(), pa.uint64()):
        return pa.int64()
    if kind == pa.float16():
        return pa.float32()
    if pa.types.is_decimal(kind):
        return pa.float64()
    if pa.types.is_time(kind):
        return pa.string()
    raise InputError(
        f'Column "{column}" of the export has the type {kind}.', hint="convert it to text, a number or a date"
    )


def plain_values(values: pa.Array, target: pa.DataType, column: str) -> pa.Array:
    """Values in their plain type; NaN becomes null, lists become JSON, bytes become hexadecimal digits."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if _is_nested(values.type):
        return pa.array(
            [None if item is None else json.dumps(item, default=str) for item in values.to_pylist()], target
        )
    if _is_bytes(values.type):
        return pa.array([None if item is None else item.hex() for item in values.to_pylist()], target)
    if values.type != target:
        # Days and milliseconds are what the formats hold; a number that does not fit is an error.
        loose = pa.types.is_temporal(values.type) or pa.types.is_decimal(values.type)
        try:
            values = values.cast(target, safe=not loose)
        except pa.ArrowInvalid as error:
            raise InputError(f'Column "{column}" of the export: {error}.', hint="export it as text") from error
    if pa.types.is_floating(target):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, target), values)
    return values


def as_text(values: pa.Array) -> pa.Array:
    """Plain values as ISO text: shortest digits that give the number back, ISO dates, times in UTC with Z."""
    if pa.types.is_timestamp(values.type):
        zone = values.type.tz and "UTC"
        seconds = values.cast(pa.timestamp("s", zone), safe=False)
        return pc.strftime(seconds, format="%Y-%m-%dT%H:%M:%SZ" if zone else "%Y-%m-%dT%H:%M:%S")
    return values.cast(pa.string())


def type_name(kind: pa.DataType) -> str:
    """Type as the column dictionary shows it."""
    if pa.types.is_timestamp(kind):
        return "time" if kind.tz is None else f"time ({kind.tz})"
    names = {"bool": "yes/no", "string": "text", "date32[day]": "date", "float": "real32", "double": "real64"}
    return names.get(str(kind), str(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_binary_view(kind)
    )


def _is_nested(kind: pa.DataType) -> bool:
    return bool(pa.types.is_nested(kind))
