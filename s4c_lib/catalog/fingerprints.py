"""What a run reads, fixed when it opens, and the fingerprint by which a run on the same inputs is known.

Source: operations.md §2.5 with spec/README.md B17: the fingerprint is over the files of statistics (their sha256), the
uploads in force, the version of the parcels, the configuration, the software and the interval.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, text

from s4c_lib.catalog.auxdata import Kind, season_inputs
from s4c_lib.catalog.choice_checks import of_same_acquisition
from s4c_lib.catalog.jobs import Job, get_job
from s4c_lib.catalog.marker_files import MarkerFile, list_marker_files
from s4c_lib.catalog.readiness_rules import look_back_days, season_hashes
from s4c_lib.catalog.seasons import Season
from s4c_lib.catalog.vocabulary import PROCESSORS
from s4c_lib.chosen_inputs import ChosenInputs
from s4c_lib.errors import NotFoundError
from s4c_lib.parameters import Snapshot
from s4c_lib.processors import PROCESSORS as L4_PROCESSORS
from s4c_lib.processors import variables_read
from s4c_lib.scheduling.dates import midnight


@dataclass(frozen=True, slots=True)
class RunInputs:
    """The versions a run reads; what comes into force while it works does not change them.

    Attributes
    ----------
    uploads : number of the version in force of each kind its processor reads.
    config_hashes : of the statistics (``s4c_mdb1``) and of the L3B (``l3b``) it reads.
    variables : of the observation table.
    radar_from : first day of radar, which may lie before the interval.
    chosen : tiles or products that a user restricts the run to.
    """

    parcel_set_id: int
    uploads: Mapping[Kind, int]
    config_hashes: Mapping[str, str]
    variables: tuple[str, ...]
    radar_from: date
    chosen: ChosenInputs = field(default_factory=ChosenInputs)

    def as_json(self) -> dict[str, Any]:
        """Return it as stored with the job."""
        return {
            "parcel_set_id": self.parcel_set_id,
            "uploads": {str(kind): number for kind, number in sorted(self.uploads.items())},
            "config_hashes": dict(self.config_hashes),
            "variables": list(self.variables),
            "radar_from": self.radar_from.isoformat(),
            "chosen": self.chosen.as_json(),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> RunInputs:
        """Read what :meth:`as_json` returned."""
        return cls(
            parcel_set_id=stored["parcel_set_id"],
            uploads={Kind(kind): number for kind, number in stored["uploads"].items()},
            config_hashes=stored["config_hashes"],
            variables=tuple(stored["variables"]),
            radar_from=date.fromisoformat(stored["radar_from"]),
            # a run opened by an earlier release has none
            chosen=ChosenInputs.of(stored.get("chosen", {})),
        )


def present_inputs(
    connection: Connection,
    season: Season,
    processor: str,
    snapshot: Snapshot,
    *,
    interval_start: date,
    today: date,
    chosen: ChosenInputs | None = None,
) -> RunInputs:
    """Return what a run that opens now reads.

    Raises
    ------
    NotFoundError : there are no declarations (rule R4 comes first).
    """
    found = season_inputs(connection, season)
    if found.parcel_set_id is None:
        raise NotFoundError(f"There are no declarations of {season.year}.", hint="s4c declarations import")
    made = L4_PROCESSORS[processor]
    before = look_back_days("s1", snapshot) if made.radar_before else 0
    return RunInputs(
        parcel_set_id=found.parcel_set_id,
        uploads={kind: number for kind, number in found.versions.items() if str(kind) in made.uploads},
        config_hashes=season_hashes(connection, season, today),
        variables=variables_read(processor, snapshot).all,
        radar_from=interval_start - timedelta(days=before),
        chosen=chosen or ChosenInputs(),
    )


def files_read(connection: Connection, inputs: RunInputs, interval_start: date, as_of: date) -> list[MarkerFile]:
    """Return the files of statistics a run reads, by time, tile and variable."""
    found = list_marker_files(
        connection,
        inputs.parcel_set_id,
        config_hashes=inputs.config_hashes,
        variables=inputs.variables,
        tiles=inputs.chosen.tiles or None,
        products=of_same_acquisition(connection, inputs.chosen.products) if inputs.chosen.products else None,
        time_from=midnight(min(inputs.radar_from, interval_start)),
        time_to=midnight(as_of + timedelta(days=1)),
    )
    first = midnight(interval_start)
    return [item for item in found if item.time >= first or item.family.startswith("s1")]


def fingerprint(
    files: Iterable[str],
    inputs: RunInputs,
    *,
    config_hash: str,
    software_version: str,
    interval_start: date,
    as_of: date,
) -> str:
    """Return the SHA-256 (hex) of everything that decides a result; the order of the files does not count.

    Parameters
    ----------
    files : sha256 of each file of statistics.
    config_hash : of the processor's own parameters.
    """
    canonical = json.dumps(
        {
            "files": sorted(files),
            "uploads": [f"{kind} {number}" for kind, number in sorted(inputs.uploads.items())],
            "parcel_set": inputs.parcel_set_id,
            "config": config_hash,
            "software": software_version,
            "from": interval_start.isoformat(),
            "as_of": as_of.isoformat(),
            # only where there is a choice: the fingerprint of all other runs stays what it was
            **({"chosen": inputs.chosen.as_json()} if inputs.chosen.as_json() else {}),
        },
        sort_keys=True,
        separators=(",", ":"),
    )
    return hashlib.sha256(canonical.encode()).hexdigest()


def fix(connection: Connection, job: Job, inputs: RunInputs, files: Iterable[MarkerFile]) -> str:
    """Record what a job reads and return its fingerprint."""
    found = fingerprint(
        [item.sha256 for item in files],
        inputs,
        config_hash=job.config_hash,
        software_version=software_version(),
        interval_start=job.interval_start,
        as_of=job.as_of,
    )
    connection.execute(
        text("UPDATE s4c.job SET inputs = CAST(:inputs AS jsonb), input_fingerprint = :fingerprint WHERE id = :id"),
        {"inputs": json.dumps(inputs.as_json()), "fingerprint": found, "id": job.id},
    )
    return found


def software_version() -> str:
    """Return the version of this software that products and fingerprints carry."""
    return importlib.metadata.version("sen4cap-airflow")


def fixed_inputs(connection: Connection, job_id: int) -> RunInputs:
    """Return what a job reads, as it was recorded when it opened.

    Raises
    ------
    NotFoundError : nothing was recorded.
    """
    stored = connection.execute(text("SELECT inputs FROM s4c.job WHERE id = :id"), {"id": job_id}).scalar_one_or_none()
    if stored is None:
        raise NotFoundError(f"Job {job_id} has not recorded what it reads.", hint="start the run again")
    return RunInputs.from_json(stored)


def same_as(connection: Connection, job: Job, input_fingerprint: str) -> Job | None:
    """Return the last success that this job would only repeat, or None.

    Compared are jobs of its processor and season with the same settings and choice of inputs: an experiment by hand
    does not make the next scheduled run repeat what is there. A success whose product is no longer in force repeats
    nothing.
    """
    statement = text(
        """
        SELECT j.id, j.input_fingerprint = :fingerprint AND EXISTS (
                   SELECT 1 FROM s4c.product p JOIN s4c.product_site s ON s.product_id = p.id
                   WHERE s.site_id = :site_id AND p.processor_id = :processor_id AND p.state = 'active'
                     AND p.input_fingerprint = :fingerprint
               ) AS same
        FROM s4c.job j
        WHERE j.season_id = :season_id AND j.processor_id = :processor_id AND j.state = 'succeeded' AND j.id <> :id
          AND coalesce(j.params -> 'settings', '{}') = CAST(:settings AS jsonb)
          AND coalesce(j.inputs -> 'chosen', '{}') = CAST(:chosen AS jsonb)
        ORDER BY j.ended_at DESC, j.id DESC LIMIT 1
        """
    )
    row = connection.execute(
        statement,
        {
            "fingerprint": input_fingerprint,
            "site_id": job.site_id,
            "season_id": job.season_id,
            "processor_id": PROCESSORS[job.processor],
            "id": job.id,
            "settings": json.dumps(job.params.get("settings", {})),
            "chosen": json.dumps(ChosenInputs.of(job.params).as_json()),
        },
    ).one_or_none()
    return get_job(connection, row.id) if row is not None and row.same else None
