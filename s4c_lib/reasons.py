"""Reason codes of acquisitions, units and jobs: one enumeration (preprocessing.md §1.3, spec/README.md 2.3)."""

from __future__ import annotations

from enum import StrEnum

from s4c_lib.errors import Sen4capError


class Reason(StrEnum):
    """Why something failed, or was left out."""

    # pre-processing
    INPUT_MISSING = "input_missing"
    INPUT_CORRUPT = "input_corrupt"
    TILE_EMPTY = "tile_empty"
    DEM_MISSING = "dem_missing"
    AUX_MISSING = "aux_missing"
    CONFIG = "config"
    EXEC_NONZERO = "exec_nonzero"
    EXEC_TIMEOUT = "exec_timeout"
    OUT_OF_MEMORY = "out_of_memory"
    OUT_OF_DISK = "out_of_disk"
    OUTPUT_INCOMPLETE = "output_incomplete"
    TOO_CLOUDY = "too_cloudy"
    NO_VALID_PIXEL = "no_valid_pixel"
    NOTV = "notv"
    CHAIN_BROKEN = "chain_broken"
    NO_PREVIOUS = "no_previous"
    DISABLED = "disabled"
    INTERNAL = "internal"
    # selection
    CLOUD = "cloud"
    DUPLICATE = "duplicate"
    NO_OVERLAP = "no_overlap"
    NO_EXECUTOR = "no_executor"
    NOT_WANTED = "not_wanted"
    OTHER_ORBIT = "other_orbit"
    OTHER_TILE = "other_tile"
    OTHER_MODE = "other_mode"
    JOINED = "joined"
    # transfer and jobs
    STORAGE = "storage"
    SOURCE = "source"
    THROTTLED = "throttled"
    REFUSED = "refused"
    GONE = "gone"
    OFFLINE = "offline"
    BY_HAND = "by_hand"
    SEASON_DELETED = "season_deleted"
    TOO_FEW_WEEKS = "too_few_weeks"
    NO_EVALUABLE_PARCEL = "no_evaluable_parcel"
    TOO_FEW_CLASSES = "too_few_classes"
    LOST = "lost"


def reason_of(error: Sen4capError) -> Reason:
    """Return the reason code under which an error of one product or piece of work is recorded."""
    translated = {
        "disk_full": Reason.OUT_OF_DISK,
        "not_found": Reason.INPUT_MISSING,
        "parameter": Reason.CONFIG,
        "input": Reason.CONFIG,
        "processor_unavailable": Reason.NO_EXECUTOR,
    }
    if error.code in translated:
        return translated[error.code]
    if error.code in {str(reason) for reason in Reason}:
        return Reason(error.code)
    return Reason.STORAGE if error.retryable else Reason.INTERNAL


EXPLAINED: dict[str, str] = {
    Reason.CLOUD: "cloudier than downloader.<satellite>.max_cloud_coverage allows",
    Reason.DUPLICATE: "a newer processing of the same acquisition is used instead",
    Reason.NO_OVERLAP: "does not meet the site",
    Reason.NO_EXECUTOR: "needs a processor that is not configured here",
    Reason.NOT_WANTED: "another product level serves this site",
    Reason.OTHER_ORBIT: "its relative orbit is not among those chosen (downloader.orbits, downloader.s2.orbits)",
    Reason.OTHER_TILE: "its tile is not selected for the site",
    Reason.OTHER_MODE: "not of mode IW with the polarisation VV",
    Reason.JOINED: "its tiles are made together with the neighbouring slice",
    Reason.NO_PREVIOUS: "no earlier acquisition of its orbit to compare it with",
    Reason.DISABLED: "switched off for the site",
    Reason.INPUT_CORRUPT: "incomplete or unreadable; it may still be arriving",
    Reason.OUT_OF_DISK: "no space was left",
    Reason.SOURCE: "the data source did not answer, or its answer was damaged",
    Reason.THROTTLED: "the data source asked to wait",
    Reason.REFUSED: "the data source refused the account: wrong, expired or too many sessions",
    Reason.GONE: "the data source listed it and no longer has it",
    Reason.OFFLINE: "on the data source's tape; ordered, and fetched when it is online",
    Reason.BY_HAND: "left out by an operator",
    Reason.SEASON_DELETED: "the season that used it was deleted",
}
