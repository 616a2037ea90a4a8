"""The register step: what was fetched gets its units of work; ready-made Sentinel-1 products come into force."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy import Connection

from s4c_lib.catalog import products, transfers, unit_claims, units
from s4c_lib.catalog.acquisition_states import AcquisitionState, transition
from s4c_lib.catalog.acquisitions import Acquisition, get_acquisition
from s4c_lib.catalog.database import Database
from s4c_lib.errors import LeaseLostError
from s4c_lib.ingest.context import SOFTWARE_VERSION, IngestContext
from s4c_lib.ingest.radar_units import settle_radar
from s4c_lib.reasons import Reason
from s4c_lib.sources.product_kinds import ProductKind

log = structlog.get_logger(__name__)

# Used as they come; optical products go through the preprocess step.
_PRODUCT_TYPE = {
    ProductKind.S1_AMP: ("s1_l2a_amp", "l2s1"),
    ProductKind.S1_COHE: ("s1_l2a_cohe", "l2s1"),
}
# Their units follow from pairs and datatakes.
_RAW_RADAR = frozenset({ProductKind.S1_SLC, ProductKind.S1_GRD})


@dataclass(slots=True)
class RegisterOutcome:
    """Numbers of one register step."""

    registered: int = 0
    waiting: int = 0
    gone: int = 0
    shared: int = 0

    def counts(self) -> dict[str, int]:
        """Return the numbers for a job or an XCom."""
        return {"registered": self.registered, "waiting": self.waiting, "gone": self.gone, "shared": self.shared}


def unit_keys(acquisition: Acquisition) -> list[str]:
    """Return the pre-processing units of an acquisition: its tiles, or ``single`` where it has none."""
    if acquisition.satellite == "s1":
        return ["single"]
    return list(acquisition.tiles) or ["single"]


def run_register(
    database: Database, context: IngestContext, *, owner: str, job_id: int | None, clock: Callable[[], datetime]
) -> RegisterOutcome:
    """Give every fetched acquisition of the site its units, and register ready-made Sentinel-1 products."""
    outcome = RegisterOutcome()
    with database.begin() as connection:
        unit_claims.expire(connection, clock())
        fetched = transfers.downloaded(connection, context.site.id, list(context.satellites))
        attempts = 1 + int(context.parameters["processor.l2a.optical.max-retries"])
        fetched = [acquisition for acquisition in fetched if ProductKind(acquisition.kind) not in _RAW_RADAR]
        for acquisition in fetched:
            processor = "l2s1" if acquisition.satellite == "s1" else "l2a"
            units.ensure_units(
                connection,
                acquisition.id,
                unit_keys(acquisition),
                processor=processor,
                config_hash=context.parameters.hash_for(processor),
                max_attempts=attempts,
                executor=_executor(context, acquisition),
            )
    settle_radar(database, context, now=clock(), actor=owner)
    for acquisition in fetched:
        if ProductKind(acquisition.kind) not in _PRODUCT_TYPE:
            outcome.waiting += 1
            continue
        with database.begin() as connection:
            _register_one(connection, context, acquisition.id, owner, job_id, clock(), outcome)
    with database.begin() as connection:
        outcome.shared = products.share_with_site(connection, context.site.id)
        products.leave_out_replaced(connection, [context.site.id])
    return outcome


def _executor(context: IngestContext, acquisition: Acquisition) -> str | None:
    """Return the program that makes L2A of an acquisition; None where it comes ready-made."""
    if ProductKind(acquisition.kind) is not ProductKind.S2_L1C:
        return None
    return str(context.parameters["processor.l2a.s2.implementation"])


def _register_one(
    connection: Connection,
    context: IngestContext,
    acquisition_id: int,
    owner: str,
    job_id: int | None,
    now: datetime,
    outcome: RegisterOutcome,
) -> None:
    acquisition = get_acquisition(connection, acquisition_id)
    path = Path(str(acquisition.full_path))
    if not path.exists():
        # a link whose target went, or files removed by hand: fetch it again
        transition(
            connection,
            [acquisition_id],
            AcquisitionState.QUEUED,
            actor=owner,
            reason=str(Reason.INPUT_MISSING),
            error=f"{path} is gone",
        )
        outcome.gone += 1
        return
    product_type, processor = _PRODUCT_TYPE[ProductKind(acquisition.kind)]
    site_ids = products.sites_using(connection, acquisition_id)
    lease = now + timedelta(seconds=float(context.parameters["lease.seconds"]))
    try:
        claimed = unit_claims.claim_of(connection, acquisition_id, owner=owner, until=lease)
    except LeaseLostError as error:
        log.info("unit is in other hands", product=acquisition.source_product_name, reason=error.one_line)
        return
    if not claimed:
        log.info("registered by another run meanwhile", product=acquisition.source_product_name)
        return
    product_id = products.register(
        connection,
        products.NewProduct(
            product_type=product_type,
            processor=processor,
            satellite=acquisition.satellite,
            job_id=job_id,
            acquisition_id=acquisition_id,
            name=acquisition.source_product_name,
            full_path=str(path),
            acquired_at=acquisition.sensing_start,
            tiles=acquisition.tiles,
            relative_orbit=acquisition.relative_orbit,
            direction=acquisition.direction,
            software_version=SOFTWARE_VERSION,
            config_hash=context.parameters.hash_for(processor),
            input_fingerprint=acquisition.checksum,
            metadata={"kind": acquisition.kind, "platform": acquisition.platform},
        ),
        site_ids=site_ids,
    )
    products.leave_out_replaced(connection, site_ids)
    for unit in claimed:
        units.finish(connection, unit.id, owner=owner, product_id=product_id, cloud_pct=acquisition.cloud_pct)
    outcome.registered += 1
