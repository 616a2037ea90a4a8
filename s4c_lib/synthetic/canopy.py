"""The state of weather and canopy day by day: what growth produces and the sensors see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Daily = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Weather:
    """Weather of one site, one value a day from ``first_day``.

    Parameters
    ----------
    temperature : (day,), daily mean, degrees C.
    rain : (day,), mm.
    soil_moisture : (day,), surface (0-5 cm), m3/m3.
    overcast : (day,), latent cloudiness, standard normal and correlated from day to day and with rain.
    frozen : (day,), bool, ground frozen at dawn.
    """

    first_day: date
    temperature: Daily
    rain: Daily
    soil_moisture: Daily
    overcast: Daily
    frozen: npt.NDArray[np.bool_]

    def index(self, day: date) -> int:
        """Position of a day."""
        return (day - self.first_day).days


@dataclass(frozen=True, slots=True)
class Canopy:
    """State of parcels, float32 (parcel, day), from ``first_day``.

    Parameters
    ----------
    green_lai, brown_lai : m2/m2; green is what the truth calls LAI.
    chlorophyll : of green leaves, ug/cm2.
    leaf_angle : mean leaf inclination, degrees from the horizontal.
    canopy_water : kg/m2 of plant water above ground (stems included).
    soil_wetness : 0 (air dry) to 1 (saturated), of the surface.
    soil_brightness : multiplies the reflectance of a mean soil.
    residue : share of the ground under straw, stubble or dead leaves, 0..1.
    roughness : 0 (rolled seedbed) to 1 (freshly ploughed).
    change : share of the surface's scatterers moved that day by a field operation, 0..1.
    """

    first_day: date
    green_lai: Daily
    brown_lai: Daily
    chlorophyll: Daily
    leaf_angle: Daily
    canopy_water: Daily
    soil_wetness: Daily
    soil_brightness: Daily
    residue: Daily
    roughness: Daily
    change: Daily

    def index(self, day: date) -> int:
        """Position of a day."""
        return (day - self.first_day).days

    @property
    def days(self) -> int:
        """Count of days."""
        return int(self.green_lai.shape[1])


# Events of the truth: what was done or reached, on a parcel, when.
EVENT_KINDS = (
    "sowing",
    "emergence",
    "senescence",
    "harvest",
    "mowing",
    "grazing",
    "cultivation",
    "ploughing",
    "catch_crop_sowing",
    "catch_crop_emergence",
    "catch_crop_destruction",
)
EVENTS_SCHEMA = pa.schema(
    [
        pa.field("parcel_id", pa.int64(), nullable=False),
        pa.field("event", pa.string(), nullable=False),
        pa.field("date", pa.date32(), nullable=False),
        pa.field("end_date", pa.date32()),  # grazing only
        pa.field("intensity", pa.float32()),  # share of the green LAI taken (mowing, grazing, harvest)
    ]
)
