"""Label rasters: who wins where parcels overlap, and the file."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from rasterio.features import rasterize

from s4c_lib.errors import InputError, StorageError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.parcels.inner_buffer import LocatedParcels
from s4c_lib.parcels.label_raster import label_raster, labelled_pixels
from s4c_lib.parcels.label_raster_file import write_label_raster
from s4c_lib.parcels.pixel_index import PixelIndex, build_pixel_index

GRID = PixelGrid(32631, 600_000, 5_800_020, 10, 1300, 1100)


def indexed(shapes: np.ndarray) -> PixelIndex:
    parcels = LocatedParcels(32631, np.arange(1, len(shapes) + 1, dtype=np.int32), shapes)
    return build_pixel_index(parcels, GRID, buffer_m=0, parcel_set_id=1)


@pytest.fixture(scope="module")
def shapes() -> np.ndarray:
    rng = np.random.default_rng(5)
    centres = rng.uniform((600_000, 5_789_020), (610_000, 5_799_020), (3000, 2))
    return shapely.buffer(shapely.points(centres), rng.uniform(10, 300, 3000), quad_segs=3)


def test_by_number_the_last_parcel_wins_as_in_gdal(shapes: np.ndarray) -> None:
    index = indexed(shapes)
    labels = label_raster(index)
    place = rasterio.Affine(10, 0, GRID.west, 0, -10, GRID.north)
    expected = rasterize(zip(shapes, range(1, 3001), strict=True), GRID.shape, transform=place, dtype="int32")
    assert (labels == expected).all()
    counts = np.bincount(labels.ravel(), minlength=3001)[index.parcel_id]
    assert (labelled_pixels(index, labels) == counts).all()


def test_by_area_small_parcels_stay_whole_and_equal_ones_go_by_number() -> None:
    west, north = GRID.west, GRID.north
    large = shapely.box(west, north - 100, west + 100, north)
    small = shapely.box(west + 20, north - 60, west + 60, north - 20)
    index = indexed(np.array([small, large, large], object))
    labels = label_raster(index, shapely.area([small, large, large]))
    assert labelled_pixels(index, labels).tolist() == [16, 0, 84]
    assert labelled_pixels(index, label_raster(index)).tolist() == [0, 0, 100]
    assert labels.dtype == np.int32
    assert (labels[10:] == 0).all()


def test_wrong_sizes_are_refused(shapes: np.ndarray) -> None:
    index = indexed(shapes[:2])
    with pytest.raises(InputError, match="1 areas for the 2 parcels"):
        label_raster(index, np.ones(1))
    with pytest.raises(InputError, match="label raster of"):
        labelled_pixels(index, np.zeros((3, 3), np.int32))
    with pytest.raises(InputError, match="label raster of"):
        write_label_raster(np.zeros((3, 3), np.int32), GRID, Path("unused.tif"))


def test_the_file_is_a_cloud_optimized_geotiff(shapes: np.ndarray, tmp_path: Path) -> None:
    labels = label_raster(indexed(shapes))
    path = tmp_path / "new" / "decl_demo_2021_31UFT_S2.tif"
    write_label_raster(labels, GRID, path)
    with rasterio.open(path) as raster:
        assert (raster.read(1) == labels).all()
        assert raster.crs.to_epsg() == 32631
        assert raster.transform == rasterio.Affine(10, 0, GRID.west, 0, -10, GRID.north)
        assert (raster.nodata, raster.dtypes, raster.block_shapes) == (0, ("int32",), [(512, 512)])
        assert raster.compression == rasterio.enums.Compression.zstd
        assert raster.overviews(1) == [2, 4]
        tags = raster.tags(ns="IMAGE_STRUCTURE")
        assert (tags["LAYOUT"], tags["PREDICTOR"]) == ("COG", "2")
    with rasterio.open(path, overview_level=0) as raster:
        assert set(np.unique(raster.read(1))) <= set(np.unique(labels))
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_failed_writing_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written"):
        write_label_raster(np.zeros(GRID.shape, np.int32), GRID, tmp_path / "file" / "a.tif")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError, match="cannot be written"):
        write_label_raster(np.zeros(GRID.shape, np.int32), GRID, tmp_path / "folder")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "folder"]
