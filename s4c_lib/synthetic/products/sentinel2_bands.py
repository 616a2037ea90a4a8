"""The bands of the Sentinel-2 instrument as product metadata describe them.

Numbers of S2A: ``MTD_MSIL2A.xml`` of S2A_MSIL2A_20230821T221941_N0509_R029_T01KAB_20230822T021825; of S2B:
S2B_MSIL2A_20220413T150759_N0400_R025_T33XWJ_20220414T082126 (Copernicus Sentinel data, ESA). S2C and S2D are
written with the numbers of S2A.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Band:
    """A band of one platform.

    Parameters
    ----------
    number : ``bandId`` of the metadata. physical : name without leading zero (``B1``).
    metres : native pixel.
    shortest, longest, central : of the spectral response, nm.
    irradiance : of the sun above the atmosphere, W/m2/um. gain : physical gain of the instrument.
    """

    name: str
    number: int
    physical: str
    metres: int
    shortest: int
    longest: int
    central: float
    irradiance: float
    gain: float


_NAMES = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
_METRES = (60, 10, 10, 10, 20, 20, 20, 10, 20, 60, 60, 20, 20)
_S2A = (
    (412, 456, 442.7, 1884.69, 4.10304067),
    (456, 533, 492.7, 1959.66, 3.75668157),
    (538, 583, 559.8, 1823.24, 4.18953758),
    (646, 684, 664.6, 1512.06, 4.5233009),
    (695, 714, 704.1, 1424.64, 5.20566374),
    (731, 749, 740.5, 1287.61, 4.87066355),
    (769, 797, 782.8, 1162.08, 4.53175713),
    (760, 907, 832.8, 1041.63, 6.15677842),
    (837, 881, 864.7, 955.32, 5.13408802),
    (932, 958, 945.1, 812.92, 8.53331509),
    (1337, 1412, 1373.5, 367.15, 54.96213391),
    (1539, 1682, 1613.7, 245.59, 35.21561911),
    (2078, 2320, 2202.4, 85.25, 106.32214723),
)
_S2B = (
    (411, 456, 442.3, 1874.3, 3.95942012),
    (456, 532, 492.3, 1959.75, 3.80300429),
    (536, 582, 559.0, 1824.93, 4.20863105),
    (646, 685, 665.0, 1512.79, 4.74331253),
    (694, 714, 703.8, 1425.78, 5.15359023),
    (730, 748, 739.1, 1291.13, 5.05407048),
    (766, 794, 779.7, 1175.57, 4.73380259),
    (774, 907, 833.0, 1041.28, 6.77730823),
    (848, 880, 864.0, 953.93, 5.72039368),
    (930, 957, 943.2, 817.58, 9.30245353),
    (1339, 1415, 1376.9, 365.41, 56.4099857),
    (1538, 1679, 1610.4, 247.08, 37.16690955),
    (2065, 2303, 2185.7, 87.75, 108.56188356),
)


def _bands(rows: tuple[tuple[int, int, float, float, float], ...]) -> tuple[Band, ...]:
    return tuple(
        Band(name, number, name.replace("B0", "B"), metres, *row)
        for number, (name, metres, row) in enumerate(zip(_NAMES, _METRES, rows, strict=True))
    )


_BY_PLATFORM = {"S2A": _bands(_S2A), "S2B": _bands(_S2B)}
BAND_NAMES = _NAMES
NATIVE_METRES = dict(zip(_NAMES, _METRES, strict=True))


def bands_of(platform: str) -> tuple[Band, ...]:
    """The 13 bands of a platform (``S2A`` to ``S2D``), in the order of their numbers."""
    return _BY_PLATFORM.get(platform, _BY_PLATFORM["S2A"])
