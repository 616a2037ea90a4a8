"""Opening a raster just far enough to know that it is one and that its end is there."""

from __future__ import annotations

import warnings

from s4c_lib.errors import ProductCorruptError
from s4c_lib.sources.gdal_threads import single_thread
from s4c_lib.sources.product_tree import ProductTree

# Overviews smaller than this could lose a sliver of data at the edge of a swath.
_SMALLEST_OVERVIEW = 128


def check_header(tree: ProductTree, file: str) -> None:
    """Open a JP2 or TIFF of a product; of a TIFF also read the last block, which a cut-off file lacks.

    Raises
    ------
    ProductCorruptError : missing, empty or not readable; names the file.
    """
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError
    from rasterio.windows import Window

    check_present(tree, file)
    try:
        # Sentinel-1 measurements are in radar geometry: no georeference is right there.
        with single_thread(), warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(tree.gdal_path(file)) as raster:
                if raster.width < 1 or raster.height < 1 or raster.count < 1:
                    raise ProductCorruptError(f"{tree.where(file)} holds no pixel", hint="fetch the product again")
                if raster.driver == "GTiff":
                    raster.read(1, window=Window(raster.width - 1, raster.height - 1, 1, 1))
    except RasterioError as error:
        reason = " ".join(str(error.__cause__ or error).split())
        raise ProductCorruptError(
            f"cannot read {tree.where(file)}: {reason}", hint="it may still be arriving; else fetch it again"
        ) from error


def check_present(tree: ProductTree, file: str) -> None:
    """Refuse a file that is missing or empty.

    Raises
    ------
    ProductCorruptError : names the file.
    """
    size = tree.files.get(file)
    if size is None:
        raise ProductCorruptError(f"{tree.where(file)} is missing", hint="the product may still be arriving")
    if size == 0:
        raise ProductCorruptError(f"{tree.where(file)} is empty (0 bytes)", hint="the product may still be arriving")


def is_black(tree: ProductTree, file: str) -> bool:
    """Whether every pixel of the raster's overview is 0.

    Raises
    ------
    ProductCorruptError : the overview cannot be decoded.
    """
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    try:
        with single_thread(), warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(tree.gdal_path(file)) as raster:
                factor = max((f for f in raster.overviews(1) if raster.width // f >= _SMALLEST_OVERVIEW), default=1)
                shape = (-(-raster.height // factor), -(-raster.width // factor))
                return not raster.read(1, out_shape=shape).any()
    except RasterioError as error:
        raise ProductCorruptError(
            f"cannot decode {tree.where(file)}: {error}", hint="it may still be arriving; else fetch it again"
        ) from error
