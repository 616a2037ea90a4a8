"""The year that an upload belongs to, and the seasons of that year."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

import numpy as np
from sqlalchemy import Connection

from s4c_lib.catalog.seasons import Season, get_season, list_seasons
from s4c_lib.catalog.sites import Site
from s4c_lib.errors import InputError
from s4c_lib.parcels.practice_tables import read_practice_table

_ANY_YEAR: Final = 2000


def year_of(connection: Connection, site: Site, *, year: int | None = None, season: str | None = None) -> int:
    """Return the year an upload is for: as given, else of the season, else of the only year that the site watches.

    Raises
    ------
    NotFoundError : the site has no such season.
    InputError : the year and the season contradict each other, or neither is given and the site does not tell.
    """
    if season is not None:
        found = get_season(connection, site, season)
        if year is not None and year != found.year:
            raise InputError(
                f"Season {found.short_name} of {site.short_name} is of {found.year}, not of {year}.",
                hint="give --year or --season, not both",
            )
        return found.year
    if year is not None:
        return year
    seasons = list_seasons(connection, site.id)
    years = sorted({one.year for one in seasons})
    if len(years) == 1:
        return years[0]
    if not years:
        raise InputError(f"Site {site.short_name} has no season that tells the year.", hint="add --year, such as 2026")
    shown = ", ".join(f"{one.short_name} ({one.year})" for one in seasons)
    raise InputError(
        f"Site {site.short_name} has seasons of several years: {shown}.", hint="add --year or --season to say which"
    )


def season_span(seasons: Sequence[Season]) -> tuple[date, date] | None:
    """Return the first and the last day of some seasons; None without any."""
    if not seasons:
        return None
    return min(one.dates.start for one in seasons), max(one.dates.end for one in seasons)


def harvest_year(content: bytes, practice: str, *, country: str | None = None) -> int | None:
    """Return the year in which most harvests of a practice table begin, the first of several.

    For a check without a site, where no season tells the year. Without harvests all dates count; None without any.
    """
    table, _ = read_practice_table(content, "", practice, year=_ANY_YEAR, country=country)
    if table is None:
        return None
    every = np.concatenate([table.veg_start, table.h_end, table.p_start, table.p_end])
    for days in (table.h_start, every):
        years, counts = np.unique(days[~np.isnat(days)].astype("datetime64[Y]"), return_counts=True)
        if len(years):
            return int(years[np.argmax(counts)].astype(int)) + 1970
    return None
