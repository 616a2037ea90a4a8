"""Rows of L4A products: crop type of each parcel, and crop diversification of parcels and holdings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pyarrow as pa
from sqlalchemy import Connection, text

from s4c_lib.catalog.parcel_copy import copy_in, copy_out

RESULT_COLUMNS: Final[Mapping[str, str]] = {
    "new_id": "integer",
    "ct_decl": "integer",
    "ct_pred_1": "integer",
    "ct_conf_1": "double",
    "ct_pred_2": "integer",
    "ct_conf_2": "double",
    "ct_status": "text",
    "ct_purpose": "integer",
    "conform": "integer",
    "feat_imputed": "boolean",
    "verdict": "text",
    "reason": "text",
    "chance_wrong": "double",
    "ct_other": "integer",
    "review_rank": "integer",
}
"""Columns of ``l4a_result`` beside the product, and their kinds (`parcel_copy.COLUMN_TYPES`)."""

_AREAS: Final = (
    "area_eaa_c", "area_tal_c", "area_tempgrass_c", "area_permgrass_c", "area_llf_c", "area_cwater_c",
    "area_remal_ex2_c", "area_remal_ex3_c", "area_maincrop_c", "area_2maincrop_c",
)  # fmt: skip

HOLDING_COLUMNS: Final[Mapping[str, str]] = {
    "hold_id": "integer",
    "nb_types_c": "integer",
    **dict.fromkeys(_AREAS, "double"),
    "nb_parcels_nc": "integer",
    "area_nc": "double",
    "cd_cat": "text",
    "cd_diagn": "text",
    "reason": "text",
}
"""Columns of ``l4a_div_holding`` beside the product, and their kinds."""

PARCEL_COLUMNS: Final[Mapping[str, str]] = {
    "new_id": "integer",
    "hold_id": "integer",
    "classif_r": "text",
    "cd_cat": "text",
    "cd_diagn": "text",
    "area_meters": "double",
    "reason": "text",
}
"""Columns of ``l4a_div_parcel`` beside the product, and their kinds."""

_TABLES: Final = {"l4a_result": RESULT_COLUMNS, "l4a_div_holding": HOLDING_COLUMNS, "l4a_div_parcel": PARCEL_COLUMNS}
_KEYS: Final = {"l4a_result": "new_id", "l4a_div_holding": "hold_id", "l4a_div_parcel": "new_id"}
_NAMES: Final = {"newid": "new_id", "holdid": "hold_id"}


def store_results(
    connection: Connection,
    product_id: int,
    results: pa.Table,
    div_parcels: pa.Table | None,
    div_holdings: pa.Table | None,
) -> None:
    """Put the rows of a product; those it had before are removed (D-16).

    Parameters
    ----------
    results, div_parcels, div_holdings : tables of the product with the names of their files; columns that the database
        does not keep are left out. None where crop diversification was not evaluated.

    Raises
    ------
    InputError : a column is missing, or a parcel comes twice.
    DatabaseUnavailableError, StorageError : the server went away; its disk is full.
    """
    given = {"l4a_result": results, "l4a_div_holding": div_holdings, "l4a_div_parcel": div_parcels}
    for table, kinds in _TABLES.items():
        connection.execute(text(f"DELETE FROM s4c.{table} WHERE product_id = :id"), {"id": product_id})
        rows = given[table]
        if rows is None:
            continue
        named = rows.rename_columns([_NAMES.get(name.lower(), name.lower()) for name in rows.column_names])
        keyed = named.append_column("product_id", pa.repeat(pa.scalar(product_id, pa.int64()), len(named)))
        copy_in(connection, table, keyed, {"product_id": "bigint", **kinds}, freeze=False)


def read_results(connection: Connection, product_id: int, new_id: int | None = None) -> pa.Table:
    """Return the crop types of a product, or of one of its parcels, by number."""
    return _read(connection, "l4a_result", product_id, new_id)


def read_div_parcels(connection: Connection, product_id: int, new_id: int | None = None) -> pa.Table:
    """Return crop diversification by parcel, of all or of one."""
    return _read(connection, "l4a_div_parcel", product_id, new_id)


def read_div_holdings(connection: Connection, product_id: int, hold_id: int | None = None) -> pa.Table:
    """Return crop diversification by holding, of all or of one."""
    return _read(connection, "l4a_div_holding", product_id, hold_id)


def _read(connection: Connection, table: str, product_id: int, one: int | None) -> pa.Table:
    kinds, key = _TABLES[table], _KEYS[table]
    only = "" if one is None else f" AND {key} = %(one)s"
    query = f"SELECT {', '.join(kinds)} FROM s4c.{table} WHERE product_id = %(product)s{only} ORDER BY {key}"
    return copy_out(connection, query, {"product": product_id, "one": one or 0}, kinds)
