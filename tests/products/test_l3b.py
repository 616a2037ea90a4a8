"""L3B products (l3b-and-markers.md 1, 2.3, 2.4; acceptance cases A3, A5, A6, A16, A17)."""

from __future__ import annotations

import hashlib
import json
import resource
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from cog_structure import check_cog
from l3b_scenes import GRID, MODERATE, landsat_scene, optical_scene

from s4c_lib.errors import DiskFullError, InputError, ProductCorruptError
from s4c_lib.parameters.layers import Layers, resolve
from s4c_lib.products.l3b import L3bOptions, L3bProduct, make_l3b
from s4c_lib.readers.scene import NO_DATA, Layer, OpticalScene

NOW = datetime(2021, 6, 1, 12, 0, tzinfo=UTC)
EVERYTHING = ("ndvi", "lai", "fapar", "fcover", "ndwi", "brightness")
MADE = L3bOptions(produce=EVERYTHING, config_hash="abcdef0123456789")
REFERENCE = replace(MADE, keep_negative_ndvi=False, rounding="truncate", clip_to_range=False, profile="reference")
ITEM = "S4C_L3B_S2A_20210505T105031_T31UFS_abcdef01"


def make(scene: OpticalScene, folder: Path, options: L3bOptions = MADE) -> L3bProduct:
    return make_l3b(scene, folder, options, site="nl", now=NOW)


def read(path: Path, band: int = 1) -> Any:
    with rasterio.open(path) as raster:
        return raster.read(band)


def pixels_of(product: L3bProduct, row: int = 0, column: int = 0) -> dict[str, int]:
    return {name: int(read(path)[row, column]) for name, path in product.rasters.items()}


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def names_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_numbers_of_the_acceptance_cases_both_profiles(tmp_path: Path) -> None:
    scene = optical_scene(tmp_path / "l2a")
    product = make(scene, tmp_path / "l3b")
    expected = {"ndvi": 744, "lai": 1931, "fapar": 713, "fcover": 602, "ndwi": 259, "brightness": 552}
    for row, column in ((0, 0), (511, 3), (512, 599), (539, 17)):
        assert pixels_of(product, row, column) == expected
    product = make(scene, tmp_path / "reference", REFERENCE)
    expected = {"ndvi": 743, "lai": 1930, "fapar": 712, "fcover": 601, "ndwi": 259, "brightness": 552}
    assert pixels_of(product, 300, 300) == expected
    assert product.item["properties"]["s4c:profile"] == "reference"


def test_negative_ndvi_and_negative_reflectance(tmp_path: Path) -> None:
    water = {"b04": 900, "b08": 800, "b11": -30}
    scene = optical_scene(tmp_path / "l2a", water)
    found = pixels_of(make(scene, tmp_path / "l3b"))
    assert found["ndvi"] == -59
    assert found["ndwi"] == 1000
    assert 0 <= found["lai"] <= 8000
    found = pixels_of(make(scene, tmp_path / "reference", REFERENCE))
    assert found["ndvi"] == NO_DATA


def test_a5_flags_and_what_they_mask(tmp_path: Path) -> None:
    scl = np.full(GRID.resized(20).shape, 4, np.uint8)
    scl[0, :12] = np.arange(12)
    scene = optical_scene(tmp_path / "l2a", scl=scl)
    expected = {"default": [255, 5, 2, 2, 0, 0, 1, 4, 4, 4, 4, 3], "reference": [255, 5, 4, 4, 0, 0, 1, 4, 4, 4, 4, 3]}
    for profile, wanted in expected.items():
        options = L3bOptions.of(
            resolve(Layers(season={"profile": profile}), phase="current").values, "abcdef0123456789"
        )
        product = make(scene, tmp_path / profile, options)
        assert product.flags is not None
        flags = read(product.flags)[1, :24:2]
        assert flags.tolist() == wanted
        ndvi, lai = (read(product.rasters[name])[1, :24:2] for name in ("ndvi", "lai"))
        assert (ndvi != NO_DATA).tolist() == [flag == 0 for flag in wanted]
        assert (lai != NO_DATA).tolist() == [flag in (0, 1, 5) for flag in wanted]
        quality = read(product.folder / f"{product.item_id}_QUAL.tif", 3)[1, :24:2]
        assert (quality == 128).tolist() == [flag not in (0, 1, 5) for flag in wanted]


