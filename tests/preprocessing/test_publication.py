"""A published L2A has the source's numbers, says what it holds, and is complete or absent."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import delivered_products as delivered
import numpy as np
import pytest
import rasterio
import shapely
from PIL import Image

from s4c_lib.errors import InputError, ProductCorruptError, StorageError
from s4c_lib.preprocessing.publish import PublishedL2A, PublishOptions, UnusableProductError, publish_l2a
from s4c_lib.preprocessing.publish_rasters import copy_layer
from s4c_lib.preprocessing.quicklook import shades
from s4c_lib.products.cog import CogBand
from s4c_lib.products.replaced_folder import replaced_folder
from s4c_lib.readers.pixels import open_pixels
from s4c_lib.readers.recognise import read_scene
from s4c_lib.readers.scene import Layer

OPTIONS = PublishOptions(config_hash="abc")
NOW = datetime(2022, 6, 4, tzinfo=UTC)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return delivered.safe(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def published(source: Path, tmp_path_factory: pytest.TempPathFactory) -> PublishedL2A:
    scene = read_scene(source)
    return publish_l2a(scene, tmp_path_factory.mktemp("l2a") / scene.name, OPTIONS, now=NOW)


def test_every_pixel_is_the_sources(source: Path, published: PublishedL2A) -> None:
    scene = read_scene(source)
    for name, band in scene.bands.items():
        with (
            rasterio.open(band.layer.path) as there,
            rasterio.open(published.folder / f"{scene.name}_{name.upper()}.tif") as here,
        ):
            np.testing.assert_array_equal(here.read(1), there.read(1))
            assert (here.transform, here.crs.to_epsg(), here.dtypes) == (there.transform, 32631, there.dtypes)
            assert (here.nodata, here.scales, here.offsets) == (0, (band.scale,), (band.offset,))
            assert here.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    with rasterio.open(published.folder / f"{scene.name}_SCL.tif") as mask:
        assert (mask.nodata, mask.overviews(1)) == (0, [2])
        whole = mask.read(1)
    with rasterio.open(published.folder / f"{scene.name}_SCL.tif", overview_level=0) as overview:
        np.testing.assert_array_equal(overview.read(1), whole[::2, ::2])  # classes are never averaged


def test_overviews_of_masks_hold_no_class_between_two(source: Path, tmp_path: Path) -> None:
    product = tmp_path / "in" / source.name
    shutil.copytree(source, product)
    file = read_scene(product).mask.layers["scl"].path
    with rasterio.open(file) as raster:
        profile, classes = raster.profile, raster.read(1)
    classes[::2, 1::2], classes[1::2, ::2] = 8, 8  # the upper left of each four keeps its class
    profile |= {"QUALITY": "100", "REVERSIBLE": "YES"}
    Path(file).unlink()
    with rasterio.open(file, "w", **profile) as raster:
        raster.write(classes, 1)
    scene = read_scene(product)
    made = publish_l2a(scene, tmp_path / scene.name, dataclasses.replace(OPTIONS, keep_bands=("b04",)))
    with rasterio.open(made.folder / f"{scene.name}_SCL.tif", overview_level=0) as overview:
        np.testing.assert_array_equal(overview.read(1), classes[::2, ::2])


def test_it_reads_back_as_the_source_does(source: Path, published: PublishedL2A) -> None:
    before, after = read_scene(source), read_scene(published.folder)
    for field in ("name", "kind", "platform", "tile", "sensing_time", "relative_orbit", "baseline", "grid", "quality"):
        assert getattr(after, field) == getattr(before, field), field
    for field in ("cos_vza", "cos_sza", "cos_raa"):
        np.testing.assert_array_equal(getattr(after.angles, field), getattr(before.angles, field))
    names = ["b02", "b05", "b8a", "b12"]
    with open_pixels(before, 10) as there, open_pixels(after, 10) as here:
        np.testing.assert_array_equal(here.rows(names, 100, 400), there.rows(names, 100, 400))
        np.testing.assert_array_equal(here.flags(), there.flags())


def test_muscate_too(tmp_path: Path) -> None:
    before = read_scene(delivered.muscate(tmp_path))
    result = publish_l2a(before, tmp_path / "l2a" / before.name, OPTIONS)
    after = read_scene(result.folder)
    with open_pixels(before, 20) as there, open_pixels(after, 20) as here:
        np.testing.assert_array_equal(here.rows(["b04", "b11"], 0, 100), there.rows(["b04", "b11"], 0, 100))
        np.testing.assert_array_equal(here.flags(), there.flags())
    assert {"MG2_R1", "MG2_R2", "EDG_R1", "SAT_R2"} <= {name[-10:-4] for name, *_ in result.files}


def test_percentages_are_of_the_flags_at_20_m(published: PublishedL2A) -> None:
    seventh = 90 / 630
    expected = {"nodata": seventh, "cloud": (1 - seventh) / 10, "water": (1 - seventh) / 10}
    for name, share in expected.items():
        assert published.percentages[name] == pytest.approx(100 * share, abs=1e-3)
    assert sum(published.percentages.values()) == pytest.approx(100, abs=0.01)
    properties = published.item["properties"]
    assert properties["s4c:valid_percentage"] == pytest.approx(published.percentages["valid"])
    assert properties["s4c:quality"] == dict(published.quality)  # the metadata's own values stay beside ours
    assert published.site_percentages is None


def test_a_site_has_its_own_percentages(source: Path, published: PublishedL2A) -> None:
    west, south, east, north = delivered.GRID.bounds
    ground = shapely.box(west, south, west + (east - west) / 10, north)  # the clouded columns
    site = shapely.transform(ground, _to_globe)
    scene = read_scene(source)
    again = publish_l2a(scene, published.folder, OPTIONS, site_geometry=site)
    assert again.reused
    assert again.site_percentages is not None
    assert again.site_percentages["cloud"] == pytest.approx(100 * 6 / 7, abs=1)
    away = publish_l2a(scene, published.folder, OPTIONS, site_geometry=shapely.box(20, 40, 21, 41))
    assert away.site_percentages is None


def _to_globe(xy: Any) -> Any:
    from pyproj import Transformer

    return np.column_stack(Transformer.from_crs(32631, 4326, always_xy=True).transform(xy[:, 0], xy[:, 1]))


def test_the_footprint_is_cut_to_where_data_are(published: PublishedL2A) -> None:
    whole = shapely.transform(shapely.box(*delivered.GRID.bounds), _to_globe)
    share = published.footprint.area / whole.area
    assert 6 / 7 < share < 6 / 7 + 0.02
    assert published.item["bbox"] == pytest.approx(published.footprint.bounds)


def test_quicklook_has_the_stated_brightness(source: Path, published: PublishedL2A) -> None:
    assert published.quicklook is not None
    assert published.quicklook.name == "mosaic.jpg"
    picture = np.asarray(Image.open(io.BytesIO(published.quicklook.read_bytes())))
    assert picture.shape == (1167, 1000, 3)  # 1260 x 1080 pixels
    assert picture[:150].max() <= 4  # no data is black, but for what JPEG makes of it
    with open_pixels(read_scene(source), 10) as pixels:
        mean = pixels.rows(["b04", "b03", "b02"], 300, 1260).mean(axis=(1, 2)) / 10_000
    np.testing.assert_allclose(picture[400:].mean(axis=(0, 1)), shades(mean), atol=3)


def test_shades_by_hand() -> None:
    rho = np.array([-0.1, 0.0, 0.03, 0.15, 0.30, 0.9])
    # 255 * 0.1^(1/1.8) = 70.96; 255 * 0.5^(1/1.8) = 173.5007
    assert shades(rho).tolist() == [0, 0, 71, 174, 255, 255]


def test_the_files_are_what_the_item_says(published: PublishedL2A) -> None:
    item = json.loads((published.folder / f"{published.name}.json").read_bytes())
    assert item["properties"]["s4c:layout"] == "l2a-1"
    assert item["properties"]["s4c:config_hash"] == "abc"
    assert item["properties"]["created"] == "2022-06-04T00:00:00Z"
    on_disk = {file.name for file in published.folder.iterdir()}
    assert on_disk == {name for name, *_ in published.files}
    for name, size, digest in published.files:
        content = (published.folder / name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (size, digest)
    statistics = item["assets"]["b02"]["bands"][0]["statistics"]
    assert statistics["valid_percent"] == pytest.approx(100 * 6 / 7)


def test_the_same_source_and_configuration_is_kept(source: Path, published: PublishedL2A) -> None:
    before = {file.name: file.stat().st_mtime_ns for file in published.folder.iterdir()}
    again = publish_l2a(read_scene(source), published.folder, OPTIONS)
    assert again.reused
    assert not published.reused
    assert again.files == published.files
    assert {file.name: file.stat().st_mtime_ns for file in published.folder.iterdir()} == before


def test_the_same_input_gives_the_same_bytes(source: Path, published: PublishedL2A, tmp_path: Path) -> None:
    scene = read_scene(source)
    again = publish_l2a(scene, tmp_path / scene.name, OPTIONS, now=NOW)
    assert again.files == published.files


def test_another_configuration_or_a_lost_file_replaces_the_folder(source: Path, tmp_path: Path) -> None:
    scene = read_scene(source)
    target = tmp_path / scene.name
    few = dataclasses.replace(OPTIONS, keep_bands=("b04", "b08"))
    first = publish_l2a(scene, target, few)
    assert first.quicklook is None  # without blue and green there is none
    assert sorted(read_scene(target).bands) == ["b04", "b08"]
    (target / "stray.txt").write_text("of the older folder")
    (tmp_path / f".{scene.name}.part-killed").mkdir()  # what a killed worker left
    other = publish_l2a(scene, target, dataclasses.replace(few, keep_bands=("b04",)))
    assert not other.reused
    assert sorted(read_scene(target).bands) == ["b04"]
    assert [path.name for path in tmp_path.iterdir()] == [scene.name]
    assert not (target / "stray.txt").exists()
    delivered.cut_off(target / f"{scene.name}_B04.tif")
    assert not publish_l2a(scene, target, dataclasses.replace(few, keep_bands=("b04",))).reused


def test_what_another_worker_is_writing_is_left_alone(source: Path, tmp_path: Path) -> None:
    """Two sites publish the same product at once: each in a folder of its own."""
    scene = read_scene(source)
    few = dataclasses.replace(OPTIONS, keep_bands=("b04",))
    with replaced_folder(tmp_path / scene.name) as theirs:
        publish_l2a(scene, tmp_path / scene.name, few)
        shutil.copytree(tmp_path / scene.name, theirs, dirs_exist_ok=True)
    assert read_scene(tmp_path / scene.name).name == scene.name
    assert [path.name for path in tmp_path.iterdir()] == [scene.name]


def test_a_product_that_cannot_be_published_leaves_the_older_one(tmp_path: Path) -> None:
    small = dataclasses.replace(delivered.GRID, rows=240, columns=180)
    source = delivered.safe(tmp_path / "source", delivered.scene(grid=small))
    scene = read_scene(source)
    target = tmp_path / "l2a" / scene.name
    one = PublishOptions(keep_bands=("b04",))
    publish_l2a(scene, target, one)
    delivered.cut_off(delivered.file_of(source, "_B08_10m.jp2"))
    with pytest.raises(ProductCorruptError, match="B08_10m"):
        publish_l2a(read_scene(source), target, PublishOptions(keep_bands=("b04", "b08")))
    assert publish_l2a(scene, target, one).reused
    assert [path.name for path in target.parent.iterdir()] == [scene.name]


def test_a_raster_of_another_size_or_place_is_refused(source: Path, tmp_path: Path) -> None:
    layer = read_scene(source).bands["b05"].layer
    for change in ({"rows": 620}, {"west": layer.grid.west + 20}, {"epsg": 32632}):
        moved = Layer(layer.path, dataclasses.replace(layer.grid, **change))
        with pytest.raises(ProductCorruptError, match="B05"):
            copy_layer(moved, tmp_path / "b05.tif", CogBand("B05"), no_data=0, overviews="average")
    assert list(tmp_path.iterdir()) == []


def test_a_copy_that_differs_is_found(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that turns a bit: the file is changed behind the writer's back, right when it is renamed."""
    layer = read_scene(source).bands["b05"].layer
    rename = Path.replace

    def with_a_turned_bit(self: Path, target: Path) -> Path:
        content = bytearray(self.read_bytes())
        content[len(content) // 4] ^= 1
        self.write_bytes(content)
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", with_a_turned_bit)
    with pytest.raises((StorageError, ProductCorruptError), match=r"b05\.tif"):
        copy_layer(layer, tmp_path / "b05.tif", CogBand("B05"), no_data=0, overviews="average", compression_level=0)


@pytest.mark.parametrize(("alike", "code"), [(0.0, "notv"), (None, "no_valid_pixel")])
def test_constant_or_empty_products_are_refused(tmp_path: Path, alike: float | None, code: str) -> None:
    small = dataclasses.replace(delivered.GRID, rows=120, columns=120)
    shown = delivered.scene(alike or 0.0, small)
    if alike is None:
        shown = dataclasses.replace(shown, bands={name: np.full_like(v, np.nan) for name, v in shown.bands.items()})
    scene = read_scene(delivered.muscate(tmp_path, shown))
    with pytest.raises(UnusableProductError) as refused:
        publish_l2a(scene, tmp_path / "l2a" / scene.name, OPTIONS)
    assert refused.value.code == code
    assert not refused.value.retryable
    assert not (tmp_path / "l2a" / scene.name).exists()


def test_the_folder_has_the_products_name(source: Path, tmp_path: Path) -> None:
    scene = read_scene(source)
    with pytest.raises(InputError, match="cannot be published as other"):
        publish_l2a(scene, tmp_path / "other", OPTIONS)
    with pytest.raises(InputError, match="none of b09"):
        publish_l2a(scene, tmp_path / scene.name, dataclasses.replace(OPTIONS, keep_bands=("b09",)))


def test_progress_counts_the_pixels_of_all_rasters(source: Path, tmp_path: Path) -> None:
    scene, told = read_scene(source), []
    options = PublishOptions(keep_bands=("b04", "b05"))
    publish_l2a(scene, tmp_path / scene.name, options, progress=lambda *what: told.append(what))
    total = 1260 * 1080 * 3 // 2  # b04; b05 and the mask have a quarter each
    assert told[-1][:2] == (total, total)
    assert [done for done, *_ in told] == sorted(done for done, *_ in told)


def test_a_full_disk_leaves_nothing(source: Path, tmp_path: Path) -> None:
    program = f"""
import resource, signal, sys
from pathlib import Path
from s4c_lib.errors import DiskFullError
from s4c_lib.preprocessing.publish import PublishOptions, publish_l2a
from s4c_lib.readers.recognise import read_scene
scene = read_scene(Path({str(source)!r}))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, resource.RLIM_INFINITY))
try:
    publish_l2a(scene, Path({str(tmp_path)!r}) / scene.name, PublishOptions())
except DiskFullError:
    sys.exit(17)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=dict(os.environ))
    assert done.returncode == 17, done.stderr
    assert list(tmp_path.iterdir()) == []
