"""Outlines of a version's parcels, a range of numbers at a time: a country's do not fit into memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sqlalchemy import Connection

from s4c_lib.catalog.parcel_copy import copy_out

if TYPE_CHECKING:
    from s4c_lib.catalog.database import Database
    from s4c_lib.catalog.parcel_sets import ParcelSet

_KINDS: Final = {"new_id": "integer", "geom": "geometry"}
_QUERY: Final = """
    SELECT p.new_id, encode(ST_AsBinary(p.geom), 'hex') FROM s4c.parcel p
    WHERE p.site_id = %(site)s AND p.year = %(year)s AND p.parcel_set_id = %(set)s
      AND p.new_id BETWEEN %(first)s AND %(last)s
    ORDER BY p.new_id
"""


def outline_batches(
    database: Database, parcel_set: ParcelSet, new_ids: npt.NDArray[np.int64], size: int
) -> Iterator[pa.Table]:
    """Outlines of some parcels, at most ``size`` at a time, each in a transaction of its own.

    Parameters
    ----------
    new_ids : ascending numbers of parcels of the version.

    Yields
    ------
    new_id, geom (WKB in the version's own system, null where a parcel has none); all parcels asked for, in order.

    Raises
    ------
    DatabaseUnavailableError : the server went away.
    """
    for first in range(0, len(new_ids), size):
        wanted = new_ids[first : first + size]
        with database.begin() as connection:
            found = _between(connection, parcel_set, int(wanted[0]), int(wanted[-1]))
        numbers = found["new_id"].to_numpy()
        at = np.searchsorted(numbers, wanted)
        there = at < len(numbers)
        there[there] = numbers[at[there]] == wanted[there]
        rows = pa.array(np.where(there, at, 0), mask=~there)
        yield pa.table({"new_id": pa.array(wanted, pa.int32()), "geom": found["geom"].take(rows)})


def _between(connection: Connection, parcel_set: ParcelSet, first: int, last: int) -> pa.Table:
    values: dict[str, int | str] = {"site": parcel_set.site_id, "year": parcel_set.year, "set": parcel_set.id}
    return copy_out(connection, _QUERY, values | {"first": first, "last": last}, _KINDS)
