"""Features as Sen4CAP's four marker tables (l4a-crop-type.md 15); `legacy_export.write_legacy` makes files of them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final

import numpy as np
import pyarrow as pa

from s4c_lib.crop_type.feature_names import OPT_MAIN, OPT_RE, SAR_MAIN, SAR_TEMP, table_of
from s4c_lib.crop_type.feature_table import FeatureTable
from s4c_lib.errors import InputError

MARKER_TABLES: Final = (OPT_MAIN, OPT_RE, SAR_MAIN, SAR_TEMP)
_LARGEST_ID: Final = np.iinfo(np.int32).max


def marker_columns(names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Features of each marker table that has some, in their order; those of users' own variables are in none."""
    found = {table: tuple(name for name in names if table_of(name) == table) for table in MARKER_TABLES}
    return {table: columns for table, columns in found.items() if columns}


def marker_tables(features: FeatureTable) -> dict[str, pa.Table]:
    """``opt_main``, ``opt_re``, ``sar_main`` and ``sar_temp``, as far as there are features of them.

    Returns
    -------
    dict : tables of ``NewID`` int32 and float32 columns, null where missing; by ascending NewID. Columns are bound by
        name (D-12).

    Raises
    ------
    InputError : a parcel number does not fit 31 bits.
    """
    ids = features.parcel_id
    if len(ids) and (ids[0] < 1 or ids[-1] > _LARGEST_ID):
        raise InputError(f"parcel number {ids[-1]} does not fit the columns of Sen4CAP", hint="above 0, 31 bits")
    place = {name: column for column, name in enumerate(features.names)}
    return {
        table: pa.table(
            [
                pa.array(ids.astype(np.int32)),
                *(pa.array(features.values[:, place[name]], from_pandas=True) for name in columns),
            ],
            schema=pa.schema(
                [pa.field("NewID", pa.int32(), nullable=False), *(pa.field(name, pa.float32()) for name in columns)]
            ),
        )
        for table, columns in marker_columns(features.names).items()
    }


def marker_name(table: str, first: date, last: date, made_at: datetime) -> str:
    """``SEN4CAP_MDB_L4A_OPT_MAIN_V20200301_20200831_20200902T101500``; the temporal table is SAR_TEMP (D-22)."""
    return f"SEN4CAP_MDB_L4A_{table.upper()}_V{first:%Y%m%d}_{last:%Y%m%d}_{made_at.astimezone(UTC):%Y%m%dT%H%M%S}"
