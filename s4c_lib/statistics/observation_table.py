"""The common observation table: what statistics write and what every L4 processor reads (design, section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from s4c_lib.errors import InputError

OBSERVATION_SCHEMA: Final = pa.schema(
    [
        pa.field("parcel_id", pa.int64(), nullable=False),
        pa.field("time", pa.timestamp("s", tz="UTC"), nullable=False),
        pa.field("previous_time", pa.timestamp("s", tz="UTC")),
        pa.field("variable", pa.string(), nullable=False),
        pa.field("mean", pa.float32()),
        pa.field("std", pa.float32()),
        pa.field("min", pa.float32()),
        pa.field("max", pa.float32()),
        pa.field("n", pa.int32(), nullable=False),
        pa.field("n_total", pa.int32(), nullable=False),
        pa.field("platform", pa.string()),
        pa.field("tile", pa.string()),
        pa.field("orbit", pa.int16()),
        pa.field("direction", pa.string()),
        pa.field("product_id", pa.int64()),
    ]
)
OPTICAL_INDICES: Final = ("ndvi", "lai", "fapar", "fcover")
BANDS: Final = ("b02", "b03", "b04", "b05", "b06", "b07", "b08", "b8a", "b11", "b12")
RADAR_VARIABLES: Final = ("vv", "vh", "coherence_vv", "coherence_vh")
# What every season may have; a synthetic series has all of them.
VARIABLES: Final = (*OPTICAL_INDICES, *BANDS, *RADAR_VARIABLES)
# What some seasons have besides: what the user switches on in L3B, and for L4A per pixel from bands (ndwi as well).
FURTHER_INDICES: Final = ("ndwi", "brightness")
FURTHER_VARIABLES: Final = (*FURTHER_INDICES, "brightness_l4a")
QUARTILES: Final = ("p25", "p50", "p75")

Floats = npt.NDArray[np.float32]


def unit_of(variable: str) -> str:
    """The unit a variable has in the table; "1" where it has none.

    Raises
    ------
    InputError : there is no such variable.
    """
    if variable not in (*VARIABLES, *FURTHER_VARIABLES):
        raise InputError(f"no statistics are kept of {variable!r}", hint=", ".join((*VARIABLES, *FURTHER_VARIABLES)))
    return {"vv": "dB", "vh": "dB", "lai": "m2/m2"}.get(variable, "1")


@dataclass(frozen=True, slots=True)
class ObservationBlock:
    """Statistics of one variable of one raster: what is the same for all parcels stands once.

    Parameters
    ----------
    parcel_id : int64 (parcels,), ascending.
    mean, std, least, most : float32 (parcels,), NaN where not defined.
    n, n_total : int32 (parcels,).
    """

    variable: str
    time: datetime
    previous_time: datetime | None
    platform: str
    tile: str | None
    orbit: int | None
    direction: str | None
    parcel_id: npt.NDArray[np.int64]
    mean: Floats
    std: Floats
    least: Floats
    most: Floats
    n: npt.NDArray[np.int32]
    n_total: npt.NDArray[np.int32]
    product_id: int | None = None


def observation_table(blocks: Sequence[ObservationBlock]) -> pa.Table:
    """Join blocks, in their order, into one table of `OBSERVATION_SCHEMA`."""
    counts = np.array([len(block.parcel_id) for block in blocks], dtype=np.int64)

    def spread(values: Sequence[object], kind: pa.DataType) -> pa.Array:
        """Each block's value as often as it has rows."""
        distinct = list(dict.fromkeys(values))
        codes = np.array([distinct.index(value) for value in values], dtype=np.int32)
        # A dictionary of few values is a thousand times smaller than the column.
        index = pa.array(np.repeat(codes, counts))
        return pa.DictionaryArray.from_arrays(index, pa.array(distinct, kind)).dictionary_decode()

    def floats(name: str) -> pa.Array:
        values = _joined([getattr(block, name) for block in blocks], np.float32)
        return pa.array(values, mask=np.isnan(values))

    def seconds(moment: datetime | None) -> int | None:
        return None if moment is None else int(moment.timestamp())

    stamp = pa.timestamp("s", tz="UTC")
    columns = [
        pa.array(_joined([block.parcel_id for block in blocks], np.int64)),
        spread([seconds(block.time) for block in blocks], pa.int64()).cast(stamp),
        spread([seconds(block.previous_time) for block in blocks], pa.int64()).cast(stamp),
        spread([block.variable for block in blocks], pa.string()),
        floats("mean"),
        floats("std"),
        floats("least"),
        floats("most"),
        pa.array(_joined([block.n for block in blocks], np.int32)),
        pa.array(_joined([block.n_total for block in blocks], np.int32)),
        spread([block.platform for block in blocks], pa.string()),
        spread([block.tile for block in blocks], pa.string()),
        spread([block.orbit for block in blocks], pa.int16()),
        spread([block.direction for block in blocks], pa.string()),
        spread([block.product_id for block in blocks], pa.int64()),
    ]
    return pa.table(columns, schema=OBSERVATION_SCHEMA)


def _joined(parts: Sequence[npt.NDArray[np.generic]], kind: type[np.generic]) -> npt.NDArray[np.generic]:
    return np.concatenate([*parts, np.empty(0, kind)]).astype(kind, copy=False)
