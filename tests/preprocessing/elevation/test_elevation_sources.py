"""Recognising an elevation model by its files, and reading each of them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from elevation_cases import copernicus_cell, grid_at, hgt_cell, hills, positions, write_raster

from s4c_lib.errors import ElevationMissingError, InputError, ProductCorruptError
from s4c_lib.preprocessing.elevation.resampling import elevation_on
from s4c_lib.preprocessing.elevation.sources import SourceKind, elevation_source

GRID = grid_at(6.4, 50.6)


def check(folder: Path, kind: SourceKind, tolerance: float, offset: tuple[float, float] | None = None) -> None:
    source = elevation_source("auto", folder, registration_offset=offset)
    assert source.kind is kind
    assert elevation_source(kind.value, folder, registration_offset=offset) == source
    truth = hills(*positions(GRID))
    np.testing.assert_allclose(elevation_on(GRID, source), truth, atol=tolerance)


def test_copernicus(tmp_path: Path) -> None:
    copernicus_cell(tmp_path, 50, 6, columns=800)
    check(tmp_path, SourceKind.COPERNICUS_GLO30, 0.2)


def test_copernicus_in_the_folders_of_its_bucket(tmp_path: Path) -> None:
    path = copernicus_cell(tmp_path, 50, 6)
    (tmp_path / path.stem).mkdir()
    path.rename(tmp_path / path.stem / path.name)
    check(tmp_path, SourceKind.COPERNICUS_GLO30, 0.1)


def srtm_3s(path: Path, member: str | None = None) -> None:
    """SRTM 3" as it is delivered: its header lies half a pixel too far south-west."""
    dx = 5 / 6000
    x, y = 5 + (np.arange(6000) + 0.5) * dx, 55 - (np.arange(6000) + 0.5) * dx
    window = slice(5000, 6000), slice(1200, 2400)  # the rest is void
    values = np.full((6000, 6000), -32768, np.int16)
    values[window] = np.rint(hills(x[None, window[1]], y[window[0], None]))
    tif = path if member is None else path.with_name(member)
    write_raster(tif, values, 5 - dx / 2, 55 - dx / 2, dx, dx, nodata=-32768)
    if member is not None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            archive.write(tif, member)
        tif.unlink()


def test_srtm_3s_and_its_half_pixel(tmp_path: Path) -> None:
    srtm_3s(tmp_path / "srtm_38_02.tif")
    check(tmp_path, SourceKind.SRTM_3S, 0.8)
    off = elevation_on(GRID, elevation_source("auto", tmp_path, registration_offset=(0, 0)))
    assert np.abs(off - hills(*positions(GRID))).max() > 5


def test_srtm_3s_zipped(tmp_path: Path) -> None:
    srtm_3s(tmp_path / "srtm_38_02.zip", "srtm_38_02.tif")
    check(tmp_path, SourceKind.SRTM_3S, 0.8)


@pytest.mark.parametrize("name", ["N50E006.hgt", "N50E006.SRTMGL1.hgt.zip", "N50E006.hgt.zip"])
def test_srtm_1s(tmp_path: Path, name: str) -> None:
    hgt_cell(tmp_path / name, 50, 6, zipped=name.endswith("zip"))
    check(tmp_path, SourceKind.SRTM_1S, 0.8)


@pytest.mark.parametrize("zipped", [False, True])
def test_aster(tmp_path: Path, zipped: bool) -> None:
    tif = tmp_path / "ASTGTMV003_N50E006_dem.tif"
    x, y = 6 + np.arange(1201) / 1200, 51 - np.arange(1201) / 1200
    values = np.rint(hills(x[None, :], y[:, None])).astype(np.int16)
    write_raster(tif, values, 6 - 1 / 2400, 51 + 1 / 2400, 1 / 1200, 1 / 1200)
    if zipped:
        with zipfile.ZipFile(tmp_path / "ASTGTMV003_N50E006.zip", "w") as archive:
            archive.write(tif, tif.name)
        tif.unlink()
    check(tmp_path, SourceKind.ASTER_V3, 0.8)


def test_eu_dem_in_its_own_projection(tmp_path: Path) -> None:
    from pyproj import Transformer

    x, y = np.meshgrid(4_040_000 + 100 * (np.arange(800) + 0.5), 3_090_000 - 100 * (np.arange(800) + 0.5))
    values = hills(*Transformer.from_crs(3035, 4326, always_xy=True).transform(x, y)).astype(np.float32)
    write_raster(tmp_path / "eu_dem_v11_E40N30.TIF", values, 4_040_000, 3_090_000, 100, 100, crs="EPSG:3035")
    check(tmp_path, SourceKind.EU_DEM, 0.3)


def test_of_several_models_the_first_known_one_is_taken(tmp_path: Path) -> None:
    order = [
        ("eu_dem_v11_E40N30.TIF", SourceKind.EU_DEM),
        ("ASTGTMV003_N50E006.zip", SourceKind.ASTER_V3),
        ("N50E006.hgt", SourceKind.SRTM_1S),
        ("srtm_38_02.tif", SourceKind.SRTM_3S),
        ("Copernicus_DSM_COG_10_N50_00_E006_00_DEM.tif", SourceKind.COPERNICUS_GLO30),
    ]
    (tmp_path / "readme.txt").touch()
    for name, kind in order:
        (tmp_path / name).touch()
        assert elevation_source("auto", tmp_path).kind is kind


def test_a_folder_without_any_known_file_says_what_is_known(tmp_path: Path) -> None:
    (tmp_path / "dem.tif").touch()
    with pytest.raises(ElevationMissingError, match="no elevation model is recognised") as caught:
        elevation_source("auto", tmp_path)
    assert caught.value.code == "dem_missing"
    assert caught.value.retryable
    assert "N50E006.hgt" in caught.value.hint


def test_a_folder_that_is_not_there_and_a_model_that_is_not_known(tmp_path: Path) -> None:
    with pytest.raises(ElevationMissingError, match="does not exist"):
        elevation_source("srtm_1s", tmp_path / "none")
    with pytest.raises(InputError, match="not known"):
        elevation_source("strm", tmp_path)


@pytest.mark.parametrize(("latitude", "kind"), [(60.02, "srtm_3s"), (60.005, "srtm_1s"), (-60.01, "srtm_3s")])
def test_srtm_ends_at_60_degrees_and_copernicus_is_advised(tmp_path: Path, latitude: float, kind: str) -> None:
    with pytest.raises(ElevationMissingError, match="ends at 60 degrees") as caught:
        elevation_on(grid_at(6.4, latitude), elevation_source(kind, tmp_path))
    assert "copernicus_glo30" in caught.value.hint


def test_srtm_serves_up_to_60_degrees(tmp_path: Path) -> None:
    hgt_cell(tmp_path / "N59E006.hgt", 59, 6)
    grid = grid_at(6.4, 59.99)
    np.testing.assert_allclose(elevation_on(grid, elevation_source("auto", tmp_path)), hills(*positions(grid)), atol=1)


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    path = copernicus_cell(tmp_path, 50, 6)
    path.write_bytes(path.read_bytes()[:200_000])
    with pytest.raises(ProductCorruptError, match=path.name):
        elevation_on(GRID, elevation_source("auto", tmp_path))


def test_an_archive_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "N50E006.hgt.zip").write_bytes(b"not a zip")
    with pytest.raises(ProductCorruptError, match=r"N50E006\.hgt\.zip"):
        elevation_on(GRID, elevation_source("auto", tmp_path))
