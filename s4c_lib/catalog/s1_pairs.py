"""Sentinel-1 passes over a site, the coherence pairs among them, and what became of each pair.

A pair is stored as soon as both its acquisitions are known, fetched or not. Source: preprocessing.md §3.3 and §3.7,
spec/README.md C7.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection, RowMapping, text

from s4c_lib.catalog.geometry import bound, geometry_parameter, loaded
from s4c_lib.catalog.vocabulary import SATELLITES
from s4c_lib.preprocessing.radar.pairs import Pair, RadarPass
from s4c_lib.sources.model import Direction
from s4c_lib.sources.product_names import parse_product_name

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

# Fetched, and not being fetched again.
ON_DISK = ("downloaded", "processing", "processed", "processing_failed")
# Will not come by itself: no partner, and no slice to wait for.
NOT_COMING = ("discovered", "aborted", "ignored")

_COLUMNS = """
    a.id, a.source_product_name AS name, a.platform, a.sensing_start, a.relative_orbit, a.direction::text AS direction,
    ST_AsBinary(a.footprint) AS footprint, a.measurement_checksum, a.state::text AS state
"""


@dataclass(frozen=True, slots=True)
class PairDetails:
    """A pair as stored.

    Parameters
    ----------
    intersection_pct : of the newer footprint, %.
    original_epsg, original_extent : projection and (left, bottom, right, top) of the coherence before it was brought
        to the tiles; None until it is made, or where nothing lies between.
    """

    current_id: int
    previous_id: int
    previous: str
    previous_sensed: datetime
    previous_state: str
    relative_orbit: int
    intersection_pct: float
    baseline_days: int
    original_epsg: int | None
    original_extent: tuple[float, ...] | None


@dataclass(frozen=True, slots=True)
class RadarReportRow:
    """A unit of an acquisition at a site, and one raster made of it (None where there is none)."""

    unit_key: str | None
    status: str | None
    reason_code: str | None
    partner: str | None
    partner_sensed: datetime | None
    partner_state: str | None
    intersection_pct: float | None
    baseline_days: int | None
    polarisation: str | None
    l2_product: str | None
    site_coverage_pct: float | None


def _pass(row: RowMapping) -> RadarPass:
    import shapely

    name = parse_product_name(row["name"])
    return RadarPass(
        id=row["id"],
        name=row["name"],
        platform=row["platform"],
        start=row["sensing_start"],
        relative_orbit=row["relative_orbit"],
        direction=Direction(row["direction"]),
        footprint=shapely.from_wkb(bytes(row["footprint"])),
        absolute_orbit=None if name is None else name.absolute_orbit,
        datatake=None if name is None else name.datatake,
        created=None if name is None else name.created,
        checksum=row["measurement_checksum"],
        on_disk=row["state"] in ON_DISK,
    )


def passes(
    connection: Connection, site_id: int, kinds: Collection[str], *, first: datetime, stop: datetime
) -> list[RadarPass]:
    """Return the raw acquisitions a site selects that are there or may come, sensed in [first, stop), by time and name.

    Those whose orbit or direction no source has told are left out until they are fetched.

    Parameters
    ----------
    kinds : ``s1_slc``, ``s1_grd``.
    """
    statement = text(
        f"""
        SELECT {_COLUMNS}
        FROM s4c.acquisition a JOIN s4c.site_acquisition m ON m.acquisition_id = a.id
        WHERE m.site_id = :site_id AND m.relevance = 'selected' AND a.satellite_id = :satellite
          AND a.kind = ANY(:kinds) AND a.state <> ALL(CAST(:not_coming AS s4c.acquisition_state[]))
          AND a.relative_orbit IS NOT NULL AND a.direction IS NOT NULL
          AND a.sensing_start >= :first AND a.sensing_start < :stop
        ORDER BY a.sensing_start, a.source_product_name
        """
    )
    values = {
        "site_id": site_id,
        "satellite": SATELLITES["s1"],
        "kinds": sorted(kinds),
        "not_coming": list(NOT_COMING),
        "first": first,
        "stop": stop,
    }
    return [_pass(row) for row in connection.execute(statement, values).mappings()]


def neighbours(connection: Connection, acquisition_id: int) -> list[RadarPass]:
    """Return an acquisition and those of its kind, platform and orbit within ten minutes that any site selects.

    All slices of its datatake are among them.
    """
    statement = text(
        f"""
        SELECT {_COLUMNS}
        FROM s4c.acquisition o
        JOIN s4c.acquisition a ON a.satellite_id = o.satellite_id AND a.kind = o.kind AND a.platform = o.platform
             AND a.sensing_start BETWEEN o.sensing_start - interval '10 minutes'
                                     AND o.sensing_start + interval '10 minutes'
             AND a.relative_orbit = o.relative_orbit AND a.direction = o.direction
        WHERE o.id = :id AND (a.id = o.id OR a.state <> ALL(CAST(:not_coming AS s4c.acquisition_state[])))
          AND (a.id = o.id OR EXISTS (SELECT 1 FROM s4c.site_acquisition m
                                      WHERE m.acquisition_id = a.id AND m.relevance = 'selected'))
        ORDER BY a.sensing_start, a.source_product_name
        """
    )
    rows = connection.execute(statement, {"id": acquisition_id, "not_coming": list(NOT_COMING)}).mappings()
    return [_pass(row) for row in rows]


def sought_among(connection: Connection, site_id: int) -> dict[int, str]:
    """Return the digest of the last search for partners of each acquisition of a site; see `note_search`."""
    statement = text(
        "SELECT acquisition_id, partners FROM s4c.site_acquisition WHERE site_id = :site_id AND partners IS NOT NULL"
    )
    return {row.acquisition_id: row.partners for row in connection.execute(statement, {"site_id": site_id})}


def note_search(connection: Connection, site_id: int, searched: Mapping[int, str]) -> None:
    """Remember among which acquisitions partners were looked for: the search is repeated when these change."""
    if searched:
        connection.execute(
            text(
                "UPDATE s4c.site_acquisition SET partners = :digest "
                "WHERE site_id = :site_id AND acquisition_id = :acquisition_id"
            ),
            [
                {"site_id": site_id, "acquisition_id": number, "digest": digest}
                for number, digest in sorted(searched.items())
            ],
        )


def store_pairs(connection: Connection, pairs: Iterable[Pair]) -> int:
    """Store pairs; those that are known stay as they are. Returns how many are new."""
    rows = [
        {
            "current_id": pair.current.id,
            "previous_id": pair.previous.id,
            "relative_orbit": pair.current.relative_orbit,
            "intersection_pct": min(100.0 * pair.share, 100.0),
            "baseline_days": pair.baseline_days,
        }
        for pair in pairs
    ]
    statement = text(
        """
        INSERT INTO s4c.s1_pair (current_id, previous_id, relative_orbit, intersection_pct, baseline_days)
        VALUES (:current_id, :previous_id, :relative_orbit, :intersection_pct, :baseline_days)
        ON CONFLICT (current_id, previous_id) DO NOTHING
        """
    )
    return sum(connection.execute(statement, row).rowcount for row in rows)


_DETAILS = """
    SELECT p.current_id, p.previous_id, b.source_product_name AS previous, b.sensing_start AS previous_sensed,
           b.state::text AS previous_state, p.relative_orbit, p.intersection_pct, p.baseline_days, p.original_epsg,
           p.original_extent
    FROM s4c.s1_pair p JOIN s4c.acquisition b ON b.id = p.previous_id
