"""What the manifest of an SLC or GRD product says that no name and no catalogue does (``preprocessing.md`` 3.1)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from s4c_lib.errors import ProductCorruptError
from s4c_lib.sources.metadata_files import elements, parse_xml
from s4c_lib.sources.model import Direction
from s4c_lib.sources.product_facts import read_facts
from s4c_lib.sources.product_kinds import ProductName
from s4c_lib.sources.product_tree import ProductTree

_MANIFEST: Final = "manifest.safe"


@dataclass(frozen=True, slots=True)
class SceneFacts:
    """Facts of one product.

    Parameters
    ----------
    measurement_checksum : of its orbit and the checksums stated of all its measurements; None where one has none.
    warnings : what does not agree with its name.
    """

    relative_orbit: int
    direction: Direction
    measurement_checksum: str | None
    warnings: tuple[str, ...] = ()


def scene_facts(path: Path, name: ProductName) -> SceneFacts:
    """Read the manifest of a SAFE folder or an archive of it.

    Raises
    ------
    ProductCorruptError : there is no manifest, or it states neither orbit nor pass.
    StorageError : no permission to read it.
    """
    facts = read_facts(path, name)
    tree = ProductTree(path)
    if facts.direction is None or facts.relative_orbit is None:
        raise ProductCorruptError(
            f"{tree.where(_MANIFEST)} states no relative orbit or no pass", hint="fetch the product again"
        )
    stated = name.relative_orbit
    warnings: tuple[str, ...] = ()
    if stated not in (None, facts.relative_orbit):
        warnings = (f"{name.name}: relative orbit {facts.relative_orbit} by its manifest, {stated} by the formula",)
    return SceneFacts(facts.relative_orbit, facts.direction, _checksum(tree, name), warnings)


def _checksum(tree: ProductTree, name: ProductName) -> str | None:
    root = parse_xml(tree.read(_MANIFEST), tree.where(_MANIFEST))
    stated = []
    for stream in elements(root, "byteStream"):
        places = [item.get("href", "").removeprefix("./") for item in elements(stream, "fileLocation")]
        if not any(place.startswith("measurement/") for place in places):
            continue
        sums = [(item.text or "").strip().lower() for item in elements(stream, "checksum")]
        if not any(sums):
            return None
        stated.append(" ".join(sums))
    orbit = f"{name.platform} {name.absolute_orbit}"
    return hashlib.sha256("\n".join([orbit, *sorted(stated)]).encode()).hexdigest() if stated else None
