"""``..._MTD_ALL.xml`` of a MUSCATE product, with the elements that MAJA writes and readers of it look for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.geography.sentinel2_tiles import Sentinel2Tile
from s4c_lib.synthetic.passes import OpticalPass
from s4c_lib.synthetic.products.angle_grids import AngleGrids
from s4c_lib.synthetic.products.sentinel2_bands import Band, bands_of
from s4c_lib.synthetic.products.sentinel2_metadata import corners
from s4c_lib.synthetic.products.sentinel2_product import iso
from s4c_lib.synthetic.products.xml_text import NOTICE, angle_grid, element, group, mean_angle

_LEFT_OUT = ("B01", "B09", "B10")
_NATURES = {"SRE": "Surface_Reflectance", "FRE": "Flat_Reflectance"}
_MASK_NATURES = {
    "CLM": "Cloud",
    "EDG": "Edge",
    "MG2": "Geophysics",
    "SAT": "Saturation",
    "IAB": "Interpolation",
}
GROUP_METRES = {"R1": 10, "R2": 20}
_PRODUCED = timedelta(hours=30)


def muscate_metadata(
    name: str,
    flight: OpticalPass,
    tile: Sentinel2Tile,
    grids: Mapping[str, PixelGrid],
    files: Sequence[str],
    angles: AngleGrids,
    cloud_pct: float,
    snow_pct: float,
) -> bytes:
    """The metadata document.

    Parameters
    ----------
    grids : of the groups ``R1`` and ``R2``. files : rasters below the product, sorted.
    cloud_pct, snow_pct : shares of the pixels, %.
    """
    bands = [band for band in bands_of(flight.platform) if band.name not in _LEFT_OUT]
    body = group(
        "Muscate_Metadata_Document",
        f"{NOTICE}\n",
        group(
            "Metadata_Identification",
            element("METADATA_FORMAT", "METADATA-MUSCATE", version="1.18"),
            element("METADATA_PROFILE", "DISTRIBUTED"),
            element("METADATA_INFORMATION", "EXPERT"),
        ),
        group(
            "Dataset_Identification",
            element("IDENTIFIER", name),
            element("AUTHORITY", "THEIA"),
            element("PRODUCER", "MUSCATE"),
            element("PROJECT", "SENTINEL2"),
            element("GEOGRAPHICAL_ZONE", tile.tile_id.removeprefix("T"), type="Tile"),
        ),
        _product(name, flight, bands),
        _organisation(files),
        _place(tile, grids),
        _geometry(angles, bands),
        _radiometry(bands),
        _quality(name, cloud_pct, snow_pct),
    )
    return ('<?xml version="1.0" encoding="UTF-8"?>\n' + body).encode()


def _product(name: str, flight: OpticalPass, bands: Sequence[Band]) -> str:
    return group(
        "Product_Characteristics",
        element("PRODUCT_ID", name),
        element("ACQUISITION_DATE", iso(flight.start)),
        element("PRODUCTION_DATE", iso(flight.start + _PRODUCED)),
        element("PRODUCT_VERSION", name.rsplit("_V", 1)[1].replace("-", ".")),
        element("PRODUCT_LEVEL", "L2A"),
        element("PLATFORM", f"SENTINEL2{flight.platform[-1]}"),
        group(
            "UTC_Acquisition_Range",
            element("MEAN", iso(flight.start)),
            element("DATE_PRECISION", 0, unit="s"),
        ),
        element("ORBIT_NUMBER", flight.relative_orbit, type="Path"),
        group(
            "Band_Global_List",
            *(element("BAND_ID", band.physical) for band in bands),
            count=len(bands),
        ),
        group(
            "Band_Group_List",
            *(
                group(
                    "Group",
                    group(
                        "Band_List",
                        *(element("BAND_ID", band.physical) for band in bands if band.metres == metres),
                        count=sum(band.metres == metres for band in bands),
                    ),
                    group_id=name_of_group,
                )
                for name_of_group, metres in GROUP_METRES.items()
            ),
        ),
    )


def _organisation(files: Sequence[str]) -> str:
    images = []
    for kind, nature in _NATURES.items():
        listed = [file for file in files if f"_{kind}_" in file]
        if listed:
            entries = "".join(
                element("IMAGE_FILE", file, band_id=file.rsplit("_", 1)[1].removesuffix(".tif")) for file in listed
            )
            images.append(group("Image", _properties("Image", nature, "int16"), group("Image_File_List", entries)))
    for number, nature in ((1, "Water_Vapor_Content"), (2, "Aerosol_Optical_Thickness")):
        listed = [file for file in files if "_ATB_" in file]
        if listed:
            entries = "".join(
                element("IMAGE_FILE", file, band_number=number, group_id=_group_of(file)) for file in listed
            )
            images.append(group("Image", _properties("Image", nature, "uint8"), group("Image_File_List", entries)))
    masks = []
    for kind, nature in _MASK_NATURES.items():
        listed = [file for file in files if file.startswith("MASKS/") and f"_{kind}_" in file]
        if listed:
            entries = "".join(element("MASK_FILE", file, group_id=_group_of(file)) for file in listed)
            masks.append(group("Mask", _properties("Mask", nature, "uint8"), group("Mask_File_List", entries)))
    return group(
        "Product_Organisation",
        group("Muscate_Product", group("Image_List", *images), group("Mask_List", *masks)),
    )


def _properties(kind: str, nature: str, encoding: str) -> str:
    return group(
        f"{kind}_Properties",
        element("NATURE", nature),
        element("FORMAT", "image/tiff"),
        element("ENCODING", encoding),
        element("ENDIANNESS", "LittleEndian"),
        element("COMPRESSION", "Deflate"),
    )


def _group_of(file: str) -> str:
    return file.rsplit("_", 1)[1].removesuffix(".tif")


def _place(tile: Sentinel2Tile, grids: Mapping[str, PixelGrid]) -> str:
    names = ("upperLeft", "upperRight", "lowerRight", "lowerLeft")
    points = [
        group(
            "Point",
            element("LAT", f"{latitude:.12f}"),
            element("LON", f"{longitude:.12f}"),
            element("X", f"{x:.0f}"),
            element("Y", f"{y:.0f}"),
            name=name,
        )
        for name, (x, y, longitude, latitude) in zip(names, corners(grids["R1"]), strict=True)
    ]
    zone = f"{tile.epsg % 100}{'S' if tile.epsg >= 32700 else 'N'}"
    return group(
        "Geoposition_Informations",
        group(
            "Coordinate_Reference_System",
            element("GEO_TABLES", "EPSG", version="1.0"),
            group(
                "Horizontal_Coordinate_System",
                element("HORIZONTAL_CS_TYPE", "PROJECTED"),
                element("HORIZONTAL_CS_NAME", f"WGS 84 / UTM zone {zone}"),
                element("HORIZONTAL_CS_CODE", tile.epsg),
            ),
        ),
        group("Raster_CS", element("RASTER_CS_TYPE", "CELL"), element("PIXEL_ORIGIN", 0)),
        group("Metadata_CS", element("METADATA_CS_TYPE", "CELL"), element("PIXEL_ORIGIN", 0)),
        group(
            "Geopositioning",
            group("Global_Geopositioning", *points),
            group(
                "Group_Geopositioning_List",
                *(
                    group(
                        "Group_Geopositioning",
                        element("ULX", f"{grid.west:.0f}"),
                        element("ULY", f"{grid.north:.0f}"),
                        element("XDIM", f"{grid.pixel:.0f}"),
                        element("YDIM", f"{-grid.pixel:.0f}"),
                        element("NROWS", grid.rows),
                        element("NCOLS", grid.columns),
                        group_id=name,
                    )
                    for name, grid in grids.items()
                ),
            ),
        ),
    )


def _geometry(angles: AngleGrids, bands: Sequence[Band]) -> str:
    units = {"step_unit": "m", "values_unit": "deg"}
    views = [
        group(
            "Band_Viewing_Incidence_Angles_Grids_List",
            *(
                group(
                    "Viewing_Incidence_Angles_Grids",
                    angle_grid("Zenith", view.zenith, **units),
                    angle_grid("Azimuth", view.azimuth, **units),
                    detector_id=f"{view.detector:02d}",
                )
                for view in angles.views
                if view.band == band.name
            ),
            band_id=band.physical,
        )
        for band in bands
        if angles.views
    ]
    return group(
        "Geometric_Informations",
        group(
            "Mean_Value_List",
            mean_angle("Sun_Angles", *angles.mean_sun),
            group(
                "Mean_Viewing_Incidence_Angle_List",
                *(
                    mean_angle("Mean_Viewing_Incidence_Angle", *angles.mean_views[band.name], band_id=band.physical)
                    for band in bands
                ),
            ),
        ),
        group(
            "Angles_Grids_List",
            group(
                "Sun_Angles_Grids",
                angle_grid("Zenith", angles.sun_zenith, **units),
                angle_grid("Azimuth", angles.sun_azimuth, **units),
            ),
            group("Viewing_Incidence_Angles_Grids_List", *views) if views else "",
        ),
    )


def _radiometry(bands: Sequence[Band]) -> str:
    return group(
        "Radiometric_Informations",
        element("REFLECTANCE_QUANTIFICATION_VALUE", 10000),
        element("AEROSOL_OPTICAL_THICKNESS_QUANTIFICATION_VALUE", 200),
        element("WATER_VAPOR_CONTENT_QUANTIFICATION_VALUE", 20),
        group(
            "Special_Values_List",
            element("SPECIAL_VALUE", -10000, name="nodata"),
            element("SPECIAL_VALUE", 0, name="water_vapor_content_nodata"),
            element("SPECIAL_VALUE", 0, name="aerosol_optical_thickness_nodata"),
        ),
        group(
            "Spectral_Band_Informations_List",
            *(
                group(
                    "Spectral_Band_Informations",
                    element("SPATIAL_RESOLUTION", band.metres, unit="m"),
                    element("PHYSICAL_GAINS", band.gain),
                    element("SOLAR_IRRADIANCE", band.irradiance, unit="W/m2/micrometer"),
                    group(
                        "Wavelength",
                        element("MIN", band.shortest, unit="nm"),
                        element("MAX", band.longest, unit="nm"),
                        element("CENTRAL", band.central, unit="nm"),
                    ),
                    band_id=band.physical,
                )
                for band in bands
            ),
        ),
    )


def _quality(name: str, cloud_pct: float, snow_pct: float) -> str:
    return group(
        "Quality_Informations",
        group(
            "Current_Product",
            group(
                "Product_Quality_List",
                group(
                    "Product_Quality",
                    group("Source_Product", element("PRODUCT_ID", name), element("PRODUCT_LEVEL", "L2A")),
                    group(
                        "Global_Index_List",
                        element("QUALITY_INDEX", f"{cloud_pct:.0f}", name="CloudPercent"),
                        element("QUALITY_INDEX", f"{snow_pct:.0f}", name="SnowPercent"),
                    ),
                ),
                level="N2",
            ),
        ),
    )
