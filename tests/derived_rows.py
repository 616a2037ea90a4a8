"""Short ways to what ingest makes of acquisitions: products, and files of statistics in force with real rows."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from domain_rows import make_acquisition, make_source
from sqlalchemy import Connection, text

from s4c_lib.catalog import marker_files, products, query_windows
from s4c_lib.catalog.marker_files import NewMarkerFile
from s4c_lib.catalog.readiness_rules import season_hashes
from s4c_lib.catalog.seasons import Season
from s4c_lib.catalog.sites import Site, get_site
from s4c_lib.scheduling.query_windows import span, windows
from s4c_lib.statistics.observation_table import OBSERVATION_SCHEMA

SENSED = datetime(2024, 5, 6, 10, 36, tzinfo=UTC)
TODAY = date(2025, 2, 1)
OPTICAL = ("ndvi", "ndwi", "brightness_l4a", "b03", "b04", "b05", "b06", "b07", "b08", "b11", "b12")
TYPES = {"s1_amp": "s1_l2a_amp", "s1_cohe": "s1_l2a_cohe"}


def settle(connection: Connection, season: Season, at: datetime) -> None:
    """Search every window of a season with success."""
    make_source(connection)
    for satellite in ("s1", "s2", "l8"):
        whole = span(satellite, season.dates, start_offset_months=0, s1_offset_days=12)
        query_windows.store_windows(connection, season.id, satellite, windows(whole, 10))
    for window in query_windows.list_windows(connection, season.id):
        query_windows.start(connection, window.id, at)
        query_windows.succeed(connection, window.id, now=at, result_count=0, rejected=[])


def make_product(
    connection: Connection,
    season: Season,
    name: str,
    product_type: str,
    *,
    sensed: datetime = SENSED,
    acquisition: int | None = None,
    inputs: Sequence[int] = (),
    satellite: str = "s2",
    config_hash: str = "h",
    state: str = "active",
    tiles: tuple[str, ...] = ("31UFS",),
) -> int:
    new = products.NewProduct(
        product_type=product_type,
        processor={"l2a": "l2a", "l3b": "l3b"}.get(product_type, "l2s1"),
        name=name,
        full_path=f"/products/{name}",
        acquired_at=sensed,
        software_version="1",
        config_hash=config_hash,
        satellite=satellite,
        acquisition_id=acquisition,
        tiles=tiles,
        state=state,
        inputs=tuple(inputs),
    )
    return products.register(connection, new, [season.site_id])


def put_statistics(
    connection: Connection,
    season: Season,
    product_id: int,
    variables: Sequence[str],
    *,
    folder: Path | None = None,
    sensed: datetime = SENSED,
    config_hash: str | None = None,
    value: float = 0.5,
    parcels: Sequence[int] = (1, 2, 3),
) -> list[Path]:
    """Put statistics of a product in force for the declarations in force; with a folder their files exist."""
    parcel_set = connection.execute(
        text("SELECT id FROM s4c.parcel_set WHERE site_id = :site AND year = :year AND state = 'active'"),
        {"site": season.site_id, "year": season.year},
    ).scalar_one()
    own = config_hash or season_hashes(connection, season, TODAY)["s4c_mdb1"]
    made, paths = [], []
    for variable in variables:
        radar = variable[:2] in {"vv", "vh", "co"}
        path = Path(f"{season.site}/{season.short_name}/statistics/{variable}_{product_id}_{value:g}.parquet")
        digest = hashlib.sha256(f"{path} {parcels}".encode()).hexdigest()
        if folder is not None:
            digest = _write(folder / path, variable, product_id, sensed, value, parcels)
            paths.append(folder / path)
        made.append(
            NewMarkerFile(
                site_id=season.site_id,
                parcel_set_id=parcel_set,
                product_id=product_id,
                family=("s1coh" if variable.startswith("co") else "s1amp") if radar else "l3b",
                variable=variable,
                tile="31UFS",
                time=sensed,
                previous_time=sensed - timedelta(days=6) if variable.startswith("co") else None,
                platform="sentinel-1a" if radar else "sentinel-2a",
                orbit=37 if radar else None,
                direction="descending" if radar else None,
                path=str(path),
                n_rows=len(parcels),
                sha256=digest,
                config_hash=own,
            )
        )
    marker_files.put_in_force(connection, made)
    return paths


def _write(path: Path, variable: str, product_id: int, sensed: datetime, value: float, parcels: Sequence[int]) -> str:
    rows = [
        {
            "parcel_id": number,
            "time": sensed,
            "variable": variable,
            "mean": value,
            "n": 10,
            "n_total": 12,
            "platform": "sentinel-2a",
            "tile": "31UFS",
            "product_id": product_id,
        }
        for number in parcels
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, OBSERVATION_SCHEMA), path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def optical(
    connection: Connection,
    season: Season,
    name: str,
    *,
    sensed: datetime = SENSED,
    acquisition: int | None = None,
    l3b: str | None = "active",
    variables: Sequence[str] = OPTICAL,
    folder: Path | None = None,
    value: float = 0.5,
    satellite: str = "s2",
) -> tuple[int, int | None]:
    """A processed Sentinel-2 acquisition with its L2A, its L3B (state, or None) and statistics; returns both."""
    site = get_site(connection, season.site)
    number = acquisition or make_acquisition(
        connection, site, name, state="processed", sensed=sensed, satellite=satellite
    )
    l2a = make_product(connection, season, name, "l2a", sensed=sensed, acquisition=number, satellite=satellite)
    if l3b is None:
        return l2a, None
    made = season_hashes(connection, season, TODAY)["l3b"]
    vegetation = make_product(
        connection,
        season,
        f"{name}_L3B",
        "l3b",
        sensed=sensed,
        acquisition=number,
        inputs=[l2a],
        config_hash=made,
        state=l3b,
        satellite=satellite,
    )
    if l3b == "active" and variables:
        put_statistics(connection, season, vegetation, variables, folder=folder, sensed=sensed, value=value)
    return l2a, vegetation


def radar(
    connection: Connection,
    season: Season,
    name: str,
    kind: str,
    polarisation: str = "VV",
    *,
    sensed: datetime = SENSED,
    statistics: bool = True,
    folder: Path | None = None,
) -> int:
    """A processed ready-made Sentinel-1 product (``s1_amp`` or ``s1_cohe``) with its statistics."""
    site: Site = get_site(connection, season.site)
    number = make_acquisition(
        connection, site, name, state="processed", satellite="s1", sensed=sensed, polarisation=polarisation
    )
    connection.execute(text("UPDATE s4c.acquisition SET kind = :kind WHERE id = :id"), {"kind": kind, "id": number})
    product = make_product(connection, season, name, TYPES[kind], sensed=sensed, acquisition=number, satellite="s1")
    if statistics:
        prefix = "coherence_" if kind == "s1_cohe" else ""
        put_statistics(connection, season, product, [prefix + polarisation.lower()], folder=folder, sensed=sensed)
    return product
