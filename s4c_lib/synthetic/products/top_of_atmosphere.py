"""Surface reflectance as seen above the atmosphere, for L1C: the equation of 5S with its simplest terms.

``toa = gas * (path + surface * down * up / (1 - surface * albedo))`` (Tanre et al. 1990). Rayleigh optical depth by
Hansen and Travis (1974), single scattering of molecules and of aerosols (Henyey-Greenstein, asymmetry 0.65, single
albedo 0.95, Angstrom exponent 1.2), diffuse and direct transmittance ``exp(-(0.52 t_r + 0.167 t_a) / cos)`` and
spherical albedo ``0.92 t_r exp(-t_r)`` as in 5S and SMAC (Rahman and Dedieu 1994). Good to a few hundredths: enough to
exercise an L1C reader, not to judge an atmospheric correction.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from s4c_lib.synthetic.optical.scene import OpticalScene
from s4c_lib.synthetic.passes import OpticalPass
from s4c_lib.synthetic.products.sentinel2_bands import Band, bands_of

_ASYMMETRY, _SINGLE_ALBEDO, _ANGSTROM = 0.65, 0.95, 1.2
# Two-way gas transmittance at air mass 2: ozone, oxygen, carbon dioxide, methane; water vapour per cm apart.
_GAS = {
    "B01": 0.99, "B02": 0.98, "B03": 0.93, "B04": 0.95, "B05": 0.98, "B06": 0.99, "B07": 0.99, "B08": 0.99,
    "B8A": 1.0, "B09": 1.0, "B11": 0.98, "B12": 0.96,
}  # fmt: skip
_WATER = {
    "B04": 0.003, "B05": 0.02, "B06": 0.025, "B07": 0.01, "B08": 0.035, "B8A": 0.002, "B09": 0.45, "B11": 0.01,
    "B12": 0.03,
}  # fmt: skip
# In the cirrus band water vapour hides the ground; only high cloud is seen.
_CIRRUS_CLEAR, _CIRRUS_CLOUD = 0.0012, 0.02


def top_of_atmosphere(scene: OpticalScene, flight: OpticalPass) -> Mapping[str, npt.NDArray[np.float32]]:
    """Reflectance above the atmosphere of all 13 bands, float32 (rows, columns) at native resolution, unitless."""
    seen = {
        band.name: _seen(scene.bands[band.name], band, flight, scene.aerosol, scene.water_vapour)
        for band in bands_of(flight.platform)
        if band.name in scene.bands
    }
    rows, columns = scene.grid.rows // 6, scene.grid.columns // 6
    cloud = scene.true_cloud.reshape(rows, 6, columns, 6).mean(axis=(1, 3))
    return {**seen, "B10": (_CIRRUS_CLEAR + _CIRRUS_CLOUD * cloud).astype(np.float32)}


def _seen(
    surface: npt.NDArray[np.float32], band: Band, flight: OpticalPass, aerosol: float, water: float
) -> npt.NDArray[np.float32]:
    um = band.central / 1000
    rayleigh = 0.008569 * um**-4 * (1 + 0.0113 * um**-2 + 0.00013 * um**-4)
    haze = aerosol * (um / 0.55) ** -_ANGSTROM
    sun, view = np.cos(np.radians([flight.sun_zenith, flight.view_zenith]))
    sines = np.sin(np.radians([flight.sun_zenith, flight.view_zenith]))
    turn = np.cos(np.radians(flight.sun_azimuth - flight.view_azimuth))
    # Both directions point up: light turns back by the angle between them.
    scattering = -(sun * view + sines[0] * sines[1] * turn)
    molecules = 0.75 * (1 + scattering**2)
    particles = (1 - _ASYMMETRY**2) / (1 + _ASYMMETRY**2 - 2 * _ASYMMETRY * scattering) ** 1.5
    path = (rayleigh * molecules + _SINGLE_ALBEDO * haze * particles) / (4 * sun * view)
    through = np.exp(-(0.52 * rayleigh + 0.167 * haze) * (1 / sun + 1 / view))
    albedo = 0.92 * rayleigh * np.exp(-rayleigh)
    mass = (1 / sun + 1 / view) / 2
    gas = _GAS[band.name] ** mass * np.exp(-_WATER.get(band.name, 0.0) * water * mass)
    return np.asarray(gas * (path + surface * through / (1 - surface * albedo)), dtype=np.float32)
