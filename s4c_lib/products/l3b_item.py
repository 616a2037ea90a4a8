"""The STAC item of an L3B product (l3b-and-markers.md 2.4)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from shapely.geometry.base import BaseGeometry

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.products.cog import CogProfile, WrittenCog
from s4c_lib.products.l3b_options import L3bOptions
from s4c_lib.products.l3b_plan import L3bPlan
from s4c_lib.products.l3b_rasters import FLAGS_PROFILE, L3bFiles, quality_profile, value_profile
from s4c_lib.products.stac import (
    ItemAsset,
    ItemDescription,
    build_item,
    cog_asset,
    flag_classes,
    grid_fields,
    item_document,
    percentage_fields,
    view_fields,
)
from s4c_lib.readers.published_layout import item_file
from s4c_lib.readers.scene import OpticalScene
from s4c_lib.vegetation.biophysical import Quality

# Changes when the same input and options give other numbers; stamped into every item.
ALGORITHM: Final = 1
SOFTWARE: Final = "sen4cap-airflow"

_BITS: Final = (
    (0, "input_out_of_domain", "a reflectance lies outside the box the network was made for"),
    (1, "raised_to_minimum", "the value was below the valid range and is its minimum"),
    (2, "lowered_to_maximum", "the value was above the valid range and is its maximum"),
    (3, "below_tolerance", "the network gave less than the minimum minus the tolerance"),
    (4, "above_tolerance", "the network gave more than the maximum plus the tolerance"),
    (7, "masked", "no value: cloud, shadow, snow or no data"),
)


def l3b_item(
    scene: OpticalScene,
    plan: L3bPlan,
    options: L3bOptions,
    grid: PixelGrid,
    files: L3bFiles | None,
    thumbnail: ItemAsset | None,
    footprint: BaseGeometry,
    percentages: Mapping[str, float],
    *,
    site: str,
    folder: Path,
    now: datetime,
) -> dict[str, Any]:
    """Describe a product as STAC item, JSON values.

    Parameters
    ----------
    files : None for a product without any valid pixel.
    footprint : of the observed pixels, WGS 84. percentages : of the flags.
    folder : where the product will be; sources are named relative to it.
    """
    described = ItemDescription(
        id=plan.item_id,
        collection=f"s4c-l3b-{site}",
        geometry=footprint,
        time=scene.sensing_time,
        platform=scene.platform,
        tile=scene.tile,
        grid=grid,
        level="L3",
        software={SOFTWARE: version(SOFTWARE)},
        assets={} if files is None else _assets(plan, options, grid, files, thumbnail),
        lineage=_lineage(scene, plan),
        properties=_properties(scene, plan, options, percentages, is_empty=files is None),
        derived_from=[_address(source, folder) for source in _sources(scene)],
        created=now,
    )
    return item_document(build_item(described))


def _properties(
    scene: OpticalScene, plan: L3bPlan, options: L3bOptions, percentages: Mapping[str, float], *, is_empty: bool
) -> dict[str, Any]:
    properties: dict[str, Any] = {
        **view_fields(scene.angles.mean),
        **percentage_fields(percentages),
        "eo:cloud_cover": round(percentages["cloud"], 4),
        "s4c:status": "empty" if is_empty else "active",
        "s4c:algorithm": ALGORITHM,
        "s4c:l2a": scene.name,
        "s4c:l2a_kind": str(scene.kind),
        "s4c:profile": options.profile,
        "s4c:config_hash": options.config_hash,
    }
    if plan.networks:
        properties |= {"s4c:model_set": options.model_set, "s4c:models": list(plan.models)}
        sensors = plan.networks[0].sensors
        if plan.platform not in sensors:
            properties["s4c:model_trained_for"] = list(sensors)
    if scene.relative_orbit is not None:
        properties["sat:relative_orbit"] = scene.relative_orbit
    if scene.direction is not None:
        properties["sat:orbit_state"] = scene.direction
    if scene.baseline is not None:
        properties["s4c:baseline"] = scene.baseline
    return properties


def _lineage(scene: OpticalScene, plan: L3bPlan) -> str:
    made = ", ".join(raster.suffix for raster in plan.rasters)
    text = f"{made} of {scene.name}"
    if plan.networks:
        text += f"; networks {', '.join(plan.models)}"
        if plan.platform not in plan.networks[0].sensors:
            text += f", trained for {', '.join(plan.networks[0].sensors)}: {plan.platform} has none of its own"
    return text


def _assets(
    plan: L3bPlan, options: L3bOptions, grid: PixelGrid, files: L3bFiles, thumbnail: ItemAsset | None
) -> dict[str, ItemAsset]:
    assets = {
        raster.variable: _raster_asset(files.values[raster.variable], value_profile(raster), raster.title, grid)
        for raster in plan.rasters
    }
    assets["flags"] = cog_asset(
        files.flags,
        FLAGS_PROFILE,
        title="Status of each pixel",
        roles=("data-mask",),
        fields={**grid_fields(grid), "classification:classes": flag_classes()},
    )
    if files.quality is not None:
        bits = [
            _bitfield(*bit) for bit in _BITS if options.in_domain_flags or 1 << bit[0] != Quality.INPUT_OUT_OF_DOMAIN
        ]
        assets["quality"] = cog_asset(
            files.quality,
            quality_profile(plan),
            title="Quality of each variable",
            roles=("metadata",),
            fields={**grid_fields(grid), "classification:bitfields": bits},
        )
    if thumbnail is not None:
        assets["thumbnail"] = thumbnail
    return assets


def _raster_asset(written: WrittenCog, profile: CogProfile, title: str, grid: PixelGrid) -> ItemAsset:
    return cog_asset(written, profile, title=title, fields=grid_fields(grid))


def _bitfield(offset: int, name: str, description: str) -> dict[str, Any]:
    return {
        "name": name,
        "description": description,
        "offset": offset,
        "length": 1,
        "classes": [{"value": 0, "name": "no"}, {"value": 1, "name": "yes"}],
    }


def _sources(scene: OpticalScene) -> list[str]:
    """The item of a published L2A, which lies beside its bands; else the metadata document it was read from."""
    items = {Path(band.layer.path).parent / item_file(scene.name) for band in scene.bands.values()}
    return sorted(str(item) for item in items if item.is_file()) or list(scene.metadata_files[:1])


def _address(source: str, folder: Path) -> str:
    """A file beside the archive by its way from the product, so that both can move; else as it is opened."""
    path = Path(source)
    return Path(os.path.relpath(path, folder)).as_posix() if path.is_file() else source
