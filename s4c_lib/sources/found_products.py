"""From what catalogues list to candidates: names, footprints, the site, tiles, duplicates. One way for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

import shapely
from shapely.geometry import MultiPolygon, Polygon, shape
from shapely.geometry.base import BaseGeometry

from s4c_lib.errors import ProductCorruptError
from s4c_lib.sources.duplicates import drop_duplicates
from s4c_lib.sources.footprints import polygon_of_corners
from s4c_lib.sources.model import Candidate, Direction, Query, Rejected, SearchResult, StorageState
from s4c_lib.sources.product_kinds import ProductKind
from s4c_lib.sources.product_names import ProductName, Satellite, parse_product_name

_HALF_WORLD_DEG: Final = 180
_SINGLE_FILES: Final = (".tif", ".tiff", ".tar", ".tar.gz", ".tgz", ".zip")
# What a product comes as where its catalogue does not say; folders are zipped by whoever sends them.
_USUAL_SUFFIX: Final = {
    ProductKind.S1_AMP: ".tif",
    ProductKind.S1_COHE: ".tif",
    ProductKind.LANDSAT_L1: ".tar",
    ProductKind.LANDSAT_L2SP: ".tar",
    ProductKind.LANDSAT_L2SR: ".tar",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundProduct:
    """One entry of a catalogue's answer, in our units.

    Attributes
    ----------
    title : product name as the provider writes it, with or without suffix.
    address : see `Candidate.address`.
    footprint : see `footprint_of_wkt`, `footprint_of_geojson`; None where the provider gives none that can be used.
    sensing_time : UTC; used for names that hold a date only.
    direction : in any case; None or another word where it is not known.
    """

    title: str
    address: str
    footprint: BaseGeometry | None
    size_bytes: int | None = None
    sensing_time: datetime | None = None
    tiles: tuple[str, ...] = ()
    relative_orbit: int | None = None
    direction: str | None = None
    cloud_pct: float | None = None
    created: datetime | None = None
    published_at: datetime | None = None
    storage_state: StorageState = StorageState.ONLINE


def candidate_of(found: FoundProduct) -> Candidate | Rejected:
    """Turn one entry into a candidate, or say why not: ``not_a_product``, ``no_footprint``."""
    name = parse_product_name(found.title)
    if name is None:
        return Rejected(found.title, "not_a_product", f"{found.title} is not the name of a product that is read here")
    if found.footprint is None:
        return Rejected(found.title, "no_footprint", f"{found.title} comes without a footprint that can be used", name)
    return Candidate(
        name=name,
        address=found.address,
        footprint=found.footprint,
        size_bytes=found.size_bytes,
        sensing_time=_sensing_time(name, found.sensing_time),
        tiles=(name.tile,) if name.tile is not None else tuple(tile.upper().removeprefix("T") for tile in found.tiles),
        relative_orbit=name.relative_orbit if name.relative_orbit is not None else found.relative_orbit,
        direction=_direction(found.direction),
        cloud_pct=found.cloud_pct,
        created=found.created,
        published_at=found.published_at,
        storage_state=found.storage_state,
    )


def search_result(found: Iterable[FoundProduct], query: Query) -> SearchResult:
    """Candidates that fit the query, and what was turned down.

    Products of other satellites, kinds and days are passed over. An entry listed on two pages, or for two parts of an
    area, counts once. Rejected: ``not_a_product``, ``no_footprint``, ``outside_site``, ``duplicate``, ``superseded``.
    """
    candidates: list[Candidate] = []
    rejected: list[Rejected] = []
    if query.geometry is not None:
        shapely.prepare(query.geometry)
    by_address = {item.address: item for item in found}
    for item in sorted(by_address.values(), key=lambda item: (item.title, item.address)):
        outcome = candidate_of(item)
        if outcome.name is not None and not query.asks_for(outcome.name):
            continue
        if isinstance(outcome, Candidate):
            if _in_site(outcome, query):
                candidates.append(outcome)
                continue
            text = f"{item.title} does not meet the site"
            outcome = Rejected(item.title, "outside_site", text, outcome.name)
        rejected.append(outcome)
    kept, dropped = drop_duplicates(candidates)
    # Addresses mean nothing to a reader here.
    rejected += [_by_name(item) for item in dropped]
    return SearchResult(tuple(kept), tuple(sorted(rejected, key=lambda item: (item.path, item.code, item.text))))


def named(found: Iterable[FoundProduct], name: ProductName) -> Candidate | None:
    """The candidate of this very name; the newest where a provider lists the product more than once."""
    fitting = [outcome for item in found if isinstance(outcome := candidate_of(item), Candidate)]
    fitting = [candidate for candidate in fitting if candidate.name.name == name.name]
    long_ago = datetime(1970, 1, 1, tzinfo=UTC)
    return max(fitting, key=lambda item: (item.published_at or long_ago, item.address), default=None)


def with_states(result: SearchResult, states: Mapping[str, StorageState]) -> SearchResult:
    """The same result with the storage states that were asked for since, by product name."""
    return SearchResult(
        tuple(
            replace(item, storage_state=states.get(item.name.name, item.storage_state)) for item in result.candidates
        ),
        result.rejected,
    )


def halves(query: Query) -> tuple[Query, Query] | None:
    """The query in two, by days, for a provider that does not list all of it; None for a single day."""
    days = (query.date_to - query.date_from).days
    if days < 1:
        return None
    middle: date = query.date_from + timedelta(days=days // 2)
    return replace(query, date_to=middle), replace(query, date_from=middle + timedelta(days=1))


def file_name_of(name: ProductName, written: str) -> str:
    """Name under which a download is kept: a single file keeps its suffix, a folder arrives zipped.

    Without a suffix it is named as products of its kind usually come; `http_body_check.named_by` puts that right.
    """
    lower = written.lower()
    stated = next((suffix for suffix in sorted(_SINGLE_FILES, key=len, reverse=True) if lower.endswith(suffix)), None)
    if stated is None:
        stated = ".zip" if lower.endswith(".safe") else _USUAL_SUFFIX.get(name.kind, ".zip")
    return f"{name.name}{stated}"


def footprint_of_wkt(text: str | None) -> BaseGeometry | None:
    """Footprint from well-known text, lon and lat; None where it is no area on Earth."""
    if not text:
        return None
    try:
        return _on_earth(shapely.from_wkt(text.partition(";")[2] if text.upper().startswith("SRID=") else text))
    except shapely.errors.ShapelyError:
        return None


def footprint_of_geojson(geometry: object) -> BaseGeometry | None:
    """Footprint from a GeoJSON geometry; None where it is no area on Earth."""
    if not isinstance(geometry, dict):
        return None
    try:
        return _on_earth(shape(geometry))
    except (shapely.errors.ShapelyError, LookupError, TypeError, ValueError, AttributeError):
        return None


def _on_earth(geometry: BaseGeometry | None) -> BaseGeometry | None:
    polygons = [part for part in shapely.get_parts(geometry) if isinstance(part, Polygon) and not part.is_empty]
    if not polygons:
        return None
    try:
        pieces = [piece for part in polygons for piece in _pieces(part)]
    except ProductCorruptError:
        return None
    return pieces[0] if len(pieces) == 1 else MultiPolygon(pieces)


def _pieces(part: Polygon) -> Iterator[Polygon]:
    """Of one polygon: itself, or two where it is written across the antimeridian."""
    corners = [(corner[0], corner[1]) for corner in part.exterior.coords]
    longitudes = [lon for lon, _ in corners]
    if max(longitudes) > _HALF_WORLD_DEG and min(longitudes) >= -_HALF_WORLD_DEG:
        corners = [(lon - 360 if lon > _HALF_WORLD_DEG else lon, lat) for lon, lat in corners]
    for piece in shapely.get_parts(polygon_of_corners(corners, "the catalogue's answer")):
        if isinstance(piece, Polygon):
            yield piece


def _in_site(candidate: Candidate, query: Query) -> bool:
    tiles = query.tiles if candidate.name.satellite is Satellite.SENTINEL2 and candidate.tiles else None
    if tiles is not None and not tiles.intersection(candidate.tiles):
        return False
    site = query.geometry
    return site is None or bool(site.intersects(candidate.footprint) and not site.touches(candidate.footprint))


def _by_name(item: Rejected) -> Rejected:
    name = "" if item.name is None else item.name.name
    text = f"{name} is listed twice" if item.code == "duplicate" else f"{name} is superseded by a newer processing"
    return Rejected(name or item.path, item.code, text, item.name)


def _sensing_time(name: ProductName, told: datetime | None) -> datetime:
    # A pair product's own day is that of the later acquisition, whatever the catalogue calls its beginning.
    return told if name.date_only and told is not None else name.sensing_start


def _direction(word: str | None) -> Direction | None:
    return next((direction for direction in Direction if word is not None and word.lower() == direction.value), None)
