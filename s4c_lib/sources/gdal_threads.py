"""One thread of GDAL, without which damaged images pass for data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_SMALLEST_CACHE: Final = 64 * 2**20


@contextmanager
def single_thread() -> Iterator[None]:
    """GDAL with one thread and a small cache.

    With more, its JPEG 2000 decoder gives zeros, or leaves the array as it was, where a file is cut off, and reports
    no error (seen with GDAL 3.10 on files of several tiles); with one it fails as it should.
    """
    import rasterio

    with rasterio.Env(GDAL_NUM_THREADS="1", GDAL_CACHEMAX=_SMALLEST_CACHE):
        yield


def make_room(bytes_needed: int) -> None:
    """Let GDAL's cache hold this much, inside `single_thread`."""
    from rasterio.env import setenv

    setenv(GDAL_CACHEMAX=max(_SMALLEST_CACHE, bytes_needed))
