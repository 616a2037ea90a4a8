"""Disks that are filling up, as this machine sees them."""

from __future__ import annotations

from pathlib import Path

from s4c_lib.catalog.vocabulary import SEARCHED_SATELLITES
from s4c_lib.notices.finding import Event, Finding
from s4c_lib.parameters import Snapshot
from s4c_lib.sources.disk_guard import DiskState, disk_usage, disk_verdict

EVENTS = {DiskState.LOW: Event.DISK_SOFT, DiskState.PAUSED: Event.DISK_HARD}


def full_disks(settings: Snapshot, sites: list[str]) -> list[Finding]:
    """Return the disks of downloads and products that are nearly full, by folder; one finding a disk.

    Parameters
    ----------
    settings : parameters of the installation.
    sites : short names, for folders that are named by site.
    """
    found: dict[int, Finding] = {}
    for folder in sorted(set(_folders(settings, sites))):
        place, free, total = disk_usage(folder)
        verdict = disk_verdict(
            place=place,
            free_bytes=free,
            total_bytes=total,
            min_free_gb=float(settings["storage.min_free_gb"]),
            soft_free_pct=float(settings["storage.soft_free_pct"]),
            hard_free_pct=float(settings["storage.hard_free_pct"]),
        )
        if verdict.state in EVENTS:
            disk = Path(place).stat().st_dev
            finding = Finding(EVENTS[verdict.state], f"disk of {folder}", verdict.text, verdict.hint)
            found.setdefault(disk, finding)
    return list(found.values())


def _folders(settings: Snapshot, sites: list[str]) -> list[Path]:
    keys = ["storage.products_path", *(f"downloader.{satellite}.write-dir" for satellite in SEARCHED_SATELLITES)]
    return [settings.path(key, site=site) for key in keys for site in sites]
