"""What a Sentinel-2 product is called: names and identifiers follow from pass, tile, level and baseline."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from s4c_lib.geography.sentinel2_tiles import Sentinel2Tile
from s4c_lib.synthetic.passes import OpticalPass

COLLECTION_1 = 500
# From this baseline on all digital numbers carry +1000 (ESA, processing baseline 04.00, January 2022).
_FIRST_WITH_OFFSET = 400
_ADDED = 1000
# First day of each processing baseline used.
_BASELINES = (
    (date(2015, 1, 1), 204),
    (date(2018, 11, 6), 211),
    (date(2020, 2, 4), 214),
    (date(2021, 3, 30), 301),
    (date(2022, 1, 25), 400),
    (date(2022, 12, 6), 509),
    (date(2023, 12, 13), 510),
    (date(2024, 7, 23), 511),
)
_END_OF_COLLECTION_1 = date(2022, 12, 6)
# ESA reprocessed the archive of 2015 to 2022 in the course of 2023, roughly in order.
_REPROCESSING = datetime(2023, 1, 9, tzinfo=UTC), datetime(2015, 7, 4, tzinfo=UTC), 0.12
_TIME = "%Y%m%dT%H%M%S"


def baselines_of(day: date) -> tuple[int, int]:
    """Baseline in operation on a day, and the one before it."""
    numbers = [_BASELINES[0][1]] + [number for first, number in _BASELINES if first <= day]
    return numbers[-1], numbers[-2]


def season_baseline(day: date) -> int:
    """Baseline of the product one downloads today: Collection 1 (05.00) until 2022-12-05, later that of the day."""
    return COLLECTION_1 if day < _END_OF_COLLECTION_1 else baselines_of(day)[0]


def added_to_numbers(baseline: int) -> int:
    """What is added to reflectance x 10000 to make a digital number; the metadata state its negative."""
    return _ADDED if baseline >= _FIRST_WITH_OFFSET else 0


def generation_time(start: datetime, baseline: int) -> datetime:
    """When the product was made: some hours after the pass, or in 2023 for Collection 1; whole seconds."""
    if baseline == COLLECTION_1:
        first, anchor, share = _REPROCESSING
        made = first + (start - anchor) * share
    else:
        made = start + timedelta(hours=4, minutes=baseline % 60)
    return made.replace(microsecond=0)


def iso(moment: datetime) -> str:
    """A time as metadata write it, with milliseconds."""
    utc = moment.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


@dataclass(frozen=True, slots=True)
class Sentinel2Product:
    """Identity of one product of one tile.

    Parameters
    ----------
    level : ``L1C`` or ``L2A``. baseline : 509 for 05.09.
    """

    flight: OpticalPass
    tile: Sentinel2Tile
    level: str
    baseline: int

    @property
    def tile_name(self) -> str:
        """``T31UFS``."""
        return f"T{self.tile.tile_id.removeprefix('T')}"

    @property
    def generated(self) -> datetime:
        """Processing time; also the last part of the name."""
        return generation_time(self.flight.start, self.baseline)

    @property
    def name(self) -> str:
        """Compact name without ``.SAFE``."""
        return (
            f"{self.flight.platform}_MSI{self.level}_{self.flight.start:{_TIME}}_N{self.baseline:04d}"
            f"_R{self.flight.relative_orbit:03d}_{self.tile_name}_{self.generated:{_TIME}}"
        )

    @property
    def written_baseline(self) -> str:
        """``05.09``."""
        return f"{self.baseline // 100:02d}.{self.baseline % 100:02d}"

    @property
    def prefix(self) -> str:
        """Start of the names of images."""
        return f"{self.tile_name}_{self.flight.start:{_TIME}}"

    @property
    def granule(self) -> str:
        """Folder of the granule below the product."""
        return f"GRANULE/{self.level}_{self.tile_name}_A{self.flight.absolute_orbit:06d}_{self.flight.start:{_TIME}}"

    @property
    def datastrip(self) -> str:
        """Folder of the datastrip below the product."""
        return f"DATASTRIP/DS_{self.centre}_{self.generated:{_TIME}}_S{self.flight.start:{_TIME}}"

    @property
    def centre(self) -> str:
        """Processing centre in identifiers: the reprocessing's, or the operational one of the platform."""
        return "S2RP" if self.baseline == COLLECTION_1 else f"{self.flight.platform[1:]}PS"

    def granule_identifier(self, level: str) -> str:
        """Long identifier of the granule at a level."""
        return self._identifier("TL", level, f"A{self.flight.absolute_orbit:06d}_{self.tile_name}")

    @property
    def datastrip_identifier(self) -> str:
        """Long identifier of the datastrip."""
        return self._identifier("DS", self.level, f"S{self.flight.start:{_TIME}}")

    @property
    def datatake(self) -> str:
        """Identifier of the datatake."""
        return (
            f"G{self.flight.platform}_{self.flight.start:{_TIME}}_{self.flight.absolute_orbit:06d}"
            f"_N{self.written_baseline}"
        )

    def _identifier(self, kind: str, level: str, rest: str) -> str:
        return (
            f"{self.flight.platform}_OPER_MSI_{level}_{kind}_{self.centre}_{self.generated:{_TIME}}_{rest}"
            f"_N{self.written_baseline}"
        )
