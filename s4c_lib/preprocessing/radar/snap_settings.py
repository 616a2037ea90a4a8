"""SNAP's options and the command line of its ``gpt`` (``preprocessing.md`` 3.4, 8).

Built against the documented options of ``gpt``, SNAP 8 to 11.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from s4c_lib.preprocessing.radar.scene_options import SceneOptions, shared_values

# Spec 4.7 names four; of SNAP's own, these have no setting that would have to differ.
SPECKLE_FILTERS: Final = {"lee": "Lee", "gamma_map": "Gamma Map"}
SCENE_PROJECTION: Final = 3035
_SMALLEST_HEAP_MB: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapOptions(SceneOptions):
    """What the configuration says about SNAP.

    Without a geoid grid SNAP adds its own (EGM96), which it must have or fetch.

    Parameters
    ----------
    tile_cache_mb, threads : ``-c`` and ``-q`` of ``gpt``.
    join_backscatter, join_coherence : run the operators of a chain as one graph instead of one after the other.
    projection : ``tile_utm``, or ``EPSG:3035`` as Sen4CAP made its scenes, brought to the tile afterwards.
    grace_seconds : given to a program whose time is up, to end by itself before it is killed.
    """

    tile_cache_mb: int = 256
    threads: int = 8
    join_backscatter: bool = False
    join_coherence: bool = False
    projection: str = "tile_utm"
    grace_seconds: float = 10.0

    @property
    def heap_mb(self) -> int:
        """Largest heap of the Java machine."""
        return max(self.min_memory_mb, _SMALLEST_HEAP_MB)

    @property
    def adds_geoid(self) -> bool:
        """Whether SNAP is to add its own geoid."""
        return not self.heights_are_ellipsoidal and self.geoid_path is None

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> SnapOptions:
        """Options from resolved parameters, by their keys."""

        def value(name: str) -> Any:
            return parameters[f"processor.l2s1.{name}"]

        return cls(
            **shared_values(parameters),
            tile_cache_mb=int(value("gpt.tile.cache.size")),
            threads=int(value("gpt.parallelism")),
            join_backscatter=bool(value("join.amplitude.steps")),
            join_coherence=bool(value("join.coherence.steps")),
            projection=str(value("projection")),
        )

    def faults(self) -> tuple[str, ...]:
        """What SNAP cannot do of what is asked."""
        faults = self.shared_faults()
        if self.rtc != "off":
            faults.append(f"flattening of the terrain ('{self.rtc}') is not built for SNAP: set processor.l2s1.rtc off")
        if self.speckle_filter not in ("off", *SPECKLE_FILTERS):
            known = ", ".join(("off", *SPECKLE_FILTERS))
            faults.append(f"the speckle filter '{self.speckle_filter}' is not built for SNAP, of these one is: {known}")
        if self.projection not in ("tile_utm", f"EPSG:{SCENE_PROJECTION}"):
            faults.append(f"the projection '{self.projection}' is neither tile_utm nor EPSG:{SCENE_PROJECTION}")
        if self.tile_cache_mb < 1 or self.threads < 1 or self.step_timeout_minutes <= 0:
            faults.append("tile cache, threads and time limit must be above zero")
        elif self.tile_cache_mb >= self.heap_mb:
            faults.append(f"a tile cache of {self.tile_cache_mb} MB does not fit into a heap of {self.heap_mb} MB")
        return tuple(faults)


def gpt_arguments(graph: Path, options: SnapOptions, orbits: Path) -> tuple[str, ...]:
    """Arguments of one run of ``gpt``; the graph names its own inputs and outputs.

    Parameters
    ----------
    orbits : folder made by `s4c_lib.preprocessing.radar.snap_orbits`.
    """
    return (
        "-e",  # without it an error comes without its cause
        "-x",
        "-c",
        f"{options.tile_cache_mb}M",
        "-q",
        str(options.threads),
        str(graph),
        f"-J-Xmx{options.heap_mb}M",
        *(f"-J-DOrbitFiles.sentinel1{kind}OrbitPath={orbits / f'{kind}ORB'}" for kind in ("POE", "RES")),
    )
