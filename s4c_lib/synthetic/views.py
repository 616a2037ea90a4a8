"""What one pass over a season's window gave."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

PASS_SCHEMA = pa.schema(
    [
        pa.field("time", pa.timestamp("s", tz="UTC"), nullable=False),
        pa.field("sensor", pa.string(), nullable=False),
        pa.field("platform", pa.string(), nullable=False),
        pa.field("relative_orbit", pa.int16(), nullable=False),
        pa.field("direction", pa.string()),
        pa.field("sun_zenith", pa.float32()),
        pa.field("view_zenith", pa.float32(), nullable=False),
        pa.field("previous_time", pa.timestamp("s", tz="UTC")),
        pa.field("cloud_share", pa.float32()),
        pa.field("hidden_share", pa.float32()),
        pa.field("classified_hidden_share", pa.float32()),
    ]
)
CLEAR_SCHEMA = pa.schema(
    [
        pa.field("parcel_id", pa.int64(), nullable=False),
        pa.field("time", pa.timestamp("s", tz="UTC"), nullable=False),
        pa.field("clear_share", pa.float32(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class View:
    """What a pass gave.

    Parameters
    ----------
    order : position in the season. label : for progress. products : files or folders written.
    flight : one row of `PASS_SCHEMA`. clear : `CLEAR_SCHEMA`, optical passes only.
    """

    order: tuple[int, int]
    label: str
    products: int
    flight: pa.Table
    clear: pa.Table | None
