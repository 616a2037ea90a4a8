"""What makes backscatter and coherence of SLC and GRD: which executors are configured, and how each is set up."""

from __future__ import annotations

from s4c_lib.errors import ProcessorUnavailableError
from s4c_lib.ingest.radar_inputs import NATIVE
from s4c_lib.parameters import Snapshot
from s4c_lib.preprocessing.launcher import Launcher
from s4c_lib.preprocessing.radar.executor import RadarExecutor, RadarOptions
from s4c_lib.settings import Settings

SNAP = "snap"


def radar_programs(settings: Settings) -> frozenset[str]:
    """Return the programs for radar whose place is set (``S4C_SNAP_PROGRAM``)."""
    return frozenset({SNAP}) if settings.snap_program else frozenset()


def radar_executor(name: str, values: Snapshot) -> tuple[RadarExecutor, RadarOptions]:
    """Return an executor, and its options as the parameters have them.

    Raises
    ------
    ProcessorUnavailableError : its program is not set here, or there is no such executor.
    """
    if name == NATIVE:
        from s4c_lib.preprocessing.radar.native_grd import NativeGrdExecutor
        from s4c_lib.preprocessing.radar.native_settings import NativeOptions

        return NativeGrdExecutor(), NativeOptions.of(values.values)
    settings = Settings()
    if name != SNAP or not settings.snap_program:
        raise ProcessorUnavailableError(
            f"The program {name} is not configured here.", hint="set S4C_SNAP_PROGRAM to gpt for every worker"
        )
    from s4c_lib.preprocessing.radar.snap_executor import SnapExecutor
    from s4c_lib.preprocessing.radar.snap_settings import SnapOptions

    launcher = Launcher(settings.snap_program, settings.snap_image, settings.container_engine)
    return SnapExecutor(launcher, settings.snap_version), SnapOptions.of(values.values)
