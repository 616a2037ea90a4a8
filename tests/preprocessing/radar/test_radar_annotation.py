"""Sentinel-1 products read: real ones, and what is missing or damaged in them."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from s4c_lib.errors import InputError, ProductCorruptError
from s4c_lib.preprocessing.radar.annotation import parse_annotation
from s4c_lib.preprocessing.radar.safe_product import open_radar_product
from s4c_lib.sources.product_kinds import ProductKind
from tests.preprocessing.radar.real_products import GRD, SLC, real
from tests.preprocessing.radar.synthetic_grd import Scene, uniform, write_grd

SCENE = Scene(lines=20, samples=60)


def test_a_real_slc_name_and_annotation_through_the_parser() -> None:
    product = open_radar_product(real(SLC))
    assert (product.name.kind, product.name.platform, product.name.mode) == (ProductKind.S1_SLC, "sentinel-1a", "IW")
    assert (product.name.absolute_orbit, product.relative_orbit, product.direction) == (41314, 117, "ascending")
    assert product.name.sensing_start == datetime(2022, 1, 4, 17, 5, 57, tzinfo=UTC)
    assert product.ipf_version == (3, 40)
    assert product.warnings == ()
    assert product.stated == ("VH", "VV")
    [image] = product.images
    assert (image.swath, image.polarisation) == ("IW1", "VV")
    annotation = product.annotation(image)
    geometry = annotation.geometry
    assert (annotation.bursts, annotation.lines_per_burst) == (9, 1501)
    assert (geometry.lines, geometry.samples, geometry.ground_range) == (9 * 1501, 22694, False)
    assert geometry.line_seconds == pytest.approx(2.0555563e-3)
    assert geometry.near_range_seconds == pytest.approx(5.336535882737799e-3)
    assert annotation.ground_range is None
    assert len(annotation.orbit.seconds) == 16
    table = product.calibration(image, "sigma0")
    assert table.at([-574, -574, 70, 70], [0, 40, 0, 40]) == pytest.approx([332.6779, 332.6140, 332.6872, 332.6233])
    assert float(product.calibration(image, "beta0").at(0, 100)) == 237


def test_a_real_grd_product_is_read() -> None:
    product = open_radar_product(real(GRD))
    assert (product.relative_orbit, product.direction, product.ipf_version) == (22, "descending", (3, 40))
    image = product.image("VV")
    assert image is not None
    assert product.image("VH") is None
    annotation = product.annotation(image)
    assert (annotation.geometry.lines, annotation.geometry.samples) == (16705, 26102)
    assert annotation.ground_range is not None
    assert annotation.ground_range.coefficients.shape == (28, 9)
    noise = product.noise(image)
    blocks = [(b.first_line, b.last_line, b.first_sample, b.last_sample) for b in noise.azimuth]
    assert blocks == [(0, 16704, 0, 8889), (0, 16704, 8890, 17700), (0, 16704, 17701, 26101)]
    # Vector at line 0: 2375.788 at sample 0, times 1.091791 of IW1's block there.
    assert float(noise.at(0, 0)) == pytest.approx(2375.788 * 1.091791)


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_grd(tmp_path_factory.mktemp("grd"), SCENE, uniform(0.1))


@pytest.mark.parametrize(
    "element",
    [
        "orbitList",
        "coordinateConversionList",
        "geolocationGridPointList",
        "productFirstLineUtcTime",
        "azimuthTimeInterval",
        "numberOfSamples",
        "pass",
        "polarisation",
        "srgrCoefficients",
        "slantRangeTime",
        "rangeSamplingRate",
    ],
)
def test_a_missing_element_is_named_with_its_file(product: Path, element: str) -> None:
    [file] = product.glob("annotation/s1a-*-vv-*.xml")
    content = file.read_text().replace(f"<{element}", "<other").replace(f"</{element}>", "</other>")
    with pytest.raises(ProductCorruptError) as caught:
        parse_annotation(content.encode(), str(file))
    assert str(file) in str(caught.value)
    assert element in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("<numberOfLines>20<", "<numberOfLines>0<", "no extent"),
        ("<numberOfLines>20<", "<numberOfLines>many<", "holds no numbers"),
        ("<pass>Descending<", "<pass>Sideways<", "neither ascending nor descending"),
        ("2021-05-02T05:50:00.250000</productFirst", "yesterday</productFirst", "is no time"),
        ("<sr0>", "<sr0>1 2 ", "3 numbers instead of one"),
    ],
)
def test_nonsense_in_an_annotation_is_refused(product: Path, old: str, new: str, said: str) -> None:
    [file] = product.glob("annotation/s1a-*-vv-*.xml")
    content = file.read_text()
    assert old in content
    with pytest.raises(ProductCorruptError, match=said):
        parse_annotation(content.replace(old, new).encode(), "a.xml")


def test_an_archive_reads_as_the_folder_does(product: Path, tmp_path: Path) -> None:
    archive = Path(shutil.make_archive(str(tmp_path / product.stem), "zip", product.parent, product.name))
    packed, folder = open_radar_product(archive), open_radar_product(product)
    assert packed.images == folder.images
    image = packed.image("VH")
    assert image is not None
    assert packed.annotation(image).geometry == folder.annotation(image).geometry


def test_another_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not named as a Sentinel-1 SLC or GRD"):
        open_radar_product(tmp_path / "S1A_L2_BCK_20200114T070238_VV_096_28RBR.tif")


def test_a_manifest_without_its_orbit_is_refused(product: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(product, tmp_path / product.name))
    manifest = copy / "manifest.safe"
    manifest.write_text(manifest.read_text().replace("relativeOrbitNumber", "other"))
    with pytest.raises(ProductCorruptError, match="states no relative orbit"):
        open_radar_product(copy)
