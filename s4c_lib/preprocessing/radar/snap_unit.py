"""One unit of work under way with SNAP: inputs laid out, graphs run one after the other, rasters put on the tiles."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import shapely
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.preprocessing.executor import ExecutorError
from s4c_lib.preprocessing.executor_log import program_lines
from s4c_lib.preprocessing.launcher import Launcher, Mount
from s4c_lib.preprocessing.parallelism import free_memory_gb
from s4c_lib.preprocessing.process_run import run_process
from s4c_lib.preprocessing.radar import snap_output
from s4c_lib.preprocessing.radar.executor import MadeRaster, RadarJob, RadarRequest
from s4c_lib.preprocessing.radar.orbits import least_precise
from s4c_lib.preprocessing.radar.snap_elevation import write_elevation
from s4c_lib.preprocessing.radar.snap_graphs import (
    COHERENCE_WINDOW,
    GRD_PIXEL_M,
    SLC_LOOKS,
    Elevation,
    Placement,
    SlcSource,
    backscatter_of_grd,
    backscatter_of_slc,
    coherence_of,
)
from s4c_lib.preprocessing.radar.snap_orbits import install_orbit_file, orbit_kind, with_orbit_file
from s4c_lib.preprocessing.radar.snap_output import Extent, MappedRaster
from s4c_lib.preprocessing.radar.snap_scene import SnapScene, laid_out
from s4c_lib.preprocessing.radar.snap_settings import (
    SCENE_PROJECTION,
    SPECKLE_FILTERS,
    SnapOptions,
    gpt_arguments,
)
from s4c_lib.preprocessing.radar.snap_steps import Chain, Step, steps_of
from s4c_lib.preprocessing.radar.tile_raster import RasterOrigin, RasterSubject, pixel_counts, write_tile_raster
from s4c_lib.preprocessing.work_folder import read_only_mounts, remove_tree
from s4c_lib.reasons import Reason
from s4c_lib.sources.product_kinds import ProductKind

# Around the tiles: what multilooking and interpolation take from neighbours, and relief shifts.
_MARGIN_DEG: Final = 0.02
_EDGES: Final = 20
_HALF_TURN: Final = 180.0


@dataclass(frozen=True, slots=True)
class SnapUnit:
    """One request under way.

    Parameters
    ----------
    work : folder for everything SNAP reads and writes; empty.
    warnings : filled as they come, so that a failure has them too.
    shown : inputs outside ``work``, for a container to mount; filled as scenes are laid out.
    """

    request: RadarRequest
    options: SnapOptions
    launcher: Launcher
    work: Path
    log: Path
    warnings: list[str]
    shown: list[Path] = field(default_factory=list)

    def made(self, software: str) -> tuple[tuple[MadeRaster, ...], Extent, int]:
        """Rasters, and extent and projection of what SNAP made before it was brought to the tiles.

        Raises
        ------
        ExecutorError : a run failed, left nothing usable, or was not started, with the reason.
        Sen4capError : an input cannot be read, or an output not be written.
        """
        current = [self._scene(number) for number in range(len(self.request.current))]
        previous = self._scene(0, previous=True) if self.request.previous else None
        scenes = [*current, *([previous] if previous is not None else [])]
        if len({(scene.relative_orbit, scene.direction) for scene in scenes}) > 1:
            raise ExecutorError(
                "the scenes are not of one relative orbit and direction", hint="see the pair", code=Reason.CONFIG
            )
        wanted = shapely.union_all([_ground(target.grid) for target in self.request.targets])
        if previous is not None:
            wanted = shapely.intersection(wanted, previous.footprint)
        regions = [(scene, _surroundings(shapely.intersection(wanted, scene.footprint))) for scene in current]
        useful = [(scene, region) for scene, region in regions if region is not None]
        if not useful:
            names = " and ".join(scene.scene.name.name for scene in scenes)
            raise ExecutorError(f"{names} cover none of the tiles", code=Reason.NO_OVERLAP)
        common = set.intersection(*(set(scene.bursts) for scene in scenes))
        polarisations = [name for name in self.options.polarisations if name in common]
        if not polarisations:
            raise ExecutorError("the scenes have no polarisation in common", code=Reason.INPUT_CORRUPT)
        elevation = self._elevation(shapely.union_all([region for _, region in useful]))
        mapped: dict[tuple[str, int], list[MappedRaster]] = {}
        newest_first = sorted(useful, key=lambda item: item[0].scene.name.sensing_start, reverse=True)
        for polarisation in polarisations:
            for number, (scene, region) in enumerate(newest_first):
                name = f"{polarisation}-{number}"
                chain = self._chain(scene, previous, polarisation, elevation, region, name)
                self._carry_out(chain, name)
                for epsg, path in self._outputs(name).items():
                    mapped.setdefault((polarisation, epsg), []).append(
                        snap_output.mapped_raster(path, epsg, self.request.job)
                    )
        for polarisation in polarisations:
            if all(raster.empty for (name, _), found in mapped.items() if name == polarisation for raster in found):
                raise ExecutorError(
                    f"SNAP made nothing but no data of {polarisation}", hint="see the log", code=Reason.NO_VALID_PIXEL
                )
        rasters = self._published(mapped, polarisations, current, previous, software)
        epsg = self._projection(self.request.targets[0].grid)
        extents = [raster.extent for (_, code), found in mapped.items() if code == epsg for raster in found]
        lefts, bottoms, rights, tops = zip(*extents, strict=True)
        return rasters, (min(lefts), min(bottoms), max(rights), max(tops)), epsg

    def _scene(self, number: int, *, previous: bool = False) -> SnapScene:
        given = (self.request.previous if previous else self.request.current)[number]
        scene = with_orbit_file(given, self.options)
        found = laid_out(scene, self.options.polarisations, self.work / "input")
        self.shown.extend((*found.links, *install_orbit_file(scene, self.work / "orbits")))
        self.warnings.extend(found.warnings)
        if scene.orbit_file is None:
            self.warnings.append(f"{scene.name.name}: no orbit file, the annotation's state vectors are used")
        return found

    def _elevation(self, region: BaseGeometry) -> Elevation:
        file = write_elevation(self.request.elevation, region, self.work / "elevation.tif", self.options.geoid)
        return Elevation(file=file, add_geoid=self.options.adds_geoid)

    def _projection(self, grid: PixelGrid) -> int:
        return grid.epsg if self.options.projection == "tile_utm" else SCENE_PROJECTION

    def _outputs(self, name: str) -> dict[int, Path]:
        codes = sorted({self._projection(target.grid) for target in self.request.targets})
        return {epsg: self.work / f"{name}-EPSG{epsg}.tif" for epsg in codes}

    def _chain(
        self,
        scene: SnapScene,
        previous: SnapScene | None,
        polarisation: str,
        elevation: Elevation,
        region: BaseGeometry,
        name: str,
    ) -> Chain:
        options = self.options
        aligned = options.projection == "tile_utm"
        origins = {target.grid.epsg: (target.grid.west, target.grid.north) for target in self.request.targets}
        placement = Placement(
            region=region.wkt,
            spacing=options.pixel_spacing,
            outputs=self._outputs(name),
            origins=origins if aligned else {},
        )
        if previous is not None:
            return coherence_of(
                self._slc(scene, polarisation),
                self._slc(previous, polarisation),
                polarisation,
                elevation,
                placement,
                remove_geometric_phase=options.remove_geometric_phase,
            )
        speckle = SPECKLE_FILTERS.get(options.speckle_filter)
        if scene.scene.name.kind is ProductKind.S1_SLC:
            return backscatter_of_slc(
                self._slc(scene, polarisation),
                polarisation,
                elevation,
                placement,
                quantity=options.quantity,
                remove_noise=options.remove_noise,
                speckle_filter=speckle,
            )
        return backscatter_of_grd(
            scene.manifest,
            orbit_kind(scene.scene),
            polarisation,
            elevation,
            placement,
            quantity=options.quantity,
            remove_noise=options.remove_noise,
            noisy_border=scene.noisy_border,
            speckle_filter=speckle,
        )

    def _slc(self, scene: SnapScene, polarisation: str) -> SlcSource:
        return SlcSource(manifest=scene.manifest, bursts=scene.bursts[polarisation], orbit=orbit_kind(scene.scene))

    def _carry_out(self, chain: Chain, name: str) -> None:
        pair = self.request.job is RadarJob.COHERENCE
        joined = self.options.join_coherence if pair else self.options.join_backscatter
        for step in steps_of(chain, self.work, name, joined=joined):
            self._run(step)
            if not self.options.keep_intermediate:
                for path in step.frees:
                    path.unlink()
                    remove_tree(path.with_suffix(".data"))

    def _run(self, step: Step) -> None:
        self._check_resources(step.name)
        graph = self.work / f"{step.name}.xml"
        graph.write_bytes(step.xml)
        command = self.launcher.command(
            gpt_arguments(graph, self.options, self.work / "orbits"),
            cwd=self.work,
            mounts=[Mount(self.work, writable=True), *read_only_mounts(self.shown)],
            name=f"snap-{self.request.work_dir.parent.name}-{self.request.work_dir.name}-{step.name}",
        )
        end = run_process(
            command,
            cwd=self.work,
            log=self.log,
            timeout_seconds=self.options.step_timeout_minutes * 60,
            heartbeat=self.request.heartbeat,
            grace_seconds=self.options.grace_seconds,
        )
        lines = program_lines(self.log, end.output_from)
        failure = snap_output.failure_of(end, lines, step.name)
        if failure is not None:
            raise ExecutorError(failure[1], code=failure[0])
        self.warnings.extend(snap_output.severe_lines(lines))
        for path in step.writes:
            if not path.is_file() or (path.suffix == ".dim" and not any(path.with_suffix(".data").glob("*.img"))):
                raise ExecutorError(
                    f"{step.name}: SNAP ended well and left no {path.name}",
                    hint="see the log of SNAP",
                    code=Reason.OUTPUT_INCOMPLETE,
                )

    def _check_resources(self, step: str) -> None:
        free_mb = shutil.disk_usage(self.work).free >> 20
        if free_mb < self.options.min_disk_mb:
            raise ExecutorError(
                f"{step}: {free_mb} MB are free in {self.work}, {self.options.min_disk_mb} MB are wanted",
                hint="free disk space, or lower processor.l2s1.min.disk",
                code=Reason.OUT_OF_DISK,
            )
        memory_mb = int(free_memory_gb() * 1024)
        if memory_mb < self.options.min_memory_mb:
            raise ExecutorError(
                f"{step}: {memory_mb} MB of memory are free, {self.options.min_memory_mb} MB are wanted",
                hint="run fewer tasks at a time, or lower processor.l2s1.min.memory",
                code=Reason.OUT_OF_MEMORY,
            )

    def _published(
        self,
        mapped: dict[tuple[str, int], list[MappedRaster]],
        polarisations: Sequence[str],
        current: Sequence[SnapScene],
        previous: SnapScene | None,
        software: str,
    ) -> tuple[MadeRaster, ...]:
        """Write the rasters of all tiles; only now, when all of SNAP's runs have succeeded."""
        job, options = self.request.job, self.options
        rasters = []
        for target in self.request.targets:
            ground = _ground(target.grid)
            seeing = [scene for scene in current if shapely.intersection(ground, scene.footprint).area > 0]
            for polarisation in polarisations if seeing else ():
                found = mapped[polarisation, self._projection(target.grid)]
                values = snap_output.mosaicked([snap_output.on_grid(raster, target.grid) for raster in found])
                made = write_tile_raster(
                    snap_output.as_quantity(values, job, options.quantity),
                    target,
                    self._subject(seeing, previous, polarisation),
                    self._origin(seeing, previous, software),
                    quantity="coherence" if job is RadarJob.COHERENCE else options.quantity,
                    output_dir=self.request.output_dir,
                    min_tile_share=options.min_tile_share,
                )
                if made is not None:
                    rasters.append(made)
        return tuple(rasters)

    def _subject(self, current: Sequence[SnapScene], previous: SnapScene | None, polarisation: str) -> RasterSubject:
        """A raster is named by the first of the slices that see its tile."""
        first = min(current, key=lambda scene: scene.scene.name.sensing_start)
        return RasterSubject(
            first.scene.name.platform,
            polarisation,
            first.relative_orbit,
            first.scene.name.sensing_start,
            None if previous is None else previous.scene.name.sensing_start,
        )

    def _origin(self, current: Sequence[SnapScene], previous: SnapScene | None, software: str) -> RasterOrigin:
        options, scenes = self.options, [*current, *([previous] if previous is not None else [])]
        heights = "ellipsoidal" if options.heights_are_ellipsoidal else f"above {self.request.elevation.geoid}"
        if options.adds_geoid:
            heights += ", EGM96 added by SNAP"
        grd = current[0].scene.name.kind is ProductKind.S1_GRD
        if previous is not None:
            more = {"WINDOW": pixel_counts(*COHERENCE_WINDOW)}
            more["GEOMETRIC_PHASE_REMOVED"] = str(options.remove_geometric_phase).lower()
        else:
            looks = (options.pixel_spacing // GRD_PIXEL_M,) * 2 if grd else SLC_LOOKS
            more = {"LOOKS": pixel_counts(*looks)}
            if options.speckle_filter != "off":
                more["SPECKLE_FILTER"] = options.speckle_filter
        return RasterOrigin(
            orbit=least_precise(orbit_kind(scene.scene) for scene in scenes),
            direction=str(current[0].direction),
            noise_removed=previous is None and options.remove_noise,
            rtc=False,
            elevation=f"{self.request.elevation.kind.value}, {heights}",
            input_ids=tuple(scene.scene.name.name for scene in scenes),
            software=software,
            more=more,
        )


def _ground(grid: PixelGrid) -> BaseGeometry:
    """Outline of a grid in longitude and latitude, its edges densified."""
    west, south, east, north = grid.bounds
    outline = shapely.segmentize(shapely.box(west, south, east, north), max(east - west, north - south) / _EDGES)
    corners = shapely.get_coordinates(outline)
    transformer = Transformer.from_crs(grid.epsg, 4326, always_xy=True)
    return shapely.Polygon(np.column_stack(transformer.transform(corners[:, 0], corners[:, 1])))


def _surroundings(ground: BaseGeometry) -> BaseGeometry | None:
    """Rectangle in longitude and latitude around some ground; None when there is none.

    Raises
    ------
    ExecutorError : the ground lies on both sides of 180 degrees (``config``).
    """
    if ground.is_empty or ground.area == 0:
        return None
    west, south, east, north = ground.bounds
    if east - west > _HALF_TURN:
        raise ExecutorError(
            "SNAP takes no region across 180 degrees", hint="use another executor there", code=Reason.CONFIG
        )
    return shapely.box(west - _MARGIN_DEG, south - _MARGIN_DEG, east + _MARGIN_DEG, north + _MARGIN_DEG)
