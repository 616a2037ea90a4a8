"""Clear-pixel rule: case 9.4, from metadata of every spelling."""

from __future__ import annotations

import pytest

from s4c_lib.errors import ProductCorruptError
from s4c_lib.preprocessing.clear_pixels import (
    ClearPixels,
    clear_pixels_of_document,
    clear_pixels_of_metadata,
)

FIELDS = {
    "nodata_pixel_percentage": 40.0,
    "cloud_coverage_assessment": 30.0,
    "saturated_defective_pixel_percentage": 0.0,
    "dark_features_percentage": 2.0,
    "cloud_shadow_percentage": 8.0,
    "snow_ice_percentage": 0.0,
}


def test_case_9_4() -> None:
    accepted = ClearPixels(nodata=40, cloud=30, saturated=0, dark=2, shadow=8, snow=0)
    assert accepted.valid == pytest.approx(36.0)
    assert accepted.enough(10)
    rejected = ClearPixels(nodata=80, cloud=50, saturated=0, dark=1, shadow=3, snow=0)
    assert rejected.valid == pytest.approx(9.2)
    assert not rejected.enough(10)
    assert rejected.enough(5)  # the limit of the stand-alone script


@pytest.mark.parametrize("dark", ["DARK_FEATURES_PERCENTAGE", "CAST_SHADOW_PERCENTAGE"])
@pytest.mark.parametrize("space", ["", ' xmlns="https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_Level-2A.xsd"'])
def test_documents_of_every_baseline(dark: str, space: str) -> None:
    names = {name: name.upper() for name in FIELDS} | {"cloud_coverage_assessment": "Cloud_Coverage_Assessment"}
    names["dark_features_percentage"] = dark
    inner = "".join(f"<{names[name]}>{value}</{names[name]}>" for name, value in FIELDS.items())
    found = clear_pixels_of_document(f"<Product{space}>{inner}</Product>".encode(), "MTD_MSIL2A.xml")
    assert found == clear_pixels_of_metadata(FIELDS)
    assert found.valid == pytest.approx(36.0)


def test_missing_fields_are_named() -> None:
    with pytest.raises(ProductCorruptError, match="DARK_FEATURES_PERCENTAGE, SNOW_ICE_PERCENTAGE"):
        clear_pixels_of_metadata(
            {name: 1.0 for name in FIELDS if name not in ("snow_ice_percentage", "dark_features_percentage")}
        )
