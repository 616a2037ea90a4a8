"""What the parameters say about backscatter made here, without a program (``processor.l2s1.*``, ``dem.*``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from s4c_lib.preprocessing.radar.geoid import WHERE_FROM
from s4c_lib.preprocessing.radar.scene_options import SceneOptions, shared_values


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeOptions(SceneOptions):
    """Options of the executor ``native-grd``."""

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> NativeOptions:
        """Options from resolved parameters, by their keys."""
        return cls(**shared_values(parameters))

    def faults(self) -> tuple[str, ...]:
        """What cannot be done of what is asked, each fault in a sentence."""
        faults = self.shared_faults()
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
