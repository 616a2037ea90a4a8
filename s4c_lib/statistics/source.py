"""What a file of the statistics store is of, and how its metadata say it (l3b-and-markers.md 3.8)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from s4c_lib.statistics.passes import Facts, seconds_of

# Of what is computed, stamped into the files: another way of computing is another version.
ALGORITHM: Final = 1
LAYOUT: Final = "observations-1"


@dataclass(frozen=True, slots=True)
class Source:
    """What a file of statistics is of.

    Parameters
    ----------
    family : ``l3b``, ``l2a``, ``s1amp`` or ``s1coh``.
    time, previous_time : sensing time, of a coherence pair the later and the earlier one.
    tile : MGRS. orbit, direction : None for optical rasters.
    product_id : None for rasters that no database knows. item_id : name of the product.
    parcel_set_id : version of the declarations; None without a database.
    buffer_m : what was taken off the parcels, metres. resolution : side of a pixel, metres.
    """

    variable: str
    family: str
    unit: str
    time: datetime
    previous_time: datetime | None
    platform: str
    tile: str
    orbit: int | None
    direction: str | None
    product_id: int | None
    item_id: str
    parcel_set_id: int | None
    buffer_m: float
    resolution: float
    config_hash: str

    @property
    def facts(self) -> Facts:
        """What all rows have in common."""
        return Facts(
            variable=self.variable,
            orbit=self.orbit,
            direction=self.direction,
            platform=self.platform,
            tile=self.tile,
            time=seconds_of(self.time),
            previous_time=None if self.previous_time is None else seconds_of(self.previous_time),
            product_id=self.product_id,
        )


def source_of(metadata: Any) -> Source | None:
    """What a file is of, from the metadata of a Parquet file; None when it is no file of the store.

    Parameters
    ----------
    metadata : mapping of bytes, or None.
    """
    if not metadata or metadata.get(b"layout") != LAYOUT.encode():
        return None
    told = {key.decode(): value.decode() for key, value in metadata.items() if not key.startswith(b"ARROW")}

    def number(name: str) -> int | None:
        return int(told[name]) if told[name] else None

    return Source(
        variable=told["variable"],
        family=told["family"],
        unit=told["unit"],
        time=datetime.fromisoformat(told["time"]),
        previous_time=datetime.fromisoformat(told["previous_time"]) if told["previous_time"] else None,
        platform=told["platform"],
        tile=told["tile"],
        orbit=number("orbit"),
        direction=told["direction"] or None,
        product_id=number("product_id"),
        item_id=told["item_id"],
        parcel_set_id=number("parcel_set_id"),
        buffer_m=float(told["buffer_m"]),
        resolution=float(told["resolution"]),
        config_hash=told["config_hash"],
    )


def metadata_of(source: Source) -> dict[str, str]:
    """All facts as text, "" for none, so that any tool shows them."""
    facts: dict[str, object] = {name: getattr(source, name) for name in Source.__dataclass_fields__}
    for name in ("time", "previous_time"):
        moment: datetime | None = getattr(source, name)
        facts[name] = None if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds")
    polarisation = source.variable[-2:] if source.family.startswith("s1") else None
    facts |= {"layout": LAYOUT, "algorithm": ALGORITHM, "polarisation": polarisation}
    return {name: "" if value is None else str(value) for name, value in sorted(facts.items())}
