"""One product from a remote source: its address found, its bytes moved, the transfer put on the source's account."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from s4c_lib.catalog.acquisitions import Acquisition, footprints
from s4c_lib.catalog.data_sources import DataSource
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.product_addresses import address_of, remember_address
from s4c_lib.errors import InputError, ProductGoneError, ProductOfflineError, SourceError
from s4c_lib.ingest.remote import RemoteSources
from s4c_lib.sources.catalogue import Download
from s4c_lib.sources.model import Candidate, FetchResult, Progress, StorageState
from s4c_lib.sources.product_kinds import ProductName
from s4c_lib.sources.product_names import parse_product_name
from s4c_lib.sources.transfer_limits import Meter, TransferLimits

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

log = structlog.get_logger(__name__)


def name_of(acquisition: Acquisition) -> ProductName:
    """Return what an acquisition's name says.

    Raises
    ------
    InputError : this release no longer understands it.
    """
    name = parse_product_name(acquisition.source_product_name)
    if name is None:
        raise InputError(
            f"The name {acquisition.source_product_name!r} is no longer recognised.",
            hint="report it; ignore the product",
        )
    return name


def candidate_of(acquisition: Acquisition, address: str, footprint: BaseGeometry) -> Candidate:
    """Return an acquisition as its source once offered it."""
    return Candidate(
        name=name_of(acquisition),
        address=address,
        footprint=footprint,
        size_bytes=acquisition.size_bytes,
        sensing_time=acquisition.sensing_start,
        tiles=acquisition.tiles,
        relative_orbit=acquisition.relative_orbit,
        cloud_pct=acquisition.cloud_pct,
        storage_state=StorageState.ONLINE,
    )


def fetch_remote(
    database: Database,
    remote: RemoteSources,
    source: DataSource,
    acquisition: Acquisition,
    target_dir: Path,
    *,
    limits: TransferLimits,
    progress: Progress | None = None,
) -> FetchResult:
    """Bring one product of a remote source under a folder.

    A source that never listed it is asked for its name. An address that no longer holds is looked up again, once.

    Raises
    ------
    ProductGoneError, ProductOfflineError, SourceThrottledError, SourceRefusedError, SourceError : see `fetch_http`.
    """
    with remote.heeded(source):
        address = address_of(acquisition, source.id)
        known = address is not None
        if address is not None:
            with database.begin() as connection:
                footprint = footprints(connection, [acquisition.id])[acquisition.id]
            candidate = candidate_of(acquisition, address, footprint)
        else:
            candidate = _look_up(database, remote, source, acquisition)
        try:
            return _transfer(remote, source, candidate, target_dir, limits, progress)
        except ProductGoneError as error:
            gone = error
        # Outside of the handler, as below: whatever fails inside of one carries the first error with it, and would be
        # taken for that.
        found = _look_up(database, remote, source, acquisition) if known else None
        if found is None or found.address == candidate.address:
            raise gone
        log.info("product has a new address", source=source.name, product=acquisition.source_product_name)
        return _transfer(remote, source, found, target_dir, limits, progress)


def _look_up(database: Database, remote: RemoteSources, source: DataSource, acquisition: Acquisition) -> Candidate:
    found = remote.catalogue(source).find(name_of(acquisition))
    if found is None:
        raise ProductGoneError(f"{source.name} does not list {acquisition.source_product_name}.")
    with database.begin() as connection:
        remember_address(
            connection, acquisition.id, source=source.name, data_source_id=source.id, address=found.address
        )
    return found


def _transfer(
    remote: RemoteSources,
    source: DataSource,
    candidate: Candidate,
    target_dir: Path,
    limits: TransferLimits,
    progress: Progress | None,
) -> FetchResult:
    from s4c_lib.sources.http_transfer import fetch_http

    catalogue = remote.catalogue(source)

    def locate(renew: bool) -> Download:
        download = catalogue.locate(candidate, renew=renew)
        for value in download.headers.values():
            # "Bearer abc": a log may hold either
            remote.access.hide(value)
            remote.access.hide(value.rpartition(" ")[2])
        if download.signed:
            remote.access.hide(download.url)
        return download

    meter = Meter()
    try:
        return fetch_http(
            locate,
            candidate.name,
            target_dir,
            limits,
            gate=remote.gate(source, counted=False),
            meter=meter,
            progress=progress,
            bandwidth=remote.bandwidth(source),
        )
    except SourceError as error:
        fault = error
    finally:
        remote.record_transfer(source, requests=meter.requests, bytes_received=meter.bytes_received)
    if type(fault) is SourceError and _on_tape(remote, source, candidate):
        raise ProductOfflineError(
            f"{source.name}: {candidate.name.name} lies on tape now.", hint="it is ordered by the next look"
        ) from fault
    raise fault


def _on_tape(remote: RemoteSources, source: DataSource, candidate: Candidate) -> bool:
    """Tell whether a product went to tape after the search: providers refuse such a one in many ways."""
    try:
        # asked to wait, or refused, here: the source is left alone as after any other answer
        with remote.heeded(source):
            states = remote.catalogue(source).storage_states([candidate])
    except SourceError as error:
        log.info("storage state not told", source=source.name, error=error.one_line)
        return False
    return states.get(candidate.name.name) is StorageState.OFFLINE
