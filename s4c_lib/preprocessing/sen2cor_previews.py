"""JPEG previews of a SAFE product, beside its JPEG 2000 ones (``preprocessing.md`` 2.7)."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

from s4c_lib.products.stac import write_whole
from s4c_lib.products.thumbnail import encoded
from s4c_lib.readers.raster_opening import open_raster, single_thread, unreadable
from s4c_lib.sources.product_names import granule_tile

_WIDTH = 1000


def add_previews(product: Path, tile: str) -> bool:
    """Write each preview of a tile (PVI, and TCI at its finest) as JPEG, and ``mosaic.jpg``.

    Returns
    -------
    Whether there was a preview at all.

    Raises
    ------
    ProductCorruptError : a preview is damaged.
    """
    written = []
    for granule in sorted((product / "GRANULE").glob("*")):
        if granule_tile(granule.name) == tile:
            colour = sorted(granule.glob("IMG_DATA/R*m/*_TCI_*.jp2"))
            for preview in [*sorted(granule.glob("QI_DATA/*PVI*.jp2")), *colour[:1]]:
                written.append(_as_jpeg(preview))
    if written:
        shutil.copyfile(written[0], product / "mosaic.jpg")
    return bool(written)


def _as_jpeg(preview: Path) -> Path:
    from rasterio.enums import Resampling
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    target = preview.with_suffix(".jpg")
    with warnings.catch_warnings(), single_thread():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with open_raster(str(preview)) as source:
            width = min(_WIDTH, source.width)
            height = max(1, round(source.height * width / source.width))
            try:
                pixels = source.read(out_shape=(source.count, height, width), resampling=Resampling.average)
            except RasterioError as error:
                raise unreadable(str(preview), error) from error
    write_whole(target, encoded(pixels, "JPEG", quality=90))
    return target
