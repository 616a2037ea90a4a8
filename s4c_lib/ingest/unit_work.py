"""What working on a unit of an acquisition takes, whatever is made of it."""

from __future__ import annotations

import structlog

from s4c_lib.catalog import units
from s4c_lib.catalog.acquisition_states import AcquisitionState, transition
from s4c_lib.catalog.acquisitions import Acquisition, get_acquisition
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.units import Unit
from s4c_lib.errors import DatabaseUnavailableError, LeaseLostError
from s4c_lib.reasons import Reason

log = structlog.get_logger(__name__)


def fetch_again(database: Database, unit: Unit, gone: Acquisition, owner: str) -> None:
    """Queue an acquisition whose files went (a link without target, files removed by hand); the unit waits for it.

    Parameters
    ----------
    unit : in work, of ``gone`` or of an acquisition that needs it.
    """
    reason, error = str(Reason.INPUT_MISSING), f"{gone.full_path} is gone"
    with database.begin() as connection:
        # due at once: nothing of it is claimed before the acquisition is there
        units.postpone(connection, unit.id, owner=owner, until=gone.sensing_start, reason=reason, error=error)
        state = get_acquisition(connection, gone.id).state
        if state in {AcquisitionState.PROCESSED, AcquisitionState.PROCESSING_FAILED}:
            transition(connection, [gone.id], AcquisitionState.PROCESSING, actor=owner, reason=reason)
            state = AcquisitionState.PROCESSING
        # another worker may have missed it too
        if state in {AcquisitionState.DOWNLOADED, AcquisitionState.PROCESSING}:
            transition(connection, [gone.id], AcquisitionState.QUEUED, actor=owner, reason=reason, error=error)


def require_held(database: Database, unit: Unit, owner: str) -> None:
    """Make sure that a unit is still this worker's: a program that runs for it is ended otherwise.

    A database that is away is no reason to end it: the lease runs out only when it stays away.

    Raises
    ------
    LeaseLostError : it was given to another worker.
    """
    try:
        with database.begin() as connection:
            found = next((one for one in units.units_of(connection, unit.acquisition_id) if one.id == unit.id), None)
    except DatabaseUnavailableError as error:
        log.warning("lease not looked at", unit=unit.id, error=error.one_line)
        return
    if found is None or found.lease_owner != owner:
        raise LeaseLostError(f"Unit {unit.id} is no longer held by {owner}.")
