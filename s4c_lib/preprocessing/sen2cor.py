"""Sen2Cor 2.x as an executor: what is missing is computed, resolution by resolution (``preprocessing.md`` 2.7).

Sen2Cor itself is not part of this system and was not at hand: this is built against its documented command line,
release note 2.3 and product names, and tested with a double of it. Its version comes from the configuration.

Tiles of an old product are run one by one, each by the path of its granule, so a bad one ends alone. An L2A that is
already in the output folder is completed in a copy, which then takes its place.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from s4c_lib.preprocessing.clear_pixels import ClearPixels
from s4c_lib.preprocessing.executor import (
    ExecutorError,
    ExecutorRequest,
    ExecutorResult,
    ExecutorStatus,
    guarded,
    unfinished,
)
from s4c_lib.preprocessing.executor_log import last_line, log_name, program_lines, says_disk_full
from s4c_lib.preprocessing.finished_product import publish_folder
from s4c_lib.preprocessing.l1c_acceptance import baseline_fault, granule_folders, version_faults, version_numbers
from s4c_lib.preprocessing.launcher import Launcher, Mount
from s4c_lib.preprocessing.process_run import ProcessEnd, run_process
from s4c_lib.preprocessing.sen2cor_output import (
    clear_pixels_of,
    faults_of,
    metadata_of,
    products_in,
    resolutions_present,
    resolutions_to_run,
)
from s4c_lib.preprocessing.sen2cor_previews import add_previews
from s4c_lib.preprocessing.sen2cor_settings import (
    RESOLUTIONS,
    Sen2CorOptions,
    assemble_gipps,
    esa_cci_maps,
    sen2cor_arguments,
)
from s4c_lib.preprocessing.work_folder import copied_tree, emptied, linked_tree, read_only_mounts, unpacked
from s4c_lib.reasons import Reason
from s4c_lib.sources.product_names import product_name

NAME: Final = "sen2cor"
# Sen2Cor refuses a product without these, although they may be empty (and some providers leave empty folders out).
_FOLDERS = ("AUX_DATA", "HTML")


@dataclass(frozen=True, slots=True)
class _Workspace:
    l1c: Path
    cwd: Path
    output: Path
    gipps: Sequence[tuple[str, Path]]
    mounts: Sequence[Mount]


@dataclass(frozen=True, slots=True)
class Sen2CorExecutor:
    """Sen2Cor of one version, started in one way."""

    launcher: Launcher
    version: str
    name: str = NAME

    def setup_faults(self, request: ExecutorRequest) -> tuple[str, ...]:
        """Everything that is wrong with the configuration."""
        faults = list(self.launcher.faults())
        if not isinstance(request.options, Sen2CorOptions):
            faults.append("the options are not Sen2Cor's")
        for kind in ("gipp", "esa_cci"):
            path = request.auxiliary_dirs.get(kind)
            if (kind == "gipp" or path is not None) and (path is None or not path.is_dir()):
                faults.append(f"the folder '{kind}' does not exist: {path}")
        if request.elevation_dir is not None and not request.elevation_dir.is_dir():
            faults.append(f"the folder of the elevation model does not exist: {request.elevation_dir}")
        return (*faults, *version_faults(self.version))

    def run(self, request: ExecutorRequest) -> ExecutorResult:
        """Compute what is missing of one tile of one L1C."""
        log = request.work_dir / "log" / log_name(NAME, request.now)
        return guarded(NAME, self.version, log, lambda: self._run(request, log))

    def _run(self, request: ExecutorRequest, log: Path) -> ExecutorResult:
        options = self._checked(request)
        name = product_name(request.l1c_path.name)
        existing = [path for path in products_in(request.output_dir, name) if metadata_of(path) is not None]
        if len(existing) > 1:
            found = ", ".join(path.name for path in existing)
            raise ExecutorError(f"several L2A of {name.name}: {found}", hint="keep one", code=Reason.OUTPUT_INCOMPLETE)
        present = resolutions_present(existing[0], request.tile) if existing else ()
        wanted = tuple(sorted({*(options.resolutions or RESOLUTIONS)}, reverse=True))
        to_run = resolutions_to_run(options.resolutions, present)
        if not to_run:
            there = ", ".join(f"{resolution} m" for resolution in wanted)
            return self._done(
                existing[0], f"{there} of {existing[0].name} are there already; nothing is computed", None
            )
        space = self._prepared(request, options, existing)
        for resolution in to_run:
            end = self._once(request, options, space, resolution, log)
            failure = _failure(end, log)
            if failure is not None:
                return unfinished(NAME, self.version, *failure, log_path=log)
        products = products_in(space.output, name)
        if len(products) != 1:
            return self._incomplete(f"Sen2Cor left {len(products)} products of {name.name}, one is expected", log)
        fault = faults_of(products[0], request.tile, {*to_run, *present})
        if fault:
            return self._incomplete(fault, log)
        rejected = self._rejected(clear_pixels_of(products[0]), options, log)
        return rejected if rejected is not None else self._published(request, products[0], log)

    def _checked(self, request: ExecutorRequest) -> Sen2CorOptions:
        faults = list(self.setup_faults(request))
        if not faults:
            baseline = baseline_fault(NAME, self.version, product_name(request.l1c_path.name).baseline)
            faults += [baseline] if baseline is not None else []
        if faults or not isinstance(request.options, Sen2CorOptions):
            raise ExecutorError("; ".join(faults), hint="correct processor.l2a.sen2cor.*", code=Reason.CONFIG)
        return request.options

    def _prepared(self, request: ExecutorRequest, options: Sen2CorOptions, existing: Sequence[Path]) -> _Workspace:
        source = unpacked(request.l1c_path, request.work_dir / "l1c")
        granules = granule_folders(source)
        if request.tile not in granules:
            raise ExecutorError(f"{source.name} holds no tile {request.tile}", code=Reason.INPUT_MISSING)
        work = emptied(request.work_dir / "sen2cor")
        linked = work / "input" / source.name
        real = linked_tree(source, linked)
        for folder in _FOLDERS:
            (linked / folder).mkdir(exist_ok=True)
        output, cwd, settings = (emptied(work / part) for part in ("output", "cwd", "settings"))
        if existing:
            copied_tree(existing[0], output / existing[0].name)
        gipp = request.auxiliary_dirs["gipp"]
        gipps = assemble_gipps(gipp, request.elevation_dir, settings)
        maps = esa_cci_maps(request.auxiliary_dirs.get("esa_cci", gipp), version_numbers(self.version))
        shown = [path for path in (*real, *(path for _, path in gipps)) if not path.is_relative_to(work)]
        if request.elevation_dir is not None:
            shown.append(request.elevation_dir)
        mounts = [Mount(work, writable=True), *read_only_mounts(shown)]
        if options.maps_in_image is not None:
            mounts += [Mount(path, target=str(options.maps_in_image / path.name)) for path in maps]
        single = len(granules) == 1
        l1c = linked if single else linked / granules[request.tile].relative_to(source)
        return _Workspace(l1c, cwd, output, gipps, mounts)

    def _once(
        self, request: ExecutorRequest, options: Sen2CorOptions, space: _Workspace, resolution: int, log: Path
    ) -> ProcessEnd:
        command = self.launcher.command(
            sen2cor_arguments(space.l1c, space.cwd, space.output, resolution, space.gipps),
            cwd=space.cwd,
            mounts=space.mounts,
            name=f"sen2cor-{request.work_dir.parent.name}-{request.work_dir.name}-{resolution}",
        )
        return run_process(
            command,
            cwd=space.cwd,
            log=log,
            timeout_seconds=options.timeout_hours * 3600,
            heartbeat=request.heartbeat,
            grace_seconds=options.grace_seconds,
        )

    def _incomplete(self, text: str, log: Path) -> ExecutorResult:
        said = last_line(log)
        return unfinished(
            NAME, self.version, Reason.OUTPUT_INCOMPLETE, f"{text}: {said}" if said else text, log_path=log
        )

    def _rejected(self, shares: ClearPixels, options: Sen2CorOptions, log: Path) -> ExecutorResult | None:
        if shares.cloud > options.max_cloud_pct:
            reason, text = Reason.TOO_CLOUDY, f"{shares.cloud:g} % clouds, more than {options.max_cloud_pct:g} %"
        elif not shares.enough(options.min_valid_pct):
            reason = Reason.NO_VALID_PIXEL
            text = f"{shares.valid:.1f} % clear pixels, fewer than {options.min_valid_pct:g} %"
        else:
            return None
        return unfinished(
            NAME,
            self.version,
            reason,
            text,
            cloud_pct=shares.cloud,
            snow_pct=shares.snow,
            nodata_pct=shares.nodata,
            valid_pct=shares.valid,
            log_path=log,
        )

    def _published(self, request: ExecutorRequest, product: Path, log: Path) -> ExecutorResult:
        notes = () if add_previews(product, request.tile) else (f"{product.name} has no preview",)
        shutil.copyfile(log, product / log.name)
        published = publish_folder(product, request.output_dir)
        return self._done(published, "", published / log.name, notes)

    def _done(self, product: Path, text: str, log: Path | None, notes: Iterable[str] = ()) -> ExecutorResult:
        shares = clear_pixels_of(product)
        return ExecutorResult(
            status=ExecutorStatus.DONE,
            executor=NAME,
            version=self.version,
            product_dir=product,
            cloud_pct=shares.cloud,
            snow_pct=shares.snow,
            nodata_pct=shares.nodata,
            valid_pct=shares.valid,
            text=text,
            log_path=log,
            warnings=tuple(notes),
        )


def _failure(end: ProcessEnd, log: Path) -> tuple[Reason, str] | None:
    if end.timed_out:
        return Reason.EXEC_TIMEOUT, f"Sen2Cor was ended after {end.seconds:.0f} s"
    if end.out_of_memory:
        return Reason.OUT_OF_MEMORY, "Sen2Cor was killed: memory ran out"
    if end.exit_code == 0:
        return None
    said = last_line(log, end.output_from)
    reason = Reason.OUT_OF_DISK if says_disk_full(program_lines(log, end.output_from)) else Reason.EXEC_NONZERO
    return reason, said or f"Sen2Cor ended with exit code {end.exit_code} and said nothing"
