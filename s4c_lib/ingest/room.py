"""Whether there is room on the disk for the next transfer or the next product. Source: operations.md §3.5."""

from __future__ import annotations

from pathlib import Path

import structlog

from s4c_lib.catalog.data_sources import DataSource
from s4c_lib.ingest.context import IngestContext
from s4c_lib.sources.disk_guard import DiskState, disk_usage, disk_verdict

log = structlog.get_logger(__name__)

LINKS = frozenset({"symlink", "check"})


def downloads_folder(context: IngestContext, satellite: str) -> Path:
    """Return where a satellite's products are put."""
    group = "l8" if satellite == "l9" else satellite
    return context.parameters.path(f"downloader.{group}.write-dir", site=context.site.short_name)


def guard_downloads(context: IngestContext, source: DataSource, *, in_flight: int = 0, expected: int = 0) -> None:
    """Hold transfers back while the disk of the downloads is nearly full; links need no room.

    Parameters
    ----------
    in_flight, expected : bytes of the transfers in progress, and of the one that is to begin.

    Raises
    ------
    DiskFullError : nothing is to be fetched now.
    """
    if source.fetch_mode in LINKS:
        return
    for satellite in context.satellites:
        _guard(context, downloads_folder(context, satellite), in_flight, expected)


def guard_products(context: IngestContext, *, satellite: str = "s2", input_bytes: int = 0) -> None:
    """Hold pre-processing back while the disk of the products is nearly full; what reads products only goes on.

    Parameters
    ----------
    input_bytes : size of the product that is to be processed; the output is a multiple of it.

    Raises
    ------
    DiskFullError : nothing is to be processed now.
    """
    factor = float(context.parameters["storage.output_factor_s1" if satellite == "s1" else "storage.output_factor_s2"])
    folder = context.parameters.path("storage.products_path", site=context.site.short_name)
    _guard(context, folder, 0, factor * input_bytes)


def _guard(context: IngestContext, folder: Path, in_flight: float, expected: float) -> None:
    place, free, total = disk_usage(folder)
    verdict = disk_verdict(
        place=place,
        free_bytes=free,
        total_bytes=total,
        in_flight_bytes=in_flight,
        expected_bytes=expected,
        min_free_gb=float(context.parameters["storage.min_free_gb"]),
        soft_free_pct=float(context.parameters["storage.soft_free_pct"]),
        hard_free_pct=float(context.parameters["storage.hard_free_pct"]),
    )
    if verdict.state is DiskState.LOW:
        log.warning("little room left", text=verdict.text)
    verdict.enforce()
