"""How much of a tile can be used: the clear-pixel rule of Sen2Cor products (``preprocessing.md`` §2.7, case 9.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from s4c_lib.errors import ProductCorruptError
from s4c_lib.sources.metadata_files import number, parse_xml

# Fields of MTD_MSIL2A.xml; newer baselines have CAST_SHADOW instead of DARK_FEATURES.
_NO_DATA_FIELD: Final = "nodata_pixel_percentage"
_CLOUD_FIELD: Final = "cloud_coverage_assessment"
_DARK_FIELDS: Final = ("dark_features_percentage", "cast_shadow_percentage")
_OTHER_FIELDS: Final = {
    "saturated": "saturated_defective_pixel_percentage",
    "shadow": "cloud_shadow_percentage",
    "snow": "snow_ice_percentage",
}


@dataclass(frozen=True, slots=True)
class ClearPixels:
    """Shares of a tile, %: ``nodata`` of all pixels, the others of those with data."""

    nodata: float
    cloud: float
    saturated: float
    dark: float
    shadow: float
    snow: float

    @property
    def valid(self) -> float:
        """Share of the tile that can be used, %."""
        spoilt = self.cloud + self.saturated + self.dark + self.shadow + self.snow
        return (100 - self.nodata) / 100 * (100 - spoilt)

    def enough(self, min_valid_pct: float) -> bool:
        """Whether the tile is worth keeping; of use only where L2A is computed here."""
        return self.valid >= min_valid_pct


def clear_pixels_of_metadata(quality: Mapping[str, float]) -> ClearPixels:
    """From the quality fields of a product, by lower-case name.

    Raises
    ------
    ProductCorruptError : a field is missing.
    """
    dark = next((field for field in _DARK_FIELDS if field in quality), _DARK_FIELDS[0])
    fields = {"nodata": _NO_DATA_FIELD, "cloud": _CLOUD_FIELD, "dark": dark, **_OTHER_FIELDS}
    missing = [field for field in fields.values() if field not in quality]
    if missing:
        raise ProductCorruptError(
            f"the quality indicators lack {', '.join(sorted(missing)).upper()}",
            hint="they are in MTD_MSIL2A.xml of every version of Sen2Cor; look whether the product is whole",
        )
    return ClearPixels(**{name: float(quality[field]) for name, field in fields.items()})


def clear_pixels_of_document(content: bytes, where: str) -> ClearPixels:
    """From ``MTD_MSIL2A.xml``, whatever its namespaces.

    Raises
    ------
    ProductCorruptError : not readable, or a field is missing.
    """
    root = parse_xml(content, where)
    fields = (_NO_DATA_FIELD, _CLOUD_FIELD, *_DARK_FIELDS, *_OTHER_FIELDS.values())
    # The cloud assessment is the one field not written in capitals.
    found = {
        field: number(root, "Cloud_Coverage_Assessment" if field == _CLOUD_FIELD else field.upper()) for field in fields
    }
    return clear_pixels_of_metadata({field: value for field, value in found.items() if value is not None})
