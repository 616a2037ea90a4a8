"""Published L2A folders, of layout ``l2a-1``: read from their STAC item alone (`s4c_lib.readers.published_layout`)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from s4c_lib.errors import ProductCorruptError
from s4c_lib.readers import published_layout as layout
from s4c_lib.readers.raster_opening import open_layer, single_thread, unreadable
from s4c_lib.readers.scene import COSINES, AngleGrid, Band, Layer, Mask, MaskKind, MeanGeometry, OpticalScene
from s4c_lib.sources.metadata_files import utc_time
from s4c_lib.sources.product_names import ProductKind

_AGAIN = "publish the product again"


def is_published(path: Path) -> bool:
    """Whether a path is a folder with an item of its own name that states a layout."""
    file = path / layout.item_file(path.name)
    if not file.is_file():
        return False
    item = _item(file)
    return layout.LAYOUT_KEY in _mapping(item, "properties")


def read_published(folder: Path) -> OpticalScene:
    """Read a published product.

    Raises
    ------
    ProductCorruptError : another layout, a field or file that is missing, files that are not what the item says.
    """
    file = folder / layout.item_file(folder.name)
    item = _item(file)
    properties, assets = _mapping(item, "properties"), _mapping(item, "assets")
    if properties.get(layout.LAYOUT_KEY) != layout.LAYOUT:
        raise ProductCorruptError(
            f"{file} is of layout {properties.get(layout.LAYOUT_KEY)}, not {layout.LAYOUT}", hint=_AGAIN
        )
    try:
        return _scene(folder, properties, assets)
    except KeyError as error:
        raise ProductCorruptError(f"{file} has no {error}", hint=_AGAIN) from error
    except (TypeError, ValueError, AttributeError) as error:
        if isinstance(error, ProductCorruptError):
            raise
        raise ProductCorruptError(f"{file} has an unusable value: {error}", hint=_AGAIN) from error


def _scene(folder: Path, properties: Mapping[str, Any], assets: Mapping[str, Any]) -> OpticalScene:
    bands = {}
    for key in properties[layout.BANDS]:
        asset = assets[key]
        bands[key] = Band(
            key,
            _layer(folder, asset),
            float(asset["raster:scale"]),
            float(asset["raster:offset"]),
            int(asset["nodata"]),
        )
    masks = {key: _layer(folder, assets[key]) for key in properties[layout.MASKS]}
    grid = layout.grid_of(properties[layout.GRID])
    return OpticalScene(
        name=folder.name,
        kind=ProductKind(properties[layout.KIND]),
        platform=str(properties[layout.PLATFORM]),
        tile=str(properties[layout.TILE]),
        sensing_time=_time(properties[layout.TIME]),
        relative_orbit=properties.get(layout.ORBIT),
        direction=properties.get(layout.DIRECTION),
        baseline=properties.get(layout.BASELINE),
        grid=grid,
        bands=bands,
        mask=Mask(MaskKind(properties[layout.MASK_KIND]), masks),
        angles=_angles(folder, properties[layout.ANGLE_GRID], assets[layout.ANGLES], grid.epsg),
        metadata_files=tuple(str(_inside(folder, file)) for file in properties[layout.METADATA_FILES]),
        quality={key: float(value) for key, value in properties[layout.QUALITY].items()},
        properties=dict(properties[layout.SOURCE_PROPERTIES]),
    )


def _layer(folder: Path, asset: Mapping[str, Any]) -> Layer:
    file = _inside(folder, asset["href"])
    if not file.is_file():
        raise ProductCorruptError(f"{file} is missing", hint=_AGAIN)
    return Layer(str(file), layout.grid_of(asset))


def _angles(folder: Path, fields: Mapping[str, Any], asset: Mapping[str, Any], epsg: int) -> AngleGrid:
    from rasterio.errors import RasterioError

    mean = MeanGeometry(*(float(fields[key]) for key in ("sun_zenith", "sun_azimuth", "view_zenith", "view_azimuth")))
    west, north, step = (float(fields[key]) for key in ("west", "north", "step"))
    rows, columns = asset["proj:shape"]
    empty = np.empty((int(rows), int(columns)), dtype=np.float32)
    grid = layout.angle_raster_grid(AngleGrid(west, north, step, empty, empty, empty, mean), epsg)
    path = str(_inside(folder, asset["href"]))
    with single_thread(), open_layer(Layer(path, grid, len(COSINES))) as raster:
        try:
            nodes = raster.read([1, 2, 3], out_dtype="float32")
        except RasterioError as error:
            raise unreadable(path, error) from error
    if not np.isfinite(nodes).all():
        raise ProductCorruptError(f"{path} has nodes without angles", hint=_AGAIN)
    return AngleGrid(west, north, step, nodes[0], nodes[1], nodes[2], mean)


def _inside(folder: Path, href: str) -> Path:
    relative = PurePosixPath(href)
    if relative.is_absolute() or ".." in relative.parts or "://" in href:
        raise ValueError(f"'{href}' lies outside the product's folder")
    return folder / relative


def _time(written: str) -> datetime:
    moment = utc_time(written)
    if moment is None:
        raise ValueError(f"'{written}' is no time")
    return moment


def _item(file: Path) -> Mapping[str, Any]:
    try:
        item = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise ProductCorruptError(f"cannot read {file}: {error}", hint=_AGAIN) from error
    return item if isinstance(item, dict) else {}


def _mapping(item: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = item.get(key)
    return value if isinstance(value, dict) else {}
