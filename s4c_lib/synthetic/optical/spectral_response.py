"""Spectral responses of Sentinel-2: what turns a spectrum at 1 nm into band values."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import InputError

Doubles = npt.NDArray[np.float64]

SENTINEL2_BANDS: Final = (
    "B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12",
)  # fmt: skip
# What an L2A holds: the cirrus band sees no ground.
SURFACE_BANDS: Final = tuple(band for band in SENTINEL2_BANDS if band != "B10")
PLATFORMS: Final = ("S2A", "S2B", "S2C", "S2D")


@dataclass(frozen=True, slots=True, eq=False)
class BandResponse:
    """Response of one band.

    Parameters
    ----------
    nm : int64 (wavelengths,), ascending.
    weight : float64 (wavelengths,), sums to 1.
    """

    nm: npt.NDArray[np.int64]
    weight: Doubles

    @property
    def centre(self) -> float:
        """Mean wavelength, nm."""
        return float(self.nm @ self.weight)


def response_of(platform: str) -> str:
    """Platform whose response is used: its own for S2A and S2B; S2C and S2D, not published here, take S2A's.

    Raises
    ------
    InputError
        For a platform that is no Sentinel-2.
    """
    if platform not in PLATFORMS:
        raise InputError(f"platform {platform!r} is no Sentinel-2", hint=f"use one of {', '.join(PLATFORMS)}")
    return "S2B" if platform == "S2B" else "S2A"


@cache
def spectral_responses(platform: str) -> dict[str, BandResponse]:
    """Responses of the 13 bands of a platform, by name, in the order of `SENTINEL2_BANDS`."""
    wanted = response_of(platform)
    text = (files("s4c_lib.synthetic") / "data" / "sentinel2_spectral_response.csv").read_text(encoding="ascii")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    found: dict[str, list[tuple[int, float]]] = {band: [] for band in SENTINEL2_BANDS}
    for row in rows:
        if row["platform"] == wanted:
            found[row["band"]].append((int(row["nm"]), float(row["response"])))
    responses = {}
    for band, pairs in found.items():
        weight = np.array([value for _, value in pairs])
        responses[band] = BandResponse(np.array([nm for nm, _ in pairs]), weight / weight.sum())
    return responses


def band_values(spectrum: Doubles, platform: str, first_nm: int = 400) -> Doubles:
    """Mean of a spectrum over each band of `SURFACE_BANDS`.

    Parameters
    ----------
    spectrum : (..., wavelengths), 1 nm, from ``first_nm``.

    Returns
    -------
    float64 (..., 12).
    """
    responses = spectral_responses(platform)
    return np.stack(
        [spectrum[..., responses[band].nm - first_nm] @ responses[band].weight for band in SURFACE_BANDS], axis=-1
    )
