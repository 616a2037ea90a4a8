"""Publication of an L2A: its rasters as COG, quicklook, angles, metadata and item in one folder (layout ``l2a-1``).

``preprocessing.md`` §2.11. Decoding the JPEG 2000 of the source is by far the dearest step, so every raster is decoded
once; everything else is made from the copies.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
from shapely.geometry.base import BaseGeometry

from s4c_lib.errors import InputError, ProductCorruptError, Sen4capError
from s4c_lib.geography.footprint import footprint_of
from s4c_lib.preprocessing.publish_folder import FINGERPRINT, QUICKLOOK, PublishedL2A, read_published_folder
from s4c_lib.preprocessing.publish_rasters import CopiedRaster, copy_layer
from s4c_lib.preprocessing.publish_source import source_fingerprint
from s4c_lib.preprocessing.quicklook import COLOURS, write_quicklook
from s4c_lib.preprocessing.raster_verdicts import MIN_STDDEV, TileVerdict, band_code, product_verdict
from s4c_lib.preprocessing.site_shares import Shares, shares_of
from s4c_lib.products.cog import CogBand, CogProfile, write_cog
from s4c_lib.products.replaced_folder import replaced_folder
from s4c_lib.products.stac import (
    ItemAsset,
    ItemDescription,
    build_item,
    cog_asset,
    file_asset,
    grid_fields,
    item_document,
    percentage_fields,
    view_fields,
    write_item,
    write_whole,
)
from s4c_lib.progress import Progress
from s4c_lib.readers import published_layout as layout
from s4c_lib.readers.flags import Flag
from s4c_lib.readers.raster_opening import document
from s4c_lib.readers.scene import COSINES, Layer, Mask, MaskKind, OpticalScene
from s4c_lib.reasons import Reason

COLLECTION: Final = "s4c-l2a"
SOFTWARE: Final = "sen4cap-airflow"
CONFIG_HASH: Final = "s4c:config_hash"
_SCL_NO_DATA: Final = 0


class UnusableProductError(Sen4capError, ValueError):
    """A product is complete but of no use; ``code`` is a `Reason`, and trying again changes nothing."""

    code = Reason.NO_VALID_PIXEL.value


@dataclass(frozen=True, slots=True)
class PublishOptions:
    """How products are published.

    Parameters
    ----------
    keep_bands : those copied; masks always are. cog : rewrite at all; else products stay as they came.
    compress : without loss. min_stddev : a band as constant as this, DN, makes the product NOTV.
    config_hash : of the parameters behind these; a folder of another one is replaced.
    """

    keep_bands: tuple[str, ...] = ("b02", "b03", "b04", "b05", "b06", "b07", "b08", "b8a", "b11", "b12")
    cog: bool = True
    compress: bool = True
    min_stddev: float = MIN_STDDEV
    config_hash: str = ""

    @classmethod
    def of(cls, parameters: Mapping[str, Any], config_hash: str) -> PublishOptions:
        """Read them from resolved parameters."""
        return cls(
            keep_bands=tuple(parameters["processor.l2a.keep_bands"]),
            cog=bool(parameters["processor.l2a.optical.cog-tiffs"]),
            compress=bool(parameters["processor.l2a.optical.compress-tiffs"]),
            config_hash=config_hash,
        )


def publish_l2a(
    scene: OpticalScene,
    target: Path,
    options: PublishOptions,
    *,
    site_geometry: BaseGeometry | None = None,
    fingerprint: str | None = None,
    now: datetime | None = None,
    progress: Progress | None = None,
) -> PublishedL2A:
    """Publish a product as folder ``target``, which must have the scene's name.

    A complete folder of the same source and configuration is kept; any other is replaced when the new one stands.
    What a killed worker left beside ``target`` is removed.

    Parameters
    ----------
    site_geometry : longitude and latitude. fingerprint : of source and configuration, where the caller knows it.
    now : UTC, stamped into the item; without it no time is stamped.
    progress : told pixels copied, pixels of all rasters, and the name of the raster.

    Raises
    ------
    ProductCorruptError : a file is missing, damaged, or not what the metadata say.
    UnusableProductError : no pixel has data (``no_valid_pixel``), or a band is constant (``notv``).
    DiskFullError, StorageError : it cannot be written. InputError : the folder has another name, or no band is kept.
    """
    if target.name != scene.name:
        raise InputError(f"{scene.name} cannot be published as {target.name}", hint="the folder has the product's name")
    scene = kept_bands(scene, options)
    fingerprint = fingerprint or source_fingerprint(scene, options)
    existing = read_published_folder(target, fingerprint, site_geometry)
    if existing is not None:
        return existing
    with replaced_folder(target) as folder:
        publication = _Publication(scene, folder, options, progress)
        publication.copy_rasters()
        publication.judge()
        publication.write_angles()
        publication.write_quicklook()
        publication.copy_metadata()
        shares = publication.measure(site_geometry)
        item = item_document(build_item(publication.described(shares, fingerprint, now)))
        write_item(item, folder / layout.item_file(scene.name))
    published = read_published_folder(target, fingerprint, site_geometry)
    if published is None:
        raise ProductCorruptError(f"{target} is not complete after it was published", hint="check the disk")
    return dataclasses.replace(published, reused=False)


def kept_bands(scene: OpticalScene, options: PublishOptions) -> OpticalScene:
    """The scene with the bands that are kept.

    Raises
    ------
    InputError : none of them.
    """
    kept = {name: band for name, band in sorted(scene.bands.items()) if name in options.keep_bands}
    if not kept:
        raise InputError(f"none of {', '.join(options.keep_bands)} is in {scene.name}", hint="keep more bands")
    return dataclasses.replace(scene, bands=kept)


@dataclass(slots=True)
class _Publication:
    """The steps of one publication, and what they have made so far."""

    scene: OpticalScene
    folder: Path
    options: PublishOptions
    progress: Progress | None
    copies: dict[str, CopiedRaster] = field(default_factory=dict)  # by file name
    assets: dict[str, ItemAsset] = field(default_factory=dict)
    metadata: tuple[str, ...] = ()

    def copy_rasters(self) -> None:
        """Copy every band and mask that has a file of its own."""
        jobs = self._jobs()
        total = sum(layer.grid.rows * layer.grid.columns for _, layer, *_ in jobs)
        done = 0
        for file, layer, band, no_data, overviews in jobs:

            def told(pixels: int, file: str = file) -> None:
                nonlocal done
                done += pixels
                if self.progress is not None:
                    self.progress(done, total, file)

            self.copies[file] = copy_layer(
                layer,
                self.folder / file,
                band,
                no_data=no_data,
                overviews=overviews,
                compression_level=int(self.options.compress),
                told=told,
            )
        self._describe_rasters()

    def _jobs(self) -> list[tuple[str, Layer, CogBand, float | None, Any]]:
        scene, jobs = self.scene, {}
        for key, file in layout.mask_files(scene).items():
            no_data = {MaskKind.SCL: _SCL_NO_DATA, MaskKind.FLAGS: int(Flag.NO_DATA)}.get(scene.mask.kind)
            jobs[file] = file, scene.mask.layers[key], CogBand(key.upper()), no_data, "nearest"
        for key, file in layout.band_files(scene).items():
            band = scene.bands[key]
            described = CogBand(key.upper(), band.scale, band.offset, "1")
            jobs.setdefault(file, (file, band.layer, described, band.no_data, "average"))
        return list(jobs.values())

    def _describe_rasters(self) -> None:
        scene = self.scene
        for key, file in layout.band_files(scene).items():
            copy = self.copies[file]
            self.assets[key] = cog_asset(
                copy.written,
                copy.profile,
                title=f"Surface reflectance {key.upper()}",
                roles=("data", "reflectance"),
                fields=layout.band_fields(scene.bands[key]),
            )
        for key, file in layout.mask_files(scene).items():
            copy = self.copies[file]
            self.assets[key] = cog_asset(
                copy.written,
                copy.profile,
                title=f"Mask {key.upper()} of the source",
                roles=("data-mask",),
                fields=layout.mask_fields(scene.mask.layers[key]),
            )

    def judge(self) -> None:
        """Refuse a product without data, or with a constant band (§2.12)."""
        files = layout.band_files(self.scene)
        found = {key: self.copies[file].written.statistics[0] for key, file in files.items()}
        if not any(statistics.count for statistics in found.values()):
            raise UnusableProductError(f"no pixel of {self.scene.name} has data in any band")
        codes = {
            key: band_code(statistics, self.scene.bands[key].no_data, min_stddev=self.options.min_stddev)
            for key, statistics in found.items()
        }
        verdict = product_verdict([TileVerdict(self.scene.tile, codes)])
        if verdict.notv:
            raise UnusableProductError(
                f"{self.scene.name} is not valid: {'; '.join(tile.text for tile in verdict.dropped)}", code=Reason.NOTV
            )

    def write_angles(self) -> None:
        """Write the nodes of sun and view angles."""
        angles = self.scene.angles
        grid = layout.angle_raster_grid(angles, self.scene.grid.epsg)
        profile = CogProfile("float32", tuple(CogBand(name, unit="1") for name in COSINES), None, "average")
        nodes = np.stack([angles.cos_vza, angles.cos_sza, angles.cos_raa]).astype(np.float32)
        written = write_cog(self.folder / layout.raster_file(self.scene.name, layout.ANGLES), nodes, grid, profile)
        self.assets[layout.ANGLES] = cog_asset(
            written, profile, title="Cosines of sun and view angles", roles=("metadata",), fields=grid_fields(grid)
        )

    def write_quicklook(self) -> None:
        """Draw the picture where red, green and blue are kept."""
        files = layout.band_files(self.scene)
        if not set(COLOURS) <= set(files):
            return
        target = self.folder / layout.QUICKLOOK
        write_quicklook({name: self.folder / files[name] for name in COLOURS}, self.scene.bands, target)
        self.assets[QUICKLOOK] = file_asset(target, "Quicklook", ("overview",))

    def copy_metadata(self) -> None:
        """Copy the source's documents; one whose name is taken gets a number."""
        names: list[str] = []
        for path in self.scene.metadata_files:
            own = path.rsplit("/", 1)[-1]
            name = own if own not in names else f"{len(names)}_{own}"
            write_whole(self.folder / name, document(path))
            names.append(name)
            self.assets[f"metadata_{len(names)}"] = file_asset(
                self.folder / name, "Metadata of the source", ("metadata",)
            )
        self.metadata = tuple(names)

    def measure(self, site: BaseGeometry | None) -> Shares:
        """Flags at 20 m from the copies: shares and where there are data."""
        masks = {key: Layer(str(self.folder / file), self.scene.mask.layers[key].grid) for key, file in self._masks()}
        copied = dataclasses.replace(self.scene, mask=Mask(self.scene.mask.kind, masks))
        return shares_of(copied, site)

    def _masks(self) -> list[tuple[str, str]]:
        return sorted(layout.mask_files(self.scene).items())

    def described(self, shares: Shares, fingerprint: str, now: datetime | None) -> ItemDescription:
        """The item."""
        scene = self.scene
        return ItemDescription(
            id=scene.name,
            collection=COLLECTION,
            geometry=footprint_of(shares.has_data, shares.grid),
            time=scene.sensing_time,
            platform=scene.platform,
            tile=scene.tile,
            grid=scene.grid,
            level="L2",
            software={SOFTWARE: version(SOFTWARE)},
            assets=self.assets,
            lineage=f"copied without change of values from {scene.name}",
            properties={
                **view_fields(scene.angles.mean),
                **percentage_fields(shares.tile),
                "eo:cloud_cover": round(shares.tile["cloud"], 4),
                "eo:snow_cover": round(shares.tile["snow"], 4),
                FINGERPRINT: fingerprint,
                CONFIG_HASH: self.options.config_hash,
                **layout.item_properties(scene, self.metadata),
            },
            created=now,
        )