def test_missing_pixels_of_one_band_have_no_value_where_it_is_needed(tmp_path: Path) -> None:
    swir = np.full(GRID.resized(20).shape, 2000)
    swir[0, 0] = -10_000
    found = pixels_of(make(optical_scene(tmp_path / "l2a", {"b11": swir}), tmp_path / "l3b"))
    assert found == {**dict.fromkeys(EVERYTHING, NO_DATA), "ndvi": 744, "brightness": 552}


def test_quality_of_each_variable_is_its_own(tmp_path: Path) -> None:
    bright = {"b04": 3000, "b03": 200, "b08": 7000, "b8a": 7900, "b05": 300, "b11": 100, "b12": 20}
    scene = optical_scene(tmp_path / "l2a", bright)
    product = make(scene, tmp_path / "l3b", replace(MADE, in_domain_flags=True))
    with rasterio.open(product.folder / f"{ITEM}_QUAL.tif") as raster:
        assert raster.descriptions == ("lai quality", "fapar quality", "fcover quality")
        bits = raster.read()[:, 100, 100]
    assert (bits & 1).all()  # red 0.3000 lies above 0.292
    assert len(set(bits.tolist())) > 1
    low = [variable for variable, byte in zip(("lai", "fapar", "fcover"), bits, strict=True) if byte & 2]
    assert all(pixels_of(product, 100, 100)[variable] == 0 for variable in low)
    names = [bit["name"] for bit in product.item["assets"]["quality"]["classification:bitfields"]]
    assert names[0] == "input_out_of_domain"
    quiet = make(scene, tmp_path / "quiet", MADE)
    names = [bit["name"] for bit in quiet.item["assets"]["quality"]["classification:bitfields"]]
    assert "input_out_of_domain" not in names
    assert not read(quiet.folder / f"{ITEM}_QUAL.tif")[100, 100] & 1


def test_ndvi_at_20_m_is_of_mean_reflectances(tmp_path: Path) -> None:
    red = np.full(GRID.shape, 500)
    red[:2, :2] = [[500, 900], [700, 1100]]  # mean 800
    red[:2, 2:4] = [[500, 900], [-10_000, -10_000]]  # mean of the valid ones 700
    product = make(optical_scene(tmp_path / "l2a", {"b04": red}), tmp_path / "l3b", replace(MADE, resolution=20))
    ndvi = read(product.rasters["ndvi"])
    assert ndvi.shape == GRID.resized(20).shape
    assert ndvi[0, :3].tolist() == [round(1000 * 2600 / 4200), round(1000 * 2700 / 4100), 744]
    with rasterio.open(product.rasters["lai"]) as raster:
        assert raster.transform.a == 20


@pytest.mark.parametrize(
    ("model_set", "pixel", "values"),
    [("sl2p_v3_20m", 20, (2134, 722, 613)), ("sl2p_v3_10m", 10, (2322, 725, 638))],
)
def test_networks_of_snap_decide_on_the_pixel(
    model_set: str, pixel: int, values: tuple[int, int, int], tmp_path: Path
) -> None:
    other = 30 - pixel
    scene = optical_scene(tmp_path / "l2a")
    product = make(scene, tmp_path / "l3b", replace(MADE, model_set=model_set, resolution=other))
    for path in product.rasters.values():
        with rasterio.open(path) as raster:
            assert raster.transform.a == pixel
    found = pixels_of(product, 20, 20)
    assert tuple(found[name] for name in ("lai", "fapar", "fcover")) == values
    assert product.item["properties"]["gsd"] == pixel


def test_satellites_without_a_network_take_that_of_2a_and_say_so(tmp_path: Path) -> None:
    options = replace(MADE, model_set="sl2p_v3_20m")
    scene = optical_scene(tmp_path / "l2a")
    of_a, of_b, of_c = (
        make(replace(scene, platform=f"sentinel-2{letter}"), tmp_path / letter, options) for letter in "abc"
    )
    assert of_c.item_id.startswith("S4C_L3B_S2C_")
    assert pixels_of(of_c) == pixels_of(of_a) != pixels_of(of_b)
    assert of_c.item["properties"]["s4c:models"] == ["sl2p_v3_s2a_20m"]
    assert of_c.item["properties"]["s4c:model_trained_for"] == ["S2A"]
    assert "S2C has none of its own" in of_c.item["properties"]["processing:lineage"]
    assert "s4c:model_trained_for" not in of_b.item["properties"]


