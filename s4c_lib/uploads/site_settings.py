"""What the parameters of a site say about its uploads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from sqlalchemy import Connection

from s4c_lib.catalog.config_values import snapshot
from s4c_lib.catalog.sites import Site
from s4c_lib.geography.archives import ArchiveLimits
from s4c_lib.parcels.checking import CheckOptions


@dataclass(frozen=True, slots=True)
class SiteSettings:
    """Where a site's declarations lie, and how its files are judged."""

    folder: Path
    options: CheckOptions


def site_settings(connection: Connection, site: Site, today: date) -> SiteSettings:
    """Read the parameters that hold for a site's imports."""
    values = snapshot(connection, today=today, site=site)
    folder = (
        values.path("processor.lpis.path", site=site.short_name)
        if values["processor.lpis.path"]
        else values.path("storage.products_path") / site.short_name / "lpis"
    )
    normalisation = values["declaration.code_normalisation"]
    options = CheckOptions(
        profile=str(values["profile"]),
        overlap_threshold=float(str(values["declaration.overlap_threshold"])),
        max_reject_pct=float(str(values["declaration.max_reject_pct"])),
        code_normalisation=None if normalisation is None else str(normalisation),
        limits=ArchiveLimits(
            max_unpacked_bytes=int(str(values["upload.max_unpacked_bytes"])),
            max_entries=int(str(values["upload.max_entries"])),
        ),
    )
    return SiteSettings(folder, options)
