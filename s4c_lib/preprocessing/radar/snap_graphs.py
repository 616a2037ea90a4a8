"""Operators that SNAP runs, made from the parameters (``preprocessing.md`` 3.4 with the rules of 3.3).

Built against the parameter names that the operators of SNAP 8 to 11 declare.

Backscatter needs no pair, so no co-registration. Sub-swaths are split off first: the result is the same, and nothing
is computed or stored of what is not wanted. Coherence is a ratio in which calibration cancels, and does without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from s4c_lib.preprocessing.radar.snap_steps import READ, Chain, Node, Value, node_of

# Looks of an SLC (range, azimuth): cells of about 27 to 34 m by 28 m.
SLC_LOOKS: Final = (8, 2)
GRD_PIXEL_M: Final = 10
# Window of the coherence estimate (range, azimuth).
COHERENCE_WINDOW: Final = (20, 5)
NO_HEIGHT: Final = -32768.0
_ORBITS: Final = {
    "POE": "Sentinel Precise (Auto Download)",
    "RES": "Sentinel Restituted (Auto Download)",
}
_BANDS: Final = {"sigma0": "outputSigmaBand", "gamma0": "outputGammaBand"}
_SPECKLE_WINDOW: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class SlcSource:
    """What is read of an SLC product.

    Parameters
    ----------
    manifest : its ``manifest.safe``.
    bursts : sub-swath -> number of bursts.
    orbit : ``POE``, ``RES``, or ``ANN`` for the vectors of the annotation.
    """

    manifest: Path
    bursts: Mapping[str, int]
    orbit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Elevation:
    """Heights for SNAP: a file of ours.

    Parameters
    ----------
    add_geoid : the file's heights are above the geoid, which SNAP adds.
    """

    file: Path
    add_geoid: bool = True

    def parameters(self, *, geoid: bool = True) -> dict[str, Value]:
        """As operators take them; ``geoid`` is False for the one operator that knows no such parameter."""
        values: dict[str, Value] = {
            "demName": "External DEM",
            "externalDEMFile": self.file,
            "externalDEMNoDataValue": NO_HEIGHT,
        }
        return {**values, "externalDEMApplyEGM": self.add_geoid} if geoid else values


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where and how fine the result lies.

    Parameters
    ----------
    region : what is wanted, as WKT in longitude and latitude.
    outputs : EPSG code -> GeoTIFF.
    origins : EPSG code -> a corner of a pixel (x, y) that the pixels are aligned with; absent, they lie as they fall.
    """

    region: str
    spacing: float
    outputs: Mapping[int, Path]
    origins: Mapping[int, tuple[float, float]]


def backscatter_of_slc(
    source: SlcSource,
    polarisation: str,
    elevation: Elevation,
    placement: Placement,
    *,
    quantity: str,
    remove_noise: bool,
    speckle_filter: str | None = None,
) -> Chain:
    """From one SLC to sigma nought or gamma nought of one polarisation, on the map.

    SNAP subtracts noise from every pixel before it averages, and sets to nearly zero what would be negative: ground as
    dark as the noise comes out a little too bright.
    """
    nodes: list[Node] = [node_of("Read", READ, (), {"file": source.manifest, "formatName": "SENTINEL-1"})]
    swaths = []
    for swath in sorted(source.bursts):
        last = _split(nodes, "Read", source, swath, polarisation, swath)
        if remove_noise:
            last = _add(nodes, f"Noise-{swath}", "ThermalNoiseRemoval", (last,), _noise(polarisation))
        last = _add(nodes, f"Calibration-{swath}", "Calibration", (last,), _calibration(polarisation, quantity))
        swaths.append(
            _add(nodes, f"Deburst-{swath}", "TOPSAR-Deburst", (last,), {"selectedPolarisations": polarisation})
        )
    last = _merged(nodes, swaths, polarisation)
    last = _multilooked(nodes, last, SLC_LOOKS)
    last = _filtered(nodes, last, speckle_filter)
    return _placed(nodes, last, elevation, placement)


