"""L2A that comes ready-made: ESA's SAFE, Theia's MUSCATE, Landsat Collection 2 (``preprocessing.md`` §2.4).

What is asked of them: complete, readable to the end, where and what their metadata say, not constant, and with data in
at least one pixel. The limits on clouds and clear pixels are for L2A computed here: they spare the computation, while a
ready-made product costs little and one with a few clear parcels still serves those. A product that is all cloud is
published too, and L3B keeps it as ``empty``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from shapely.geometry.base import BaseGeometry

from s4c_lib.errors import InputError, NotFoundError, Sen4capError
from s4c_lib.geography.footprint import footprint_of
from s4c_lib.preprocessing.executor import NEVER_RETRIED, ExecutorStatus, status_of
from s4c_lib.preprocessing.publish import (
    PublishOptions,
    UnusableProductError,
    kept_bands,
    publish_l2a,
)
from s4c_lib.preprocessing.publish_folder import PublishedL2A, read_published_folder
from s4c_lib.preprocessing.publish_source import source_fingerprint
from s4c_lib.preprocessing.raster_verdicts import TileVerdict, layer_codes, product_verdict
from s4c_lib.preprocessing.site_shares import shares_of
from s4c_lib.preprocessing.work_folder import unpacked
from s4c_lib.products.cog import disk
from s4c_lib.products.replaced_folder import private_folder
from s4c_lib.progress import Progress
from s4c_lib.readers.raster_opening import document
from s4c_lib.readers.recognise import read_scene
from s4c_lib.readers.scene import OpticalScene
from s4c_lib.reasons import Reason, reason_of
from s4c_lib.sources.metadata_files import elements, parse_xml
from s4c_lib.sources.product_names import ProductKind, ProductName, l2a_name, parse_product_name
from s4c_lib.sources.product_tree import is_tar, is_zip
from s4c_lib.sources.verify import VerifyReport, verify_product

_AS_THEY_COME = (ProductKind.LANDSAT_L2SP,)  # cloud-optimised already


@dataclass(frozen=True, slots=True, eq=False)
class ReadyMade:
    """What became of a product.

    Parameters
    ----------
    product : in its place, or where it was when it is used as it came; None unless done.
    reason, text : None and nothing when done; else why not. retryable : the same product may do later.
    """

    status: ExecutorStatus
    product: PublishedL2A | None = None
    reason: Reason | None = None
    text: str = ""
    retryable: bool = False
    warnings: tuple[str, ...] = ()


def prepare_ready_made(
    path: Path,
    target_folder: Path,
    options: PublishOptions,
    *,
    tile: str | None = None,
    site_geometry: BaseGeometry | None = None,
    work_dir: Path | None = None,
    now: datetime | None = None,
    progress: Progress | None = None,
) -> ReadyMade:
    """Check a delivered product and publish it as ``target_folder/{name}``; Landsat is used as it came.

    Parameters
    ----------
    path : folder or archive; it is only read. tile : which one of an old multi-tile SAFE.
    site_geometry : longitude and latitude. work_dir : where archives are unpacked for the time being; default
        ``target_folder``. now : UTC, stamped into the item.

    Returns
    -------
    ReadyMade : a fault of the product or of the disk is a value with its reason, never an exception.
    """

    def prepared(warnings: list[str]) -> PublishedL2A:
        name = _checked_name(path)
        report = verify_product(path, name)
        warnings.extend(report.warnings)
        _refuse_tile(report, tile or name.tile)
        scene = read_scene(path, tile=tile)
        if name.kind in _AS_THEY_COME or not options.cog:
            return _as_it_came(scene, path, options, site_geometry)
        return _published(scene, path, target_folder, options, tile, site_geometry, work_dir, now, progress, warnings)

    return _outcome(path, prepared)


def muscate_l2a_name(metadata: bytes, where: str) -> str | None:
    """Name of a Theia product after the L1C it was made from, ``_MSIL1C_`` as ``_MSIL2A_``; None when it names none.

    Raises
    ------
    ProductCorruptError : the document is not readable.
    """
    for element in elements(parse_xml(metadata, where), "PRODUCT_ID"):
        written = (element.text or "").strip()
        name = parse_product_name(written)
        if name is not None and name.kind is ProductKind.S2_L1C and "_MSIL1C_" in name.name:
            return l2a_name(name.name)
    return None


def _outcome(path: Path, prepared: Callable[[list[str]], PublishedL2A]) -> ReadyMade:
    warnings: list[str] = []
    try:
        with disk(path):
            return ReadyMade(ExecutorStatus.DONE, prepared(warnings), warnings=tuple(warnings))
    except Sen4capError as error:
        reason = reason_of(error)
        return ReadyMade(status_of(reason), None, reason, error.one_line, reason not in NEVER_RETRIED, tuple(warnings))


def _checked_name(path: Path) -> ProductName:
    if not path.exists() and not path.is_symlink():
        raise NotFoundError(f"{path} does not exist", hint="fetch the product again")
    name = parse_product_name(path.name)
    if name is None:
        raise InputError(f"{path} is not named as a product is", hint="keep the provider's own name")
    return name


def _refuse_tile(report: VerifyReport, tile: str | None) -> None:
    for problem in report.tile_problems:
        if tile is None or problem.tile == tile:
            raise UnusableProductError(problem.text, code=problem.code)


def _published(
    scene: OpticalScene,
    path: Path,
    target_folder: Path,
    options: PublishOptions,
    tile: str | None,
    site_geometry: BaseGeometry | None,
    work_dir: Path | None,
    now: datetime | None,
    progress: Progress | None,
    warnings: list[str],
) -> PublishedL2A:
    scene = _renamed(scene, warnings)
    target = target_folder / scene.name
    fingerprint = source_fingerprint(kept_bands(scene, options), options)
    existing = read_published_folder(target, fingerprint, site_geometry)
    if existing is not None:
        return existing

    def publish(source: OpticalScene) -> PublishedL2A:
        return publish_l2a(
            source,
            target,
            options,
            site_geometry=site_geometry,
            fingerprint=fingerprint,
            now=now,
            progress=progress,
        )

    if not (path.is_file() and (is_zip(path) or is_tar(path))):
        return publish(scene)
    # JPEG 2000 is read here and there: within an archive GDAL would unpack a file again and again.
    space = work_dir or target_folder
    space.mkdir(parents=True, exist_ok=True)
    with private_folder(space, f".{scene.name}.unpacked-") as folder:
        return publish(dataclasses.replace(read_scene(unpacked(path, folder), tile=tile), name=scene.name))


def _renamed(scene: OpticalScene, warnings: list[str]) -> OpticalScene:
    if scene.kind is not ProductKind.MUSCATE_L2A or not scene.metadata_files:
        return scene
    file = scene.metadata_files[0]
    name = muscate_l2a_name(document(file), file)
    if name is None:
        warnings.append(f"{file} names no L1C product: it keeps its own name")
        return scene
    return dataclasses.replace(scene, name=name)


def _as_it_came(
    scene: OpticalScene, path: Path, options: PublishOptions, site_geometry: BaseGeometry | None
) -> PublishedL2A:
    scene = kept_bands(scene, options)
    codes = layer_codes(scene.bands, min_stddev=options.min_stddev)
    verdict = product_verdict([TileVerdict(scene.tile, codes)])
    shares = shares_of(scene, site_geometry)
    if not shares.has_data.any():
        raise UnusableProductError(f"no pixel of {scene.name} has data")
    if verdict.notv:
        raise UnusableProductError(f"{scene.name} is not valid: {verdict.dropped[0].text}", code=Reason.NOTV)
    item: Mapping[str, object] = {}
    return PublishedL2A(
        name=scene.name,
        folder=path,
        item=item,
        footprint=footprint_of(shares.has_data, shares.grid),
        percentages=shares.tile,
        site_percentages=shares.site,
        quality=scene.quality,
        quicklook=None,
        files=(),
    )
