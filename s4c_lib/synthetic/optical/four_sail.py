"""4SAIL by table node and wavelength bin: the terms of canopy reflectance apart from the ground's reflectance.

The equations are those of Verhoef et al. (2007, IEEE TGRS 45, 1808-1822), with Breon's scaling of the hot spot. Over
ground of reflectance g, with the terms that `fill_terms` gives, the bidirectional reflectance factor is

    canopy + g * (gain + bounce * gap * g) / (1 - bounce * g)

exactly, so that ground needs no axis of the table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import exp, expm1, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class CanopyGeometry:
    """What depends on angles and leaf area only.

    Parameters
    ----------
    factors : (angles, 5), extinction towards sun and view, mean squared cosine of leaves, backward and forward
        scattering weights.
    sunlit_seen : (angles, areas), chance that a ray from sun to ground to sensor meets no leaf.
    hot_spot : (angles, areas), integral of that chance through the canopy.
    """

    factors: Doubles
    sunlit_seen: Doubles
    hot_spot: Doubles


def canopy_geometry(
    sun_zenith: float, view_zenith: float, azimuth: float, leaf_angles: Doubles, areas: Doubles, hot_spot: float
) -> CanopyGeometry:
    """Geometry of canopies with ellipsoidal leaf angles (Campbell 1990); angles in degrees."""
    from prosail.FourSAIL import campbell, hotspot_calculations, weighted_sum_over_lidf

    relative = abs(azimuth) % 360
    relative = min(relative, 360 - relative)
    tangents = np.tan(np.radians([sun_zenith, view_zenith]))
    distance = sqrt(max(tangents @ tangents - 2 * tangents.prod() * np.cos(np.radians(relative)), 0.0))
    factors = np.empty((len(leaf_angles), 5))
    seen = np.ones((len(leaf_angles), len(areas)))
    integral = np.ones((len(leaf_angles), len(areas)))
    for row, angle in enumerate(leaf_angles):
        factors[row] = weighted_sum_over_lidf(campbell(float(angle), 18), sun_zenith, view_zenith, relative)
        sun, view = factors[row, :2]
        # Below 1e-4 the sensor stands in the sun's direction; the limit is reached there to five digits.
        alpha = max(distance / hot_spot * 2 / (sun + view), 1e-4)
        for column, area in enumerate(areas):
            if area > 0:
                seen[row, column], integral[row, column] = hotspot_calculations(alpha, float(area), view, sun)
    return CanopyGeometry(factors, seen, integral)


@cache
def fill_terms() -> Callable[..., None]:
    """The compiled `_fill_terms`."""
    from numba import njit

    compiled: Callable[..., None] = njit(cache=True, error_model="numpy")(_fill_terms)
    return compiled


def _fill_terms(  # one function, because a compiled one calls compiled ones only
    reflectance: Any,
    transmittance: Any,
    band: Any,
    weight: Any,
    factors: Any,
    seen: Any,
    integral: Any,
    areas: Any,
    terms: Any,
) -> None:
    """Fill ``terms`` (leaves, angles, areas, 3 * bands + 1): canopy, gain and bounce of each band, then gap.

    Parameters
    ----------
    reflectance, transmittance : (leaves, bins). band, weight : (bins,), of each bin; weights of a band sum to 1.
    factors, seen, integral : of `CanopyGeometry`. areas : (areas,), leaf area index.
    """
    leaves, bins = reflectance.shape
    bands = (terms.shape[3] - 1) // 3
    terms[:] = 0.0
    for angle in range(factors.shape[0]):
        ks, ko, bf, sob, sof = factors[angle]
        sdb, sdf, dob, dof = 0.5 * (ks + bf), 0.5 * (ks - bf), 0.5 * (ko + bf), 0.5 * (ko - bf)
        ddb, ddf = 0.5 * (1.0 + bf), 0.5 * (1.0 - bf)
        for area in range(len(areas)):
            lai = areas[area]
            tss, too, tsstoo = exp(-ks * lai), exp(-ko * lai), seen[angle, area]
            single = lai * integral[angle, area]
            z = -expm1(-(ks + ko) * lai) / (ks + ko)
            for leaf in range(leaves):
                terms[leaf, angle, area, 3 * bands] = tss * too - tsstoo
                for k in range(bins):
                    rho, tau = reflectance[leaf, k], transmittance[leaf, k]
                    sigb, att = ddb * rho + ddf * tau, 1.0 - ddf * rho - ddb * tau
                    m = sqrt(att * att - sigb * sigb)
                    sb, sf = sdb * rho + sdf * tau, sdf * rho + sdb * tau
                    vb, vf = dob * rho + dof * tau, dof * rho + dob * tau
                    e1 = exp(-m * lai)
                    rinf = (att - m) / sigb
                    rinf2 = rinf * rinf
                    re = rinf * e1
                    denom = 1.0 - re * re
                    ds, do = (ks - m) * lai, (ko - m) * lai
                    near_s = 0.5 * lai * (tss + e1) * (1.0 - ds * ds / 12.0)
                    near_o = 0.5 * lai * (too + e1) * (1.0 - do * do / 12.0)
                    j1s = (e1 - tss) / (ks - m) if abs(ds) > 1e-3 else near_s
                    j1o = (e1 - too) / (ko - m) if abs(do) > 1e-3 else near_o
                    j2s, j2o = (1.0 - tss * e1) / (ks + m), (1.0 - too * e1) / (ko + m)
                    ps, qs = (sf + sb * rinf) * j1s, (sf * rinf + sb) * j2s
                    pv, qv = (vf + vb * rinf) * j1o, (vf * rinf + vb) * j2o
                    rdd = rinf * (1.0 - e1 * e1) / denom
                    tsd, tdo, rdo = (ps - re * qs) / denom, (pv - re * qv) / denom, (qv - re * pv) / denom
                    g1, g2 = (z - j1s * too) / (ko + m), (z - j1o * tss) / (ks + m)
                    t1 = (vf * rinf + vb) * g1 * (sf + sb * rinf)
                    t2 = (vf + vb * rinf) * g2 * (sf * rinf + sb)
                    t3 = (rdo * qs + tdo * ps) * rinf
                    rso = (sob * rho + sof * tau) * single + (t1 + t2 - t3) / (1.0 - rinf2)
                    b, w = band[k], weight[k]
                    terms[leaf, angle, area, b] += w * rso
                    terms[leaf, angle, area, bands + b] += w * (tsstoo + (tss + tsd) * tdo + tsd * too)
                    terms[leaf, angle, area, 2 * bands + b] += w * rdd
