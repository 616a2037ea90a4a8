"""The ground truth of a season: everything the satellites will look at, made once from the options."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from s4c_lib.errors import InputError
from s4c_lib.synthetic import defaults
from s4c_lib.synthetic.canopy import Canopy, Weather
from s4c_lib.synthetic.crops import Cover
from s4c_lib.synthetic.growth.canopies import cover_canopy, grow
from s4c_lib.synthetic.growth.weather import make_weather, season_year
from s4c_lib.synthetic.landscape.country import make_landscape
from s4c_lib.synthetic.landscape.model import Landscape
from s4c_lib.synthetic.optical.scene_classes import ClassificationErrors, PassSky, plan_sky
from s4c_lib.synthetic.optical.texture import Texture, make_texture
from s4c_lib.synthetic.orbits import optical_passes, radar_passes
from s4c_lib.synthetic.passes import OpticalPass, RadarPass
from s4c_lib.synthetic.pixel_fractions import PixelFractions, pixel_fractions
from s4c_lib.synthetic.window import Window, check_dates, window_of


@dataclass(frozen=True, slots=True)
class SeasonOptions:
    """What decides a season; equal options give equal bytes.

    Parameters
    ----------
    start, end : first and last day.
    size_m : side of the window, a multiple of 60 m.
    parcels : count of fields.
    cloudiness : share of the ground under cloud, mean of the dates, 0..1.
    cloud_missed : share of cloud that the scene classification calls clear.
    soil_as_cloud : share of bright bare soil that it calls cloud.
    mislabelled : share of declarations that name another crop than grows there.
    radar_days : repeat of the radar, 6 or 12; None: by the satellites that flew.
    parity : also write Sentinel-1 in the encoding of Sen4CAP 3.x.
    """

    seed: int = 1
    start: date = defaults.START
    end: date = defaults.END
    size_m: int = defaults.SIZE_M
    parcels: int = defaults.PARCELS
    tiles: tuple[str, ...] = defaults.TILES
    cloudiness: float = defaults.CLOUDINESS
    cloud_missed: float = defaults.CLOUD_MISSED
    soil_as_cloud: float = defaults.SOIL_AS_CLOUD
    mislabelled: float = defaults.MISLABELLED
    radar_days: int | None = None
    parity: bool = False

    def __post_init__(self) -> None:
        check_dates(self.start, self.end)
        if self.seed < 0:
            raise InputError(f"a seed of {self.seed} is negative", hint="--seed 1")
        if self.parcels < 1:
            raise InputError(f"a season of {self.parcels} parcels shows nothing", hint="--parcels 600")
        for name in ("cloudiness", "cloud_missed", "soil_as_cloud", "mislabelled"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise InputError(f"{name} is a share, not {value}", hint="give 0 to 1")

    @property
    def errors(self) -> ClassificationErrors:
        """Errors of the scene classification."""
        return ClassificationErrors(cloud_missed=self.cloud_missed, soil_as_cloud=self.soil_as_cloud)

    @property
    def year(self) -> int:
        """Calendar year the season belongs to."""
        return season_year(self.start, self.end)


@dataclass(frozen=True, slots=True)
class World:
    """What is there, and who looks at it.

    Parameters
    ----------
    canopy, covers : state of the parcels of ``landscape``, and of the ground between them (rows in order of `Cover`).
    events : `canopy.EVENTS_SCHEMA`.
    fine, coarse : shares of objects in pixels of 10 m and 20 m; objects are parcels in their order, then covers.
    texture : what differs within fields.
    sky : of each optical pass.
    """

    options: SeasonOptions
    window: Window
    landscape: Landscape
    weather: Weather
    canopy: Canopy
    covers: Canopy
    events: pa.Table
    fine: PixelFractions
    coarse: PixelFractions
    texture: Texture
    optical: tuple[OpticalPass, ...]
    sky: tuple[PassSky, ...]
    radar: tuple[RadarPass, ...]


def make_world(options: SeasonOptions) -> World:
    """Make fields, weather, canopies and passes.

    Raises
    ------
    InputError : a window that cannot be, too small for so many parcels, or dates without satellites.
    """
    window = window_of(options.tiles, options.size_m)
    optical = optical_passes(window.longitude, window.latitude, options.start, options.end)
    radar = radar_passes(window.longitude, window.latitude, options.start, options.end, repeat_days=options.radar_days)
    landscape = make_landscape(window.grid, options.parcels, options.seed, mislabelled=options.mislabelled)
    weather = make_weather(options.seed, options.start, options.end)
    canopy, events = grow(landscape.traits, weather, start=options.start, end=options.end, seed=options.seed)
    covers = cover_canopy(weather, start=options.start, end=options.end)
    parcels = len(landscape.shapes)
    kinds = list(Cover)
    # Fields last: they cover the patches around them.
    shapes = [*(shape for _, shape in landscape.covers), *landscape.shapes]
    objects = [*(parcels + kinds.index(kind) for kind, _ in landscape.covers), *range(parcels)]
    margin = parcels + kinds.index(Cover.MARGIN)
    numbers = np.array(objects, dtype=np.int32)
    fine = pixel_fractions(window.grid, shapes, numbers, margin, fine=4)
    angles = np.concatenate([landscape.traits.row_angle, np.full(len(kinds), np.nan, np.float32)])
    return World(
        options,
        window,
        landscape,
        weather,
        canopy,
        covers,
        events,
        fine,
        pixel_fractions(window.grid.resized(20), shapes, numbers, margin, fine=8),
        make_texture(window.grid, fine.main_object(), angles, options.seed),
        tuple(optical),
        tuple(plan_sky(weather, optical, options.cloudiness, options.errors)),
        tuple(radar),
    )


def previous_pass(flights: tuple[RadarPass, ...], flight: RadarPass) -> RadarPass | None:
    """The pass before on the same relative orbit; None for the first."""
    earlier = [other for other in flights if other.relative_orbit == flight.relative_orbit and other < flight]
    return max(earlier, default=None)
