"""What can be made again of what a check found, and putting it back to be made; nothing is deleted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from sqlalchemy import Connection

from s4c_lib.catalog import made_again
from s4c_lib.catalog.acquisition_states import AcquisitionState
from s4c_lib.catalog.acquisitions import get_acquisition
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.made_again import Origin
from s4c_lib.catalog.product_files import Scope
from s4c_lib.errors import StorageError
from s4c_lib.processors import L4_PRODUCT_TYPES
from s4c_lib.product_check import Fault, Finding, What, look_again

_ON_DISK = (AcquisitionState.PROCESSED, AcquisitionState.PROCESSING, AcquisitionState.DOWNLOADED)


class Way(Enum):
    """How something comes back."""

    NONE = "none"
    UNDER_WAY = "under way"
    DERIVE = "derive"
    EXTRACT = "extract"
    MAKE = "make"
    FETCH = "fetch"
    FETCH_DOWNLOAD = "fetch download"


@dataclass(frozen=True, slots=True)
class Remedy:
    """How one finding is repaired, and in words; with `Way.NONE` why it cannot be."""

    way: Way
    text: str

    @property
    def possible(self) -> bool:
        """Whether it comes back without anybody's help."""
        return self.way is not Way.NONE


def remedy(connection: Connection, finding: Finding) -> Remedy:
    """Return how a finding can be repaired."""
    if finding.what is What.DOWNLOAD:
        return _fetched(connection, finding.id, Way.FETCH_DOWNLOAD)
    origin = made_again.origin(connection, finding.product_id or 0)
    if origin is None:
        return Remedy(Way.UNDER_WAY, "not in force any more")
    if finding.what is What.STATISTICS:
        if origin.removed_because is not None:
            return _of_removed(origin)
        return Remedy(Way.EXTRACT, "extracted again by the next ingest")
    if finding.product_type in L4_PRODUCT_TYPES:
        return Remedy(Way.NONE, 'a result: run that date again, with {"force": true}')
    if finding.product_type == "l3b":
        if origin.inputs_removed is not None:
            return Remedy(Way.NONE, f"its L2A was removed ({origin.inputs_removed}){_retry(origin)}, then repair it")
        if not origin.inputs_in_force:
            return Remedy(Way.NONE, "the L2A it was made of is not in force any more")
        return Remedy(Way.DERIVE, "made again by the next ingest")
    return _own(connection, finding, origin)


def _own(connection: Connection, finding: Finding, origin: Origin) -> Remedy:
    """Of an L2A or a radar raster: of the download, if it is still there."""
    if origin.acquisition_id is None:
        return Remedy(Way.NONE, "no acquisition is known that it was made of")
    if origin.acquisition_state in {AcquisitionState.PROCESSING_FAILED, AcquisitionState.ABORTED}:
        return Remedy(Way.NONE, f"its acquisition is {origin.acquisition_state}{_retry(origin)}")
    if origin.acquisition_state not in _ON_DISK:
        return Remedy(Way.UNDER_WAY, f"its acquisition is {origin.acquisition_state}: it is being made again")
    if finding.fault is Fault.OTHER_CONTENT:
        return Remedy(Way.NONE, f"move {finding.path} away: what is missing is made again, what is there is taken")
    if not finding.download and origin.download is not None and Path(origin.download).exists():
        return Remedy(Way.MAKE, f"made again from {origin.download} by the next ingest")
    return _fetched(connection, origin.acquisition_id, Way.FETCH)


def _fetched(connection: Connection, acquisition_id: int, way: Way) -> Remedy:
    known = made_again.addresses(connection, acquisition_id)
    # a place on disk can be looked at; what a provider still has shows when it is asked
    usable = [name for name, driver, address in known if driver != "local" or Path(address).exists()]
    if usable:
        return Remedy(way, f"fetched again from {usable[0]} by the next ingest")
    if known:
        return Remedy(Way.NONE, f"gone from its source too: put it back at {known[0][2]}")
    return Remedy(Way.NONE, "no source that is switched on has it: add or enable one")


def _of_removed(origin: Origin) -> Remedy:
    return Remedy(Way.NONE, f"its product was removed ({origin.removed_because}){_retry(origin)}, then repair it")


def _retry(origin: Origin) -> str:
    return "" if origin.acquisition_id is None else f": 's4c acquisitions retry {origin.acquisition_id}' and an ingest"


def repair(database: Database, finding: Finding, scope: Scope, *, actor: str) -> Remedy:
    """Put one thing back to be made again, in a transaction; what cannot be is left as it is.

    It is looked at once more: what came back meanwhile stays.
    """
    now = look_again(database, finding, scope)
    if now is None:
        return Remedy(Way.UNDER_WAY, "is there again, or not in force any more")
    with database.begin() as connection:
        found = remedy(connection, now)
        why = f"files {now.fault}: {now.text}"
        match found.way:
            case Way.DERIVE:
                made_again.make_derived_again(connection, now.id, actor=actor, why=why)
            case Way.EXTRACT:
                made_again.extract_again(connection, now.id, now.product_id or 0, actor=actor, why=why)
            case Way.MAKE | Way.FETCH:
                made_again.make_own_again(
                    connection, now.id, now.acquisition_id or 0, fetch=found.way is Way.FETCH, actor=actor, why=why
                )
            case Way.FETCH_DOWNLOAD:
                state = get_acquisition(connection, now.id).state
                if state in {AcquisitionState.DOWNLOADED, AcquisitionState.PROCESSING}:
                    made_again.fetch_again(connection, now.id, actor=actor, why=why)
    return found


def require_mounted(findings: Sequence[Finding], folders: Sequence[Path]) -> None:
    """Refuse to repair what is missing in storage folders with nothing in them: a disk may be away.

    Raises
    ------
    StorageError : one of them is empty, or is not there.
    """
    for folder in sorted(folders):
        missing = sum(
            finding.fault is Fault.MISSING and Path(finding.path).is_relative_to(folder) for finding in findings
        )
        if missing and not (folder.is_dir() and any(folder.iterdir())):
            raise StorageError(
                f"There is nothing in {folder}, where {missing} of these should be.",
                hint="mount the disk; if its files are lost for good, repair with --lost",
            )
