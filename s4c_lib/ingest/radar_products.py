"""Rasters that the radar step made, as products: registered with what they are of, in place of what they replace."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime

import shapely
from sqlalchemy import Connection

from s4c_lib.catalog import products, radar_rasters, s1_pairs
from s4c_lib.catalog.acquisitions import Acquisition
from s4c_lib.catalog.products import NewProduct, ProductFile
from s4c_lib.ingest.context import SOFTWARE_VERSION, IngestContext
from s4c_lib.ingest.radar_task import RadarTask
from s4c_lib.preprocessing.radar.executor import MadeRaster, RadarJob, RadarResult
from s4c_lib.sources.product_names import product_name

_TYPES: Mapping[RadarJob, str] = {RadarJob.BACKSCATTER: "s1_l2a_amp", RadarJob.COHERENCE: "s1_l2a_cohe"}


def register_rasters(
    connection: Connection,
    context: IngestContext,
    task: RadarTask,
    result: RadarResult,
    *,
    job_id: int | None,
    now: datetime,
) -> list[int]:
    """Register the rasters of a unit for all sites that use what is in them; of a pair its details too.

    One of the same name is superseded, and so is backscatter of fewer slices on the same tile.

    Parameters
    ----------
    now : kept with the products as the time of processing.

    Returns
    -------
    Numbers of the products, by name.
    """
    by_id = {item.id: item for item in task.inputs}
    sites = sorted({site for item in task.current for site in products.sites_using(connection, item.id)})
    config_hash = context.parameters.hash_for("l2s1")
    found = []
    for raster in sorted(result.rasters, key=lambda item: item.name):
        owner = by_id[task.owners[raster.tile]]
        acquisitions = task.slices[raster.tile]
        made_of = [by_id[number] for number in acquisitions]
        product_id = products.register(
            connection, _new_product(config_hash, task, result, raster, owner, made_of, job_id, now), sites
        )
        if task.job is RadarJob.BACKSCATTER:
            radar_rasters.replace_joined(
                connection, product_id, acquisitions, tile=raster.tile, polarisation=raster.polarisation
            )
        found.append(product_id)
    products.leave_out_replaced(connection, sites)
    if task.previous is not None and result.rasters:
        s1_pairs.write_details(
            connection,
            task.current[0].id,
            task.previous.id,
            original_epsg=result.original_epsg,
            original_extent=result.original_extent,
            extent=shapely.union_all([raster.footprint for raster in result.rasters]),
        )
    return found


def _new_product(
    config_hash: str,
    task: RadarTask,
    result: RadarResult,
    raster: MadeRaster,
    owner: Acquisition,
    made_of: list[Acquisition],
    job_id: int | None,
    now: datetime,
) -> NewProduct:
    name = product_name(raster.name)
    stated = [*sorted(str(item.checksum) for item in made_of), raster.sha256]
    metadata = {
        "kind": owner.kind,
        "platform": name.platform,
        "quantity": raster.quantity,
        "valid_pct": round(100 * raster.valid_share, 2),
        "tags": dict(sorted(raster.tags.items())),
        "executor": result.executor,
        "executor_version": result.version,
        "processed_at": now.isoformat(),
        "made_of": [item.source_product_name for item in made_of],
    }
    if result.original_epsg is not None:
        metadata |= {"original_epsg": result.original_epsg, "original_extent": result.original_extent}
    if task.previous is not None:
        metadata["pair"] = {
            "current": owner.source_product_name,
            "previous": task.previous.source_product_name,
            "baseline_days": name.baseline_days,
        }
    return NewProduct(
        product_type=_TYPES[task.job],
        processor="l2s1",
        satellite="s1",
        job_id=job_id,
        acquisition_id=owner.id,
        name=raster.name,
        full_path=str(raster.path),
        acquired_at=name.sensing_start,
        tiles=(raster.tile,),
        relative_orbit=name.relative_orbit,
        direction=owner.direction,
        polarisation=raster.polarisation,
        acquisitions=tuple(item.id for item in made_of),
        footprint=raster.footprint,
        software_version=SOFTWARE_VERSION,
        # with what it was made: the parameters may have changed since the unit was planned
        config_hash=config_hash,
        input_fingerprint=hashlib.sha256("\n".join(stated).encode()).hexdigest(),
        metadata=metadata,
        files=(ProductFile(raster.path.name, raster.size_bytes, raster.sha256),),
    )
