"""Made-up MUSCATE and Landsat products."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
from pyproj import Transformer

from s4c_lib.geography.sentinel2_tiles import Sentinel2Tile
from s4c_lib.geography.sentinel2_tiles import tile as tile_of
from s4c_lib.synthetic.archive_files import Files
from s4c_lib.synthetic.archive_rasters import PIXELS, placed_raster, smooth_field
from s4c_lib.synthetic.archive_sentinel2 import Datatake, TileImages
from s4c_lib.synthetic.products import muscate
from s4c_lib.synthetic.products.muscate_metadata import GROUP_METRES
from s4c_lib.synthetic.products.raster_files import geotiff

# A Landsat product serves whole tiles: it spans one, with coarse pixels.
_LANDSAT_PIXELS, _LANDSAT_PIXEL_M = 62, 1800


def muscate_name(take: Datatake, tile: str) -> str:
    """Folder name of a MUSCATE product."""
    return muscate.muscate_name(take.flight, tile_of(tile))


def muscate_files(take: Datatake, images: TileImages, state: int) -> Files:
    """Files of a MUSCATE product with flat reflectances (FRE) and masks."""
    grids = {group: images.grids[metres] for group, metres in GROUP_METRES.items()}
    reflectances, masks = {}, {}
    for group, metres in GROUP_METRES.items():
        for band in muscate.GROUPS[group]:
            numbers = muscate.reflectance_numbers(images.reflectance(band, metres))
            reflectances["FRE", band] = geotiff(numbers, grids[group], nodata=muscate.NO_DATA)
        cloud = np.kron(images.cloud_mask(state), np.ones((PIXELS[metres] // PIXELS[20],) * 2)).astype(np.uint8)
        for mask, values in (("CLM", cloud * 2), ("MG2", cloud * 2), ("EDG", cloud * 0), ("SAT", cloud * 0)):
            masks[mask, group] = geotiff(values, grids[group])
    encoded = muscate.MuscateImages(grids, reflectances, masks, {}, images.class_pct(state, 8, 9, 10), 0.0)
    return muscate.named_files(take.flight, images.tile, encoded, view_grids=False)[1]


def landsat_name(day: date, path_row: str) -> str:
    """Name of a Landsat 8 Collection 2 level-2 product."""
    return f"LC08_L2SP_{path_row}_{day:%Y%m%d}_{day + timedelta(days=8):%Y%m%d}_02_T1"


def landsat_files(day: date, path_row: str, tile: Sentinel2Tile, seed: int) -> Files:
    """Files of a Landsat product over a tile, on Landsat's own grid (15 m beside Sentinel-2's)."""
    name = landsat_name(day, path_row)
    rng = np.random.default_rng(seed)
    field = smooth_field(rng, _LANDSAT_PIXELS)
    corner = (tile.ulx - 15, tile.uly + 15)
    pixel = _LANDSAT_PIXEL_M
    layers: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.uint16]]] = {
        f"SR_B{band}": np.round((0.05 * band * field + 0.2) / 0.0000275).astype(np.uint16) for band in range(1, 8)
    }
    layers["QA_PIXEL"] = np.full(field.shape, 21824, dtype=np.uint16)
    layers["QA_RADSAT"] = np.zeros(field.shape, dtype=np.uint16)
    files = {
        f"{name}_{layer}.TIF": placed_raster(
            values, driver="GTiff", epsg=tile.epsg, corner=corner, pixel=pixel, nodata=0 if "SR" in layer else None
        )
        for layer, values in layers.items()
    }
    groups = _landsat_metadata(name, day, path_row, tile, corner, pixel)
    files[f"{name}_MTL.xml"] = _mtl_xml(groups)
    files[f"{name}_MTL.txt"] = _mtl_text(groups)
    return files


def _landsat_metadata(
    name: str, day: date, path_row: str, tile: Sentinel2Tile, corner: tuple[float, float], pixel: int
) -> dict[str, dict[str, str]]:
    to_lonlat = Transformer.from_crs(tile.epsg, 4326, always_xy=True)
    size = pixel * _LANDSAT_PIXELS
    corners = {
        "UL": corner,
        "UR": (corner[0] + size, corner[1]),
        "LL": (corner[0], corner[1] - size),
        "LR": (corner[0] + size, corner[1] - size),
    }
    places: dict[str, str] = {"DATUM": "WGS84", "UTM_ZONE": str(tile.epsg % 100)}
    for key, (x, y) in corners.items():
        lon, lat = to_lonlat.transform(x, y)
        places[f"CORNER_{key}_LAT_PRODUCT"] = f"{lat:.5f}"
        places[f"CORNER_{key}_LON_PRODUCT"] = f"{lon:.5f}"
    places |= {
        # of the centre of the first pixel
        "CORNER_UL_PROJECTION_X_PRODUCT": f"{corner[0] + pixel / 2:.3f}",
        "CORNER_UL_PROJECTION_Y_PRODUCT": f"{corner[1] - pixel / 2:.3f}",
        "GRID_CELL_SIZE_REFLECTIVE": f"{pixel:.2f}",
        "REFLECTIVE_LINES": str(_LANDSAT_PIXELS),
        "REFLECTIVE_SAMPLES": str(_LANDSAT_PIXELS),
    }
    contents = {f"FILE_NAME_BAND_{band}": f"{name}_SR_B{band}.TIF" for band in range(1, 8)}
    processed = datetime.combine(day + timedelta(days=8), datetime.min.time())
    return {
        "PRODUCT_CONTENTS": {
            "LANDSAT_PRODUCT_ID": name,
            "PROCESSING_LEVEL": "L2SP",
            "COLLECTION_NUMBER": "02",
            "COLLECTION_CATEGORY": "T1",
            **contents,
            "FILE_NAME_QUALITY_L1_PIXEL": f"{name}_QA_PIXEL.TIF",
            "FILE_NAME_QUALITY_L1_RADIOMETRIC_SATURATION": f"{name}_QA_RADSAT.TIF",
        },
        "IMAGE_ATTRIBUTES": {
            "SPACECRAFT_ID": "LANDSAT_8",
            "WRS_PATH": str(int(path_row[:3])),
            "WRS_ROW": str(int(path_row[3:])),
            "DATE_ACQUIRED": day.isoformat(),
            "SCENE_CENTER_TIME": "10:32:11.1234560Z",
            "CLOUD_COVER": "12.50",
            "SUN_AZIMUTH": "152.40",
            "SUN_ELEVATION": "51.30",
        },
        "PROJECTION_ATTRIBUTES": places,
        "LEVEL2_PROCESSING_RECORD": {"DATE_PRODUCT_GENERATED": f"{processed:%Y-%m-%dT%H:%M:%S}Z"},
        "LEVEL2_SURFACE_REFLECTANCE_PARAMETERS": {
            **{f"REFLECTANCE_MULT_BAND_{band}": "2.75e-05" for band in range(1, 8)},
            **{f"REFLECTANCE_ADD_BAND_{band}": "-0.2" for band in range(1, 8)},
        },
    }


def _mtl_xml(groups: dict[str, dict[str, str]]) -> bytes:
    rows = "".join(
        f"  <{group}>\n{''.join(f'    <{key}>{value}</{key}>{chr(10)}' for key, value in values.items())}  </{group}>\n"
        for group, values in groups.items()
    )
    return f"<LANDSAT_METADATA_FILE>\n{rows}</LANDSAT_METADATA_FILE>\n".encode()


def _mtl_text(groups: dict[str, dict[str, str]]) -> bytes:
    lines = ["GROUP = LANDSAT_METADATA_FILE"]
    for group, values in groups.items():
        lines.append(f"  GROUP = {group}")
        for key, value in values.items():
            written = value if value.replace(".", "", 1).replace("-", "").isdigit() else f'"{value}"'
            lines.append(f"    {key} = {written}")
        lines.append(f"  END_GROUP = {group}")
    return ("\n".join([*lines, "END_GROUP = LANDSAT_METADATA_FILE", "END"]) + "\n").encode()
