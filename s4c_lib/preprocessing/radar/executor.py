"""The one interface of what makes backscatter and coherence of SLC and GRD products (``preprocessing.md`` 3, 4).

As an optical executor (`s4c_lib.preprocessing.executor`) it never raises for a product it cannot process: the outcome
is a value with a reason, which says by itself whether trying again makes sense.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from shapely.geometry.base import BaseGeometry

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.preprocessing.elevation.sources import ElevationSource
from s4c_lib.preprocessing.executor import ExecutorStatus, Heartbeat
from s4c_lib.reasons import Reason
from s4c_lib.sources.product_kinds import ProductKind, ProductName


class RadarJob(StrEnum):
    """What is made."""

    BACKSCATTER = "backscatter"
    COHERENCE = "coherence"


@dataclass(frozen=True, slots=True)
class RadarScene:
    """One SLC or GRD product as it was fetched: a SAFE folder or an archive of it; never written to.

    Parameters
    ----------
    orbit_file : precise or restituted state vectors (``.EOF``); None takes those of the annotation.
    """

    path: Path
    name: ProductName
    orbit_file: Path | None = None


@dataclass(frozen=True, slots=True)
class RadarTarget:
    """A Sentinel-2 tile and the grid (UTM, spacing of ``RadarOptions.pixel_spacing``) its rasters have."""

    tile: str
    grid: PixelGrid


@dataclass(frozen=True, slots=True, kw_only=True)
class RadarOptions:
    """What every executor heeds; names and defaults are those of ``processor.l2s1.*``.

    Parameters
    ----------
    quantity : of backscatter rasters: ``sigma0``, ``gamma0`` (linear) or ``amplitude``.
    rtc : ``off``, ``auto``, ``on``.
    min_tile_share : a raster is made of a tile that is covered to at least this share.
    step_timeout_minutes : longest run of one program.
    min_memory_mb, min_disk_mb : free before a step starts.
    """

    polarisations: tuple[str, ...] = ("VV", "VH")
    pixel_spacing: int = 20
    quantity: str = "sigma0"
    remove_noise: bool = True
    remove_geometric_phase: bool = True
    rtc: str = "off"
    speckle_filter: str = "off"
    min_tile_share: float = 0.05
    step_timeout_minutes: float = 60.0
    min_memory_mb: int = 4096
    min_disk_mb: int = 40_960
    keep_intermediate: bool = False

    def faults(self) -> tuple[str, ...]:
        """What the executor cannot do of what is asked, each fault in a sentence; each executor has its own."""
        return ()


@dataclass(frozen=True, slots=True)
class RadarRequest:
    """One unit of work.

    Parameters
    ----------
    current : slices of one datatake by time: for backscatter all that cover the targets, for coherence one.
    previous : the earlier slice of a pair; empty for backscatter.
    elevation : heights; see `s4c_lib.preprocessing.elevation`.
    work_dir : private to this attempt; created if need be, filled, and left for the caller to remove.
    output_dir : root under which each raster is put, by one rename, as ``{tile}/{YYYY}/{MM}/{DD}/{name}.tif``.
    """

    job: RadarJob
    current: tuple[RadarScene, ...]
    previous: tuple[RadarScene, ...]
    targets: tuple[RadarTarget, ...]
    elevation: ElevationSource
    work_dir: Path
    output_dir: Path
    options: RadarOptions
    now: datetime
    heartbeat: Heartbeat | None = None


@dataclass(frozen=True, slots=True)
class MadeRaster:
    """A published raster.

    Parameters
    ----------
    name : V2 (``S1A_L2_BCK_...``, ``S1A_L2_COH_...``), the file name without suffix.
    footprint : WGS 84, of the valid pixels.
    valid_share : valid pixels over pixels of the tile.
    tags : as written into the file (``preprocessing.md`` 4.7).
    """

    path: Path
    name: str
    tile: str
    polarisation: str
    quantity: str
    footprint: BaseGeometry
    valid_share: float
    size_bytes: int
    sha256: str
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RadarResult:
    """What became of a request.

    Parameters
    ----------
    rasters : published; empty unless done. A tile that is hardly covered gives none.
    original_epsg, original_extent : of what was made before it was brought to the tiles: code and (left, bottom, right,
        top); None where nothing lies between.
    reason, text : None and what is worth knowing when done; else why not.
    retryable : the same request may succeed later.
    log_path : of a program's output; None when no program ran.
    """

    status: ExecutorStatus
    executor: str
    version: str
    rasters: tuple[MadeRaster, ...] = ()
    original_epsg: int | None = None
    original_extent: tuple[float, float, float, float] | None = None
    reason: Reason | None = None
    text: str = ""
    retryable: bool = False
    log_path: Path | None = None
    warnings: tuple[str, ...] = ()


class RadarExecutor(Protocol):
    """What makes backscatter, coherence, or both."""

    @property
    def name(self) -> str:
        """``snap``, ``native-grd``."""

    @property
    def version(self) -> str:
        """Of the program, or of this library."""

    @property
    def makes(self) -> frozenset[RadarJob]:
        """What it can make."""

    def reads(self, job: RadarJob) -> frozenset[ProductKind]:
        """Product kinds it makes ``job`` of."""

    def setup_faults(self, request: RadarRequest) -> tuple[str, ...]:
        """Everything that is wrong with the configuration, each fault in a sentence; empty when it is sound."""

    def run(self, request: RadarRequest) -> RadarResult:
        """Process one unit."""
