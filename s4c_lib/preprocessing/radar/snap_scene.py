"""What SNAP's graphs need to know of an SLC or GRD product, read from manifest and annotation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shapely.geometry.base import BaseGeometry

from s4c_lib.errors import ProductCorruptError
from s4c_lib.preprocessing.radar.executor import RadarScene
from s4c_lib.preprocessing.radar.measurement import CLEAN_BORDERS
from s4c_lib.preprocessing.radar.safe_product import ipf_version
from s4c_lib.preprocessing.work_folder import linked_tree, unpacked
from s4c_lib.sources.metadata_files import elements, parse_xml
from s4c_lib.sources.model import Direction
from s4c_lib.sources.product_facts import read_facts
from s4c_lib.sources.product_tree import ProductTree

_ANNOTATION = re.compile(r"annotation/s1[a-d]-(iw[1-3]?|ew[1-5]?|s[1-6])-(slc|grd)-(vv|vh|hh|hv)-[^/]+\.xml")
_ARRIVING: Final = "the product may still be arriving; else fetch it again"


@dataclass(frozen=True, slots=True)
class SnapScene:
    """A product laid out for SNAP.

    Parameters
    ----------
    manifest : ``manifest.safe`` of a folder of links.
    bursts : polarisation -> sub-swath -> number of bursts; of GRD each polarisation has one swath, without bursts.
    processor : version of the processor that made it; None where it is not stated.
    links : where the links lead, for a container to mount.
    """

    scene: RadarScene
    manifest: Path
    bursts: Mapping[str, Mapping[str, int]]
    footprint: BaseGeometry
    direction: Direction
    relative_orbit: int
    processor: tuple[int, int] | None
    links: tuple[Path, ...]
    warnings: tuple[str, ...] = ()

    @property
    def noisy_border(self) -> bool:
        """Whether a GRD may have values beside its image."""
        return self.processor is not None and self.processor < CLEAN_BORDERS


def laid_out(scene: RadarScene, polarisations: tuple[str, ...], folder: Path) -> SnapScene:
    """Link a product's files into ``folder``, unpacked there before if it is an archive, and read what it is.

    Parameters
    ----------
    polarisations : those wanted; what the product does not have is a warning.

    Raises
    ------
    ExecutorError : the product does not exist (``input_missing``).
    ProductCorruptError : a file is missing, empty or not readable, named; or no wanted polarisation is in it.
    DiskFullError : an archive does not fit.
    """
    source = unpacked(scene.path, folder / "unpacked")
    linked = folder / f"{scene.name.name}.SAFE"
    links = linked_tree(source, linked)
    tree = ProductTree(source)
    facts = read_facts(source, scene.name)
    if facts.direction is None or facts.relative_orbit is None:
        raise ProductCorruptError(f"{tree.where('manifest.safe')} lacks pass or relative orbit", hint=_ARRIVING)
    stated = scene.name.relative_orbit
    warnings = []
    if stated is not None and stated != facts.relative_orbit:
        warnings.append(f"{scene.name.name}: relative orbit {facts.relative_orbit}, by its number it would be {stated}")
    found = _bursts(tree)
    wanted = {key: value for key, value in found.items() if key in polarisations}
    absent = sorted(set(polarisations) - set(wanted))
    if not wanted:
        raise ProductCorruptError(f"{source} holds no image of {', '.join(polarisations)}", hint=_ARRIVING)
    warnings += [f"{scene.name.name} has no image of {name}" for name in absent]
    return SnapScene(
        scene,
        linked / "manifest.safe",
        wanted,
        facts.footprint,
        facts.direction,
        facts.relative_orbit,
        ipf_version(parse_xml(tree.read("manifest.safe"), tree.where("manifest.safe"))),
        links,
        tuple(warnings),
    )


def _bursts(tree: ProductTree) -> dict[str, dict[str, int]]:
    bursts: dict[str, dict[str, int]] = {}
    for file in sorted(tree.files):
        found = _ANNOTATION.fullmatch(file.lower())
        if found is None:
            continue
        root = parse_xml(tree.read(file), tree.where(file))
        # In products whose images are cloud-optimised some names end in -cog, and others need not.
        stem = file.removeprefix("annotation/").removesuffix(".xml").removesuffix("-cog")
        wanted = {f"measurement/{stem}": ".tiff"}
        wanted |= {f"annotation/calibration/{kind}-{stem}": ".xml" for kind in ("calibration", "noise")}
        for part, ending in wanted.items():
            if not any(tree.files.get(f"{part}{suffix}{ending}") for suffix in ("", "-cog")):
                raise ProductCorruptError(f"{tree.where(part + ending)} is missing or empty", hint=_ARRIVING)
        count = sum(int(item.get("count") or 0) for item in elements(root, "burstList"))
        if found[2] == "slc" and count < 1:
            raise ProductCorruptError(f"{tree.where(file)} lists no burst", hint=_ARRIVING)
        bursts.setdefault(found[3].upper(), {})[found[1].upper()] = count
    return bursts
