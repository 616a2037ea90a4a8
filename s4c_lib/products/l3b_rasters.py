"""The rasters of an L3B product: one walk over the scene in row blocks makes all of them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.products.cog import CogBand, CogProfile, CogWriter, WrittenCog, cog_writer
from s4c_lib.products.l3b_options import L3bOptions
from s4c_lib.products.l3b_plan import L3bPlan, L3bRaster
from s4c_lib.progress import Progress
from s4c_lib.readers.flags import Flag
from s4c_lib.readers.scene import NO_DATA, AngleGrid, Int16
from s4c_lib.vegetation.biophysical import KEPT_FLAGS, Biophysical, Quality
from s4c_lib.vegetation.indices import brightness, normalised_difference

if TYPE_CHECKING:
    from s4c_lib.readers.pixels import ScenePixels

Flags = npt.NDArray[np.uint8]

ROWS: Final = 512
FLAGS_PROFILE: Final = CogProfile("uint8", (CogBand("status flags"),), int(Flag.NO_DATA), "nearest")


def value_profile(raster: L3bRaster) -> CogProfile:
    """How a raster of values is stored."""
    band = CogBand(raster.variable, raster.scale, 0.0, raster.unit)
    return CogProfile("int16", (band,), NO_DATA, "average")


def quality_profile(plan: L3bPlan) -> CogProfile:
    """How the quality bytes are stored: one band for each biophysical variable."""
    bands = tuple(CogBand(f"{network.variable} quality") for network in plan.networks)
    return CogProfile("uint8", bands, None, "nearest")


@dataclass(frozen=True, slots=True, eq=False)
class L3bFiles:
    """What was written: rasters of values by variable, flags, and the quality bytes if there are networks."""

    values: Mapping[str, WrittenCog]
    flags: WrittenCog
    quality: WrittenCog | None

    @property
    def is_empty(self) -> bool:
        """No raster has a value."""
        return not any(raster.statistics[0].count for raster in self.values.values())


def can_have_values(plan: L3bPlan, flags: Flags) -> bool:
    """Whether any pixel may carry a value of any raster, by its flag."""
    return _has_any(flags, _carriers(plan))


def write_rasters(
    pixels: ScenePixels,
    angles: AngleGrid,
    flags: Flags,
    plan: L3bPlan,
    options: L3bOptions,
    folder: Path,
    progress: Progress,
) -> L3bFiles:
    """Write all rasters of a scene to a folder.

    Parameters
    ----------
    flags : uint8 (rows, columns), of the grid of ``pixels``.
    progress : called with (rows done, rows, what is done).

    Raises
    ------
    ProductCorruptError : pixels cannot be read. DiskFullError, StorageError : a file cannot be written.
    """
    grid = pixels.grid
    networks = Biophysical.of(plan.networks, angles, grid) if plan.networks else None
    carriers = _carriers(plan)
    with ExitStack() as opened:
        values = {
            raster.variable: opened.enter_context(
                cog_writer(folder / f"{plan.item_id}_{raster.suffix}.tif", grid, value_profile(raster))
            )
            for raster in plan.rasters
        }
        flag_writer = opened.enter_context(cog_writer(folder / f"{plan.item_id}_FLAGS.tif", grid, FLAGS_PROFILE))
        quality = None
        if plan.networks:
            quality = opened.enter_context(cog_writer(folder / f"{plan.item_id}_QUAL.tif", grid, quality_profile(plan)))
        for first in range(0, grid.rows, ROWS):
            here = flags[first : first + ROWS]
            block = _Block(plan, options, first, here)
            if _has_any(here, carriers):
                reflectance = pixels.rows(plan.bands, first, first + len(here))
                block.write_indices(reflectance, values)
                if networks is not None and quality is not None:
                    block.write_networks(reflectance, networks, values, quality)
            else:  # edge of a swath, closed cloud: nothing to read
                block.write_nothing(grid, values, quality)
            flag_writer.write(first, here)
            progress(first + len(here), grid.rows, plan.item_id)
    return L3bFiles(
        {name: writer.written for name, writer in values.items()},
        flag_writer.written,
        None if quality is None else quality.written,
    )


@dataclass(frozen=True, slots=True)
class _Block:
    plan: L3bPlan
    options: L3bOptions
    first: int
    flags: Flags

    def write_indices(self, reflectance: Int16, values: Mapping[str, CogWriter]) -> None:
        truncate = self.options.output.truncate
        for raster in self.plan.rasters:
            if not raster.bands:
                continue
            one, other = (reflectance[self.plan.bands.index(name)] for name in raster.bands)
            if raster.variable == "brightness":
                made = brightness(one, other, self.flags, truncate=truncate)
            else:
                keep = raster.variable != "ndvi" or self.options.keep_negative_ndvi
                made = normalised_difference(one, other, self.flags, truncate=truncate, keep_negative=keep)
            values[raster.variable].write(self.first, made)

    def write_networks(
        self, reflectance: Int16, networks: Biophysical, values: Mapping[str, CogWriter], quality: CogWriter
    ) -> None:
        made, bytes_ = networks.rows(reflectance, self.plan.bands, self.flags, self.first, self.options.output)
        for network, variable in zip(self.plan.networks, made, strict=True):
            values[network.variable].write(self.first, variable)
        quality.write(self.first, bytes_)

    def write_nothing(self, grid: PixelGrid, values: Mapping[str, CogWriter], quality: CogWriter | None) -> None:
        shape = len(self.flags), grid.columns
        nothing = np.full(shape, NO_DATA, np.int16)
        for writer in values.values():
            writer.write(self.first, nothing)
        if quality is not None:
            quality.write(self.first, np.full((len(self.plan.networks), *shape), Quality.MASKED, np.uint8))


def _carriers(plan: L3bPlan) -> tuple[int, ...]:
    return tuple(int(flag) for flag in KEPT_FLAGS) if plan.networks else (int(Flag.LAND),)


def _has_any(flags: Flags, wanted: tuple[int, ...]) -> bool:
    return any(bool((flags == flag).any()) for flag in wanted)
