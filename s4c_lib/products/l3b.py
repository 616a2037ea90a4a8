"""L3B: vegetation indices and biophysical variables of one acquisition and tile, as rasters with a STAC item.

Spec: l3b-and-markers.md 1, 2.3 and 2.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from shapely.geometry.base import BaseGeometry

from s4c_lib.geography.footprint import footprint_of
from s4c_lib.products.l3b_item import l3b_item
from s4c_lib.products.l3b_options import L3bOptions
from s4c_lib.products.l3b_plan import L3bPlan, item_folder, plan_l3b
from s4c_lib.products.l3b_rasters import Flags, L3bFiles, can_have_values, write_rasters
from s4c_lib.products.replaced_folder import replaced_folder
from s4c_lib.products.stac import ItemAsset, file_asset, write_item
from s4c_lib.products.thumbnail import write_thumbnail
from s4c_lib.progress import Progress, silent
from s4c_lib.readers.flags import Flag, flag_shares
from s4c_lib.readers.pixels import open_pixels
from s4c_lib.readers.scene import OpticalScene

__all__ = ["L3bOptions", "L3bProduct", "make_l3b"]


@dataclass(frozen=True, slots=True)
class L3bProduct:
    """A product that was written.

    Parameters
    ----------
    folder : it is in, named as ``item_id``.
    status : ``empty`` where no pixel of any raster has a value: the folder then holds the item alone.
    rasters : by variable (``ndvi``, ``lai``, ...). flags : status flags of each pixel.
    footprint : of the observed pixels, longitude and latitude.
    percentages : of all pixels, by flag: valid, water, shadow, snow, cloud, saturated, nodata.
    files : path within ``folder``, bytes and SHA-256 of each.
    item : the STAC item.
    """

    item_id: str
    folder: Path
    status: Literal["active", "empty"]
    rasters: Mapping[str, Path]
    flags: Path | None
    footprint: BaseGeometry
    percentages: Mapping[str, float]
    files: tuple[tuple[str, int, str], ...]
    item: dict[str, Any]


def make_l3b(
    scene: OpticalScene,
    folder: Path,
    options: L3bOptions,
    *,
    site: str,
    now: datetime,
    progress: Progress = silent,
) -> L3bProduct:
    """Make the vegetation product of a scene in ``{folder}/{year}/{month}/{item_id}``.

    The folder appears when it is complete; a product of this name that is there already is replaced in one step. Same
    scene, options and ``now``: same bytes.

    Parameters
    ----------
    folder : of the site's L3B products. site : its short name.
    now : time of the making, UTC. progress : called with (rows done, rows, item).

    Raises
    ------
    InputError : the options do not fit the scene (`Reason.CONFIG`).
    ProductCorruptError : a band is missing, unreadable, or not what the metadata say.
    DiskFullError, StorageError : the product cannot be written; nothing of it is left.
    """
    plan = plan_l3b(scene, options)
    target = item_folder(folder, scene, plan.item_id)
    with open_pixels(scene, plan.pixel, options.rules) as pixels:
        grid = pixels.grid
        flags = pixels.flags()
        percentages = _percentages(flags)
        observed = footprint_of(flags != Flag.NO_DATA, grid)
        with replaced_folder(target) as unfinished:
            files = None
            if can_have_values(plan, flags):
                files = write_rasters(pixels, scene.angles, flags, plan, options, unfinished, progress)
            if files is not None and files.is_empty:
                _remove(files)
                files = None
            thumbnail = None if files is None else _thumbnail(files, plan, unfinished)
            item = l3b_item(
                scene, plan, options, grid, files, thumbnail, observed, percentages, site=site, folder=target, now=now
            )
            document = unfinished / f"{plan.item_id}.json"
            write_item(item, document)
            described = file_asset(document, "STAC item", ("metadata",))
    progress(grid.rows, grid.rows, plan.item_id)
    return L3bProduct(
        item_id=plan.item_id,
        folder=target,
        status="empty" if files is None else "active",
        rasters={} if files is None else {name: target / raster.path.name for name, raster in files.values.items()},
        flags=None if files is None else target / files.flags.path.name,
        footprint=observed,
        percentages=percentages,
        files=_files(files, thumbnail, described),
        item=item,
    )


def _percentages(flags: Flags) -> dict[str, float]:
    shares = flag_shares(flags)
    names = {"land": "valid", "no_data": "nodata"}
    return {names.get(name, name): share for name, share in shares.items()}


def _thumbnail(files: L3bFiles, plan: L3bPlan, folder: Path) -> ItemAsset:
    # NDVI where it is made: its colours are those that users know.
    path = folder / f"{plan.item_id}_thumb.webp"
    write_thumbnail(next(iter(files.values.values())).path, path)
    return file_asset(path, "Preview", ("thumbnail",))


def _remove(files: L3bFiles) -> None:
    for raster in (*files.values.values(), files.flags, *filter(None, [files.quality])):
        raster.path.unlink()


def _files(
    files: L3bFiles | None, thumbnail: ItemAsset | None, described: ItemAsset
) -> tuple[tuple[str, int, str], ...]:
    rasters = [] if files is None else [*files.values.values(), files.flags, *filter(None, [files.quality])]
    written = [(raster.path.name, raster.size, raster.sha256) for raster in rasters]
    written += [(asset.href, asset.size, asset.sha256) for asset in (thumbnail, described) if asset is not None]
    return tuple(sorted(written))
