"""The slices of one datatake brought to Sentinel-2 tiles: what is read once, and what becomes of each tile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from s4c_lib.errors import ProductCorruptError
from s4c_lib.geography.footprint import footprint_of
from s4c_lib.preprocessing.elevation.resampling import elevation_on
from s4c_lib.preprocessing.executor import ExecutorError
from s4c_lib.preprocessing.radar.annotation import Annotation, TiePoints
from s4c_lib.preprocessing.radar.executor import MadeRaster, RadarRequest, RadarScene, RadarTarget
from s4c_lib.preprocessing.radar.geocoding import ImageFrame, ground_nodes, image_frame
from s4c_lib.preprocessing.radar.grd_backscatter import GrdImage, SeenGround, averaged, backscatter, see
from s4c_lib.preprocessing.radar.measurement import usable_window
from s4c_lib.preprocessing.radar.native_settings import NativeOptions
from s4c_lib.preprocessing.radar.orbits import (
    OrbitPolynomial,
    choose_orbit_file,
    fitted,
    least_precise,
    read_orbit_file,
)
from s4c_lib.preprocessing.radar.safe_product import RadarProduct, open_radar_product
from s4c_lib.preprocessing.radar.tile_raster import RasterOrigin, RasterSubject, pixel_counts, write_tile_raster
from s4c_lib.reasons import Reason

# How noise is scaled before IPF 2.50 is not known (preprocessing.md 4.2).
_NOISE_SINCE: Final = (2, 50)
_NEAR_DEG: Final = 0.1  # relief shifts the edge of an image by some kilometres
_HALF_GLOBE: Final = 180.0


@dataclass(frozen=True, slots=True, eq=False)
class _Slice:
    """One opened product. ``images`` : by polarisation, of those that are wanted and there, at least one."""

    product: RadarProduct
    orbit: OrbitPolynomial
    outline: BaseGeometry
    noise_removed: bool
    images: dict[str, GrdImage]


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """What a slice sees of a tile, by polarisation."""

    slice: _Slice
    ground: dict[str, SeenGround]


def make_tiles(
    request: RadarRequest, options: NativeOptions, software: str, alive: Callable[[], None], warnings: list[str]
) -> tuple[MadeRaster, ...]:
    """Write the rasters of a request whose set-up is sound.

    Parameters
    ----------
    software : for the tags. alive : called between blocks. warnings : appended to.

    Raises
    ------
    ExecutorError : ``input_missing``, ``input_corrupt`` (no wanted polarisation), ``aux_missing`` (orbit file),
        ``no_overlap``, ``no_valid_pixel``.
    ProductCorruptError : a part of a product is missing or damaged.
    ElevationMissingError : heights of land are missing.
    InputError : the geoid grid does not reach a tile. DiskFullError, StorageError.
    """
    geoid, expected = options.geoid, request.elevation.geoid
    if geoid is not None and geoid.model not in (None, expected):
        warnings.append(f"heights are counted from {expected}, dem.geoid_path is {geoid.model}: up to metres apart")
    scenes = sorted(request.current, key=lambda scene: (scene.name.sensing_start, scene.name.name))
    slices = [opened for scene in scenes if (opened := _opened(scene, options, warnings)) is not None]
    if not slices:
        raise ExecutorError(
            f"{scenes[0].path} holds no image of {', '.join(options.polarisations)}",
            hint="it may still be arriving; else fetch it again",
            code=Reason.INPUT_CORRUPT,
        )
    made: list[MadeRaster] = []
    seen, filled = False, False
    for target in request.targets:
        views = _views(request, options, target, slices, alive)
        seen = seen or bool(views)
        for polarisation in options.polarisations:
            showing = [view for view in views if polarisation in view.ground]
            if not showing:
                continue
            parts = [(view.slice.images[polarisation], view.ground[polarisation]) for view in showing]
            values = backscatter(parts, target.grid.pixel, options.quantity, alive)
            filled = filled or bool(values.any())
            raster = write_tile_raster(
                values,
                target,
                _subject(showing[0].slice, polarisation),
                _origin(request, options, [view.slice for view in showing], parts[0][0], software),
                quantity=options.quantity,
                output_dir=request.output_dir,
                min_tile_share=options.min_tile_share,
            )
            made += [] if raster is None else [raster]
            alive()
    name, tiles = scenes[0].name.name, ", ".join(target.tile for target in request.targets)
    if not seen:
        raise ExecutorError(f"{name} does not see {tiles}", code=Reason.NO_OVERLAP)
    if not filled:
        raise ExecutorError(f"{name} holds no data on {tiles}", code=Reason.NO_VALID_PIXEL)
    return tuple(made)


def _opened(scene: RadarScene, options: NativeOptions, warnings: list[str]) -> _Slice | None:
    """Open a product; None when it has no image of a wanted polarisation."""
    name = scene.name.name
    if not scene.path.exists():
        raise ExecutorError(f"{scene.path} does not exist", hint="fetch the product again", code=Reason.INPUT_MISSING)
    product = open_radar_product(scene.path)
    warnings += product.warnings
    wanted = {pol: image for pol in options.polarisations if (image := product.image(pol)) is not None}
    warnings += [f"{name} has no image of {pol}" for pol in options.polarisations if pol not in wanted]
    version = product.ipf_version
    noise_removed = options.remove_noise and (version is None or version >= _NOISE_SINCE)
    if options.remove_noise and not noise_removed:
        warnings.append(f"{name} was made before IPF 2.50: its noise is not subtracted")
    orbit: OrbitPolynomial | None = None
    outline: BaseGeometry | None = None
    images: dict[str, GrdImage] = {}
    for pol, files in wanted.items():
        annotation = product.annotation(files)
        if annotation.polarisation != pol or annotation.ground_range is None:
            raise ProductCorruptError(
                f"{files.annotation} of {name} is of {annotation.product_type} {annotation.polarisation}",
                hint="fetch the product again",
            )
        orbit = orbit or _orbit(scene, product, annotation, options, warnings)
        outline = outline or _outline(annotation.tie_points)
        measurement = product.measurement(files)
        images[pol] = GrdImage(
            image_frame(annotation, orbit),
            measurement,
            usable_window(measurement, annotation.geometry, version),
            product.calibration(files, options.quantity),
            product.noise(files) if noise_removed else None,
        )
    if orbit is None or outline is None:
        return None
    return _Slice(product, orbit, outline, noise_removed, images)


def _orbit(
    scene: RadarScene, product: RadarProduct, annotation: Annotation, options: NativeOptions, warnings: list[str]
) -> OrbitPolynomial:
    """State vectors of the scene's orbit file, of one in the folder, or of the annotation."""
    start, stop, path = annotation.geometry.first_line, scene.name.sensing_stop, scene.orbit_file
    if path is None and options.orbit_path is not None:
        chosen = choose_orbit_file(options.orbit_path, scene.name.platform, start, stop)
        path = None if chosen is None else chosen.path
    if path is not None and not path.is_file():
        raise ExecutorError(f"the orbit file {path} does not exist", hint="fetch it", code=Reason.AUX_MISSING)
    if path is not None:
        return fitted(read_orbit_file(path, start, stop), str(path))
    if options.require_orbit:
        raise ExecutorError(
            f"no orbit file of {scene.name.name} in {options.orbit_path or 'a folder: none is set'}",
            hint="fetch S1*_OPER_AUX_POEORB_OPOD_*.EOF (20 days after the acquisition) or RESORB (hours after), "
            "into processor.l2s1.orbit_path; or set processor.l2s1.require_orbit to false",
            code=Reason.AUX_MISSING,
        )
    warnings.append(f"{scene.name.name}: no orbit file, the annotation's state vectors are used (about 1 m)")
    return fitted(annotation.orbit, product.tree.where("annotation"))


