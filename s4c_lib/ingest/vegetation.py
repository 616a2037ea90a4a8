"""The vegetation step: the L3B of every L2A tile in force that has none yet."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from s4c_lib.catalog import derivations, products
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.derivations import Derivation, WorkKey
from s4c_lib.catalog.missing_products import Piece, adopt_l3b, missing_l3b
from s4c_lib.catalog.products import NewProduct, Product, ProductFile
from s4c_lib.geography.sentinel2_tiles import tile as sentinel2_tile
from s4c_lib.ingest.chunks import chunk_sizes
from s4c_lib.ingest.context import SOFTWARE_VERSION, IngestContext
from s4c_lib.ingest.derive import DeriveOutcome, Made, work_off
from s4c_lib.products.l3b import L3bOptions, L3bProduct, make_l3b
from s4c_lib.progress import Progress
from s4c_lib.readers.recognise import read_scene

# For planning only, measured on full tiles: bytes of the acquisition.
PLANNED_BYTES_PER_SECOND = 9e7
PLANNED_SECONDS_EACH = 0.5


def work_key(context: IngestContext) -> WorkKey:
    """Return the kind of work: L3B of the season with its parameters."""
    return WorkKey(context.site.id, "l3b", context.parameters.hash_for("l3b"), sensed=context.sensing_range())


def missing(database: Database, context: IngestContext) -> list[Piece]:
    """Return the L2A tiles without L3B; what another site made with the same parameters is taken over."""
    key = work_key(context)
    first, stop = context.sensing_range()
    with database.begin() as connection:
        adopt_l3b(connection, context.site.id, config_hash=key.config_hash)
        return missing_l3b(
            connection,
            context.site.id,
            config_hash=key.config_hash,
            first=first,
            stop=stop,
            tiles=list(context.parameters["processor.l3b.lai.tiles_filter"]),
        )


def plan_vegetation(database: Database, context: IngestContext, *, now: datetime) -> int:
    """Claimable pieces are brought up to date; returns how many can be made now."""
    pieces = missing(database, context)
    with database.begin() as connection:
        derivations.expire(connection, now)
        attempts = 1 + int(context.parameters["processor.l2a.optical.max-retries"])
        return derivations.plan(connection, work_key(context), pieces, max_attempts=attempts, now=now)


def chunks_of(database: Database, context: IngestContext, *, now: datetime, slots: int) -> list[int]:
    """Return how many tiles each parallel task takes."""
    count = plan_vegetation(database, context, now=now)
    with database.begin() as connection:
        size = derivations.due_bytes(connection, work_key(context), now=now)
    return chunk_sizes(context, count, size / PLANNED_BYTES_PER_SECOND + count * PLANNED_SECONDS_EACH, slots=slots)


def run_vegetation(
    database: Database,
    context: IngestContext,
    *,
    owner: str,
    job_id: int | None,
    clock: Callable[[], datetime],
    limit: int | None = None,
    progress: Progress | None = None,
) -> DeriveOutcome:
    """Make L3B products, oldest L2A first, until none is due or ``limit`` is reached."""
    key = work_key(context)
    options = L3bOptions.of(context.parameters.values, key.config_hash)
    folder = context.parameters.path("storage.products_path") / context.site.short_name / "l3b"

    def make(piece: Derivation) -> tuple[str, Made]:
        with database.begin() as connection:
            source = products.get_product(connection, piece.product_id)
        tile = sentinel2_tile(piece.tile)
        landsat = source.satellite in {"l8", "l9"}
        scene = read_scene(Path(source.full_path), tile=piece.tile, on_grid_of=tile if landsat else None)
        made = make_l3b(scene, folder, options, site=context.site.short_name, now=clock())
        with database.begin() as connection:
            products.require_in_force(connection, source.id)
            product_id = products.register(
                connection, _new_product(made, source, piece, job_id), site_ids=[context.site.id]
            )
        return made.item_id, Made(product_id, made.status == "empty")

    return work_off(database, context, key, make, owner=owner, clock=clock, limit=limit, progress=progress)


def _new_product(made: L3bProduct, source: Product, piece: Derivation, job_id: int | None) -> NewProduct:
    rasters = {name: path.name for name, path in made.rasters.items()}
    return NewProduct(
        product_type="l3b",
        processor="l3b",
        satellite=source.satellite,
        job_id=job_id,
        acquisition_id=source.acquisition_id,
        name=made.item_id,
        full_path=str(made.folder),
        acquired_at=source.acquired_at,
        tiles=(piece.tile,),
        relative_orbit=source.relative_orbit,
        direction=source.direction,
        state=made.status,
        footprint=made.footprint,
        software_version=SOFTWARE_VERSION,
        config_hash=piece.config_hash,
        # remade of the same L2A it is another product: its files are others
        input_fingerprint=f"{source.id}.{source.version}",
        metadata={
            "platform": source.metadata.get("platform"),
            "rasters": rasters,
            "flags": None if made.flags is None else made.flags.name,
            "percentages": dict(made.percentages),
        },
        files=tuple(ProductFile(path, size, sha256) for path, size, sha256 in made.files),
        inputs=(source.id,),
    )
