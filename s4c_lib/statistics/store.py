"""The statistics store: one immutable Parquet file for each variable of each raster and version of the parcels.

Files have the columns of the observation table and say in their metadata what they are of (l3b-and-markers.md 3.8,
spec/README.md B1 and B2). Names of folders and files are for people; which files count is said by the database.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC
from functools import reduce
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from s4c_lib.errors import InputError
from s4c_lib.parcels.pixel_index_file import whole_file
from s4c_lib.statistics.observation_table import QUARTILES, ObservationBlock, observation_table
from s4c_lib.statistics.observations import best_tile, read_observations
from s4c_lib.statistics.parcel_statistics import ParcelStatistics
from s4c_lib.statistics.source import Source, metadata_of

__all__ = [
    "Source",
    "StoredFile",
    "best_tile",
    "read_observations",
    "statistics_in",
    "statistics_table",
    "write_statistics",
]

# One parcel is read with its group: smaller ones make the metadata, larger ones the group dear to read.
_ROW_GROUP: Final = 8192
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_FLOATS: Final = ("mean", "std", "min", "max", *QUARTILES)
# Spread over few values: a dictionary takes little. Means and deviations are all different.
_DICTIONARY: Final = ("time", "previous_time", "variable", "min", "max", "n", "n_total", "platform", "tile", "orbit")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A written file; ``sha256`` of its bytes."""

    path: Path
    rows: int
    sha256: str


def write_statistics(root: Path, site: str, season: str, source: Source, statistics: ParcelStatistics) -> StoredFile:
    """Write a file below ``root/markers``; its name has the hash of its content, so none is ever changed.

    Raises
    ------
    InputError : a name cannot be that of a folder.
    DiskFullError, StorageError : it could not be written; nothing is left.
    """
    content = _serialised(source, statistics)
    sha256 = hashlib.sha256(content).hexdigest()
    orbit = "" if source.orbit is None else f"_{source.orbit:03d}"
    of = source.item_id if source.product_id is None else str(source.product_id)
    parts = {
        "site": site,
        "season": season,
        "family": source.family,
        "tile": source.tile,
        "date": source.time.astimezone(UTC).date().isoformat(),
    }
    folder = reduce(lambda path, part: path / f"{part[0]}={_named(part[1])}", parts.items(), root / "markers")
    path = folder / f"{_named(of)}_{_named(source.variable)}{orbit}_{sha256[:16]}.parquet"
    with whole_file(path) as unfinished:
        unfinished.write_bytes(content)
    return StoredFile(path, len(statistics), sha256)


def statistics_table(source: Source, statistics: ParcelStatistics) -> pa.Table:
    """Statistics as rows of the observation table, with quartiles where there are some."""
    block = ObservationBlock(
        variable=source.variable,
        time=source.time,
        previous_time=source.previous_time,
        platform=source.platform,
        tile=source.tile,
        orbit=source.orbit,
        direction=source.direction,
        product_id=source.product_id,
        **{name: getattr(statistics, name) for name in ("parcel_id", "mean", "std", "least", "most", "n", "n_total")},
    )
    table = observation_table([block])
    for name in QUARTILES:
        values = getattr(statistics, name)
        if values is not None:
            table = table.append_column(pa.field(name, pa.float32()), pa.array(values, mask=np.isnan(values)))
    return table


def statistics_in(table: pa.Table) -> ParcelStatistics:
    """Rows of one file as statistics again; pixels without a value are not known any more (``n_invalid`` 0)."""

    def column(name: str) -> Any:
        return table.column(name).to_numpy()

    quartiles = {name: column(name) for name in QUARTILES if name in table.column_names}
    n = column("n")
    values = {"mean": column("mean"), "std": column("std"), "least": column("min"), "most": column("max"), **quartiles}
    return ParcelStatistics(column("parcel_id"), n, np.zeros_like(n), column("n_total"), **values)


def _serialised(source: Source, statistics: ParcelStatistics) -> pa.Buffer:
    import pyarrow.parquet as pq

    ids = statistics.parcel_id
    if (ids[1:] <= ids[:-1]).any():
        raise InputError(f"parcel numbers of {source.item_id} {source.variable} do not ascend")
    table = statistics_table(source, statistics).replace_schema_metadata(metadata_of(source))
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        # The others are numbers of a few bits by their encoding; unpacking would only delay.
        compression={name: "zstd" if name in _FLOATS else "none" for name in table.column_names},
        row_group_size=_ROW_GROUP,
        use_dictionary=[*_DICTIONARY, "direction", "product_id"],
        column_encoding={"parcel_id": "DELTA_BINARY_PACKED"},
        write_statistics=["parcel_id"],
    )
    return sink.getvalue()


def _named(part: str) -> str:
    if not _NAME.fullmatch(part):
        raise InputError(f"{part!r} cannot be part of the name of a file of statistics", hint="letters, digits, _ . -")
    return part
