"""``MTD_MSIL2A.xml`` and ``MTD_MSIL1C.xml``: elements and order of the real documents of baseline 05.09."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.synthetic.optical.spectral_response import spectral_responses
from s4c_lib.synthetic.products.angle_grids import to_lonlat
from s4c_lib.synthetic.products.sentinel2_bands import Band, bands_of
from s4c_lib.synthetic.products.sentinel2_images import GranuleImages
from s4c_lib.synthetic.products.sentinel2_product import Sentinel2Product, added_to_numbers, iso
from s4c_lib.synthetic.products.xml_text import NOTICE, element, group

# Names of the classes 0 to 11 of the scene classification.
SCENE_CLASSES = (
    "SC_NODATA",
    "SC_SATURATED_DEFECTIVE",
    "SC_DARK_FEATURE_SHADOW",
    "SC_CLOUD_SHADOW",
    "SC_VEGETATION",
    "SC_NOT_VEGETATED",
    "SC_WATER",
    "SC_UNCLASSIFIED",
    "SC_CLOUD_MEDIUM_PROBA",
    "SC_CLOUD_HIGH_PROBA",
    "SC_THIN_CIRRUS",
    "SC_SNOW_ICE",
)
_PERCENTAGES = (
    "NODATA_PIXEL",
    "SATURATED_DEFECTIVE_PIXEL",
    "DARK_FEATURES",
    "CLOUD_SHADOW",
    "VEGETATION",
    "NOT_VEGETATED",
    "WATER",
    "UNCLASSIFIED",
    "MEDIUM_PROBA_CLOUDS",
    "HIGH_PROBA_CLOUDS",
    "THIN_CIRRUS",
    "SNOW_ICE",
)
_CHECKS = ("FORMAT_CORRECTNESS", "GENERAL_QUALITY", "GEOMETRIC_QUALITY", "RADIOMETRIC_QUALITY", "SENSOR_QUALITY")
_EPOCH = datetime(1950, 1, 1)


def document(root: str, schema: str, *parts: str) -> bytes:
    """A metadata document of the PSD with its namespace."""
    space = f"https://psd-14.sentinel2.eo.esa.int/PSD/{schema}.xsd"
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n'
        f'<n1:{root} xmlns:n1="{space}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        f' xsi:schemaLocation="{space}">\n{NOTICE}\n{"".join(parts)}</n1:{root}>\n'
    ).encode()


def product_metadata(product: Sentinel2Product, images: GranuleImages, files: Sequence[str]) -> bytes:
    """The product's metadata document.

    Parameters
    ----------
    files : paths of the images below the product, in the order of the list of images.
    """
    level = product.level.removeprefix("L")
    return document(
        f"Level-{level}_User_Product",
        f"User_Product_Level-{level}",
        group("n1:General_Info", _product_info(product, files), _characteristics(product)),
        group(
            "n1:Geometric_Info",
            group(
                "Product_Footprint",
                group("Product_Footprint", group("Global_Footprint", element("EXT_POS_LIST", ring(images.grids[10])))),
                element("RASTER_CS_TYPE", "POINT"),
                element("PIXEL_ORIGIN", 1),
            ),
            group(
                "Coordinate_Reference_System",
                element("GEO_TABLES", "EPSG", version="1"),
                element("HORIZONTAL_CS_TYPE", "GEOGRAPHIC"),
            ),
        ),
        group(
            "n1:Quality_Indicators_Info",
            element("Cloud_Coverage_Assessment", f"{cloudy_pct(images):.6f}"),
            group(
                "Technical_Quality_Assessment",
                element("DEGRADED_ANC_DATA_PERCENTAGE", "0.0"),
                element("DEGRADED_MSI_DATA_PERCENTAGE", 0),
            ),
            group(
                "Quality_Control_Checks",
                group(
                    "Quality_Inspections",
                    *(element("quality_check", "PASSED", checkType=check) for check in _CHECKS),
                ),
                "<Failed_Inspections/>\n",
            ),
            content_quality(images) if product.level == "L2A" else "",
        ),
    )


def cloudy_pct(images: GranuleImages) -> float:
    """Share of medium and high probability cloud and of thin cirrus, %."""
    return sum(images.class_pct[8:11])


def content_quality(images: GranuleImages, *before: str) -> str:
    """``Image_Content_QI`` of an L2A: shares of the scene classification and means of the atmosphere."""
    return group(
        "Image_Content_QI",
        *before,
        *(
            element(f"{name}_PERCENTAGE", f"{share:.6f}")
            for name, share in zip(_PERCENTAGES, images.class_pct, strict=True)
        ),
        *(
            element(f"{name}_ACCURACY", "0.0")
            for name in ("RADIATIVE_TRANSFER", "WATER_VAPOUR_RETRIEVAL", "AOT_RETRIEVAL")
        ),
        element("AOT_RETRIEVAL_METHOD", "CAMS"),
        element("GRANULE_MEAN_AOT", f"{images.aerosol:.6f}"),
        element("GRANULE_MEAN_WV", f"{images.water_vapour:.6f}"),
        element("OZONE_SOURCE", "AUX_ECMWFT"),
        element("OZONE_VALUE", "330.000000"),
    )


def corners(grid: PixelGrid) -> list[tuple[float, float, float, float]]:
    """Upper-left, upper-right, lower-right and lower-left corner: x, y (metres), longitude, latitude (degrees)."""
    west, south, east, north = grid.bounds
    x, y = [west, east, east, west], [north, north, south, south]
    return list(zip(x, y, *to_lonlat(grid.epsg).transform(x, y), strict=True))


def ring(grid: PixelGrid) -> str:
    """Outline of a grid as ``latitude longitude`` pairs, closed."""
    outline = corners(grid)
    return " ".join(f"{latitude:.9f} {longitude:.9f}" for _, _, longitude, latitude in (*outline, outline[0]))


def _product_info(product: Sentinel2Product, files: Sequence[str]) -> str:
    flight, level = product.flight, product.level.removeprefix("L")
    listed = "".join(element("IMAGE_FILE", file.removesuffix(".jp2")) for file in files)
    return group(
        "Product_Info",
        element("PRODUCT_START_TIME", iso(flight.start)),
        element("PRODUCT_STOP_TIME", iso(flight.start)),
        element("PRODUCT_URI", f"{product.name}.SAFE"),
        element("PROCESSING_LEVEL", f"Level-{level}"),
        element("PRODUCT_TYPE", f"S2MSI{level}"),
        element("PROCESSING_BASELINE", product.written_baseline),
        element("GENERATION_TIME", iso(product.generated)),
        element("PREVIEW_IMAGE_URL", "Not applicable"),
        element("PREVIEW_GEO_INFO", "Not applicable"),
        group(
            "Datatake",
            element("SPACECRAFT_NAME", f"Sentinel-{flight.platform[1:]}"),
            element("DATATAKE_TYPE", "INS-NOBS"),
            element("DATATAKE_SENSING_START", iso(flight.start)),
            element("SENSING_ORBIT_NUMBER", flight.relative_orbit),
            element("SENSING_ORBIT_DIRECTION", "DESCENDING"),
            datatakeIdentifier=product.datatake,
        ),
        group("Query_Options", element("PRODUCT_FORMAT", "SAFE_COMPACT"), completeSingleTile="true"),
        group(
            "Product_Organisation",
            group(
                "Granule_List",
                group(
                    "Granule",
                    listed,
                    datastripIdentifier=product.datastrip_identifier,
                    granuleIdentifier=product.granule_identifier(product.level),
                    imageFormat="JPEG2000",
                ),
            ),
        ),
    )


def _characteristics(product: Sentinel2Product) -> str:
    bands = bands_of(product.flight.platform)
    return group(
        "Product_Image_Characteristics",
        *(
            group("Special_Values", element("SPECIAL_VALUE_TEXT", name), element("SPECIAL_VALUE_INDEX", value))
            for name, value in (("NODATA", 0), ("SATURATED", 65535))
        ),
        group(
            "Image_Display_Order",
            element("RED_CHANNEL", 3),
            element("GREEN_CHANNEL", 2),
            element("BLUE_CHANNEL", 1),
        ),
        _scales(product),
        group(
            "Reflectance_Conversion",
            element("U", f"{_sun_distance_factor(product):.15f}"),
            group(
                "Solar_Irradiance_List",
                *(element("SOLAR_IRRADIANCE", band.irradiance, bandId=band.number, unit="W/m²/µm") for band in bands),
            ),
        ),
        group(
            "Spectral_Information_List",
            *(
                group(
                    "Spectral_Information",
                    element("RESOLUTION", band.metres),
                    group(
                        "Wavelength",
                        element("MIN", band.shortest, unit="nm"),
                        element("MAX", band.longest, unit="nm"),
                        element("CENTRAL", band.central, unit="nm"),
                    ),
                    _response(product.flight.platform, band),
                    bandId=band.number,
                    physicalBand=band.physical,
                )
                for band in bands
            ),
        ),
        *(element("PHYSICAL_GAINS", band.gain, bandId=band.number) for band in bands),
        element("REFERENCE_BAND", 3),
        _classes() if product.level == "L2A" else "",
    )


def _scales(product: Sentinel2Product) -> str:
    added = added_to_numbers(product.baseline)
    name, container = (
        ("BOA_ADD_OFFSET", "BOA_ADD_OFFSET_VALUES_LIST")
        if product.level == "L2A"
        else ("RADIO_ADD_OFFSET", "Radiometric_Offset_List")
    )
    offsets = "".join(element(name, -added, band_id=band.number) for band in bands_of(product.flight.platform))
    written = group(container, offsets) if added else ""
    if product.level == "L1C":
        return element("QUANTIFICATION_VALUE", 10000, unit="none") + written
    return (
        group(
            "QUANTIFICATION_VALUES_LIST",
            element("BOA_QUANTIFICATION_VALUE", 10000, unit="none"),
            element("AOT_QUANTIFICATION_VALUE", "1000.0", unit="none"),
            element("WVP_QUANTIFICATION_VALUE", "1000.0", unit="cm"),
        )
        + written
    )


@lru_cache(maxsize=64)
def _response(platform: str, band: Band) -> str:
    """Response at 1 nm from the shortest to the longest wavelength, relative to its peak."""
    response = spectral_responses(platform)[band.name]
    relative = dict(zip(response.nm.tolist(), (response.weight / response.weight.max()).tolist(), strict=True))
    values = (f"{relative.get(nm, 0):.7g}" for nm in range(band.shortest, band.longest + 1))
    return group("Spectral_Response", element("STEP", 1, unit="nm"), element("VALUES", " ".join(values)))


def _classes() -> str:
    return group(
        "Scene_Classification_List",
        *(
            group(
                "Scene_Classification_ID",
                element("SCENE_CLASSIFICATION_TEXT", name),
                element("SCENE_CLASSIFICATION_INDEX", index),
            )
            for index, name in enumerate(SCENE_CLASSES)
        ),
    )


def _sun_distance_factor(product: Sentinel2Product) -> float:
    """Square of mean over actual distance of the sun, by the formula of the L1C product definition (JD 1950)."""
    days = (product.flight.start.replace(tzinfo=None) - _EPOCH).days
    return 1 / (1 - 0.01673 * math.cos(0.0172 * (days - 2))) ** 2
