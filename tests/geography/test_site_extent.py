"""The extent of a site: formats, repairs, and every refusal and warning of the SITE checks."""

import json
import math
import zipfile

import numpy as np
import pyogrio
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS, Transformer

from s4c_lib.errors import InputError
from s4c_lib.geography.search_geometry import search_geometry
from s4c_lib.geography.site_extent import area_km2, read_site_extent, site_extent

BOX = shapely.box(5.0, 50.5, 5.2, 50.7)
BOX_KM2 = 315.2  # 0.2 deg x 0.2 deg at 50.6 N: 14.17 km x 22.25 km
WGS84 = CRS.from_epsg(4326)
BELGIAN = "EPSG:31370"


def write(path, geometries, crs="EPSG:4326", layer=None, kind="Unknown"):
    pyogrio.raw.write(
        path,
        shapely.to_wkb(np.array(geometries, dtype=object)),
        [],
        [],
        geometry_type=kind,
        crs=crs,
        layer=layer,
        append=path.exists(),
    )
    return path


def zipped(path, files):
    with zipfile.ZipFile(path, "w") as target:
        for file in files:
            target.write(file, f"folder/{file.name}")
    return path


def refused(code, path, **options):
    with pytest.raises(InputError) as caught:
        read_site_extent(path, **options)
    assert caught.value.code == code
    return caught.value.message


def wavy(count, centre=(150_000.0, 150_000.0), radius=60_000.0, waves=40, depth=0.1):
    """A simple polygon of `count` vertices."""
    angle = np.linspace(0, 2 * math.pi, count, endpoint=False)
    distance = radius * (1 + depth * np.sin(waves * angle))
    return shapely.Polygon(
        np.column_stack([centre[0] + distance * np.cos(angle), centre[1] + distance * np.sin(angle)])
    )


@pytest.mark.parametrize("name", ["site.shp", "site.gpkg", "site.geojson"])
@pytest.mark.parametrize("pack", [False, True])
def test_every_format(tmp_path, name, pack):
    path = write(tmp_path / name, [BOX])
    if pack and path.suffix == ".geojson":
        assert "No shapefile found" in refused("ZIP-06", zipped(tmp_path / "site.zip", [path]))
        return
    source = zipped(tmp_path / "site.zip", sorted(tmp_path.glob("site.*"))) if pack else path
    extent = read_site_extent(source)
    assert extent.area_km2 == pytest.approx(BOX_KM2, rel=0.002)
    assert extent.geometry.geom_type == "MultiPolygon"
    assert extent.geometry.symmetric_difference(BOX).area < 1e-9
    assert extent.warnings == ()


def test_unknown_format_and_missing_file(tmp_path):
    (tmp_path / "site.kmz").write_bytes(b"x")
    assert "no supported site extent" in refused("input", tmp_path / "site.kmz")
    assert "does not exist" in refused("input", tmp_path / "none.shp")
    (tmp_path / "site.gpkg").write_bytes(b"no database")
    assert "cannot be read" in refused("input", tmp_path / "site.gpkg")


def test_geojson_without_crs_is_wgs84(tmp_path):
    path = tmp_path / "site.geojson"
    path.write_text(json.dumps({"type": "Feature", "properties": {}, "geometry": shapely.geometry.mapping(BOX)}))
    assert read_site_extent(path).area_km2 == pytest.approx(BOX_KM2, rel=0.002)


def test_height_and_measure_are_dropped(tmp_path):
    corners = shapely.get_coordinates(BOX)
    high = shapely.Polygon(np.column_stack([corners, np.full(len(corners), 100.0)]))
    measured = shapely.from_wkt("POLYGON ZM ((5.2 50.5 1 2, 5.4 50.5 1 2, 5.4 50.7 1 2, 5.2 50.7 1 2, 5.2 50.5 1 2))")
    extent = site_extent([high, measured], WGS84)
    assert not extent.geometry.has_z
    assert not extent.geometry.has_m
    path = write(tmp_path / "site.gpkg", [high], kind="Polygon Z")
    read = read_site_extent(path)
    assert not read.geometry.has_z
    assert extent.area_km2 == pytest.approx(2 * BOX_KM2, rel=0.002)


