"""The computation of an L4 run: gives its processor what was fixed when the run opened, and publishes what it made.

Files, product, result rows and counts become visible together. A run that is killed leaves at most a hidden folder,
which the next run removes; between the moment the folder is in place and the end of the transaction a kill leaves a
complete product that the next run of the same inputs replaces.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection, text

from s4c_lib.catalog import fingerprints, jobs, parcel_sets
from s4c_lib.catalog.choice_checks import require_in_force
from s4c_lib.catalog.config_values import snapshot as resolve_snapshot
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.jobs import Job, JobState
from s4c_lib.catalog.products import NewProduct
from s4c_lib.catalog.result_products import register_result
from s4c_lib.catalog.seasons import season_by_id
from s4c_lib.catalog.sites import get_site
from s4c_lib.catalog.waivers import waivers_of_run
from s4c_lib.chosen_inputs import ChosenInputs
from s4c_lib.errors import DatabaseUnavailableError, LeaseLostError
from s4c_lib.parameters import REGISTRY, Snapshot
from s4c_lib.parameters.layers import Candidate
from s4c_lib.parameters.values import check
from s4c_lib.processors import PROCESSORS
from s4c_lib.products.replaced_folder import put_in_place, take_back
from s4c_lib.products.result_folder import files_in, result_name, work_folder
from s4c_lib.progress import Progress, silent
from s4c_lib.scheduling.dates import midnight
from s4c_lib.season_run import RunResult, SeasonRun, load

log = structlog.get_logger(__name__)

ABOUT = "run.json"
"""File of a product that says what it was made of; it makes the folder explain itself without the database."""


def carry_out(database: Database, job_id: int, *, progress: Progress = silent) -> dict[str, int]:
    """Compute and publish the product of a running job; return its counts.

    Raises
    ------
    ProcessorUnavailableError : this release does not compute it.
    NoResultError : the processor could not make anything of its inputs.
    InputError : a product chosen for the run is not in force any more.
    LeaseLostError : the job was closed meanwhile, as lost or by hand; nothing is published.
    DiskFullError, StorageError, DatabaseUnavailableError : nothing is published.
    """
    with database.begin() as connection:
        job = jobs.get_job(connection, job_id)
        compute = load(job.processor)
        run = _season_run(connection, database, job, progress)
    target = _place(run)
    with work_folder(target) as folder:
        run = replace(run, work_folder=folder)
        result = compute(run)
        about = _about(run, result)
        (folder / ABOUT).write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        _publish(run, result, about, target)
    log.info("product published", job=job_id, product=target.name, **result.counts)
    return dict(result.counts)


def _season_run(connection: Connection, database: Database, job: Job, progress: Progress) -> SeasonRun:
    """Return what a run reads: the versions fixed when it opened, and the files of statistics in force by now.

    A file may have come since; the fingerprint is then that of what is read.
    """
    season = season_by_id(connection, job.season_id)
    site = get_site(connection, season.site)
    inputs = fingerprints.fixed_inputs(connection, job.id)
    files = fingerprints.files_read(connection, inputs, job.interval_start, job.as_of)
    fingerprint = fingerprints.fix(connection, job, inputs, files)
    today = job.submitted_at.date()
    storage = resolve_snapshot(connection, today=today, site=site, season=season)
    require_in_force(connection, inputs.chosen)
    return SeasonRun(
        database=database,
        job=job,
        site=site,
        season=season,
        snapshot=recorded_parameters(job),
        parcel_set=parcel_sets.get_set(connection, inputs.parcel_set_id),
        uploads=inputs.uploads,
        interval_start=job.interval_start,
        as_of=job.as_of,
        radar_from=inputs.radar_from,
        marker_files=tuple(files),
        config_hashes=inputs.config_hashes,
        waivers=tuple(waivers_of_run(connection, season.id, job.processor, job.interval_start, job.as_of)),
        inputs_complete=job.inputs_complete is not False,
        fingerprint=fingerprint,
        products_root=storage.path("storage.products_path", site=site.short_name),
        work_folder=Path(),
        progress=progress,
    )


def recorded_parameters(job: Job) -> Snapshot:
    """Return the parameters a job recorded when it opened, typed; whatever was set since does not count."""
    found = {}
    for key, value in job.config_snapshot.items():
        parameter = REGISTRY.get(key)
        found[parameter.key] = (Candidate("job", None if value is None else check(parameter, value)),)
    return Snapshot(REGISTRY, found)


def _place(run: SeasonRun) -> Path:
    """Return where the product lies: ``{products}/{site}/{season}/{level}/{name}`` (spec/README.md G1)."""
    level = PROCESSORS[run.job.processor].level
    site, season = run.site.short_name, run.season.short_name
    name = result_name(level, site, season, run.interval_start, run.as_of, run.fingerprint)
    return run.products_root / site / season / level / name


def _about(run: SeasonRun, result: RunResult) -> dict[str, Any]:
    """Return the metadata of a product; ``run`` is what another run has to share to take its place.

    ``without_waiting`` is there, with who asked for it, when an operator did not let the run wait.
    """
    missing = []
    chosen = ChosenInputs.of(run.job.params).as_json()
    if not run.inputs_complete:
        rules = (run.job.readiness or {}).get("rules", [])
        missing = [
            {"rule": rule["rule"], "what": rule["text"], "names": list(rule["blocking"])}
            for rule in rules
            if not rule["ok"]
        ]
    return {
        **result.product.metadata,
        "run": {
            "site": run.site.short_name,
            "season": run.season.short_name,
            "interval_start": run.interval_start.isoformat(),
            "as_of": run.as_of.isoformat(),
            "settings": dict(run.job.params.get("settings", {})),
            # the product of chosen inputs takes the place of one of the same choice, not of the whole site's
            **({"chosen": chosen} if chosen else {}),
        },
        "processor": run.job.processor,
        "software_version": fingerprints.software_version(),
        "profile": run.snapshot["profile"],
        "fingerprint": run.fingerprint,
        "config_hash": run.job.config_hash,
        "parcel_set": {"year": run.parcel_set.year, "version": run.parcel_set.version},
        "uploads": {str(kind): number for kind, number in sorted(run.uploads.items())},
        "statistics_files": len(run.marker_files),
        "inputs_complete": run.inputs_complete,
        **({"without_waiting": run.job.requested_by} if run.job.params.get("without_waiting") else {}),
        "missing": missing,
        "waivers": [waiver.as_json() for waiver in run.waivers],
    }


def _publish(run: SeasonRun, result: RunResult, about: Mapping[str, Any], target: Path) -> None:
    folder, product = run.work_folder, result.product
    made = product.inputs
    new = NewProduct(
        product_type=PROCESSORS[run.job.processor].product_type,
        processor=run.job.processor,
        name=target.name,
        full_path=str(target),
        acquired_at=midnight(run.as_of),
        software_version=about["software_version"],
        config_hash=run.job.config_hash,
        job_id=run.job.id,
        footprint=run.site.geometry if product.footprint is None else product.footprint,
        tiles=product.tiles or tuple(sorted({item.tile for item in run.marker_files})),
        quality=product.quality,
        quicklook=product.quicklook,
        inputs_complete=run.inputs_complete,
        input_fingerprint=run.fingerprint,
        metadata=about,
        files=files_in(folder),
        inputs=tuple(item.product_id for item in run.marker_files) if made is None else made,
    )
    in_place = False
    try:
        with run.database.begin() as connection:
            _require_running(connection, run.job.id)
            product_id = register_result(connection, new, run.site.id)
            parcel_sets.record_use(connection, run.parcel_set.id, product_id=product_id)
            if product.store is not None:
                product.store(connection, product_id)
            jobs.add_counts(connection, run.job.id, result.counts)
            put_in_place(folder, target)
            in_place = True
    except DatabaseUnavailableError:
        # whether it was committed is not known: the new folder stays, and a further try replaces it
        raise
    except BaseException:
        if in_place:
            take_back(folder, target)
        raise


def _require_running(connection: Connection, job_id: int) -> None:
    """Hold the job, and refuse to publish for one that was closed: another run may have its lock."""
    state = connection.execute(
        text("SELECT state FROM s4c.job WHERE id = :id FOR UPDATE"), {"id": job_id}
    ).scalar_one_or_none()
    if state != JobState.RUNNING:
        raise LeaseLostError(f"Job {job_id} was closed meanwhile ({state}); nothing was published.")
