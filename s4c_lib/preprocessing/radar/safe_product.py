"""The files of a Sentinel-1 SLC or GRD product: SAFE folder or archive (``preprocessing.md`` 3.1, 4.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element

from s4c_lib.errors import InputError, ProductCorruptError
from s4c_lib.preprocessing.radar.annotation import Annotation, parse_annotation
from s4c_lib.preprocessing.radar.radiometric_tables import NoiseTables, VectorTable, parse_calibration, parse_noise
from s4c_lib.sources.metadata_files import elements, parse_xml, text
from s4c_lib.sources.product_kinds import ProductKind, ProductName
from s4c_lib.sources.product_names import parse_product_name
from s4c_lib.sources.product_tree import ProductTree

_MANIFEST: Final = "manifest.safe"
_STEM: Final = re.compile(
    r"(?P<stem>s1[a-d]-(?P<swath>[a-z0-9]+)-(?:slc|grd)-(?P<pol>vv|vh|hh|hv)-[0-9t]+-[0-9t]+-\d+-[0-9a-f]+-\d+)"
    r"(?:-cog)?\.(?:xml|tiff)",
    re.IGNORECASE,
)
_AGAIN: Final = "it may still be arriving; else fetch the product again"


@dataclass(frozen=True, slots=True)
class ImageFiles:
    """The files of one image, addressed within the product; None where the product has none."""

    swath: str
    polarisation: str
    measurement: str | None
    annotation: str | None
    calibration: str | None
    noise: str | None


@dataclass(frozen=True, slots=True, eq=False)
class RadarProduct:
    """An opened product; its rasters are not read yet.

    Parameters
    ----------
    ipf_version : of the processor, ``(3, 40)``; None where the manifest does not say.
    relative_orbit, direction : of the manifest.
    images : of all polarisations (and sub-swaths) that it has any file of, sorted.
    stated : polarisations that the manifest names.
    warnings : what does not agree with the product's name.
    """

    tree: ProductTree
    name: ProductName
    ipf_version: tuple[int, int] | None
    relative_orbit: int
    direction: str
    images: tuple[ImageFiles, ...]
    stated: tuple[str, ...]
    warnings: tuple[str, ...]

    def image(self, polarisation: str, swath: str | None = None) -> ImageFiles | None:
        """The image of a polarisation, of SLC in a sub-swath; None when the product holds none."""
        found = [i for i in self.images if i.polarisation == polarisation and swath in (None, i.swath)]
        return found[0] if found else None

    def annotation(self, image: ImageFiles) -> Annotation:
        """Parse its annotation. ProductCorruptError names the file that is missing or damaged."""
        file = self._needed(image.annotation, image, "annotation")
        return parse_annotation(self.tree.read(file), self.tree.where(file))

    def calibration(self, image: ImageFiles, quantity: str) -> VectorTable:
        """Parse its calibration. ProductCorruptError names the file that is missing or damaged."""
        file = self._needed(image.calibration, image, "calibration")
        return parse_calibration(self.tree.read(file), self.tree.where(file), quantity)

    def noise(self, image: ImageFiles) -> NoiseTables:
        """Parse its noise. ProductCorruptError names the file that is missing or damaged."""
        file = self._needed(image.noise, image, "noise")
        return parse_noise(self.tree.read(file), self.tree.where(file))

    def measurement(self, image: ImageFiles) -> str:
        """Path of its raster for GDAL. ProductCorruptError when it is missing."""
        return self.tree.gdal_path(self._needed(image.measurement, image, "measurement"))

    def _needed(self, file: str | None, image: ImageFiles, what: str) -> str:
        if file is None:
            raise ProductCorruptError(
                f"{self.tree.path} lacks the {what} file of {image.swath} {image.polarisation}", hint=_AGAIN
            )
        return file


def open_radar_product(path: Path) -> RadarProduct:
    """Read the manifest of a product and find its files.

    Raises
    ------
    InputError : it is not named as an SLC or GRD product is.
    ProductCorruptError : no manifest, or one without orbit, pass or platform; another product than its name says.
    """
    name = parse_product_name(path.name)
    if name is None or name.kind not in {ProductKind.S1_SLC, ProductKind.S1_GRD}:
        raise InputError(f"{path} is not named as a Sentinel-1 SLC or GRD product", hint="keep the provider's own name")
    tree = ProductTree(path)
    where = tree.where(_MANIFEST)
    manifest = parse_xml(tree.read(_MANIFEST), where)
    orbit, direction = text(manifest, "relativeOrbitNumber"), text(manifest, "pass")
    if (
        orbit is None
        or not orbit.isdigit()
        or direction is None
        or direction.lower() not in {"ascending", "descending"}
    ):
        raise ProductCorruptError(f"{where} states no relative orbit or no pass", hint=_AGAIN)
    warnings = []
    if name.relative_orbit is not None and name.relative_orbit != int(orbit):
        warnings.append(f"{name.name}: relative orbit {orbit} by its manifest, {name.relative_orbit} by the formula")
    stated = sorted({(e.text or "").strip().upper() for e in elements(manifest, "transmitterReceiverPolarisation")})
    return RadarProduct(
        tree=tree,
        name=name,
        ipf_version=ipf_version(manifest),
        relative_orbit=int(orbit),
        direction=direction.lower(),
        images=_images(tree),
        stated=tuple(pol for pol in stated if pol),
        warnings=tuple(warnings),
    )


def ipf_version(manifest: Element) -> tuple[int, int] | None:
    """Version of the Instrument Processing Facility, the first the manifest names: it made the product itself."""
    for software in elements(manifest, "software"):
        found = re.fullmatch(r"0*(\d+)\.(\d+)", software.get("version", "").strip())
        if found and "IPF" in software.get("name", ""):
            return int(found[1]), int(found[2].ljust(2, "0")[:2])
    return None


def _images(tree: ProductTree) -> tuple[ImageFiles, ...]:
    places = {"annotation": "", "annotation/calibration": "", "measurement": ""}
    found: dict[tuple[str, str], dict[str, str]] = {}
    for file in sorted(tree.files):
        folder, _, base = file.rpartition("/")
        if folder not in places:
            continue
        kind = "annotation" if folder == "annotation" else "measurement"
        if folder.endswith("calibration"):
            kind, _, base = base.partition("-")
        matched = _STEM.fullmatch(base)
        if matched and kind in {"annotation", "measurement", "calibration", "noise"}:
            key = matched["swath"].upper(), matched["pol"].upper()
            found.setdefault(key, {})[kind] = file
    return tuple(
        ImageFiles(swath, pol, f.get("measurement"), f.get("annotation"), f.get("calibration"), f.get("noise"))
        for (swath, pol), f in sorted(found.items())
    )