def test_layers_of_a_geopackage(tmp_path):
    path = write(tmp_path / "site.gpkg", [BOX], layer="a")
    write(path, [shapely.box(5, 50, 6, 51)], layer="b")
    assert refused("ZIP-07", path) == "2 datasets found: a, b. Choose one."
    assert read_site_extent(path, layer="a").area_km2 == pytest.approx(BOX_KM2, rel=0.002)
    packed = zipped(tmp_path / "site.zip", [path])
    assert read_site_extent(packed, layer="a").area_km2 == pytest.approx(BOX_KM2, rel=0.002)
    assert "cannot be read" in refused("input", packed, layer="c")


def test_layer_may_name_the_geopackage_in_an_archive(tmp_path):
    path = write(tmp_path / "site.gpkg", [BOX], layer="a")
    other = write(tmp_path / "other.gpkg", [shapely.box(5, 50, 6, 51)])
    packed = zipped(tmp_path / "site.zip", [path, other])
    assert read_site_extent(packed, layer="site").area_km2 == pytest.approx(BOX_KM2, rel=0.002)


def test_bare_shapefile_is_checked_like_a_zipped_one(tmp_path):
    path = write(tmp_path / "site.shp", [BOX], kind="Polygon")
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:200])
    assert refused("ZIP-09", path) == f"site.shp is truncated: 200 of {size} bytes."
    path.with_suffix(".dbf").unlink()
    assert refused("ZIP-08", path) == "site.dbf is missing."


@pytest.mark.parametrize("pack", [False, True])
def test_crs_01_missing_prj_and_the_user_chooses(tmp_path, pack):
    path = write(tmp_path / "site.shp", [wavy(40)], crs=BELGIAN, kind="Polygon")
    path.with_suffix(".prj").unlink()
    source = zipped(tmp_path / "site.zip", sorted(tmp_path.glob("site.*"))) if pack else path
    message = refused("CRS-01", source)
    assert message == "No coordinate system (.prj) found. Add the .prj or choose an EPSG code."
    assert read_site_extent(source, epsg=31370).area_km2 == pytest.approx(math.pi * 60**2 * 1.005, rel=0.01)
    refused("CRS-01", source, epsg=999999)


def test_epsg_that_contradicts_the_file_is_refused(tmp_path):
    path = write(tmp_path / "site.shp", [BOX], kind="Polygon")
    assert "not EPSG:31370" in refused("input", path, epsg=31370)
    assert read_site_extent(path, epsg=4326).area_km2 == pytest.approx(BOX_KM2, rel=0.002)


def test_site_02_no_polygon(tmp_path):
    points = write(tmp_path / "points.geojson", [shapely.Point(5, 50), shapely.Point(5, 51)])
    assert refused("SITE-02", points) == "The extent contains no polygon (found: 2 Point)."
    with pytest.raises(InputError, match=r"found: LineString, null\)"):
        site_extent([None, shapely.LineString([(5, 50), (6, 50)])], WGS84)
    with pytest.raises(InputError, match=r"found: nothing\)"):
        site_extent([], WGS84)


def test_polygons_are_kept_among_other_shapes():
    collection = shapely.GeometryCollection([shapely.Point(5, 50), BOX])
    assert site_extent([None, collection], WGS84).area_km2 == pytest.approx(BOX_KM2, rel=0.002)


def test_site_03_9000_vertices_with_one_bow_tie_in_belgian_lambert(tmp_path):
    bow_tie = shapely.Polygon([(20_000, 20_000), (40_000, 40_000), (40_000, 20_000), (20_000, 40_000)])
    path = write(tmp_path / "site.gpkg", [wavy(9000), bow_tie], crs=BELGIAN)
    extent = read_site_extent(path)
    (warning,) = extent.warnings
    assert (warning.code, warning.severity, warning.count) == ("SITE-03", "W", 1)
    assert warning.message == "1 of 2 polygons were invalid and have been repaired; check the preview."
    assert shapely.get_num_coordinates(extent.geometry) >= 9000
    assert extent.geometry.is_valid
    assert shapely.get_num_coordinates(extent.search_geometry) <= 200
    assert extent.search_geometry.contains(extent.geometry)
    # close to the shape, not only around it
    assert area_km2(extent.search_geometry) < 1.15 * extent.area_km2


def test_long_edges_follow_the_source_coordinate_system(tmp_path):
    square = shapely.box(50_000, 50_000, 250_000, 200_000)
    extent = read_site_extent(write(tmp_path / "site.gpkg", [square], crs=BELGIAN))
    back = Transformer.from_crs("EPSG:4326", BELGIAN, always_xy=True)
    lon, lat = shapely.get_coordinates(extent.geometry).T
    x, y = back.transform(lon, lat)
    shell = square.exterior
    assert max(shell.distance(shapely.Point(p)) for p in zip(x, y, strict=True)) < 0.5
    assert len(lon) > 70


