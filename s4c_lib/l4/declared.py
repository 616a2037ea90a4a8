"""The declared parcels of a run: those of the version its statistics are of, with the crop codes it was given.

Outlines are not among the columns, a country's take gigabytes; `with_outlines` puts them into a file while a vector
file is written.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from s4c_lib.catalog.auxdata import Kind
from s4c_lib.catalog.parcel_outlines import outline_batches
from s4c_lib.catalog.parcel_sets import ParcelSet
from s4c_lib.catalog.parcel_sets_files import USER_NAMES
from s4c_lib.catalog.parcel_sets_rows import read_parcels
from s4c_lib.errors import StorageError
from s4c_lib.progress import Progress, silent
from s4c_lib.season_run import SeasonRun

COLUMNS: Final = (
    "new_id", "hold_id", "ori_id", "ori_hold", "ori_crop", "area_meters", "s2_pix", "s1_pix", "primary_tile", "src_row",
)  # fmt: skip
"""Columns of a parcel that L4 works with or shows."""

LUT_NAMES: Final = {
    "ctnum": "CTnum", "ct": "CT", "lc": "LC", "ctnuml4a": "CTnumL4A", "ctl4a": "CTL4A", "ctnumdiv": "CTnumDIV",
    "ctdiv": "CTDIV", "eaa": "EAA", "al": "AL", "pgrass": "PGrass", "tgrass": "TGrass", "fallow": "Fallow",
    "cwater": "Cwater",
}  # fmt: skip
"""Columns of the crop code table as users know them."""

_NAMES: Final = {**USER_NAMES, **LUT_NAMES}
_BATCH: Final = 65_536


@dataclass(frozen=True, slots=True, eq=False)
class Declared:
    """Declared parcels of a run, deleted ones left out, by ascending number.

    Parameters
    ----------
    parcels : `COLUMNS`, the columns of the crop code table (`LUT_NAMES`, null where a crop is unknown or the run was
        given no table), and ``reason``: why the processor leaves a parcel out whatever its parameters
        (``geometry``, ``duplicate``, ``overlap``), null for one it may judge.
    parcel_set : their version; ``parcel_set.crs_wkt`` is the system of the outlines.
    """

    parcels: pa.Table = field(repr=False)
    parcel_set: ParcelSet
    run: SeasonRun = field(repr=False)

    def __len__(self) -> int:
        return len(self.parcels)

    @property
    def parcel_id(self) -> npt.NDArray[np.int64]:
        """Numbers, int64 (parcels,), ascending."""
        numbers: npt.NDArray[np.int64] = self.parcels["new_id"].to_numpy().astype(np.int64)
        return numbers

    def numbers(self, column: str, missing: float) -> npt.NDArray[Any]:
        """A column of numbers with a value where there is none; int64 or float64 (parcels,)."""
        values = pc.fill_null(self.parcels[column], missing)
        return values.to_numpy().astype(np.float64 if pa.types.is_floating(values.type) else np.int64)  # type: ignore[no-any-return]

    def texts(self, column: str) -> npt.NDArray[np.object_]:
        """A column of text, object (parcels,) of str or None."""
        found: npt.NDArray[np.object_] = self.parcels[column].to_numpy(zero_copy_only=False).astype(object)
        return found

    def take(self, rows: npt.ArrayLike) -> Declared:
        """Some parcels, by a mask or ascending positions."""
        chosen = np.asarray(rows)
        chosen = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen
        return Declared(self.parcels.take(pa.array(chosen)), self.parcel_set, self.run)

    def named(self) -> pa.Table:
        """The columns as users know them (``NewID``, ``CTnum``), without ``reason`` and ``src_row``."""
        shown = [name for name in self.parcels.column_names if name not in ("reason", "src_row")]
        return self.parcels.select(shown).rename_columns([_NAMES.get(name, name) for name in shown])


def declared_parcels(run: SeasonRun) -> Declared:
    """Read the parcels of a run.

    Raises
    ------
    DatabaseUnavailableError : the server went away.
    """
    processor = run.job.processor
    with run.database.begin() as connection:
        rows = read_parcels(
            connection, run.parcel_set, COLUMNS, lut_version=run.uploads.get(Kind.LUT), processor=processor
        )
    if Kind.LUT not in run.uploads:
        kinds = {"ctnum": pa.int32(), "lc": pa.int32(), "ctnuml4a": pa.int32(), "ctnumdiv": pa.int32()}
        texts = ("ct", "ctl4a", "ctdiv")
        for name in LUT_NAMES:
            kind = kinds.get(name, pa.string() if name in texts else pa.bool_())
            rows = rows.append_column(name, pa.nulls(len(rows), kind))
    return Declared(rows, run.parcel_set, run)


@contextmanager
def with_outlines(declared: Declared, *, progress: Progress = silent) -> Iterator[pa.Table]:
    """`Declared.named` with column ``geometry`` (WKB); it lies in a file of the work folder that goes at the end.

    Raises
    ------
    StorageError, DiskFullError : the file cannot be written. DatabaseUnavailableError : the server went away.
    """
    run, named = declared.run, declared.named()
    with tempfile.TemporaryDirectory(prefix=".outlines-", dir=run.work_folder) as folder:
        path = Path(folder) / "outlines.arrow"
        numbers, done = declared.parcel_id, 0
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, pa.schema([("geometry", pa.binary())])) as file:
            for batch in outline_batches(run.database, declared.parcel_set, numbers, _BATCH):
                file.write_table(batch.select(["geom"]).rename_columns(["geometry"]))
                done += len(batch)
                progress(done, len(numbers), "outlines")
        with pa.memory_map(str(path)) as source:
            outlines = pa.ipc.open_file(source).read_all()
            yield named.append_column("geometry", outlines["geometry"])


def own_columns(declared: Declared, names: Sequence[str]) -> tuple[pa.Table, tuple[str, ...]]:
    """Columns the agency delivered, as they came, beside ``NewID``; and the names that are not there.

    Parameters
    ----------
    names : in any case.

    Raises
    ------
    StorageError : the file of the version cannot be read.
    """
    import pyarrow.parquet as pq

    path = Path(declared.parcel_set.folder) / "attributes.parquet"
    own = pa.table({"NewID": declared.parcels["new_id"]})
    if not names:
        return own, ()
    try:
        there = {name.casefold(): name for name in reversed(pq.read_schema(path).names)}
        found = [there[name.casefold()] for name in names if name.casefold() in there]
        rows = pq.read_table(path, columns=["src_row", *found], use_threads=False)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be read: {error}", hint="the version of the declarations lacks it"
        ) from error
    at = pc.index_in(declared.parcels["src_row"], value_set=rows["src_row"].cast(pa.int64()).combine_chunks())
    for name in found:
        own = own.append_column(name, rows[name].take(at))
    return own, tuple(name for name in names if name.casefold() not in there)
