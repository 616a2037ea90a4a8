"""The first look at an upload."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely

from s4c_lib.errors import InputError
from s4c_lib.parcels import inspection
from s4c_lib.parcels.inspection import inspect


def write(path, count=50, *, crs="EPSG:32631", **options):
    x = 600_000.0 + 100 * np.arange(count)
    shapes = shapely.box(x, 5_700_000, x + 90, 5_700_090)
    columns = {
        "id": np.array([f"P{i}" for i in range(count)], dtype=object),
        "crop": np.array(["Maïs" if i % 2 else None for i in range(count)], dtype=object),
        "area": np.linspace(0, 1, count),
    }
    pyogrio.raw.write(
        path, shapely.to_wkb(shapes), list(columns.values()), list(columns), geometry_type="Polygon", crs=crs, **options
    )
    return path


@pytest.mark.parametrize("suffix", [".shp", ".gpkg", ".fgb", ".geojson"])
def test_what_a_file_holds(tmp_path, suffix):
    # the index of FlatGeobuf puts the rows in another order
    options = {"SPATIAL_INDEX": "NO"} if suffix == ".fgb" else {}
    crs = "EPSG:4326" if suffix == ".geojson" else "EPSG:32631"
    found = inspect(write(tmp_path / f"a{suffix}", crs=crs, **options))
    shown = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert (shown["features"], shown["geometry_types"], shown["looked_at"]) == (50, {"Polygon": 50}, 50)
    columns = {column["name"]: column for column in shown["columns"]}
    assert (columns["crop"]["distinct"], columns["crop"]["null_share"]) == (1, 0.5)
    assert columns["id"]["distinct"] == 50
    assert columns["area"]["type"] == "double"
    assert len(shown["samples"]) == 20
    assert shown["samples"][1]["crop"] == "Maïs"
    assert shown["bounds"][0] == pytest.approx(600_000)
    if suffix != ".geojson":
        assert shown["crs"]["epsg"] == 32631
        assert shown["bounds_lonlat"] == pytest.approx([4.43, 51.44, 4.51, 51.45], abs=0.02)
    assert shown["suggestion"]["mapping"]["parcel_id"] == ["id"]
    assert shown["encoding"]["name"] == "UTF-8" if suffix != ".shp" else "ISO-8859-1"


def test_geoparquet_with_columns_of_every_kind(tmp_path):
    shapes = [shapely.box(4, 50, 5, 51), shapely.box(5, 50, 6, 52)]
    table = pa.table(
        {
            "id": [1, 2],
            "tags": [["a"], None],
            "when": pa.array([0, 1], pa.timestamp("s")),
            "raw": [b"x", None],
            "share": [float("nan"), 0.5],
            "geometry": pa.array(list(shapely.to_wkb(shapes)), pa.binary()),
        }
    )
    geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB"}}}
    pq.write_table(table.replace_schema_metadata({"geo": json.dumps(geo)}), tmp_path / "a.parquet")
    shown = json.loads(json.dumps(inspect(tmp_path / "a.parquet").as_dict(), allow_nan=False))
    assert shown["crs"]["name"] == "WGS 84 (CRS84)"
    assert shown["bounds"] == [4, 50, 6, 52]
    assert shown["samples"][0] == {
        "id": 1,
        "tags": ["a"],
        "when": "1970-01-01T00:00:00",
        "raw": "1 bytes",
        "share": None,
    }


def test_distinct_values_are_estimated_from_the_first_rows(tmp_path, monkeypatch):
    path = write(tmp_path / "a.gpkg", 400)
    monkeypatch.setattr(inspection, "LOOKED_AT", 100)
    found = inspect(path)
    assert (found.features, found.looked_at) == (400, 100)
    columns = {column.name: column.distinct for column in found.columns}
    assert (columns["id"], columns["crop"]) == (400, 1)
    assert found.bounds == pytest.approx((600_000, 5_700_000, 639_990, 5_700_090))


def test_the_first_of_several_layers_and_the_others_by_name(tmp_path):
    path = write(tmp_path / "a.gpkg", layer="one")
    write(path, 3, layer="two", append=True)
    found = inspect(path)
    assert ([name for name, _ in found.layers], found.layer) == (["one", "two"], "one")
    assert inspect(path, "two").features == 3
    with pytest.raises(InputError):
        inspect(path, "three")


def test_without_a_coordinate_system(tmp_path):
    path = write(tmp_path / "a.shp")
    path.with_suffix(".prj").unlink()
    found = inspect(path)
    assert (found.crs, found.bounds_lonlat) == (None, None)
    assert found.findings[0].code == "CRS-01"
    assert inspect(path, epsg=32631).crs == {"name": "WGS 84 / UTM zone 31N", "epsg": 32631}


def test_an_empty_layer(tmp_path):
    pyogrio.raw.write(
        tmp_path / "a.gpkg", np.array([], dtype=object), [np.array([], dtype=object)], ["id"],
        geometry_type="Polygon", crs="EPSG:32631",
    )  # fmt: skip
    shown = inspect(tmp_path / "a.gpkg").as_dict()
    assert (shown["features"], shown["bounds"], shown["samples"]) == (0, None, [])
    assert json.dumps(shown, allow_nan=False)
