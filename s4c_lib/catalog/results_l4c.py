"""Rows of L4C products: what was decided about each parcel and practice, and how that changed over a season."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final

import pyarrow as pa
from sqlalchemy import Connection, text

from s4c_lib.catalog.parcel_copy import copy_in, copy_out
from s4c_lib.catalog.vocabulary import PRODUCT_TYPES

PRACTICE_IDS: Final[Mapping[str, int]] = {"NA": 1, "CC": 2, "NFC": 3, "FL": 4}
"""Numbers of the practices by short name (spec/README.md 2.1)."""

RESULT_COLUMNS: Final[Mapping[str, str]] = {
    "new_id": "integer",
    "practice_id": "integer",
    "ori_id": "text",
    "country": "text",
    "year": "integer",
    "main_crop": "text",
    "veg_start": "date",
    "h_start": "date",
    "h_end": "date",
    "practice": "text",
    "p_type": "text",
    "p_start": "date",
    "p_end": "date",
    "l_week": "date",
    **{f"m{number}": "integer" for number in range(1, 6)},
    "h_state": "text",
    "h_w_start": "date",
    "h_s1_state": "text",
    "h_w_s1": "date",
    **{f"m{number}": "integer" for number in range(6, 11)},
    "c_index": "text",
    "s1pix": "integer",
    "s1gaps": "integer",
    "h_s1gaps": "integer",
    "p_s1gaps": "integer",
    "h_w_s1gaps": "integer",
    "h_quality": "boolean",
    "c_quality": "boolean",
    "tl_state": "text",
    "tl_w_start": "date",
    "status": "text",
    "rule": "text",
    "flags": "text",
    "c_preliminary": "text",
    "h_delay": "integer",
    "n_ndvi_v": "integer",
    "n_ndvi_p": "integer",
    "n_coh_p": "integer",
    "orbits": "text",
    "h_source": "text",
    "h_current": "date",
    "config_id": "bigint",
    "practice_table_id": "bigint",
}
"""Columns of ``l4c_result`` beside the product, and their kinds (`parcel_copy.COLUMN_TYPES`)."""

_NAMES: Final = {"NewID": "new_id", "ORIG_ID": "ori_id"}
_OF_PRODUCT: Final = {"product_id": "bigint", "product": "text", "as_of": "date"}
_KEPT: Final = {"new_id": "integer", "h_w_start": "date", "h_w_s1gaps": "integer"}


def store_results(connection: Connection, product_id: int, results: Iterable[pa.Table]) -> None:
    """Put the rows of a product, in pieces of any size; those it had before are removed.

    Parameters
    ----------
    results : rows with the names of `practices.product_tables.RESULT_NOTES`; those without a number are left out.

    Raises
    ------
    InputError : a column is missing, or a parcel comes twice for a practice.
    DatabaseUnavailableError, StorageError : the server went away; its disk is full.
    """
    connection.execute(text("DELETE FROM s4c.l4c_result WHERE product_id = :id"), {"id": product_id})
    for piece in results:
        named = piece.rename_columns([_NAMES.get(name, name.lower()) for name in piece.column_names])
        keyed = named.filter(named["new_id"].is_valid())
        numbers = pa.array([PRACTICE_IDS[name] for name in keyed["practice_table"].to_pylist()], pa.int32())
        keyed = keyed.append_column("practice_id", numbers)
        keyed = keyed.append_column("product_id", pa.repeat(pa.scalar(product_id, pa.int64()), len(keyed)))
        copy_in(connection, "l4c_result", keyed, {"product_id": "bigint", **RESULT_COLUMNS}, freeze=False)


def read_results(
    connection: Connection, product_id: int, *, practice: str | None = None, new_id: int | None = None
) -> pa.Table:
    """Return the rows of a product, by practice number and parcel; of one practice or one parcel only, if given."""
    only = ("" if practice is None else " AND practice_id = %(practice)s") + (
        "" if new_id is None else " AND new_id = %(parcel)s"
    )
    query = f"""
        SELECT {", ".join(RESULT_COLUMNS)} FROM s4c.l4c_result
        WHERE product_id = %(product)s{only} ORDER BY practice_id, new_id
    """
    number = 0 if practice is None else PRACTICE_IDS[practice]
    return copy_out(
        connection, query, {"product": product_id, "practice": number, "parcel": new_id or 0}, RESULT_COLUMNS
    )


def history(connection: Connection, site_id: int, season: str, new_id: int) -> pa.Table:
    """Return what the products of a season decided about a parcel, by as-of date; superseded products are left out.

    Parameters
    ----------
    season : short name.

    Returns
    -------
    ``product_id, product, as_of`` and the columns of a result.
    """
    query = f"""
        SELECT p.id, p.name, (p.acquired_at AT TIME ZONE 'UTC')::date,
               {", ".join(f"r.{name}" for name in RESULT_COLUMNS)}
        FROM s4c.product p
        JOIN s4c.product_site s ON s.product_id = p.id AND s.site_id = %(site)s
        JOIN s4c.l4c_result r ON r.product_id = p.id AND r.new_id = %(parcel)s
        WHERE p.product_type_id = %(type)s AND p.state <> 'superseded' AND p.metadata -> 'run' ->> 'season' = %(season)s
        ORDER BY p.acquired_at, p.id, r.practice_id
    """
    values: dict[str, int | str] = {"site": site_id, "parcel": new_id, "season": season}
    return copy_out(connection, query, {**values, "type": PRODUCT_TYPES["s4c_l4c"]}, {**_OF_PRODUCT, **RESULT_COLUMNS})


def previous_harvests(
    connection: Connection, site_id: int, season: str, practice: str, until: date
) -> tuple[int | None, pa.Table]:
    """Return the newest product of a season up to a day, and the harvests it found (section 16.1).

    One of chosen tiles or images is passed over: it says nothing of parcels elsewhere.

    Parameters
    ----------
    until : latest as-of date of that product.

    Returns
    -------
    Number of the product, None without one; ``new_id, h_w_start, h_w_s1gaps`` of parcels with a harvest, by number.
    """
    found = connection.execute(
        text(
            """
            SELECT p.id FROM s4c.product p
            JOIN s4c.product_site s ON s.product_id = p.id AND s.site_id = :site
            WHERE p.product_type_id = :type AND p.state <> 'superseded'
              AND p.metadata -> 'run' ->> 'season' = :season AND (p.acquired_at AT TIME ZONE 'UTC')::date <= :until
              AND p.metadata -> 'run' -> 'chosen' IS NULL
            ORDER BY p.acquired_at DESC, p.id DESC LIMIT 1
            """
        ),
        {"site": site_id, "type": PRODUCT_TYPES["s4c_l4c"], "season": season, "until": until},
    ).scalar_one_or_none()
    query = """
        SELECT new_id, h_w_start, h_w_s1gaps FROM s4c.l4c_result
        WHERE product_id = %(product)s AND practice_id = %(practice)s AND h_w_start IS NOT NULL ORDER BY new_id
    """
    rows = copy_out(connection, query, {"product": found or 0, "practice": PRACTICE_IDS[practice]}, _KEPT)
    return found, rows
