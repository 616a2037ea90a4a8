"""What a season wants: which variables of which products, on which grid, and how rows are made (B8, B10, B11, B14)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from s4c_lib.processors import variables_read
from s4c_lib.statistics.observation_table import BANDS, FURTHER_INDICES, OPTICAL_INDICES
from s4c_lib.statistics.parcel_statistics import ParcelStatistics, only, rows_to_keep
from s4c_lib.vegetation.networks import MODEL_SET_PIXEL

L3B: Final = "l3b"
L2A: Final = "l2a"
AMPLITUDE: Final = "s1_l2a_amp"
COHERENCE: Final = "s1_l2a_cohe"
PRODUCT_TYPES: Final = (L3B, L2A, AMPLITUDE, COHERENCE)
FAMILIES: Final[Mapping[str, str]] = {L3B: "l3b", L2A: "l2a", AMPLITUDE: "s1amp", COHERENCE: "s1coh"}

_PREFIX: Final = "processor.s4c_mdb1"
_FINE: Final = 10
_COARSE: Final = 20
_LANDSAT: Final = 30
# Sampled on the finer grid: b11 is, too, as L4A joins it with the others pixel by pixel.
_FINE_BANDS: Final = ("b02", "b03", "b04", "b08", "b11")
_OF_BANDS: Final = ("ndwi", "brightness_l4a")


@dataclass(frozen=True, slots=True)
class WantedVariable:
    """A variable to extract.

    Parameters
    ----------
    family : folder of the store. pixel : of the grid, metres. buffer_m : taken off the parcels, metres.
    """

    variable: str
    family: str
    pixel: int
    buffer_m: float


@dataclass(frozen=True, slots=True)
class StatisticsOptions:
    """How statistics are made: parameters ``processor.s4c_mdb1.*``.

    Parameters
    ----------
    extremes : minimum and maximum are kept. quartiles : which of ``p25``, ``p50``, ``p75`` are.
    zero_is_no_data : in optical rasters too.
    min_pixels, min_valid_share : of `rows_to_keep`.
    buffer_10m, buffer_20m : taken off the parcels on grids of that pixel, metres.
    """

    extremes: bool
    quartiles: tuple[str, ...]
    zero_is_no_data: bool
    min_pixels: int
    min_valid_share: float
    buffer_10m: float
    buffer_20m: float

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> StatisticsOptions:
        """Read them from resolved parameters."""
        keys = {"p25": "p25_enabled", "p50": "median_enabled", "p75": "p75_enabled"}
        return cls(
            extremes=bool(parameters[f"{_PREFIX}.minmax_enabled"]),
            quartiles=tuple(name for name, key in keys.items() if parameters[f"{_PREFIX}.{key}"]),
            zero_is_no_data=parameters[f"{_PREFIX}.zero_is_nodata"] == "all",
            min_pixels=int(parameters[f"{_PREFIX}.min_pixels"]),
            min_valid_share=float(parameters[f"{_PREFIX}.min_valid_share"]),
            buffer_10m=float(parameters[f"{_PREFIX}.buffer_10m"]),
            buffer_20m=float(parameters[f"{_PREFIX}.buffer_20m"]),
        )

    def on_grid(self, wanted: WantedVariable, pixel: float) -> WantedVariable:
        """The variable on the grid its raster has; the buffer is that of the grid, whatever the parameters expect."""
        return replace(wanted, pixel=round(pixel), buffer_m=self.buffer_on(pixel))

    def buffer_on(self, pixel: float) -> float:
        """Metres taken off parcels on a grid; in proportion to the pixel where no parameter names it."""
        return self.buffer_10m if pixel <= _FINE else self.buffer_20m * pixel / _COARSE

    def kept(self, statistics: ParcelStatistics) -> ParcelStatistics:
        """The rows and columns that are written."""
        rows = rows_to_keep(statistics, self.min_pixels, self.min_valid_share)
        return only(rows, extremes=self.extremes, quartiles=self.quartiles)


def wanted_variables(
    parameters: Mapping[str, Any], processors: Collection[str], product_type: str, platform: str
) -> tuple[WantedVariable, ...]:
    """Variables of a product that a season wants, in the order of the table of variables.

    Of L2A only Sentinel-2 is wanted (Landsat's bands are others), for L4A mostly; of L3B what is made and switched on.
    Landsat is counted on its 30 m grid, with a buffer of half a pixel as for the others (1.5 x that of 20 m).

    Parameters
    ----------
    parameters : resolved, by key. processors : that are enabled, such as ``s4c_l4a``.
    product_type : one of `PRODUCT_TYPES`; others have no statistics.
    platform : ``sentinel-2a`` ... ``landsat-9``.
    """
    landsat = platform.startswith("landsat")
    if product_type == L3B:
        of_set = MODEL_SET_PIXEL.get(str(parameters["processor.l3b.model_set"]))
        pixel = _LANDSAT if landsat else of_set or int(parameters["processor.l3b.resolution"])
        chosen = [(name, pixel) for name in _l3b_variables(parameters, processors)]
    elif product_type == L2A and not landsat:
        chosen = [(name, _grid_of(name)) for name in _l2a_variables(parameters, processors)]
    elif product_type == AMPLITUDE and parameters[f"{_PREFIX}.amp_enabled"]:
        chosen = [(name, int(parameters["processor.l2s1.pixel.spacing"])) for name in ("vv", "vh")]
    elif product_type == COHERENCE and parameters[f"{_PREFIX}.cohe_enabled"]:
        pixel = int(parameters["processor.l2s1.pixel.spacing"])
        chosen = [(name, pixel) for name in ("coherence_vv", "coherence_vh")]
    else:
        chosen = []
    family = FAMILIES.get(product_type, "")
    buffer_on = StatisticsOptions.of(parameters).buffer_on
    return tuple(WantedVariable(name, family, pixel, buffer_on(pixel)) for name, pixel in chosen)


def _l3b_variables(parameters: Mapping[str, Any], processors: Collection[str]) -> list[str]:
    def made(name: str) -> bool:
        return bool(parameters[f"processor.l3b.filter.produce_{name}"])

    # NDWI per pixel from L2A bands would be there twice.
    from_l2a = _l2a_variables(parameters, processors)
    return [name for name in OPTICAL_INDICES if made(name) and parameters[f"{_PREFIX}.{name}_enabled"]] + [
        name for name in FURTHER_INDICES if made(name) and name not in from_l2a
    ]


def _l2a_variables(parameters: Mapping[str, Any], processors: Collection[str]) -> list[str]:
    wanted = {name for name in BANDS if parameters[f"{_PREFIX}.l2a{name}_enabled"]}
    for processor in processors:
        wanted.update(variables_read(processor, parameters).all)
    return [name for name in (*BANDS, *_OF_BANDS) if name in wanted]


def _grid_of(variable: str) -> int:
    return _FINE if variable in (*_FINE_BANDS, *_OF_BANDS) else _COARSE
