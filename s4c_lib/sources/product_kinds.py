"""What a product name says: the value itself and its vocabulary, free of any sensor's spelling."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum


class Satellite(StrEnum):
    """Constellation or satellite, as sites and data sources are configured."""

    SENTINEL1 = "sentinel1"
    SENTINEL2 = "sentinel2"
    LANDSAT8 = "landsat8"
    LANDSAT9 = "landsat9"


class ProductKind(StrEnum):
    """Level and format of a product; one reader and one structure check for each."""

    S2_L1C = "s2_l1c"
    S2_L2A = "s2_l2a"
    MUSCATE_L2A = "muscate_l2a"
    S1_SLC = "s1_slc"
    S1_GRD = "s1_grd"
    S1_AMP = "s1_amp"
    S1_COHE = "s1_cohe"
    LANDSAT_L1 = "landsat_l1"
    LANDSAT_L2SP = "landsat_l2sp"
    LANDSAT_L2SR = "landsat_l2sr"
    LANDSAT_L2A = "landsat_l2a"


@dataclass(frozen=True, slots=True)
class ProductName:
    """The fields of one product name (``preprocessing.md`` §2.1, §3.1, §3.6, §6).

    Attributes
    ----------
    name : canonical spelling: upper case, without ``.SAFE``, ``.zip``, ``.tar``, ``.tif``.
    platform : ``sentinel-2a``; ``sentinel-1`` where the name does not say which one.
    sensing_start, sensing_stop : UTC. Of a pair product (coherence, Sen4CAP amplitude) both are the **later**
        acquisition, which is the product's date. Landsat names carry a date only: midnight, see `date_only`.
    previous_time : the earlier acquisition of a pair product.
    tile : MGRS ``31UFS`` or WRS-2 path and row ``197024``; None where the name holds none (old Sentinel-2, Sentinel-1).
    baseline : Sentinel-2 processing baseline, ``N0400`` -> 400.
    collection, tier : Landsat, ``2`` and ``T1``.
    created : processing or generation time where the name has it.
    """

    name: str
    satellite: Satellite
    platform: str
    kind: ProductKind
    sensing_start: datetime
    sensing_stop: datetime
    previous_time: datetime | None = None
    tile: str | None = None
    relative_orbit: int | None = None
    absolute_orbit: int | None = None
    baseline: int | None = None
    mode: str | None = None
    polarisations: tuple[str, ...] = ()
    datatake: str | None = None
    collection: int | None = None
    tier: str | None = None
    created: datetime | None = None
    site_id: int | None = None
    version: str | None = None
    date_only: bool = False

    @property
    def product_date(self) -> date:
        """UTC day of the product: of the later acquisition for a pair."""
        return self.sensing_start.date()

    @property
    def start(self) -> datetime:
        """First moment the product draws on: the earlier acquisition for a pair."""
        return self.previous_time or self.sensing_start

    @property
    def baseline_days(self) -> int | None:
        """Days between the two acquisition dates of a pair product."""
        if self.previous_time is None:
            return None
        return (self.sensing_start.date() - self.previous_time.date()).days


def utc(text: str, layout: str = "%Y%m%dT%H%M%S") -> datetime | None:
    """Read a time written in a name; None when it is no date (13th month, 30 February, 25 hours)."""
    try:
        return datetime.strptime(text.upper(), layout).replace(tzinfo=UTC)
    except ValueError:
        return None
