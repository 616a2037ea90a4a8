"""What a published folder was made from, as one hash: another source or configuration gives another."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from pathlib import Path
from typing import Any, Final

from s4c_lib.readers.published_layout import LAYOUT
from s4c_lib.readers.raster_opening import document
from s4c_lib.readers.scene import Layer, OpticalScene

# Changes when the same source and options give another folder.
PUBLICATION: Final = 1
_ARCHIVE: Final = re.compile(r"/vsi(?:zip|tar)/\{(?P<archive>.+)\}/(?P<member>.+)")


def source_fingerprint(scene: OpticalScene, options: Any) -> str:
    """SHA-256 of names and sizes of the rasters, of the metadata documents' bytes, and of the options.

    Parameters
    ----------
    options : a dataclass.

    Raises
    ------
    ProductCorruptError : a metadata document cannot be read.
    """
    layers = {**{key: band.layer for key, band in scene.bands.items()}, **scene.mask.layers}
    described = {
        "publication": PUBLICATION,
        "layout": LAYOUT,
        "name": scene.name,
        "options": dataclasses.asdict(options),
        "rasters": {key: _file(layer) for key, layer in sorted(layers.items())},
        "documents": [hashlib.sha256(document(path)).hexdigest() for path in scene.metadata_files],
    }
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


def _file(layer: Layer) -> list[Any]:
    """File name, band and size; of an archive its own size, of a warped raster its whole description."""
    found = _ARCHIVE.fullmatch(layer.path)
    if found is not None:
        archive = Path(found["archive"])
        return [archive.name, found["member"], layer.index, archive.stat().st_size]
    path = Path(layer.path)
    if layer.path.startswith("<") or not path.is_file():
        return [layer.path, layer.index]
    return [path.name, layer.index, path.stat().st_size]