def test_landsat_stays_at_30_m(tmp_path: Path) -> None:
    product = make(landsat_scene(tmp_path / "l2a"), tmp_path / "l3b")
    assert product.item_id == "S4C_L3B_L9_20210505T105031_T198024_abcdef01"
    assert pixels_of(product, 30, 30) == {
        "ndvi": 756, "lai": 1829, "fapar": 676, "fcover": 591, "ndwi": 286, "brightness": 552,
    }  # fmt: skip
    for path in product.rasters.values():
        with rasterio.open(path) as raster:
            assert raster.transform.a == 30
    with pytest.raises(InputError, match="sl2p_v3_10m has no network for platform 'L9'") as refused:
        make(landsat_scene(tmp_path / "l2a"), tmp_path / "l3b", replace(MADE, model_set="sl2p_v3_10m"))
    assert refused.value.code == "config"
    only = replace(MADE, model_set="sl2p_v3_10m", produce=("ndvi",))
    assert pixels_of(make(landsat_scene(tmp_path / "l2a"), tmp_path / "other", only)) == {"ndvi": 756}


def test_a16_a_cloudy_tile_is_empty_and_a_clear_one_of_the_date_is_not(tmp_path: Path) -> None:
    cloudy = make(replace(optical_scene(tmp_path / "one", scl=9), tile="31UFT"), tmp_path / "l3b")
    clear = make(optical_scene(tmp_path / "other"), tmp_path / "l3b")
    assert (cloudy.status, clear.status) == ("empty", "active")
    assert cloudy.rasters == {}
    assert cloudy.flags is None
    assert names_in(cloudy.folder) == [f"{cloudy.item_id}.json"]
    assert [name for name, _, _ in cloudy.files] == [f"{cloudy.item_id}.json"]
    assert cloudy.item["assets"] == {}
    assert cloudy.item["properties"]["s4c:status"] == "empty"
    assert cloudy.percentages["cloud"] == 100
    assert clear.percentages["valid"] == 100
    assert len(names_in(clear.folder)) == 10


@pytest.mark.parametrize("scl", [0, 4])
def test_a16_without_any_input_it_is_empty_too(scl: int, tmp_path: Path) -> None:
    scene = optical_scene(tmp_path / "l2a", dict.fromkeys(MODERATE, -10_000), scl)
    product = make(scene, tmp_path / "l3b")
    assert product.status == "empty"
    assert names_in(product.folder) == [f"{ITEM}.json"]
    assert product.footprint.area > 0


def test_water_alone_has_lai_but_no_index(tmp_path: Path) -> None:
    scene = optical_scene(tmp_path / "l2a", scl=6)
    assert make(scene, tmp_path / "l3b").status == "active"
    assert make(scene, tmp_path / "indices", replace(MADE, produce=("ndvi", "ndwi"))).status == "empty"


