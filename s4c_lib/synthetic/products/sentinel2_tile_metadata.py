"""``MTD_TL.xml`` and ``MTD_DS.xml``: where the granule lies, its angles, its quality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from s4c_lib.synthetic.products.angle_grids import AngleGrids
from s4c_lib.synthetic.products.sentinel2_bands import bands_of
from s4c_lib.synthetic.products.sentinel2_images import GranuleImages
from s4c_lib.synthetic.products.sentinel2_metadata import cloudy_pct, content_quality, document
from s4c_lib.synthetic.products.sentinel2_product import Sentinel2Product, iso
from s4c_lib.synthetic.products.xml_text import angle_grid, element, group, mean_angle


def tile_metadata(
    product: Sentinel2Product, images: GranuleImages, angles: AngleGrids, masks: Mapping[str, str]
) -> bytes:
    """The granule's metadata document.

    Parameters
    ----------
    masks : path below the product -> type (``MSK_CLDPRB``).
    """
    level = product.level.removeprefix("L")
    return document(
        f"Level-{level}_Tile_ID",
        f"S2_PDI_Level-{level}_Tile_Metadata",
        _general(product),
        group("n1:Geometric_Info", _geocoding(product, images), _angles(product, angles)),
        group(
            "n1:Quality_Indicators_Info",
            _content(product, images),
            group(
                "Pixel_Level_QI",
                *(element("MASK_FILENAME", path, type=kind) for path, kind in masks.items()),
                geometry="FULL_RESOLUTION",
            ),
            metadataLevel="Standard",
        ),
    )


def datastrip_metadata(product: Sentinel2Product, files: Sequence[str]) -> bytes:
    """A datastrip's metadata document, with what readers look for: datatake, orbit, times, granules."""
    flight, level = product.flight, product.level.removeprefix("L")
    return document(
        f"Level-{level}_DataStrip_ID",
        f"S2_PDI_Level-{level}_Datastrip_Metadata",
        group(
            "n1:General_Info",
            group(
                "Datatake_Info",
                element("SPACECRAFT_NAME", f"Sentinel-{flight.platform[1:]}"),
                element("DATATAKE_TYPE", "INS-NOBS"),
                element("DATATAKE_SENSING_START", iso(flight.start)),
                element("SENSING_ORBIT_NUMBER", flight.relative_orbit),
                element("SENSING_ORBIT_DIRECTION", "DESCENDING"),
                datatakeIdentifier=product.datatake,
            ),
            group(
                "Datastrip_Time_Info",
                element("DATASTRIP_SENSING_START", iso(flight.start)),
                element("DATASTRIP_SENSING_STOP", iso(flight.start)),
            ),
            group(
                "Processing_Info",
                element("PROCESSING_BASELINE", product.written_baseline),
                element("UTC_DATE_TIME", iso(product.generated)),
                element("PROCESSING_CENTER", product.centre),
            ),
        ),
        group(
            "n1:Image_Data_Info",
            group(
                "Tiles_Information",
                group("Tile_List", f'<Tile tileId="{product.granule_identifier(product.level)}"/>\n'),
            ),
            element("NUMBER_OF_IMAGES", len(files)),
        ),
    )


def _general(product: Sentinel2Product) -> str:
    higher = element("L1C_TILE_ID", product.granule_identifier("L1C"), metadataLevel="Brief")
    return group(
        "n1:General_Info",
        higher if product.level == "L2A" else "",
        element("TILE_ID", product.granule_identifier(product.level), metadataLevel="Brief"),
        element("DATASTRIP_ID", product.datastrip_identifier, metadataLevel="Standard"),
        element("DOWNLINK_PRIORITY", "NOMINAL", metadataLevel="Standard"),
        element("SENSING_TIME", iso(product.flight.start), metadataLevel="Standard"),
        group(
            "Archiving_Info",
            element("ARCHIVING_CENTRE", product.centre),
            element("ARCHIVING_TIME", iso(product.generated)),
            metadataLevel="Expertise",
        ),
    )


def _geocoding(product: Sentinel2Product, images: GranuleImages) -> str:
    epsg = product.tile.epsg
    sizes, places = [], []
    for metres, grid in images.grids.items():
        sizes.append(group("Size", element("NROWS", grid.rows), element("NCOLS", grid.columns), resolution=metres))
        places.append(
            group(
                "Geoposition",
                element("ULX", f"{grid.west:.0f}"),
                element("ULY", f"{grid.north:.0f}"),
                element("XDIM", f"{grid.pixel:.0f}"),
                element("YDIM", f"{-grid.pixel:.0f}"),
                resolution=metres,
            )
        )
    return group(
        "Tile_Geocoding",
        element("HORIZONTAL_CS_NAME", f"WGS84 / UTM zone {epsg % 100:02d}{'S' if epsg >= 32700 else 'N'}"),
        element("HORIZONTAL_CS_CODE", f"EPSG:{epsg}"),
        *sizes,
        *places,
        metadataLevel="Brief",
    )


def _angles(product: Sentinel2Product, angles: AngleGrids) -> str:
    numbers = {band.name: band.number for band in bands_of(product.flight.platform)}
    return group(
        "Tile_Angles",
        group(
            "Sun_Angles_Grid",
            angle_grid("Zenith", angles.sun_zenith),
            angle_grid("Azimuth", angles.sun_azimuth),
        ),
        mean_angle("Mean_Sun_Angle", *angles.mean_sun),
        *(
            group(
                "Viewing_Incidence_Angles_Grids",
                angle_grid("Zenith", view.zenith),
                angle_grid("Azimuth", view.azimuth),
                bandId=numbers[view.band],
                detectorId=view.detector,
            )
            for view in angles.views
        ),
        group(
            "Mean_Viewing_Incidence_Angle_List",
            *(
                mean_angle("Mean_Viewing_Incidence_Angle", *mean, bandId=numbers[band])
                for band, mean in angles.mean_views.items()
            ),
        ),
        metadataLevel="Standard",
    )


def _content(product: Sentinel2Product, images: GranuleImages) -> str:
    cloudy = element("CLOUDY_PIXEL_PERCENTAGE", f"{cloudy_pct(images):.6f}")
    degraded = element("DEGRADED_MSI_DATA_PERCENTAGE", "0.000000")
    if product.level == "L2A":
        return content_quality(images, cloudy, degraded)
    return group("Image_Content_QI", cloudy, degraded)