def test_overlapping_polygons_count_once():
    extent = site_extent([BOX, shapely.box(5.1, 50.5, 5.3, 50.7)], WGS84)
    assert extent.area_km2 == pytest.approx(1.5 * BOX_KM2, rel=0.002)
    assert len(extent.geometry.geoms) == 1


def test_specks_and_pin_holes_vanish():
    pin = shapely.box(5.05, 50.55, 5.0505, 50.5505)
    lake = shapely.box(5.1, 50.6, 5.12, 50.62)
    extent = site_extent([BOX.difference(pin).difference(lake), shapely.box(6, 51, 6.0005, 51.0005)], WGS84)
    (part,) = extent.geometry.geoms
    assert len(part.interiors) == 1


@pytest.mark.parametrize("box", [(5, 83.9, 6, 84.1), (-68, -56.5, -67, -55.5)])
def test_site_04_outside_coverage(box):
    with pytest.raises(InputError, match=r"The extent lies outside Sentinel-2 coverage\.") as caught:
        site_extent([shapely.box(*box)], WGS84)
    assert caught.value.code == "SITE-04"


def test_site_04_coordinates_that_fit_no_place():
    with pytest.raises(InputError) as caught:
        site_extent([shapely.box(100_000, 100_000, 200_000, 200_000)], WGS84)
    assert caught.value.code == "SITE-04"


@pytest.mark.parametrize(
    ("geometries", "crs"),
    [
        ([shapely.box(179.5, -17, 180.5, -16)], WGS84),
        ([shapely.box(-180.5, -17, -179.5, -16)], WGS84),
        ([shapely.box(178, -17, 179.9, -16), shapely.box(-179.9, -17, -178, -16)], WGS84),
        ([shapely.box(780_000, 8_100_000, 880_000, 8_150_000)], CRS.from_epsg(32760)),
    ],
)
def test_site_04_antimeridian(geometries, crs):
    with pytest.raises(InputError, match=r"The extent crosses the antimeridian\.") as caught:
        site_extent(geometries, crs)
    assert caught.value.code == "SITE-04"


@pytest.mark.parametrize(("side", "shown"), [(0.0115, "0.9"), (0.0005, "0.00")])
def test_site_05_too_small(side, shown):
    with pytest.raises(InputError, match=rf"Area is {shown}\d* km², 1 tiles; estimated storage 0\.0 TB\.") as caught:
        site_extent([shapely.box(5.6, 50.6, 5.6 + side, 50.6 + side * 0.9)], WGS84)
    assert caught.value.code == "SITE-05"


def test_site_05_very_large_is_a_warning():
    extent = site_extent([shapely.box(-4, 42, 9, 51)], WGS84)
    (warning,) = extent.warnings
    assert (warning.code, warning.severity) == ("SITE-05", "W")
    # R2 x 13 deg x (sin 51 - sin 42) with R = 6370 km: 994 600 km2 on a sphere; storage 8 + 20 x 907 306 / 410 000
    assert extent.area_km2 == pytest.approx(994_600, rel=0.005)
    assert warning.message == f"Area is 997306 km², {warning.count} tiles; estimated storage 52.3 TB."


def test_search_geometry_of_few_vertices_is_the_extent():
    shape = shapely.MultiPolygon([BOX])
    assert search_geometry(shape) is shape


def test_search_geometry_of_many_islands():
    rng = np.random.default_rng(7)
    islands = [shapely.Point(x, y).buffer(r) for x, y, r in rng.uniform((20, 35, 0.01), (28, 40, 0.1), (300, 3))]
    shape = shapely.union_all(islands)
    found = search_geometry(shape)
    assert shapely.get_num_coordinates(found) <= 200
    assert found.contains(shape)


@given(st.integers(3, 900), st.integers(1, 60), st.floats(0, 0.9), st.floats(1_000, 500_000))
def test_search_geometry_always_contains_the_extent(count, waves, depth, radius):
    extent = site_extent([wavy(count, (500_000, 5_600_000), radius, waves, depth)], CRS.from_epsg(32631))
    assert shapely.get_num_coordinates(extent.search_geometry) <= 200
    assert extent.search_geometry.covers(extent.geometry)
    assert extent.search_geometry.is_valid
    assert extent.geometry.is_valid
