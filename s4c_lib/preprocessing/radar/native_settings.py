"""What the parameters say about backscatter made here, without a program (``processor.l2s1.*``, ``dem.*``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from s4c_lib.preprocessing.radar.executor import RadarOptions
from s4c_lib.preprocessing.radar.geoid import WHERE_FROM, Geoid

SPACINGS: Final = (10, 15, 20, 30)
QUANTITIES: Final = ("sigma0", "gamma0", "amplitude")


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeOptions(RadarOptions):
    """Options of the executor ``native-grd``.

    Parameters
    ----------
    geoid_path : grid of the geoid that heights are counted from.
    heights_are_ellipsoidal : the elevation model's heights are above the ellipsoid already.
    orbit_path : folder of orbit files (``.EOF``) for scenes that come without one.
    require_orbit : refuse the annotation's own state vectors.
    """

    geoid_path: Path | None = None
    heights_are_ellipsoidal: bool = False
    orbit_path: Path | None = None
    require_orbit: bool = False

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> NativeOptions:
        """Options from resolved parameters, by their keys."""

        def value(name: str) -> Any:
            return parameters[f"processor.l2s1.{name}"]

        def path(key: str) -> Path | None:
            return None if parameters[key] is None else Path(str(parameters[key]))

        return cls(
            polarisations=tuple(value("polarisations")),
            pixel_spacing=int(value("pixel.spacing")),
            quantity=str(value("quantity")),
            remove_noise=bool(value("remove_noise")),
            remove_geometric_phase=bool(value("remove_geometric_phase")),
            rtc=str(value("rtc")),
            speckle_filter=str(value("speckle_filter")),
            min_tile_share=float(value("min.s2.intersection")),
            step_timeout_minutes=float(value("step.timeout")),
            min_memory_mb=int(value("min.memory")),
            min_disk_mb=int(value("min.disk")),
            keep_intermediate=bool(value("keep.intermediate")),
            geoid_path=path("dem.geoid_path"),
            heights_are_ellipsoidal=bool(parameters["dem.heights_are_ellipsoidal"]),
            orbit_path=path("processor.l2s1.orbit_path"),
            require_orbit=bool(value("require_orbit")),
        )

    @property
    def geoid(self) -> Geoid | None:
        """The geoid to be added to heights; None where they are ellipsoidal."""
        if self.heights_are_ellipsoidal or self.geoid_path is None:
            return None
        return Geoid(self.geoid_path)

    def faults(self) -> tuple[str, ...]:
        """What cannot be done of what is asked, each fault in a sentence."""
        faults = []
        unknown = sorted(set(self.polarisations) - {"VV", "VH"})
        if unknown or not self.polarisations:
            faults.append(f"the polarisations are {', '.join(self.polarisations) or 'none'}, not of VV and VH")
        if self.pixel_spacing not in SPACINGS:
            faults.append(f"a pixel of {self.pixel_spacing} m is none of {', '.join(map(str, SPACINGS))}")
        if self.quantity not in QUANTITIES:
            faults.append(f"the quantity '{self.quantity}' is none of {', '.join(QUANTITIES)}")
        if self.rtc != "off":
            faults.append(
                f"native-grd does not flatten the terrain ('{self.rtc}'): set processor.l2s1.rtc to off, or import "
                "products that are flattened"
            )
        if self.speckle_filter != "off":
            faults.append(
                f"native-grd has no speckle filter '{self.speckle_filter}': set processor.l2s1.speckle_filter to off; "
                "means of parcels do not need one"
            )
        if not self.heights_are_ellipsoidal and self.geoid_path is None:
            faults.append(
                f"the heights of the elevation model are counted from a geoid, and dem.geoid_path is not set: "
                f"{WHERE_FROM}; or set dem.heights_are_ellipsoidal where they are above the ellipsoid already"
            )
        elif self.geoid is not None and not self.geoid.path.is_file():
            faults.append(f"the geoid grid {self.geoid.path} does not exist: {WHERE_FROM}")
        if self.orbit_path is not None and not self.orbit_path.is_dir():
            faults.append(f"the folder of orbit files {self.orbit_path} does not exist: see processor.l2s1.orbit_path")
        return tuple(faults)
