"""STAC items: valid by the core schemas, with the fields of the pinned extensions, the same bytes on every run."""

from __future__ import annotations

import dataclasses
import math
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import shapely
from jsonschema import Draft7Validator
from pystac.validation.local_validator import get_local_schema_cache
from referencing import Registry, Resource

from s4c_lib.errors import InputError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.products.cog import CogBand, CogProfile, write_cog
from s4c_lib.products.stac import (
    EXTENSIONS,
    ItemAsset,
    ItemDescription,
    build_item,
    cog_asset,
    flag_classes,
    flag_percentages,
    grid_fields,
    item_bytes,
    item_document,
    multihash,
    percentage_fields,
    view_fields,
    write_item,
)
from s4c_lib.readers.scene import MeanGeometry

GRID = PixelGrid(32631, 600_000, 5_700_000, 10, 30, 40)
NDVI = CogProfile("int16", (CogBand("ndvi", 0.001, 0.0, "1"),), -10000, "average")
FLAGS = CogProfile("uint8", (CogBand("flags"),), 255, "nearest")
QUALITY = CogProfile("uint8", (CogBand("lai"), CogBand("fapar")), None, "nearest")

# What §2.4 asks for, with the type the extension's text gives it: the schemas themselves are not at hand offline.
PROPERTIES: dict[str, Any] = {
    "datetime": str,
    "created": str,
    "updated": str,
    "platform": str,
    "constellation": str,
    "instruments": list,
    "gsd": (int, float),
    "eo:cloud_cover": (int, float),
    "proj:code": str,
    "proj:shape": list,
    "proj:transform": list,
    "proj:bbox": list,
    "grid:code": str,
    "processing:level": str,
    "processing:software": dict,
    "processing:lineage": str,
    "view:sun_elevation": (int, float),
    "view:sun_azimuth": (int, float),
    "view:off_nadir": (int, float),
    "view:azimuth": (int, float),
    **{
        f"s4c:{name}_percentage": (int, float)
        for name in ("valid", "cloud", "shadow", "snow", "water", "saturated", "nodata")
    },
}


def description(folder: Path, **changes: Any) -> ItemDescription:
    values = np.arange(1200, dtype=np.int16).reshape(30, 40)
    values[:3] = -10000
    flags = np.zeros(GRID.shape, np.uint8)
    flags[:3], flags[3:6], flags[6:7] = 255, 4, 1
    ndvi = write_cog(folder / "ndvi.tif", values, GRID, NDVI)
    mask = write_cog(folder / "flags.tif", flags, GRID, FLAGS)
    quality = write_cog(folder / "quality.tif", np.zeros((2, *GRID.shape), np.uint8), GRID, QUALITY)
    bits = [{"name": "raised", "offset": 1, "length": 1, "classes": [{"value": 0}, {"value": 1}]}]
    described = ItemDescription(
        id="S4C_L3B_S2A_20220603T105031_T31UFS_0011aabb",
        collection="s4c-l3b-test",
        geometry=shapely.box(4.4, 51.4, 4.5, 51.5),
        time=datetime(2022, 6, 3, 10, 50, 31, tzinfo=UTC),
        platform="sentinel-2a",
        tile="31UFS",
        grid=GRID,
        level="L3",
        software={"sen4cap": "2.0"},
        assets={
            "ndvi": cog_asset(ndvi, NDVI, title="NDVI", fields=grid_fields(GRID)),
            "flags": cog_asset(
                mask, FLAGS, title="Flags", roles=("data-mask",), fields={"classification:classes": flag_classes()}
            ),
            "quality": cog_asset(
                quality,
                QUALITY,
                title="Quality",
                roles=("metadata",),
                band_fields=[{"classification:bitfields": bits}, {"classification:bitfields": bits}],
            ),
            "thumbnail": ItemAsset("thumb.webp", 10, "ab" * 32, "Thumbnail", ("thumbnail",)),
        },
        lineage="from S2A_MSIL2A",
        properties={
            **view_fields(MeanGeometry(30.0, 150.0, 8.0, 287.0)),
            **percentage_fields(flag_percentages(flags)),
            "eo:cloud_cover": 10.0,
        },
        derived_from=("../l2a/item.json",),
        created=datetime(2022, 6, 4, 12, tzinfo=UTC),
    )
    return dataclasses.replace(described, **changes)


def validator() -> Any:
    """The item schema of STAC 1.1 that comes with pystac: no network."""
    schemas = get_local_schema_cache()
    registry = Registry().with_resources([(name, Resource.from_contents(content)) for name, content in schemas.items()])
    (item,) = [content for name, content in schemas.items() if name.endswith("item.json")]
    return Draft7Validator(item, registry=registry)


def test_a17_item_is_valid_by_the_schemas_of_stac_1_1(tmp_path: Path) -> None:
    document = item_document(build_item(description(tmp_path)))
    assert document["stac_version"] == "1.1.0"
    errors = list(validator().iter_errors(document))
    assert not errors, errors
    broken = {**document, "properties": {**document["properties"], "datetime": 5}}
    assert list(validator().iter_errors(broken))  # the check can fail