def test_a17_container(tmp_path: Path) -> None:
    scene = optical_scene(tmp_path / "l2a")
    product = make(scene, tmp_path / "l3b")
    assert product.folder == tmp_path / "l3b" / "2021" / "05" / ITEM
    assert names_in(product.folder) == sorted(
        f"{ITEM}{end}"
        for end in (
            ".json", "_BRIGHT.tif", "_FAPAR.tif", "_FCOVER.tif", "_FLAGS.tif", "_LAI.tif", "_NDVI.tif", "_NDWI.tif",
            "_QUAL.tif", "_thumb.webp",
        )
    )  # fmt: skip
    with rasterio.open(scene.bands["b04"].layer.path) as band:
        crs, transform = band.crs, band.transform
    for path in product.folder.glob("*.tif"):
        check_cog(path)
        with rasterio.open(path) as raster:
            assert (raster.crs, raster.transform) == (crs, transform)
            assert raster.overviews(1) == [2]
            if path.stem.endswith(("FLAGS", "QUAL")):
                assert raster.dtypes[0] == "uint8"
            else:
                scale = 0.0001 if path.stem.endswith("BRIGHT") else 0.001
                assert (raster.dtypes, raster.nodata, raster.scales) == (("int16",), NO_DATA, (scale,))
    for name, size, sha256 in product.files:
        content = (product.folder / name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (size, sha256)
    assert sorted(name for name, _, _ in product.files) == names_in(product.folder)


def test_a17_item(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    scl = rng.integers(0, 12, GRID.resized(20).shape).astype(np.uint8)
    red = rng.integers(100, 1500, GRID.shape)
    product = make(optical_scene(tmp_path / "l2a", {"b04": red}, scl), tmp_path / "l3b")
    item = json.loads((product.folder / f"{ITEM}.json").read_text(encoding="utf-8"))
    assert item == product.item
    properties = item["properties"]
    shares = [value for key, value in properties.items() if key.startswith("s4c:") and key.endswith("_percentage")]
    assert len(shares) == 7
    assert sum(shares) == pytest.approx(100, abs=0.01)
    assert product.flags is not None
    flags = read(product.flags)
    assert properties["s4c:valid_percentage"] == pytest.approx(100 * (flags == 0).mean(), abs=1e-3)
    assert properties["s4c:nodata_percentage"] == pytest.approx(100 * (flags == 255).mean(), abs=1e-3)
    assert properties["eo:cloud_cover"] == pytest.approx(100 * (flags == 4).mean(), abs=1e-3)
    ndvi = read(product.rasters["ndvi"])
    valid = ndvi[ndvi != NO_DATA]
    band = item["assets"]["ndvi"]["bands"][0]
    assert (band["data_type"], band["nodata"], band["raster:scale"]) == ("int16", NO_DATA, 0.001)
    assert band["statistics"]["mean"] == pytest.approx(valid.mean())
    assert band["statistics"]["stddev"] == pytest.approx(valid.std())
    assert (band["statistics"]["minimum"], band["statistics"]["maximum"]) == (valid.min(), valid.max())
    assert band["statistics"]["valid_percent"] == pytest.approx(100 * valid.size / ndvi.size)
    assert [entry["value"] for entry in item["assets"]["flags"]["classification:classes"]] == [0, 1, 2, 3, 4, 5, 255]
    assert item["collection"] == "s4c-l3b-nl"
    assert properties["grid:code"] == "MGRS-31UFS"
    assert properties["view:sun_azimuth"] == 160.3
    assert properties["view:sun_elevation"] == pytest.approx(90 - 41.409622)
    assert (properties["view:off_nadir"], properties["view:azimuth"]) == (8.109614, 286.5)
    assert properties["s4c:config_hash"] == "abcdef0123456789"
    assert properties["s4c:models"] == ["s4c_s2_allbands"]
    assert properties["s4c:algorithm"] == 1
    assert properties["sat:relative_orbit"] == 51
    (source,) = [link["href"] for link in item["links"] if link["rel"] == "derived_from"]
    assert (product.folder / source).resolve() == (tmp_path / "l2a" / "MTD_MSIL2A.xml").resolve()


def test_footprint_is_of_the_observed_pixels(tmp_path: Path) -> None:
    scl = np.full(GRID.resized(20).shape, 4, np.uint8)
    scl[:, 150:] = 0
    product = make(optical_scene(tmp_path / "l2a", scl=scl), tmp_path / "l3b")
    whole = make(optical_scene(tmp_path / "whole"), tmp_path / "l3b").footprint
    assert product.footprint.area / whole.area == pytest.approx(0.5, abs=0.03)
    assert whole.buffer(1e-6).covers(product.footprint)
    assert shapely.geometry.shape(product.item["geometry"]).equals_exact(product.footprint.normalize(), 1e-5)


def test_the_same_scene_gives_the_same_bytes(tmp_path: Path) -> None:
    scene = optical_scene(tmp_path / "l2a", scl=np.arange(12, dtype=np.uint8).repeat(25))
    one, other = (make(scene, tmp_path / name) for name in ("one", "two"))
    assert one.files == other.files


def test_a_rerun_replaces_the_product_in_one_step(tmp_path: Path) -> None:
    first = make(optical_scene(tmp_path / "l2a"), tmp_path / "l3b")
    before = names_in(tmp_path / "l3b")
    changed = optical_scene(tmp_path / "changed", {"b04": 1000})
    seen = []

    def look(done: int, total: int, label: str) -> None:
        seen.append((done, total, label))
        if len(seen) < 2:
            assert pixels_of(first)["ndvi"] == 744  # the older one stays whole until the newer one is

    with rasterio.open(first.rasters["ndvi"]) as reader:
        product = make_l3b(changed, tmp_path / "l3b", MADE, site="nl", now=NOW, progress=look)
        assert reader.read(1)[0, 0] == 744  # whoever has it open reads on
    assert pixels_of(product)["ndvi"] == 545
    assert names_in(tmp_path / "l3b") == before
    assert entries(product.folder.parent) == [ITEM]
    assert seen[0] == (512, 540, ITEM)
    assert seen[-1] == (540, 540, ITEM)
    emptied = make(optical_scene(tmp_path / "cloudy", scl=9), tmp_path / "l3b")
    assert names_in(emptied.folder) == [f"{ITEM}.json"]


def test_an_interrupted_writer_leaves_nothing(tmp_path: Path) -> None:
    scene = optical_scene(tmp_path / "l2a")

    def stop(done: int, total: int, label: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_l3b(scene, tmp_path / "l3b", MADE, site="nl", now=NOW, progress=stop)
    assert entries(tmp_path / "l3b" / "2021" / "05") == []


def test_a_killed_writer_leaves_nothing_that_is_seen_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    scene = optical_scene(tmp_path / "l2a")
    script = textwrap.dedent(
        f"""
        import os, signal, sys
        from pathlib import Path
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from l3b_scenes import optical_scene
        from test_l3b import MADE, NOW, make_l3b
        def die(done, total, label):
            os.kill(os.getpid(), signal.SIGKILL)
        scene = optical_scene(Path({str(tmp_path / "l2a")!r}))
        make_l3b(scene, Path({str(tmp_path / "l3b")!r}), MADE, site="nl", now=NOW, progress=die)
        """
    )
    ended = subprocess.run([sys.executable, "-c", script], check=False, cwd=tmp_path)
    assert ended.returncode == -signal.SIGKILL
    left = entries(tmp_path / "l3b" / "2021" / "05")
    assert left
    assert all(name.startswith(".") for name in left)
    make(scene, tmp_path / "l3b")
    assert entries(tmp_path / "l3b" / "2021" / "05") == [ITEM]


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(1000, 5000, GRID.shape)
    scene = optical_scene(tmp_path / "l2a", {"b08": noise})
    before, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, most))  # files may not grow further, as on a full disk
    try:
        with pytest.raises(DiskFullError, match="no space left"):
            make(scene, tmp_path / "l3b")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, most))
    assert entries(tmp_path / "l3b" / "2021" / "05") == []


