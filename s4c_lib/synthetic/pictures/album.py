"""All pictures of a season, straight from its options: no product is written or read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from s4c_lib.chart_style import save
from s4c_lib.progress import Progress, silent
from s4c_lib.synthetic.pictures.choice import chosen_parcels
from s4c_lib.synthetic.pictures.crop_charts import backscatter_chart, coherence_chart, leaf_area_chart, ndvi_chart
from s4c_lib.synthetic.pictures.maps import (
    backscatter_sheet,
    classification_picture,
    coherence_sheet,
    month_picture,
    paired_flights,
    parcel_map,
)
from s4c_lib.synthetic.pictures.observations import Gallery, OpticalRecord, RadarRecord, observe_optical, observe_radar
from s4c_lib.synthetic.pictures.parcel_chart import parcel_chart
from s4c_lib.synthetic.whole_folder import whole_folder
from s4c_lib.synthetic.world import SeasonOptions, World, make_world

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Every folder of pictures has it; it is written last.
MARK = "parcel_map.png"
_BYTES = 5_000_000


@dataclass(frozen=True, slots=True)
class Album:
    """What `make_pictures` made: ``files`` in the order of making."""

    root: Path
    files: tuple[str, ...]
    total_bytes: int


def make_pictures(
    target: Path,
    options: SeasonOptions,
    *,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Album:
    """Draw a season into a folder, which appears when all pictures are in it.

    Parameters
    ----------
    target : new or empty.
    overwrite : replace the pictures of an earlier call.
    progress : called with (done, total, what was done last).

    Raises
    ------
    InputError : options that cannot be, or a target that holds other things.
    DiskFullError, StorageError : what the disk says; nothing is kept.
    """
    with whole_folder(target, mark=MARK, overwrite=overwrite, needed_bytes=_BYTES) as folder:
        world = make_world(options)
        chosen = chosen_parcels(world)
        passes, done = len(world.optical) + len(world.radar), 0
        total = passes

        def step(label: str) -> None:
            nonlocal done
            done += 1
            progress(done, total, label)

        optical, gallery = observe_optical(world, list(chosen.values()), step)
        radar = observe_radar(world, list(chosen.values()), step)
        drawings = _drawings(world, chosen, optical, radar, gallery)
        total = passes + len(drawings)
        for name, draw in drawings.items():
            save(draw(), folder / name)
            step(name)
        size = sum((folder / name).stat().st_size for name in drawings)
    return Album(target, tuple(drawings), size)


def _drawings(
    world: World, chosen: dict[str, int], optical: OpticalRecord, radar: RadarRecord, gallery: Gallery
) -> dict[str, Callable[[], Figure]]:
    """What to draw, by file name; the one with `MARK` last."""
    drawings: dict[str, Callable[[], Figure]] = {"crops_lai.png": partial(leaf_area_chart, world)}
    if world.optical:
        drawings["crops_ndvi.png"] = partial(ndvi_chart, world, optical)
    if world.radar:
        drawings["crops_backscatter.png"] = partial(backscatter_chart, world, radar)
        drawings["crops_coherence.png"] = partial(coherence_chart, world, radar)
    for column, (name, parcel) in enumerate(chosen.items()):
        drawings[f"{name}.png"] = partial(parcel_chart, world, parcel, column, optical, radar)
    for month, (number, scene) in sorted(gallery.clearest.items()):
        drawings[f"month_{month:%Y-%m}.png"] = partial(month_picture, world, number, scene)
    pairs = paired_flights(world, gallery)
    if pairs:
        drawings["radar_vv.png"] = partial(backscatter_sheet, world, pairs)
        drawings["radar_coherence.png"] = partial(coherence_sheet, world, pairs)
    if gallery.mixed is not None:
        drawings["classification.png"] = partial(classification_picture, world, *gallery.mixed)
    drawings[MARK] = partial(parcel_map, world)
    return drawings