def test_a17_fields_of_the_pinned_extensions(tmp_path: Path) -> None:
    document = item_document(build_item(description(tmp_path)))
    for name, kind in PROPERTIES.items():
        assert isinstance(document["properties"][name], kind), name
    wanted = {"classification", "eo", "file", "grid", "processing", "proj", "raster", "view"}
    assert document["stac_extensions"] == sorted(EXTENSIONS[name] for name in wanted)
    properties = document["properties"]
    assert properties["proj:code"] == "EPSG:32631"
    assert properties["proj:shape"] == [30, 40]
    assert properties["proj:transform"] == [10, 0, 600_000, 0, -10, 5_700_000]
    assert properties["proj:bbox"] == [600_000, 5_699_700, 600_400, 5_700_000]
    assert properties["grid:code"] == "MGRS-31UFS"
    assert (properties["view:sun_elevation"], properties["view:off_nadir"]) == (60, 8)
    assert (properties["constellation"], properties["instruments"]) == ("sentinel-2", ["msi"])
    assert {link["rel"]: link["href"] for link in document["links"]}["derived_from"] == "../l2a/item.json"


def test_assets_say_type_scale_statistics_size_and_checksum(tmp_path: Path) -> None:
    import hashlib

    assets = item_document(build_item(description(tmp_path)))["assets"]
    content = (tmp_path / "ndvi.tif").read_bytes()
    ndvi = assets["ndvi"]
    assert ndvi["file:size"] == len(content)
    assert ndvi["file:checksum"] == f"1220{hashlib.sha256(content).hexdigest()}" == multihash(ndvi["file:checksum"][4:])
    assert ndvi["type"] == "image/tiff; application=geotiff; profile=cloud-optimized"
    (band,) = ndvi["bands"]
    statistics = band.pop("statistics")
    assert band == {"name": "ndvi", "data_type": "int16", "nodata": -10000, "raster:scale": 0.001, "unit": "1"} | {
        "raster:offset": 0.0
    }
    valid = np.arange(120, 1200)
    assert statistics == {
        "minimum": 120,
        "maximum": 1199,
        "mean": pytest.approx(valid.mean()),
        "stddev": pytest.approx(valid.std()),
        "valid_percent": pytest.approx(90),
        "count": 1080,
    }
    assert [entry["value"] for entry in assets["flags"]["classification:classes"]] == [0, 1, 2, 3, 4, 5, 255]
    assert [band["name"] for band in assets["quality"]["bands"]] == ["lai", "fapar"]
    assert assets["quality"]["bands"][0]["classification:bitfields"][0]["offset"] == 1
    assert assets["thumbnail"]["type"] == "image/webp"


def test_percentages_add_up(tmp_path: Path) -> None:
    flags = np.random.default_rng(1).choice(np.array([0, 1, 2, 3, 4, 5, 255], np.uint8), (77, 91))
    fields = percentage_fields(flag_percentages(flags))
    assert sum(fields.values()) == pytest.approx(100, abs=0.01)
    assert fields["s4c:valid_percentage"] == pytest.approx(100 * np.mean(flags == 0), abs=1e-3)


def test_the_same_description_gives_the_same_bytes(tmp_path: Path) -> None:
    described = description(tmp_path)
    document = item_document(build_item(described))
    shuffled = dataclasses.replace(
        described,
        assets=dict(reversed(described.assets.items())),
        properties=dict(reversed(described.properties.items())),
    )
    assert item_bytes(item_document(build_item(shuffled))) == item_bytes(document)
    write_item(document, tmp_path / "item.json")
    assert (tmp_path / "item.json").read_bytes() == item_bytes(document)
    assert pystac.Item.from_file(str(tmp_path / "item.json")).id == described.id


def test_nan_never_gets_into_a_document(tmp_path: Path) -> None:
    empty = np.full(GRID.shape, -10000, np.int16)
    asset = cog_asset(write_cog(tmp_path / "empty.tif", empty, GRID, NDVI), NDVI, title="NDVI")
    assert asset.bands[0]["statistics"] == {"valid_percent": 0.0}
    floats = CogProfile("float32", (CogBand("x"),), math.nan, "average")
    written = write_cog(tmp_path / "f.tif", np.ones(GRID.shape, np.float32), GRID, floats)
    assert cog_asset(written, floats, title="x").bands[0]["nodata"] == "nan"
    with pytest.raises(ValueError, match="JSON compliant"):
        item_bytes({"x": math.nan})


def test_times_are_utc_and_required(tmp_path: Path) -> None:
    local = datetime(2022, 6, 3, 12, 50, 31, tzinfo=timezone(timedelta(hours=2)))
    document = item_document(build_item(description(tmp_path, time=local)))
    assert document["properties"]["datetime"] == "2022-06-03T10:50:31Z"
    with pytest.raises(InputError, match="no UTC time"):
        build_item(description(tmp_path, time=datetime(2022, 6, 3)))
    with pytest.raises(InputError, match="no footprint"):
        build_item(description(tmp_path, geometry=shapely.Polygon()))


def test_a_footprint_across_the_antimeridian_has_west_beyond_east(tmp_path: Path) -> None:
    parts = shapely.MultiPolygon([shapely.box(179.2, 10, 180, 11), shapely.box(-180, 10, -179.5, 11)])
    document = item_document(build_item(description(tmp_path, geometry=parts)))
    assert document["bbox"] == [179.2, 10, -179.5, 11]
    assert not list(validator().iter_errors(document))


def test_landsat_items(tmp_path: Path) -> None:
    properties = item_document(build_item(description(tmp_path, platform="landsat-9", tile="198024")))["properties"]
    assert (properties["constellation"], properties["grid:code"]) == ("landsat", "WRS2-198024")