def backscatter_of_grd(
    manifest: Path,
    orbit: str,
    polarisation: str,
    elevation: Elevation,
    placement: Placement,
    *,
    quantity: str,
    remove_noise: bool,
    noisy_border: bool,
    speckle_filter: str | None = None,
) -> Chain:
    """From one GRD to sigma nought or gamma nought of one polarisation, on the map.

    Parameters
    ----------
    noisy_border : of processors before 2.90, whose products have values where there is no image.
    """
    nodes: list[Node] = [node_of("Read", READ, (), {"file": manifest, "formatName": "SENTINEL-1"})]
    last = _orbit(nodes, "Read", orbit, "")
    if noisy_border:
        values: dict[str, Value] = {
            "selectedPolarisations": polarisation,
            "borderLimit": 500,
            "trimThreshold": 0.5,
        }
        last = _add(nodes, "Border", "Remove-GRD-Border-Noise", (last,), values)
    if remove_noise:
        last = _add(nodes, "Noise", "ThermalNoiseRemoval", (last,), _noise(polarisation))
    last = _add(nodes, "Calibration", "Calibration", (last,), _calibration(polarisation, quantity))
    # Terrain correction interpolates between neighbours: what is to become one cell is averaged before.
    looks = int(placement.spacing // GRD_PIXEL_M)
    if looks > 1:
        last = _multilooked(nodes, last, (looks, looks))
    last = _filtered(nodes, last, speckle_filter)
    return _placed(nodes, last, elevation, placement)


def coherence_of(
    current: SlcSource,
    previous: SlcSource,
    polarisation: str,
    elevation: Elevation,
    placement: Placement,
    *,
    remove_geometric_phase: bool,
) -> Chain:
    """From two SLC to their coherence of one polarisation, on the map; in the radar geometry of the current one.

    Only sub-swaths that both have are used. No spectral diversity: it moves the phase, not its spread.
    """
    nodes: list[Node] = [
        node_of("Read", READ, (), {"file": current.manifest, "formatName": "SENTINEL-1"}),
        node_of("Read-Previous", READ, (), {"file": previous.manifest, "formatName": "SENTINEL-1"}),
    ]
    swaths = []
    for swath in sorted(set(current.bursts) & set(previous.bursts)):
        one = _split(nodes, "Read", current, swath, polarisation, swath)
        other = _split(nodes, "Read-Previous", previous, swath, polarisation, f"{swath}-Previous")
        # This operator takes heights as they are. The geoid moves both images alike: at 150 m between the orbits,
        # 50 m of it shift one against the other by about a hundredth of a pixel.
        registered: dict[str, Value] = {
            **elevation.parameters(geoid=False),
            "demResamplingMethod": "BICUBIC_INTERPOLATION",
            "resamplingType": "BISINC_5_POINT_INTERPOLATION",
            "maskOutAreaWithoutElevation": True,
            "outputRangeAzimuthOffset": False,
            "outputDerampDemodPhase": False,
            "disableReramp": False,
        }
        stack = _add(nodes, f"Registered-{swath}", "Back-Geocoding", (one, other), registered)
        estimate: dict[str, Value] = {
            "cohWinRg": COHERENCE_WINDOW[0],
            "cohWinAz": COHERENCE_WINDOW[1],
            "squarePixel": False,
            "subtractFlatEarthPhase": remove_geometric_phase,
            "subtractTopographicPhase": remove_geometric_phase,
        }
        if remove_geometric_phase:
            estimate |= {"srpPolynomialDegree": 5, "srpNumberPoints": 501, "orbitDegree": 3, **elevation.parameters()}
        last = _add(nodes, f"Coherence-{swath}", "Coherence", (stack,), estimate)
        swaths.append(
            _add(nodes, f"Deburst-{swath}", "TOPSAR-Deburst", (last,), {"selectedPolarisations": polarisation})
        )
    return _placed(nodes, _merged(nodes, swaths, polarisation), elevation, placement)


def _add(nodes: list[Node], key: str, operator: str, sources: tuple[str, ...], values: Mapping[str, Value]) -> str:
    nodes.append(node_of(key, operator, sources, values))
    return key


def _split(nodes: list[Node], reader: str, source: SlcSource, swath: str, polarisation: str, name: str) -> str:
    values: dict[str, Value] = {
        "subswath": swath,
        "selectedPolarisations": polarisation,
        "firstBurstIndex": 1,
        "lastBurstIndex": source.bursts[swath],
    }
    last = _add(nodes, f"Split-{name}", "TOPSAR-Split", (reader,), values)
    return _orbit(nodes, last, source.orbit, f"-{name}")


def _orbit(nodes: list[Node], last: str, orbit: str, name: str) -> str:
    """Apply the orbit file that lies ready: it must be used."""
    if orbit == "ANN":
        return last
    values: dict[str, Value] = {
        "orbitType": _ORBITS[orbit],
        "polyDegree": 3,
        "continueOnFail": False,
    }
    return _add(nodes, f"Orbit{name}", "Apply-Orbit-File", (last,), values)


def _noise(polarisation: str) -> dict[str, Value]:
    return {"selectedPolarisations": polarisation, "removeThermalNoise": True, "reIntroduceThermalNoise": False}


def _calibration(polarisation: str, quantity: str) -> dict[str, Value]:
    wanted = _BANDS["gamma0" if quantity == "gamma0" else "sigma0"]
    return {
        "selectedPolarisations": polarisation,
        "outputImageInComplex": False,
        "outputImageScaleInDb": False,
        **{band: band == wanted for band in ("outputSigmaBand", "outputGammaBand", "outputBetaBand")},
    }


def _merged(nodes: list[Node], swaths: Sequence[str], polarisation: str) -> str:
    if len(swaths) == 1:
        return swaths[0]
    return _add(nodes, "Merge", "TOPSAR-Merge", tuple(swaths), {"selectedPolarisations": polarisation})


def _multilooked(nodes: list[Node], last: str, looks: tuple[int, int]) -> str:
    values: dict[str, Value] = {
        "nRgLooks": looks[0],
        "nAzLooks": looks[1],
        "outputIntensity": False,
        "grSquarePixel": True,
    }
    return _add(nodes, "Multilook", "Multilook", (last,), values)


def _filtered(nodes: list[Node], last: str, speckle_filter: str | None) -> str:
    if speckle_filter is None:
        return last
    values: dict[str, Value] = {
        "filter": speckle_filter,
        "filterSizeX": _SPECKLE_WINDOW,
        "filterSizeY": _SPECKLE_WINDOW,
        "estimateENL": False,
        "enl": 1.0,
    }
    return _add(nodes, "Speckle", "Speckle-Filter", (last,), values)


def _placed(nodes: list[Node], last: str, elevation: Elevation, placement: Placement) -> Chain:
    last = _add(nodes, "Subset", "Subset", (last,), {"geoRegion": placement.region, "copyMetadata": True})
    outputs = {}
    for epsg, path in sorted(placement.outputs.items()):
        origin = placement.origins.get(epsg)
        values: dict[str, Value] = {
            **elevation.parameters(),
            "demResamplingMethod": "BILINEAR_INTERPOLATION",
            "imgResamplingMethod": "BILINEAR_INTERPOLATION",
            "pixelSpacingInMeter": float(placement.spacing),
            "mapProjection": f"EPSG:{epsg}",
            "alignToStandardGrid": origin is not None,
        }
        if origin is not None:
            values |= {"standardGridOriginX": float(origin[0]), "standardGridOriginY": float(origin[1])}
        # Of our own file every height counts, also 0 on land: nothing is masked by it.
        values |= {"nodataValueAtSea": False, "saveSelectedSourceBand": True}
        outputs[_add(nodes, f"Map-{epsg}", "Terrain-Correction", (last,), values)] = path
    return Chain(tuple(nodes), outputs)
