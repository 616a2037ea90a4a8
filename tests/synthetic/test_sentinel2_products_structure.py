"""Metadata documents against real ones: no element that ESA does not write, nothing that readers need left out."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import sentinel2_scenes

from s4c_lib.sources.metadata_files import elements, local_name, number, parse_xml, text
from s4c_lib.synthetic.products.sentinel2_safe import l1c_files, l2a_files

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "sentinel2_metadata"
L2A, L1C = "S2A_MSIL2A_20230821*_N0509_*", "S2A_MSIL1C_20210908*_N0301_*"
# What a made-up product leaves out, by design: see the module of the writer.
LEFT_OUT = {
    "Auxiliary_Data_Info",
    "PRODUCT_DOI",
    "PVI_FILENAME",
    "CLOUDY_PIXEL_OVER_LAND_PERCENTAGE",
    "Pixel_Level_QI",
}
# The real L1C is of a baseline before quality masks were images.
NEW_IN_4 = {"Radiometric_Offset_List", "RADIO_ADD_OFFSET"}


def paths(root: ElementTree.Element) -> set[str]:
    """Paths of local names of all elements."""
    found = set()

    def visit(element: ElementTree.Element, above: str) -> None:
        path = f"{above}/{local_name(element)}"
        found.add(path)
        for child in element:
            visit(child, path)

    visit(root, "")
    return found


def real(pattern: str, file: str) -> ElementTree.Element:
    documents = sorted(REAL.glob(f"{pattern}/{file}"))
    if not documents:
        pytest.skip("the real metadata are not on this machine")
    return parse_xml(documents[0].read_bytes(), file)


@pytest.mark.parametrize(
    ("level", "pattern", "file"),
    [
        ("L2A", L2A, "MTD_MSIL2A.xml"),
        ("L2A", L2A, "GRANULE/*/MTD_TL.xml"),
        ("L1C", L1C, "MTD_MSIL1C.xml"),
        ("L1C", L1C, "GRANULE/*/MTD_TL.xml"),
    ],
)
def test_documents_have_the_elements_of_real_ones(level: str, pattern: str, file: str) -> None:
    theirs = paths(real(pattern, file))
    make = l2a_files if level == "L2A" else l1c_files
    _, files = make(sentinel2_scenes.scene(), sentinel2_scenes.FLIGHT, sentinel2_scenes.TILE, 500)
    path = next(name for name in files if Path(name).match(file))
    ours = paths(parse_xml(files[path], path))
    assert {name for name in ours - theirs if not NEW_IN_4 & set(name.split("/"))} == set()
    assert {name for name in theirs - ours if not LEFT_OUT & set(name.split("/"))} == set()


def test_images_are_listed_in_the_order_of_real_products() -> None:
    for make, pattern, file in ((l2a_files, L2A, "MTD_MSIL2A.xml"), (l1c_files, L1C, "MTD_MSIL1C.xml")):
        wanted = [
            str(item.text).rsplit("/", 1)[-1].split("_", 2)[2] for item in elements(real(pattern, file), "IMAGE_FILE")
        ]
        _, files = make(sentinel2_scenes.scene(), sentinel2_scenes.FLIGHT, sentinel2_scenes.TILE, 500)
        ours = [
            str(item.text).rsplit("/", 1)[-1].split("_", 2)[2]
            for item in elements(parse_xml(files[file], file), "IMAGE_FILE")
        ]
        assert ours == wanted


def test_spectral_information_is_that_of_the_real_instrument() -> None:
    theirs = list(elements(real(L2A, "MTD_MSIL2A.xml"), "Spectral_Information"))
    _, files = l2a_files(sentinel2_scenes.scene(), sentinel2_scenes.FLIGHT, sentinel2_scenes.TILE, 500)
    ours = list(elements(parse_xml(files["MTD_MSIL2A.xml"], ""), "Spectral_Information"))
    for mine, real_band in zip(ours, theirs, strict=True):
        assert mine.attrib == real_band.attrib
        for name in ("RESOLUTION", "MIN", "MAX", "CENTRAL"):
            assert number(mine, name) == number(real_band, name)
        written, wanted = (
            np.array([float(value) for value in str(text(band, "VALUES")).split()]) for band in (mine, real_band)
        )
        np.testing.assert_allclose(written, wanted / wanted.max(), atol=1e-6)
