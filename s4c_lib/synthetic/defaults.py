"""The default season, in a module of its own because the command line shows it without loading anything."""

from __future__ import annotations

from datetime import date
from typing import Final

TILES: Final = ("31UFS", "31UFT")
START: Final = date(2021, 3, 1)
END: Final = date(2021, 10, 31)
SIZE_M: Final = 5100
PARCELS: Final = 600
CLOUDINESS: Final = 0.55
CLOUD_MISSED: Final = 0.05
SOIL_AS_CLOUD: Final = 0.04
MISLABELLED: Final = 0.02
