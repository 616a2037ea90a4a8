"""Backscatter of GRD products without an external program: the executor ``native-grd`` (``preprocessing.md`` 4)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from s4c_lib.errors import ElevationMissingError, Sen4capError
from s4c_lib.preprocessing.executor import NEVER_RETRIED, ExecutorError, ExecutorStatus, reason_of, status_of
from s4c_lib.preprocessing.parallelism import free_memory_gb
from s4c_lib.preprocessing.radar.executor import RadarJob, RadarRequest, RadarResult
from s4c_lib.preprocessing.radar.grd_tiles import make_tiles
from s4c_lib.preprocessing.radar.native_settings import NativeOptions
from s4c_lib.reasons import Reason
from s4c_lib.sources.product_kinds import ProductKind

NAME: Final = "native-grd"
# Of the algorithm: raised when the same input gives other values.
VERSION: Final = "1.0"
# Verdicts on where the product lies, or on what it holds: nothing has failed and nothing will change.
_VERDICTS: Final = {Reason.NO_OVERLAP, Reason.NO_VALID_PIXEL}


@dataclass(frozen=True, slots=True)
class NativeGrdExecutor:
    """GRD to backscatter with this library's own calibration, noise removal and geocoding.

    One thread, about 1 GB of memory for a full tile of 20 m. ``min_disk_mb``, which is meant for pairs of SLC, is not
    heeded: nothing but the rasters is written.
    """

    version: str = VERSION
    name: str = NAME

    @property
    def makes(self) -> frozenset[RadarJob]:
        """Backscatter."""
        return frozenset({RadarJob.BACKSCATTER})

    def reads(self, job: RadarJob) -> frozenset[ProductKind]:
        """GRD for backscatter; nothing for coherence, which needs the phase."""
        return frozenset({ProductKind.S1_GRD}) if job in self.makes else frozenset()

    def setup_faults(self, request: RadarRequest) -> tuple[str, ...]:
        """Everything that is wrong with the configuration."""
        options = request.options
        if not isinstance(options, NativeOptions):
            return ("the options are not those of native-grd",)
        faults = list(options.faults())
        if request.job not in self.makes:
            return (*faults, f"native-grd makes no {request.job}: set processor.l2s1.executor to one that does")
        if kinds := {scene.name.kind for scene in request.current} - self.reads(request.job):
            faults.append(f"native-grd makes backscatter of GRD, not of {', '.join(sorted(kinds))}: snap does")
        if not request.current or not request.targets or request.previous:
            faults.append(
                f"backscatter of {len(request.current)} and {len(request.previous)} scenes on "
                f"{len(request.targets)} tiles"
            )
        if len({(scene.name.platform, scene.name.datatake) for scene in request.current}) > 1:
            faults.append("the scenes are not of one datatake")
        odd = [target.tile for target in request.targets if target.grid.pixel != options.pixel_spacing]
        if odd:
            faults.append(f"the grid of {', '.join(odd)} does not have pixels of {options.pixel_spacing} m")
        return tuple(faults)

    def run(self, request: RadarRequest) -> RadarResult:
        """Process one unit."""
        warnings: list[str] = []
        try:
            return self._done(request, warnings)
        except (Sen4capError, OSError) as error:
            known = isinstance(error, ElevationMissingError)
            reason = Reason(error.code) if known and isinstance(error, Sen4capError) else reason_of(error)
            if reason is None:
                raise
            text = error.one_line if isinstance(error, Sen4capError) else f"{error.filename or 'disk'}: {error}"
            verdict = reason in _VERDICTS
            return RadarResult(
                status=ExecutorStatus.REJECTED if verdict else status_of(reason),
                executor=self.name,
                version=self.version,
                reason=reason,
                text=text,
                retryable=not verdict and reason not in NEVER_RETRIED,
                warnings=tuple(warnings),
            )

    def _done(self, request: RadarRequest, warnings: list[str]) -> RadarResult:
        faults = self.setup_faults(request)
        options = request.options
        if faults or not isinstance(options, NativeOptions):
            raise ExecutorError("; ".join(faults), code=Reason.CONFIG)
        free_mb = free_memory_gb() * 1024
        if free_mb < options.min_memory_mb:
            raise ExecutorError(
                f"{free_mb:.0f} MB of memory are free, {options.min_memory_mb} are wanted",
                hint="lower processor.l2s1.min.memory, or run fewer at a time",
                code=Reason.OUT_OF_MEMORY,
            )
        rasters = make_tiles(request, options, f"{self.name} {self.version}", _alive(request, options), warnings)
        text = "" if rasters else f"no tile is covered to {options.min_tile_share:.0%}"
        return RadarResult(
            status=ExecutorStatus.DONE,
            executor=self.name,
            version=self.version,
            rasters=rasters,
            text=text,
            warnings=tuple(warnings),
        )


def _alive(request: RadarRequest, options: NativeOptions) -> Callable[[], None]:
    """What is called between blocks of work: it reports, and ends a run whose time is up."""
    started = time.monotonic()

    def alive() -> None:
        seconds = time.monotonic() - started
        if request.heartbeat is not None:
            request.heartbeat(seconds)
        if seconds > options.step_timeout_minutes * 60:
            raise ExecutorError(
                f"not done after {options.step_timeout_minutes:g} minutes",
                hint="raise processor.l2s1.step.timeout",
                code=Reason.EXEC_TIMEOUT,
            )

    return alive
