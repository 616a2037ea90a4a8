"""The season of the demo: made once, and set up as an operator sets up a season of a country."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

from s4c_lib.cli.demo_commands import must
from s4c_lib.cli.output import note
from s4c_lib.cli.session import Session
from s4c_lib.errors import ConflictError

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

SITE, SEASON, SOURCE = "demo", "2025", "demo_archive"
START, END = date(2025, 3, 1), date(2025, 10, 31)
TILE, PARCELS, SEED = "31UFS", 600, 2025
SATELLITES = ("s1", "s2")
PRACTICES: Final = ("CC", "FL", "NFC", "NA")
COUNTRY: Final = "NLD"
# the default is for the disks of a country
_FREE_GB: Final = "2"
_SETTINGS: Final = (
    # every fault that a delivery can have is in it, far more than an agency's would have
    ("declaration.max_reject_pct", "10"),
    # few parcels in so small a window: else most crops would be left out as too rare
    ("processor.s4c_l4a.pa-min", "8"),
    # a third of the time, and no worse on so few parcels
    ("processor.s4c_l4a.num-trees", "100"),
    # all at once would show nothing of the progress, every 60 days would start more tasks than there is work for
    ("ingest.interval_days", "122"),
)


def make_season_once(place: Path) -> None:
    """Make the season and put a few faults into its archive, or keep the complete one an earlier call made."""
    from s4c_lib.synthetic.archive import add_faults

    complete = place / "season.complete"
    if complete.exists():
        note(f"{place / 'season'} is there already: {complete.read_text(encoding='utf-8').strip()}")
        return
    days = ("--start", START.isoformat(), "--end", END.isoformat())
    size = ("--parcels", str(PARCELS), "--tiles", TILE, "--seed", str(SEED))
    must("synthetic", "make", "--out", str(place / "season"), *days, *size, "--overwrite")
    faults = add_faults(place / "season" / "archive", seed=SEED, start=START, end=END, tile=TILE)
    text = f"with {len(faults)} faults put into the archive on purpose: the ingest names them"
    complete.write_text(text + "\n", encoding="utf-8")
    note(text)


def set_up(session: Session, place: Path) -> None:
    """Make whatever of site, source, uploads and season is not there yet; the archive is used in place.

    Raises
    ------
    ConflictError : a site of that name lies elsewhere.
    """
    from s4c_lib.catalog.auxdata import PRACTICE_KINDS, Kind, active_version
    from s4c_lib.catalog.data_sources import list_sources
    from s4c_lib.catalog.seasons import list_seasons
    from s4c_lib.catalog.sites import get_site, short_names

    season = place / "season"
    with session.read() as connection:
        known = SITE in short_names(connection)
        site = get_site(connection, SITE) if known else None
        seasons = [] if site is None else [item.short_name for item in list_seasons(connection, site.id)]
        sources = {item.name for item in list_sources(connection)}
        uploaded = (
            set()
            if site is None
            else {kind for kind in Kind if active_version(connection, site.id, kind, START.year) is not None}
        )
    if site is not None and not site.geometry.intersects(_extent(season / "site.geojson")):
        raise ConflictError(
            f"Site {SITE!r} is there already and lies elsewhere: another release's demo, or your own.",
            hint=f"'s4c site disable {SITE}' and 's4c site delete {SITE}' remove it",
        )
    if site is None:
        must("site", "add", "Demo", str(season / "site.geojson"))
        must("config", "set", "storage.products_path", str(place / "products"))
        must("config", "set", "storage.min_free_gb", _FREE_GB)
        for key, value in _SETTINGS:
            must("config", "set", key, value, "--site", SITE)
    if SOURCE not in sources:
        wanted = [part for satellite in SATELLITES for part in ("--satellite", satellite)]
        root = str(season / "archive")
        must("source", "add", SOURCE, *wanted, "--root", root, "--mode", "check", "--site", SITE)
    if SEASON not in seasons:
        must("season", "add", SITE, SEASON, START.isoformat(), END.isoformat())
    given, year = season / "declarations", ("--year", str(START.year))
    uploads = {
        Kind.LUT: ("lut", "import", SITE, str(given / "crop_lut.csv")),
        Kind.DECLARATIONS: (
            "declarations", "import", SITE, str(given / "declarations.gpkg"),
            "--parcel-id", "FUNCTIONEE", "--holding", "FakeBRSnr", "--crop", "GRONDBEDEK",
        ),
        Kind.L4B_CONFIG: ("config", "import", SITE, str(given / "l4b.cfg")),
        Kind.L4C_CONFIG: (
            "config", "import", SITE, str(given / "l4c.cfg"), "--country", COUNTRY, "--practices", ",".join(PRACTICES),
        ),
        **{
            PRACTICE_KINDS[name]: ("practices", "import", SITE, name, str(given / f"practices_{name.lower()}.csv"))
            for name in PRACTICES
        },
    }  # fmt: skip
    for kind, command in uploads.items():
        if kind is Kind.DECLARATIONS and kind not in uploaded:
            note(
                f"beside its {PARCELS} parcels the delivery has rows as careless ones have: doubles, overlaps, broken "
                "outlines. The import names them, and accepts what can be a parcel"
            )
        if kind not in uploaded:
            must(*command, *year)
    if site is None or not site.enabled:
        must("site", "enable", SITE)
    if site is not None and uploaded >= uploads.keys():
        note("site, source, uploads and season are there already")


def _extent(path: Path) -> BaseGeometry:
    """Outline of the season's site, longitude and latitude."""
    from shapely.geometry import shape

    return shape(json.loads(path.read_text(encoding="utf-8"))["features"][0]["geometry"])