"""


def pairs_of(connection: Connection, acquisition_ids: Sequence[int]) -> list[PairDetails]:
    """Return the pairs of newer acquisitions, the largest intersection first."""
    statement = text(
        f"{_DETAILS} WHERE p.current_id = ANY(:ids) ORDER BY p.current_id, p.intersection_pct DESC, p.previous_id"
    )
    rows = connection.execute(statement, {"ids": sorted(set(acquisition_ids))}).mappings()
    return [
        PairDetails(
            **{**row, "original_extent": None if row["original_extent"] is None else tuple(row["original_extent"])}
        )
        for row in rows
    ]


def write_details(
    connection: Connection,
    current_id: int,
    previous_id: int,
    *,
    original_epsg: int | None,
    original_extent: tuple[float, float, float, float] | None,
    extent: BaseGeometry,
) -> None:
    """Complete a pair whose coherence is made.

    Parameters
    ----------
    original_epsg, original_extent : before it was brought to the tiles.
    extent : of the valid pixels, WGS 84.
    """
    statement = text(
        """
        UPDATE s4c.s1_pair
        SET original_epsg = :epsg, original_extent = :original_extent, extent = :extent
        WHERE current_id = :current_id AND previous_id = :previous_id
        """
    ).bindparams(geometry_parameter("extent"))
    connection.execute(
        statement,
        {
            "epsg": original_epsg,
            "original_extent": None if original_extent is None else list(original_extent),
            "extent": bound(extent),
            "current_id": current_id,
            "previous_id": previous_id,
        },
    )


def extent_of(connection: Connection, current_id: int, previous_id: int) -> BaseGeometry | None:
    """Return where a pair's coherence is, WGS 84; None until it is made."""
    found = connection.execute(
        text("SELECT extent FROM s4c.s1_pair WHERE current_id = :current AND previous_id = :previous"),
        {"current": current_id, "previous": previous_id},
    ).scalar_one_or_none()
    return None if found is None else loaded(found)


def report(connection: Connection, acquisition_id: int, site_id: int) -> list[RadarReportRow]:
    """Return what became of a raw acquisition at a site, unit by unit and raster by raster (preprocessing.md §3.7)."""
    statement = text(
        """
        SELECT unit_key, status::text AS status, reason_code, partner, partner_sensed,
               partner_state::text AS partner_state, intersection_pct, baseline_days, polarisation, l2_product,
               site_coverage_pct
        FROM s4c.radar_report WHERE acquisition_id = :acquisition_id AND site_id = :site_id
        ORDER BY unit_key, unit_id, l2_product
        """
    )
    rows = connection.execute(statement, {"acquisition_id": acquisition_id, "site_id": site_id}).mappings()
    return [RadarReportRow(**row) for row in rows]


def store_scene_facts(
    connection: Connection,
    acquisition_id: int,
    *,
    relative_orbit: int,
    direction: str,
    measurement_checksum: str | None,
) -> None:
    """Store what the manifest of a fetched product says; it wins over what a source or a formula said before."""
    connection.execute(
        text(
            """
            UPDATE s4c.acquisition
            SET relative_orbit = :relative_orbit, direction = CAST(:direction AS s4c.orbit_direction),
                measurement_checksum = :checksum
            WHERE id = :id
            """
        ),
        {
            "relative_orbit": relative_orbit,
            "direction": direction,
            "checksum": measurement_checksum,
            "id": acquisition_id,
        },
    )
