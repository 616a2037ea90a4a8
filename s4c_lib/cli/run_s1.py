"""``s4c run s1``: backscatter of Sentinel-1 products by hand, on files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from s4c_lib.cli.options import AsJson, examples
from s4c_lib.cli.output import warn
from s4c_lib.cli.run_by_hand import Out, Products, Profile, Setting, each, parameters
from s4c_lib.errors import DiskFullError, InputError, ProcessorUnavailableError

if TYPE_CHECKING:
    from s4c_lib.cli.run_by_hand import Results
    from s4c_lib.parameters import Snapshot
    from s4c_lib.preprocessing.elevation.sources import ElevationSource
    from s4c_lib.preprocessing.radar.executor import RadarExecutor, RadarOptions, RadarResult, RadarScene, RadarTarget

NATIVE: Final = "native-grd"
EXECUTORS: Final = (NATIVE, "snap")


def register(app: typer.Typer) -> None:
    """Add the command to the noun ``run``."""
    app.command(
        "s1",
        epilog=examples(
            "s4c run s1 S1A_IW_GRDH_1SDV_20210502T055000_*.SAFE --tile 31UFS --dem glo30 "
            "--geoid us_nga_egm08_25.tif --out s1",
            "s4c run s1 S1A_IW_GRDH_*_041314_04E951_*.zip --tile 32TQM --tile 32TPM --dem srtm "
            "--geoid /usr/share/proj/egm96_15.gtx --polarisations VV --out s1",
            "s4c run s1 S1A_IW_SLC__1SDV_*.zip --executor snap --tile 31UFS --dem glo30 --out s1",
        ),
    )(s1)


def s1(
    product: Products,
    out: Out,
    tile: Annotated[list[str], typer.Option("--tile", metavar="TILE", help="A Sentinel-2 tile to make; repeatable.")],
    dem: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Elevation model, recognised by its files; without it, dem.path."),
    ] = None,
    geoid: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Grid of the geoid its heights are counted from (same as --set dem.geoid_path=FILE). Heights above "
            "the ellipsoid need none: --set dem.heights_are_ellipsoidal=true.",
        ),
    ] = None,
    polarisations: Annotated[
        str | None, typer.Option(metavar="LIST", help="VV, VH or VV,VH; without it, processor.l2s1.polarisations.")
    ] = None,
    orbits: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Orbit files (.EOF); without one the annotation's state vectors are used."),
    ] = None,
    executor: Annotated[
        str, typer.Option(metavar="NAME", help="native-grd, for GRD; or snap, whose program is set in the environment.")
    ] = NATIVE,
    profile: Profile = "default",
    setting: Setting = None,
    as_json: AsJson = False,
) -> None:
    """Make backscatter of Sentinel-1 products on the grid of Sentinel-2 tiles: calibrated, without noise, geocoded.

    Products of one datatake (neighbouring slices) are joined on a tile. Each tile and polarisation becomes one
    cloud-optimised GeoTIFF of linear sigma nought, 0 where there is no data, in --out/TILE/YEAR/MONTH/DAY; one that is
    there is replaced. 's4c run statistics' makes means of parcels of them.
    """
    given = list(setting or [])
    if geoid is not None:
        given.append(f"dem.geoid_path={geoid.absolute()}")
    if orbits is not None:
        given.append(f"processor.l2s1.orbit_path={orbits.absolute()}")
    if polarisations is not None:
        given.append(f"processor.l2s1.polarisations={polarisations.upper()}")
    values = parameters(profile, given)
    making = _Making.of(values, executor, dem, tile, out)
    groups = datatakes(product)
    firsts = [group[0] for group in groups]

    def one(place: Path, results: Results) -> None:
        making.make(groups[firsts.index(place)], results)

    each("Sentinel-1", firsts, one, as_json=as_json)


def datatakes(products: list[Path]) -> list[list[Path]]:
    """Products by datatake, its slices by time; in the order the first ones were given.

    Raises
    ------
    InputError : one does not exist, or is not named as an SLC or GRD product is.
    """
    from s4c_lib.sources.product_kinds import ProductKind
    from s4c_lib.sources.product_names import parse_product_name

    groups: dict[tuple[str, str], list[tuple[datetime, Path]]] = {}
    for path in products:
        if not path.exists():
            raise InputError(f"{path} does not exist.", hint="give folders or archives of products")
        name = parse_product_name(path.name)
        if name is None or name.kind not in {ProductKind.S1_SLC, ProductKind.S1_GRD} or name.datatake is None:
            raise InputError(f"{path} is not named as a Sentinel-1 SLC or GRD.", hint="keep the provider's own name")
        key = name.datatake, str(name.kind)
        groups.setdefault(key, []).append((name.sensing_start, path))
    return [[path for _, path in sorted(group)] for group in groups.values()]


@dataclass(frozen=True, slots=True)
class _Making:
    """What is the same for every product of a call."""

    executor: RadarExecutor
    options: RadarOptions
    elevation: ElevationSource
    targets: tuple[RadarTarget, ...]
    out: Path

    @classmethod
    def of(cls, values: Snapshot, executor: str, dem: Path | None, tiles: list[str], out: Path) -> _Making:
        from s4c_lib.geography.pixel_grid import PixelGrid
        from s4c_lib.geography.sentinel2_tiles import TILE_M
        from s4c_lib.geography.sentinel2_tiles import tile as sentinel2_tile
        from s4c_lib.preprocessing.elevation.sources import elevation_source
        from s4c_lib.preprocessing.radar.executor import RadarTarget

        program, options = _executor(executor, values)
        folder, kind = (dem, "auto") if dem is not None else (values.path("dem.path"), str(values["dem.source"]))
        spacing = options.pixel_spacing
        targets = []
        for name in dict.fromkeys(tile.upper().removeprefix("T") for tile in tiles):
            square = sentinel2_tile(name)
            side = TILE_M // spacing
            grid = PixelGrid(square.epsg, square.ulx, square.uly, spacing, side, side)
            targets.append(RadarTarget(name, grid))
        return cls(program, options, elevation_source(kind, folder), tuple(targets), out)

    def make(self, places: list[Path], results: Results) -> None:
        """Make the rasters of one datatake."""
        from s4c_lib.preprocessing.radar.executor import RadarJob, RadarRequest
        from s4c_lib.preprocessing.work_folder import remove_tree

        # a program runs in the work folder, where what is relative to the caller's means something else
        work = self.out.absolute() / "work" / places[0].name
        request = RadarRequest(
            job=RadarJob.BACKSCATTER,
            current=tuple(_scene(place.absolute()) for place in places),
            previous=(),
            targets=self.targets,
            elevation=self.elevation,
            work_dir=work,
            output_dir=self.out,
            options=self.options,
            now=datetime.now(UTC),
        )
        try:
            result = self.executor.run(request)
            log = self._kept_log(places[0].name, result)
        finally:
            if not self.options.keep_intermediate:
                remove_tree(work)
                if work.parent.is_dir() and not any(work.parent.iterdir()):
                    work.parent.rmdir()
        self._record(places[0].name, result, log, results)

    def _kept_log(self, name: str, result: RadarResult) -> Path | None:
        """What a program that failed said, beside the results; None when there is nothing."""
        from s4c_lib.preprocessing.executor import ExecutorStatus

        if result.status is ExecutorStatus.DONE or result.log_path is None or not result.log_path.is_file():
            return None
        return result.log_path.replace(self.out / f"{name}.log")

    def _record(self, name: str, result: RadarResult, log: Path | None, results: Results) -> None:
        from s4c_lib.preprocessing.executor import ExecutorStatus
        from s4c_lib.reasons import Reason

        for warning in result.warnings:
            warn(warning)
        if result.status is not ExecutorStatus.DONE:
            if result.reason is Reason.OUT_OF_DISK:
                raise DiskFullError(result.text, hint="free space and repeat; what was made stays")
            record = results.unfit if result.status is ExecutorStatus.REJECTED else results.refused
            record(
                name, str(result.reason or Reason.INTERNAL), result.text if log is None else f"{result.text} ({log})"
            )
            return
        for raster in result.rasters:
            about = {"tile": raster.tile, "pol": raster.polarisation, "valid_pct": round(100 * raster.valid_share, 1)}
            results.done(name, raster.quantity, str(raster.path), **about)
        if not result.rasters:
            results.unfit(name, str(Reason.TILE_EMPTY), result.text)


def _scene(place: Path) -> RadarScene:
    from s4c_lib.preprocessing.radar.executor import RadarScene
    from s4c_lib.sources.product_names import parse_product_name

    name = parse_product_name(place.name)
    assert name is not None  # `datatakes` refuses others
    return RadarScene(place, name)


def _executor(name: str, values: Snapshot) -> tuple[RadarExecutor, RadarOptions]:
    """An executor and its options.

    Raises
    ------
    InputError : there is no such executor. ProcessorUnavailableError : its program is not set.
    """
    from s4c_lib.preprocessing.launcher import Launcher
    from s4c_lib.preprocessing.radar.native_grd import NativeGrdExecutor
    from s4c_lib.preprocessing.radar.native_settings import NativeOptions
    from s4c_lib.preprocessing.radar.snap_executor import SnapExecutor
    from s4c_lib.preprocessing.radar.snap_settings import SnapOptions
    from s4c_lib.settings import Settings

    if name == NATIVE:
        return NativeGrdExecutor(), NativeOptions.of(values.values)
    if name not in EXECUTORS:
        raise InputError(f"There is no executor {name}.", hint=f"one of {', '.join(EXECUTORS)}")
    settings = Settings()
    if not settings.snap_program:
        raise ProcessorUnavailableError("The program snap is not configured here.", hint="set S4C_SNAP_PROGRAM to gpt")
    launcher = Launcher(settings.snap_program, settings.snap_image, settings.container_engine)
    return SnapExecutor(launcher, settings.snap_version), SnapOptions.of(values.values)
