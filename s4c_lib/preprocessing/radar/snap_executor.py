"""ESA's SNAP as an executor: backscatter of SLC and GRD, coherence of SLC pairs (``preprocessing.md`` 3.4, 3.5).

SNAP itself is not part of this system and was not at hand: this is built against the documented command line of its
``gpt`` and the parameters its operators declare, and tested with a double of it. Its version comes from the
configuration.

The map is made in the zone of each tile, on pixels that are the tile's own, so that bringing it to the tile only cuts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from s4c_lib.errors import ElevationMissingError, Sen4capError
from s4c_lib.preprocessing.executor import NEVER_RETRIED, ExecutorError, ExecutorStatus, reason_of, status_of
from s4c_lib.preprocessing.executor_log import log_name
from s4c_lib.preprocessing.launcher import Launcher
from s4c_lib.preprocessing.radar.executor import RadarJob, RadarRequest, RadarResult
from s4c_lib.preprocessing.radar.snap_settings import (
    SnapOptions,
)
from s4c_lib.preprocessing.radar.snap_unit import SnapUnit
from s4c_lib.preprocessing.work_folder import emptied, remove_tree
from s4c_lib.reasons import Reason
from s4c_lib.sources.product_kinds import ProductKind

NAME: Final = "snap"


@dataclass(frozen=True, slots=True)
class SnapExecutor:
    """SNAP of one version, started in one way."""

    launcher: Launcher
    version: str
    name: str = NAME

    @property
    def makes(self) -> frozenset[RadarJob]:
        """Backscatter and coherence."""
        return frozenset(RadarJob)

    def reads(self, job: RadarJob) -> frozenset[ProductKind]:
        """SLC; for backscatter GRD too."""
        both = frozenset({ProductKind.S1_SLC, ProductKind.S1_GRD})
        return frozenset({ProductKind.S1_SLC}) if job is RadarJob.COHERENCE else both

    def setup_faults(self, request: RadarRequest) -> tuple[str, ...]:
        """Everything that is wrong with the configuration."""
        faults = list(self.launcher.faults())
        options = request.options
        if not isinstance(options, SnapOptions):
            return (*faults, "the options are not SNAP's")
        faults += options.faults()
        odd = [target.tile for target in request.targets if target.grid.pixel != options.pixel_spacing]
        if odd:
            faults.append(f"the grid of {', '.join(odd)} does not have pixels of {options.pixel_spacing} m")
        counts = len(request.current), len(request.previous)
        fits = counts == (1, 1) if request.job is RadarJob.COHERENCE else counts[0] > 0 and counts[1] == 0
        if not fits or not request.targets:
            faults.append(f"{request.job} of {counts[0]} and {counts[1]} scenes on {len(request.targets)} tiles")
        kinds = {scene.name.kind for scene in (*request.current, *request.previous)}
        if kinds - self.reads(request.job):
            faults.append(f"{request.job} is not made of {', '.join(sorted(kinds - self.reads(request.job)))}")
        return tuple(faults)

    def run(self, request: RadarRequest) -> RadarResult:
        """Process one unit."""
        log = request.work_dir / "log" / log_name(NAME, request.now)
        warnings: list[str] = []
        try:
            return self._done(request, log, warnings)
        except (Sen4capError, OSError) as error:
            missing = isinstance(error, ElevationMissingError)
            reason = Reason(error.code) if missing and isinstance(error, Sen4capError) else reason_of(error)
            if reason is None:
                raise
            text = error.one_line if isinstance(error, Sen4capError) else f"{error.filename or 'disk'}: {error}"
            outside = reason is Reason.NO_OVERLAP
            return RadarResult(
                status=ExecutorStatus.REJECTED if outside else status_of(reason),
                executor=NAME,
                version=self.version,
                reason=reason,
                text=text,
                retryable=not outside and reason not in NEVER_RETRIED,
                log_path=log if log.exists() else None,
                warnings=tuple(warnings),
            )

    def _done(self, request: RadarRequest, log: Path, warnings: list[str]) -> RadarResult:
        faults = self.setup_faults(request)
        options = request.options
        if faults or not isinstance(options, SnapOptions):
            raise ExecutorError("; ".join(faults), hint="correct processor.l2s1.*", code=Reason.CONFIG)
        work = emptied(request.work_dir / NAME)
        unit = SnapUnit(request, options, self.launcher, work, log, warnings)
        rasters, extent, epsg = unit.made(f"SNAP {self.version}")
        if not options.keep_intermediate:
            remove_tree(work)
        covered = {raster.tile for raster in rasters}
        bare = sorted(target.tile for target in request.targets if target.tile not in covered)
        text = f"hardly covered, no raster: {', '.join(bare)}" if bare else ""
        return RadarResult(
            status=ExecutorStatus.DONE,
            executor=NAME,
            version=self.version,
            rasters=rasters,
            original_epsg=epsg,
            original_extent=extent,
            text=text,
            log_path=log,
            warnings=tuple(dict.fromkeys(warnings)),
        )