def _outline(points: TiePoints) -> BaseGeometry:
    """Ground of an image, roughly."""
    return shapely.MultiPoint(np.column_stack([points.longitude, points.latitude])).convex_hull.buffer(_NEAR_DEG)


def _near(outline: BaseGeometry, target: RadarTarget) -> bool:
    """Whether an image may see a tile; near the antimeridian, where outlines tell nothing, it may."""
    west, _, east, _ = outline.bounds
    return east - west > _HALF_GLOBE or bool(outline.intersects(footprint_of(None, target.grid)))


def _views(
    request: RadarRequest,
    options: NativeOptions,
    target: RadarTarget,
    slices: Sequence[_Slice],
    alive: Callable[[], None],
) -> list[_View]:
    """What each slice sees of a tile; heights are only read where one sees it."""
    near = [one for one in slices if _near(one.outline, target)]
    if not near:
        return []
    heights = elevation_on(target.grid, request.elevation)
    alive()
    nodes = ground_nodes(target.grid, options.geoid)
    views = []
    for one in near:
        ground: dict[str, SeenGround] = {}
        for pol, image in one.images.items():
            alike = [other for other in ground if _same_geometry(one.images[other].frame, image.frame)]
            ground[pol] = ground[alike[0]] if alike else see(image.frame, nodes, heights, alive)
        views.append(_View(one, {pol: found for pol, found in ground.items() if found.share > 0}))
    return [view for view in views if view.ground]


def _same_geometry(first: ImageFrame, second: ImageFrame) -> bool:
    one, other = first.annotation.ground_range, second.annotation.ground_range
    return (
        first.annotation.geometry == second.annotation.geometry
        and np.array_equal(first.shift, second.shift)
        and (one is None) == (other is None)
        and (one is None or other is None or np.array_equal(one.coefficients, other.coefficients))
    )


def _subject(first: _Slice, polarisation: str) -> RasterSubject:
    name = first.product.name
    return RasterSubject(name.platform, polarisation, first.product.relative_orbit, name.sensing_start)


def _origin(
    request: RadarRequest, options: NativeOptions, slices: Sequence[_Slice], image: GrdImage, software: str
) -> RasterOrigin:
    geoid = options.geoid
    surface = "ellipsoid" if geoid is None else geoid.model or geoid.path.name
    lines, samples = averaged(image, options.pixel_spacing)
    return RasterOrigin(
        orbit=least_precise(one.orbit.source for one in slices),
        direction=slices[0].product.direction,
        noise_removed=all(one.noise_removed for one in slices),
        rtc=False,
        elevation=f"{request.elevation.kind} above {surface}",
        input_ids=tuple(one.product.name.name for one in slices),
        software=software,
        more={"LOOKS": pixel_counts(samples, lines)},
    )
