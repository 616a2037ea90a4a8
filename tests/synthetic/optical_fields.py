"""Hand-made fields for the optical tests: blocks of one crop, canopies of one state, weather of a random walk."""

from datetime import UTC, date, datetime, timedelta

import numpy as np

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.synthetic.canopy import Canopy, Weather
from s4c_lib.synthetic.crops import CROPS, Cover, Growth, ParcelTraits
from s4c_lib.synthetic.passes import OpticalPass
from s4c_lib.synthetic.pixel_fractions import PixelFractions

FIRST = date(2021, 3, 1)


def flight(day: date = date(2021, 6, 9), platform: str = "S2A", *, sun: float = 31.0, hour: int = 10, minute: int = 46):
    start = datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)
    return OpticalPass(start, platform, 8, 31000, sun, 152.0, 7.8, 106.0)


def crop_index(growth: Growth) -> int:
    return next(k for k, crop in enumerate(CROPS) if crop.growth == growth)


def traits(crop: list[int]) -> ParcelTraits:
    count = len(crop)
    bytes_ = np.zeros(count, dtype=np.int8)
    crops = np.array(crop, dtype=np.int16)
    angle = np.linspace(0, 170, count).astype(np.float32)
    ones = np.ones(count, dtype=np.float32)
    return ParcelTraits(np.arange(1, count + 1), crops, crops, bytes_, bytes_, bytes_, 20_000 * ones, angle, ones)


def canopy(count: int, days: int = 1, first: date = FIRST, **values) -> Canopy:
    """Every parcel bare and moist, but for what is given (a scalar or one value a parcel)."""
    state = {
        "green_lai": 0.0, "brown_lai": 0.0, "chlorophyll": 45.0, "leaf_angle": 57.0, "canopy_water": 0.0,
        "soil_wetness": 0.4, "soil_brightness": 1.0, "residue": 0.05, "roughness": 0.3, "change": 0.0,
    } | values  # fmt: skip
    columns = {
        name: np.repeat(np.broadcast_to(np.asarray(value, dtype=np.float32), count)[:, None], days, axis=1)
        for name, value in state.items()
    }
    return Canopy(first_day=first, **columns)


def weather(days: int = 245, first: date = FIRST, seed: int = 3) -> Weather:
    rng = np.random.default_rng(seed)
    overcast = rng.standard_normal(days)
    for day in range(1, days):
        overcast[day] = 0.45 * overcast[day - 1] + np.sqrt(1 - 0.45**2) * overcast[day]
    flat = np.ones(days, dtype=np.float32)
    return Weather(first, 14 * flat, 2 * flat, 0.25 * flat, overcast.astype(np.float32), np.zeros(days, dtype=bool))


def passes(count: int, step: int = 3):
    days = [FIRST + timedelta(days=step * k) for k in range(count)]
    suns = 60 - 28 * np.sin(np.linspace(0, np.pi, count))
    return [
        flight(day, ("S2A", "S2B")[k % 2], sun=float(sun)) for k, (day, sun) in enumerate(zip(days, suns, strict=True))
    ]


def block_fractions(side: int, block: int) -> tuple[PixelFractions, int]:
    """Square parcels of ``block`` pixels; every twentieth block is of a cover, in turn."""
    grid = PixelGrid(32631, 652320.0, 5697660.0, 10.0, side, side)
    row, column = np.indices(grid.shape) // block
    blocks = (row * -(-side // block) + column).astype(np.int64)
    parcels = int(blocks.max()) + 1
    turn = (blocks // 20) % len(Cover)
    objects = np.where(blocks % 20 == 19, parcels + turn, blocks).astype(np.int32).ravel()
    ones = np.ones(objects.size, dtype=np.float32)
    return PixelFractions(grid, np.arange(objects.size + 1), objects, ones), parcels
