"""Made-up Sentinel-2 products: L2A and L1C as compact SAFE, L2A as MUSCATE."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import numpy.typing as npt
import shapely

from s4c_lib.geography.sentinel2_tiles import Sentinel2Tile
from s4c_lib.synthetic.archive_files import Files, metadata_object, safe_manifest
from s4c_lib.synthetic.archive_rasters import PIXELS, smooth_field, tile_raster

# Band -> (id in the metadata, physical name, native metres, central wavelength nm, typical reflectance).
BANDS = {
    "B01": (0, "B1", 60, 442.7, 0.03),
    "B02": (1, "B2", 10, 492.7, 0.04),
    "B03": (2, "B3", 10, 559.8, 0.07),
    "B04": (3, "B4", 10, 664.6, 0.05),
    "B05": (4, "B5", 20, 704.1, 0.11),
    "B06": (5, "B6", 20, 740.5, 0.25),
    "B07": (6, "B7", 20, 782.8, 0.32),
    "B08": (7, "B8", 10, 832.8, 0.34),
    "B8A": (8, "B8A", 20, 864.7, 0.36),
    "B09": (9, "B9", 60, 945.1, 0.35),
    "B10": (10, "B10", 60, 1373.5, 0.002),
    "B11": (11, "B11", 20, 1613.7, 0.22),
    "B12": (12, "B12", 20, 2202.4, 0.13),
}
_L2A_IMAGES = {
    10: ("B02", "B03", "B04", "B08"),
    20: ("B02", "B03", "B04", "B05", "B06", "B07", "B8A", "B11", "B12"),
}
# First day of each processing baseline used; from 0400 on all digital numbers carry +1000.
_BASELINES = ((2015, 1, 1, 204), (2018, 11, 6, 211), (2020, 2, 4, 214), (2021, 3, 30, 301), (2022, 1, 25, 400))
_BASELINES_LATER = ((2022, 12, 6, 509), (2023, 12, 13, 510), (2024, 7, 23, 511))
_CLOUD_STATES = (0.02, 0.35, 0.85)
_ORBIT_ANCHOR = (42640, 29, date(2023, 8, 21))
_TIME = "%Y%m%dT%H%M%S"


@dataclass(frozen=True, slots=True)
class Datatake:
    """One pass over the site."""

    platform: str
    start: datetime
    relative_orbit: int
    baseline: int

    @property
    def absolute_orbit(self) -> int:
        """A plausible absolute orbit number: 143 orbits in ten days from a real one."""
        number, relative, day = _ORBIT_ANCHOR
        return number + self.relative_orbit - relative + round((self.start.date() - day).days * 14.3)

    @property
    def generated(self) -> datetime:
        """Processing time, later for a later baseline as when an archive is reprocessed."""
        return self.start + timedelta(hours=4, minutes=self.baseline % 60)


def baselines_of(day: date) -> tuple[int, int]:
    """Baseline in use on a day, and the one before it."""
    numbers = [204]
    for year, month, first, number in (*_BASELINES, *_BASELINES_LATER):
        if date(year, month, first) <= day:
            numbers.append(number)
    return numbers[-1], numbers[-2]


def product_name(take: Datatake, tile: str, level: str) -> str:
    """Compact name without ``.SAFE``; ``level`` is ``L1C`` or ``L2A``."""
    return (
        f"{take.platform}_MSI{level}_{take.start:{_TIME}}_N{take.baseline:04d}_R{take.relative_orbit:03d}"
        f"_T{tile}_{take.generated:{_TIME}}"
    )


class TileImages:
    """The images of one tile, encoded once and shared by all its products."""

    def __init__(self, tile: Sentinel2Tile, rng: np.random.Generator) -> None:
        self.tile = tile
        self._field = {pixels: smooth_field(rng, pixels) for pixels in sorted(set(PIXELS.values()))}
        clouds = smooth_field(rng, PIXELS[20])
        self._scene_class = [_scene_class(clouds, self._field[PIXELS[20]], share) for share in _CLOUD_STATES]
        self._encoded: dict[tuple[str, int, int], bytes] = {}

    @property
    def states(self) -> int:
        """Count of cloud states to choose from."""
        return len(self._scene_class)

    def reflectance(self, band: str, metres: int) -> npt.NDArray[np.float64]:
        """Surface reflectance, float64 (pixels, pixels), unitless."""
        return np.asarray(BANDS[band][4] * (0.5 + self._field[PIXELS[metres]]))

    def band(self, band: str, metres: int, offset: int) -> bytes:
        """JP2 of a band, uint16 = reflectance x 10000 + offset."""
        key = (band, metres, offset)
        if key not in self._encoded:
            numbers = np.round(self.reflectance(band, metres) * 10000 + offset).astype(np.uint16)
            self._encoded[key] = tile_raster(self.tile, numbers, driver="JP2OpenJPEG")
        return self._encoded[key]

    def scene_class(self, state: int) -> bytes:
        """JP2 of the scene classification."""
        key = ("SCL", 20, state)
        if key not in self._encoded:
            self._encoded[key] = tile_raster(self.tile, self._scene_class[state], driver="JP2OpenJPEG")
        return self._encoded[key]

    def class_pct(self, state: int, *classes: int) -> float:
        """Share of classes in the scene classification, %."""
        return float(100 * np.isin(self._scene_class[state], classes).mean())

    def cloud_mask(self, state: int) -> npt.NDArray[np.bool_]:
        """Cloud where True (61, 61)."""
        return np.asarray(np.isin(self._scene_class[state], (8, 9, 10)))


def l2a_files(take: Datatake, images: TileImages, state: int) -> Files:
    """Files of an L2A SAFE."""
    tile = images.tile.tile_id.removeprefix("T")
    granule = f"GRANULE/L2A_T{tile}_A{take.absolute_orbit:06d}_{take.start:{_TIME}}"
    prefix = f"T{tile}_{take.start:{_TIME}}"
    offset = 1000 if take.baseline >= 400 else 0
    bands = {
        f"{granule}/IMG_DATA/R{metres}m/{prefix}_{band}_{metres}m.jp2": images.band(band, metres, offset)
        for metres, names in _L2A_IMAGES.items()
        for band in names
    }
    bands[f"{granule}/IMG_DATA/R20m/{prefix}_SCL_20m.jp2"] = images.scene_class(state)
    return _safe(take, images, state, "L2A", granule, bands)


def l1c_files(take: Datatake, images: TileImages, state: int) -> Files:
    """Files of an L1C SAFE."""
    tile = images.tile.tile_id.removeprefix("T")
    granule = f"GRANULE/L1C_T{tile}_A{take.absolute_orbit:06d}_{take.start:{_TIME}}"
    prefix = f"T{tile}_{take.start:{_TIME}}"
    offset = 1000 if take.baseline >= 400 else 0
    bands = {f"{granule}/IMG_DATA/{prefix}_{name}.jp2": images.band(name, BANDS[name][2], offset) for name in BANDS}
    return _safe(take, images, state, "L1C", granule, bands)


def _safe(take: Datatake, images: TileImages, state: int, level: str, granule: str, bands: Files) -> Files:
    datastrip = f"DATASTRIP/DS_SYNT_{take.generated:{_TIME}}_S{take.start:{_TIME}}"
    files = dict(bands)
    files[f"MTD_MSI{level}.xml"] = _product_metadata(take, images, state, level, granule, sorted(bands))
    files[f"{granule}/MTD_TL.xml"] = _tile_metadata(take, images, state, level)
    files[f"{datastrip}/MTD_DS.xml"] = _document(f"Level-{level[1:]}_DataStrip_ID", "")
    files["manifest.safe"] = safe_manifest(
        files,
        namespaces='xmlns:safe="http://www.esa.int/safe/sentinel/1.1"',
        package=f"SENTINEL-2 MSI Level-{level[1:]} User Product",
        metadata=metadata_object(
            "measurementOrbitReference",
            "<safe:orbitReference>"
            f'<safe:orbitNumber groundTrackDirection="descending" type="start">{take.absolute_orbit:06d}'
            f'</safe:orbitNumber><safe:relativeOrbitNumber type="start">{take.relative_orbit:03d}'
            "</safe:relativeOrbitNumber></safe:orbitReference>\n",
        )
        + metadata_object(
            "measurementFrameSet",
            "<safe:frameSet><safe:footPrint><gml:coordinates>"
            f"{_ring(images.tile)}</gml:coordinates></safe:footPrint></safe:frameSet>\n",
        ),
    )
    return files


def _product_metadata(
    take: Datatake, images: TileImages, state: int, level: str, granule: str, bands: list[str]
) -> bytes:
    tile = images.tile.tile_id.removeprefix("T")
    listed = "".join(f"<IMAGE_FILE>{name.removesuffix('.jp2')}</IMAGE_FILE>\n" for name in bands)
    kind, offset = ("BOA", "BOA_ADD_OFFSET") if level == "L2A" else ("", "RADIO_ADD_OFFSET")
    prefix = f"{kind}_" if kind else ""
    offsets = ""
    if take.baseline >= 400:
        group = "BOA_ADD_OFFSET_VALUES_LIST" if level == "L2A" else "Radiometric_Offset_List"
        rows = "".join(f'<{offset} band_id="{number}">-1000</{offset}>\n' for number in range(13))
        offsets = f"<{group}>\n{rows}</{group}>\n"
    spectral = "".join(
        f'<Spectral_Information bandId="{number}" physicalBand="{physical}"><RESOLUTION>{metres}</RESOLUTION>'
        f'<Wavelength><CENTRAL unit="nm">{central}</CENTRAL></Wavelength></Spectral_Information>\n'
        for number, physical, metres, central, _ in BANDS.values()
    )
    return _document(
        f"Level-{level[1:]}_User_Product",
        "<n1:General_Info>\n<Product_Info>\n"
        f"<PRODUCT_START_TIME>{_iso(take.start)}</PRODUCT_START_TIME>\n"
        f"<PRODUCT_STOP_TIME>{_iso(take.start)}</PRODUCT_STOP_TIME>\n"
        f"<PRODUCT_URI>{product_name(take, tile, level)}.SAFE</PRODUCT_URI>\n"
        f"<PROCESSING_LEVEL>Level-{level[1:]}</PROCESSING_LEVEL>\n<PRODUCT_TYPE>S2MSI{level[1:]}</PRODUCT_TYPE>\n"
        f"<PROCESSING_BASELINE>{take.baseline // 100:02d}.{take.baseline % 100:02d}</PROCESSING_BASELINE>\n"
        f"<GENERATION_TIME>{_iso(take.generated)}</GENERATION_TIME>\n"
        f'<Datatake datatakeIdentifier="G{take.platform}_{take.start:{_TIME}}_{take.absolute_orbit:06d}'
        f'_N{take.baseline // 100:02d}.{take.baseline % 100:02d}">'
        f"<SPACECRAFT_NAME>Sentinel-{take.platform[1:]}</SPACECRAFT_NAME>"
        f"<DATATAKE_SENSING_START>{_iso(take.start)}</DATATAKE_SENSING_START>"
        f"<SENSING_ORBIT_NUMBER>{take.relative_orbit}</SENSING_ORBIT_NUMBER>"
        "<SENSING_ORBIT_DIRECTION>DESCENDING</SENSING_ORBIT_DIRECTION></Datatake>\n"
        "<Product_Organisation><Granule_List>"
        f'<Granule granuleIdentifier="{granule.split("/")[1]}" imageFormat="JPEG2000">\n{listed}</Granule>'
        "</Granule_List></Product_Organisation>\n</Product_Info>\n<Product_Image_Characteristics>\n"
        "<Special_Values><SPECIAL_VALUE_TEXT>NODATA</SPECIAL_VALUE_TEXT>"
        "<SPECIAL_VALUE_INDEX>0</SPECIAL_VALUE_INDEX></Special_Values>\n"
        f'<QUANTIFICATION_VALUES_LIST><{prefix}QUANTIFICATION_VALUE unit="none">10000</{prefix}QUANTIFICATION_VALUE>'
        f"</QUANTIFICATION_VALUES_LIST>\n{offsets}"
        f"<Spectral_Information_List>\n{spectral}</Spectral_Information_List>\n"
        "</Product_Image_Characteristics>\n</n1:General_Info>\n"
        "<n1:Geometric_Info><Product_Footprint><Product_Footprint><Global_Footprint>"
        f"<EXT_POS_LIST>{_ring(images.tile)}</EXT_POS_LIST>"
        "</Global_Footprint></Product_Footprint></Product_Footprint></n1:Geometric_Info>\n"
        f"{_quality(images, state)}",
    )


def _tile_metadata(take: Datatake, images: TileImages, state: int, level: str) -> bytes:
    tile = images.tile
    grid = "".join(
        f'<Size resolution="{metres}"><NROWS>{PIXELS[metres]}</NROWS><NCOLS>{PIXELS[metres]}</NCOLS></Size>'
        f'<Geoposition resolution="{metres}"><ULX>{tile.ulx}</ULX><ULY>{tile.uly}</ULY>'
        f"<XDIM>{109800 // PIXELS[metres]}</XDIM><YDIM>-{109800 // PIXELS[metres]}</YDIM></Geoposition>\n"
        for metres in PIXELS
    )
    return _document(
        f"Level-{level[1:]}_Tile_ID",
        f"<n1:General_Info><SENSING_TIME>{_iso(take.start)}</SENSING_TIME></n1:General_Info>\n"
        f"<n1:Geometric_Info><Tile_Geocoding>\n<HORIZONTAL_CS_CODE>EPSG:{tile.epsg}</HORIZONTAL_CS_CODE>\n{grid}"
        "</Tile_Geocoding>\n<Tile_Angles>"
        '<Mean_Sun_Angle><ZENITH_ANGLE unit="deg">38.5</ZENITH_ANGLE>'
        '<AZIMUTH_ANGLE unit="deg">155.0</AZIMUTH_ANGLE></Mean_Sun_Angle>'
        "</Tile_Angles></n1:Geometric_Info>\n" + _quality(images, state),
    )


def _quality(images: TileImages, state: int) -> str:
    cloud = images.class_pct(state, 8, 9, 10)
    shares = {
        "NODATA_PIXEL_PERCENTAGE": 0.0,
        "SATURATED_DEFECTIVE_PIXEL_PERCENTAGE": 0.0,
        "DARK_FEATURES_PERCENTAGE": images.class_pct(state, 2),
        "CLOUD_SHADOW_PERCENTAGE": images.class_pct(state, 3),
        "VEGETATION_PERCENTAGE": images.class_pct(state, 4),
        "NOT_VEGETATED_PERCENTAGE": images.class_pct(state, 5),
        "WATER_PERCENTAGE": images.class_pct(state, 6),
        "SNOW_ICE_PERCENTAGE": images.class_pct(state, 11),
    }
    rows = "".join(f"<{key}>{value:.6f}</{key}>\n" for key, value in shares.items())
    return (
        f"<n1:Quality_Indicators_Info>\n<Cloud_Coverage_Assessment>{cloud:.6f}</Cloud_Coverage_Assessment>\n"
        f"<Image_Content_QI>\n{rows}</Image_Content_QI>\n</n1:Quality_Indicators_Info>\n"
    )


def _document(root: str, content: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n'
        f'<n1:{root} xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/synthetic.xsd">\n{content}</n1:{root}>\n'
    ).encode()


def _scene_class(
    clouds: npt.NDArray[np.float64], field: npt.NDArray[np.float64], share: float
) -> npt.NDArray[np.uint8]:
    classes = np.where(field < 0.4, 5, 4).astype(np.uint8)
    classes[clouds >= np.quantile(clouds, 1 - share)] = 9
    return classes


def _ring(tile: Sentinel2Tile) -> str:
    footprint = tile.footprint_wgs84()
    outline = footprint if isinstance(footprint, shapely.Polygon) else footprint.convex_hull
    corners = shapely.simplify(outline, 0.05)
    return " ".join(f"{lat:.6f} {lon:.6f}" for lon, lat in shapely.get_coordinates(corners))


def _iso(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.024Z"
