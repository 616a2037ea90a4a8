"""What every executor of Sentinel-1 is told by the parameters (``processor.l2s1.*``, ``dem.*``), whichever it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from s4c_lib.preprocessing.radar.executor import RadarOptions
from s4c_lib.preprocessing.radar.geoid import Geoid

SPACINGS: Final = (10, 15, 20, 30)
QUANTITIES: Final = ("sigma0", "gamma0", "amplitude")


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneOptions(RadarOptions):
    """Options with what a scene needs besides itself: heights and orbits.

    Parameters
    ----------
    geoid_path : grid of the geoid that heights of the elevation model are counted from.
    heights_are_ellipsoidal : they are above the ellipsoid already.
    orbit_path : folder of orbit files (``.EOF``) for scenes that come without one.
    require_orbit : refuse the annotation's own state vectors.
    """

    geoid_path: Path | None = None
    heights_are_ellipsoidal: bool = False
    orbit_path: Path | None = None
    require_orbit: bool = False

    @property
    def geoid(self) -> Geoid | None:
        """The geoid to be added to heights here; None where there is none to add."""
        if self.heights_are_ellipsoidal or self.geoid_path is None:
            return None
        return Geoid(self.geoid_path)

    def shared_faults(self) -> list[str]:
        """What no executor can do of what is asked, each fault in a sentence."""
        faults = []
        unknown = sorted(set(self.polarisations) - {"VV", "VH"})
        if unknown or not self.polarisations:
            faults.append(f"the polarisations are {', '.join(self.polarisations) or 'none'}, not of VV and VH")
        if self.pixel_spacing not in SPACINGS:
            faults.append(f"a pixel of {self.pixel_spacing} m is none of {', '.join(map(str, SPACINGS))}")
        if self.quantity not in QUANTITIES:
            faults.append(f"the quantity '{self.quantity}' is none of {', '.join(QUANTITIES)}")
        return faults


def shared_values(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of `SceneOptions` from resolved parameters, by their keys."""

    def value(name: str) -> Any:
        return parameters[f"processor.l2s1.{name}"]

    def path(key: str) -> Path | None:
        return None if parameters[key] is None else Path(str(parameters[key]))

    return {
        "polarisations": tuple(value("polarisations")),
        "pixel_spacing": int(value("pixel.spacing")),
        "quantity": str(value("quantity")),
        "remove_noise": bool(value("remove_noise")),
        "remove_geometric_phase": bool(value("remove_geometric_phase")),
        "rtc": str(value("rtc")),
        "speckle_filter": str(value("speckle_filter")),
        "min_tile_share": float(value("min.s2.intersection")),
        "step_timeout_minutes": float(value("step.timeout")),
        "min_memory_mb": int(value("min.memory")),
        "min_disk_mb": int(value("min.disk")),
        "keep_intermediate": bool(value("keep.intermediate")),
        "geoid_path": path("dem.geoid_path"),
        "heights_are_ellipsoidal": bool(parameters["dem.heights_are_ellipsoidal"]),
        "orbit_path": path("processor.l2s1.orbit_path"),
        "require_orbit": bool(value("require_orbit")),
    }
