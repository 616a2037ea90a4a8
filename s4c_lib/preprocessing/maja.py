"""MAJA 3 and 4 as an executor: assemble, run, judge, publish (``preprocessing.md`` 2.6).

MAJA itself is not part of this system and was not at hand: this is built against its documented command line, file
names and messages, and tested with a double of it. Its version comes from the configuration, for no documented option
tells it.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from s4c_lib.preprocessing.executor import (
    ExecutorError,
    ExecutorOptions,
    ExecutorRequest,
    ExecutorResult,
    ExecutorStatus,
    guarded,
    unfinished,
)
from s4c_lib.preprocessing.executor_log import log_name
from s4c_lib.preprocessing.finished_product import publish_folder
from s4c_lib.preprocessing.l1c_acceptance import version_faults, version_numbers
from s4c_lib.preprocessing.launcher import Launcher, Mount
from s4c_lib.preprocessing.maja_chain import MajaMode, cams_files, choose_mode
from s4c_lib.preprocessing.maja_inputs import USER_CONFIGURATION, MajaSettings, assemble_inputs
from s4c_lib.preprocessing.maja_output import Outcome, add_mosaic, drop_reflectances, judge
from s4c_lib.preprocessing.process_run import run_process
from s4c_lib.preprocessing.work_folder import emptied, read_only_mounts, unpacked
from s4c_lib.reasons import Reason
from s4c_lib.sources.product_names import product_name

NAME: Final = "maja"
# Verdicts that a corrupt CAMS file can cause.
_BLAMED_ON_CAMS = frozenset({Reason.NOTV, Reason.NO_VALID_PIXEL})


@dataclass(frozen=True, slots=True, kw_only=True)
class MajaOptions(ExecutorOptions):
    """What the configuration says about MAJA.

    Parameters
    ----------
    following_l1c : later L1C of the same orbit and tile, for backward mode at the start of a chain.
    """

    remove_fre: bool = False
    remove_sre: bool = True
    use_cams: bool = False
    following_l1c: tuple[Path, ...] = ()
    settings: MajaSettings = field(default_factory=MajaSettings)

    @classmethod
    def of(cls, parameters: Mapping[str, Any], following_l1c: tuple[Path, ...] = ()) -> MajaOptions:
        """Options from resolved parameters, by their keys."""
        return cls(
            timeout_hours=float(parameters["processor.l2a.executor_timeout"]),
            max_cloud_pct=float(parameters["processor.l2a.max_cloud_pct"]),
            remove_fre=bool(parameters["processor.l2a.maja.remove-fre"]),
            remove_sre=bool(parameters["processor.l2a.maja.remove-sre"]),
            use_cams=bool(parameters["processor.l2a.maja.use_cams"]),
            following_l1c=following_l1c,
        )

    @property
    def removed(self) -> frozenset[str]:
        """Reflectances that are not kept."""
        return frozenset(kind for kind, drop in (("FRE", self.remove_fre), ("SRE", self.remove_sre)) if drop)


def maja_arguments(inputs: Path, tile: str, output: Path, mode: MajaMode, configuration: Path) -> tuple[str, ...]:
    """Arguments of one run."""
    return (
        *("--input", str(inputs), "--TileId", tile, "--output", str(output)),
        *("--mode", mode.value, "--conf", str(configuration)),
    )


@dataclass(frozen=True, slots=True)
class MajaExecutor:
    """MAJA of one version, started in one way."""

    launcher: Launcher
    version: str
    name: str = NAME

    def setup_faults(self, request: ExecutorRequest) -> tuple[str, ...]:
        """Everything that is wrong with the configuration."""
        faults = list(self.launcher.faults())
        options, gipp = request.options, request.auxiliary_dirs.get("gipp")
        if not isinstance(options, MajaOptions):
            faults.append("the options are not MAJA's")
        elif options.remove_fre and options.remove_sre:
            faults.append("remove-fre and remove-sre together leave no reflectance")
        elif options.use_cams and not _is_folder(request.auxiliary_dirs.get("cams")):
            faults.append("use_cams is set but the folder of CAMS files is not")
        if not _is_folder(gipp):
            faults.append(f"gipp-path is not a folder: {gipp}")
        elif gipp is not None and not any((gipp / USER_CONFIGURATION).glob("*")):
            faults.append(f"{gipp} holds no {USER_CONFIGURATION}")
        if not _is_folder(request.elevation_dir):
            faults.append(f"the folder of elevation models does not exist: {request.elevation_dir}")
        return (*faults, *version_faults(self.version))

    def run(self, request: ExecutorRequest) -> ExecutorResult:
        """Process one tile of one L1C."""
        log = request.work_dir / "log" / log_name(NAME, request.now)
        return guarded(NAME, self.version, log, lambda: self._run(request, log))

    def _run(self, request: ExecutorRequest, log: Path) -> ExecutorResult:
        faults = self.setup_faults(request)
        options = request.options
        if faults or not isinstance(options, MajaOptions):
            raise ExecutorError("; ".join(faults), hint="correct processor.l2a.maja.*", code=Reason.CONFIG)
        cams = self._cams(request) if options.use_cams else ()
        notes: list[str] = []
        outcome = self._attempt(request, options, cams, log)
        if cams and outcome.reason in _BLAMED_ON_CAMS:
            notes.append(f"with CAMS: {outcome.reason}: {outcome.text}; run again without CAMS")
            outcome = self._attempt(request, options, (), log)
        if outcome.product is None:
            return unfinished(
                NAME,
                self.version,
                outcome.reason or Reason.INTERNAL,
                outcome.text,
                cloud_pct=outcome.cloud_pct,
                snow_pct=outcome.snow_pct,
                log_path=log,
                warnings=tuple(notes),
            )
        drop_reflectances(outcome.product, options.removed)
        add_mosaic(outcome.product)
        shutil.copyfile(log, outcome.product / log.name)
        published = publish_folder(outcome.product, request.output_dir)
        return ExecutorResult(
            status=ExecutorStatus.DONE,
            executor=NAME,
            version=self.version,
            product_dir=published,
            cloud_pct=outcome.cloud_pct,
            snow_pct=outcome.snow_pct,
            text=outcome.text,
            log_path=published / log.name,
            warnings=tuple(notes),
        )

    def _attempt(self, request: ExecutorRequest, options: MajaOptions, cams: Sequence[Path], log: Path) -> Outcome:
        work = emptied(request.work_dir / "maja")
        l1c = unpacked(request.l1c_path, request.work_dir / "l1c")
        following = tuple(unpacked(path, request.work_dir / "l1c") for path in options.following_l1c)
        mode = choose_mode(request.previous_l2a, following)
        name = product_name(l1c.name)
        gipp, elevation = request.auxiliary_dirs["gipp"], request.elevation_dir
        if elevation is None:
            raise ExecutorError("no folder of elevation models is given", code=Reason.DEM_MISSING)
        inputs = assemble_inputs(
            work,
            l1c=(l1c, *following) if mode is MajaMode.BACKWARD else (l1c,),
            platform=name.platform,
            tile=request.tile,
            gipp=gipp,
            elevation_dir=elevation,
            previous=request.previous_l2a,
            cams=cams,
            settings=options.settings,
        )
        output, cwd = emptied(work / "output"), emptied(work / "cwd")
        command = self.launcher.command(
            maja_arguments(inputs.input, request.tile, output, mode, inputs.configuration),
            cwd=cwd,
            mounts=[Mount(work, writable=True), *read_only_mounts(_outside(work, inputs.real))],
            name=f"maja-{request.work_dir.parent.name}-{request.work_dir.name}",
        )
        end = run_process(
            command,
            cwd=cwd,
            log=log,
            timeout_seconds=options.timeout_hours * 3600,
            heartbeat=request.heartbeat,
            grace_seconds=options.grace_seconds,
        )
        return judge(
            end,
            output,
            log,
            l1c=name,
            tile=request.tile,
            version=version_numbers(self.version),
            max_cloud_pct=options.max_cloud_pct,
            may_lack=options.removed,
        )

    def _cams(self, request: ExecutorRequest) -> tuple[Path, ...]:
        folder = request.auxiliary_dirs["cams"]
        acquired = product_name(request.l1c_path.name).sensing_start
        return tuple(folder / name for name in cams_files((path.name for path in folder.iterdir()), acquired))


def _is_folder(path: Path | None) -> bool:
    return path is not None and path.is_dir()


def _outside(work: Path, paths: Sequence[Path]) -> list[Path]:
    return [path for path in paths if not path.is_relative_to(work)]
