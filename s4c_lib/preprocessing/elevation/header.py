"""The header (.HDR) of MAJA's elevation folder: place, statistics and list of files (spec §7.2).

Elements and their order are those of the schema AUX_REFDE2 that MAJA checks it against; what the schema has no element
for (least and greatest height, source) stands in the comment.
"""

from __future__ import annotations

import xml.etree.ElementTree as Xml
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from s4c_lib.geography.pixel_grid import PixelGrid

SENSOR: Final = "S2"
"""For whose images the folders are; MAJA reads them by this name."""
_NAMESPACE: Final = "http://eop-cfi.esa.int/CFI"
_MISSION: Final = "SENTINEL-2_"
_FOREVER: Final = "UTC=9999-99-99T99:99:99"


@dataclass(frozen=True, slots=True)
class ElevationStatistics:
    """Heights of a tile, of the finest layer; metres.

    Parameters
    ----------
    least, greatest, mean, std : std with n.
    """

    least: float
    greatest: float
    mean: float
    std: float


@dataclass(frozen=True, slots=True)
class HeaderFacts:
    """What a header says.

    Parameters
    ----------
    name : of the folder, without extension.
    tile : for which it is made.
    grid : the finest grid.
    statistics : of the heights there.
    files : relative paths of the rasters.
    comment : free text.
    now : time of creation.
    """

    name: str
    tile: str
    grid: PixelGrid
    statistics: ElevationStatistics
    files: Sequence[str]
    comment: str
    now: datetime


def header(facts: HeaderFacts) -> bytes:
    """The header as XML, UTF-8."""
    Xml.register_namespace("", _NAMESPACE)
    root = Xml.Element(
        "Earth_Explorer_Header",
        {
            "schema_version": "1.00",
            "xmlns": _NAMESPACE,
            "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
            "xsi:schemaLocation": f"{_NAMESPACE} AUX_REFDE2_ReferenceDemDataLevel2.xsd",
            "xsi:type": "REFDE2_Header_Type",
        },
    )
    _fixed(Xml.SubElement(root, "Fixed_Header"), facts)
    variable = Xml.SubElement(root, "Variable_Header")
    main = Xml.SubElement(variable, "Main_Product_Header")
    Xml.SubElement(main, "List_of_Consumers", count="0")
    Xml.SubElement(main, "List_of_Extensions", count="0")
    product = Xml.SubElement(variable, "Specific_Product_Header")
    instance = Xml.SubElement(product, "Instance_Id")
    _text(instance, "Applicable_Site_Nick_Name", facts.tile)
    _text(instance, "File_Version", "0001")
    sites = Xml.SubElement(product, "List_of_Applicable_SiteDefinition_Ids", count="1")
    site = f"{SENSOR}_TEST_MPL_SITDEF_S_{facts.tile}"
    _text(sites, "Applicable_SiteDefinition_Id", site, sn="1")
    _elevation(Xml.SubElement(product, "DEM_Information"), facts)
    organisation = Xml.SubElement(product, "DBL_Organization")
    listed = Xml.SubElement(organisation, "List_of_Packaged_DBL_Files", count=str(len(facts.files)))
    for number, file in enumerate(facts.files, 1):
        _text(Xml.SubElement(listed, "Packaged_DBL_File", sn=str(number)), "Relative_File_Path", file)
    Xml.indent(root)
    return bytes(Xml.tostring(root, encoding="UTF-8", xml_declaration=True)) + b"\n"


def _fixed(parent: Xml.Element, facts: HeaderFacts) -> None:
    created = f"UTC={facts.now.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"
    _text(parent, "File_Name", facts.name)
    _text(parent, "File_Description", "ReferenceDemDataLevel2")
    _text(parent, "Notes", "NA")
    _text(parent, "Mission", _MISSION)
    _text(parent, "File_Class", "TEST")
    _text(parent, "File_Type", "AUX_REFDE2")
    validity = Xml.SubElement(parent, "Validity_Period")
    _text(validity, "Validity_Start", created)
    _text(validity, "Validity_Stop", _FOREVER)
    _text(parent, "File_Version", "0001")
    source = Xml.SubElement(parent, "Source")
    _text(source, "System", "SEN4CAP")
    _text(source, "Creator", "s4c_elevation")
    _text(source, "Creator_Version", "1.0")
    _text(source, "Creation_Date", created)


def _elevation(parent: Xml.Element, facts: HeaderFacts) -> None:
    from pyproj import CRS

    grid, heights = facts.grid, facts.statistics
    place = Xml.SubElement(parent, "Cartographic")
    system = Xml.SubElement(place, "Coordinate_Reference_System")
    _text(system, "Code", f"EPSG:{grid.epsg}")
    _text(system, "Short_Description", CRS.from_epsg(grid.epsg).name)
    corner = Xml.SubElement(place, "Upper_Left_Corner")
    _text(corner, "X", f"{grid.west:g}" if grid.west % 1 else f"{grid.west:.0f}", unit="m")
    _text(corner, "Y", f"{grid.north:g}" if grid.north % 1 else f"{grid.north:.0f}", unit="m")
    interval = Xml.SubElement(place, "Sampling_Interval")
    # Signs as in the headers that come with MAJA.
    _text(interval, "By_Line", f"{grid.pixel:g}", unit="m")
    _text(interval, "By_Column", f"{-grid.pixel:g}", unit="m")
    size = Xml.SubElement(place, "Size")
    _text(size, "Lines", str(grid.rows))
    _text(size, "Columns", str(grid.columns))
    _text(parent, "Mean_Altitude_Over_L2_Coverage", f"{heights.mean:.6f}", unit="m")
    _text(parent, "Altitude_Standard_Deviation_Over_L2_Coverage", f"{heights.std:.6f}", unit="m")
    _text(parent, "Nodata_Value", "0")
    _text(parent, "L2_To_DEM_Subsampling_Ratio", "1")
    limits = f"least {heights.least:g} m, greatest {heights.greatest:g} m"
    _text(parent, "Comment", f"{limits}; {facts.comment}")


def _text(parent: Xml.Element, tag: str, text: str, **attributes: str) -> None:
    Xml.SubElement(parent, tag, attributes).text = text