def without_band(scene: OpticalScene) -> OpticalScene:
    return replace(scene, bands={name: band for name, band in scene.bands.items() if name != "b11"})


def cut_off(scene: OpticalScene) -> OpticalScene:
    path = Path(scene.bands["b08"].layer.path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return scene


def of_another_size(scene: OpticalScene) -> OpticalScene:
    band = scene.bands["b08"]
    smaller = replace(band, layer=Layer(scene.bands["b8a"].layer.path, band.layer.grid))
    return replace(scene, bands={**scene.bands, "b08": smaller})


@pytest.mark.parametrize("harm", [without_band, cut_off, of_another_size])
def test_a_damaged_product_is_refused_and_leaves_nothing(harm: Any, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(1000, 5000, GRID.shape)
    scene = harm(optical_scene(tmp_path / "l2a", {"b08": noise}))
    with pytest.raises(ProductCorruptError) as refused:
        make(scene, tmp_path / "l3b")
    assert refused.value.code == "input_corrupt"
    assert not names_in(tmp_path / "l3b")
    assert make(scene, tmp_path / "l3b", replace(MADE, produce=("brightness",))).status == "active"


def test_what_parameters_say() -> None:
    options = L3bOptions.of(resolve(Layers(), phase="current").values, "a" * 64)
    assert options == L3bOptions(config_hash="a" * 64)
    assert options.produce == ("ndvi", "lai", "fapar", "fcover")
    reference = L3bOptions.of(resolve(Layers(season={"profile": "reference"}), phase="current").values, "a" * 64)
    assert replace(reference, produce=MADE.produce, rules=MADE.rules, config_hash=MADE.config_hash) == REFERENCE
    assert reference.rules.shadow_flag == 4


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"produce": ()}, "to make nothing"),
        ({"produce": ("ndvi", "ndvi")}, "to make ndvi, ndvi"),
        ({"produce": ("savi",)}, "knows no 'savi'"),
        ({"model_set": "snap"}, "knows no 'snap'"),
        ({"resolution": 60}, "knows no 60"),
        ({"rounding": "up"}, "knows no 'up'"),
        ({"config_hash": "../../x1"}, "no hash"),
    ],
)
def test_options_that_cannot_be(wrong: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text) as refused:
        L3bOptions(**wrong)
    assert refused.value.code == "config"
    assert refused.value.hint


def test_other_platforms_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="platform 'sentinel-3a'"):
        make(replace(optical_scene(tmp_path / "l2a"), platform="sentinel-3a"), tmp_path / "l3b")
