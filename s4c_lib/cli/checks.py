"""The checks of ``s4c doctor``. None of them changes anything."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from s4c_lib.airflow_api import AirflowApi
from s4c_lib.catalog import config_values, migrations
from s4c_lib.catalog.data_sources import list_sources
from s4c_lib.catalog.database import server_facts
from s4c_lib.catalog.manifest_export import build_manifest
from s4c_lib.catalog.seasons import list_seasons, season_processors
from s4c_lib.catalog.sites import list_sites
from s4c_lib.cli.check import Check, Verdict
from s4c_lib.cli.checks_files import check_files
from s4c_lib.cli.checks_radar import check_radar
from s4c_lib.cli.checks_sources import check_sources
from s4c_lib.cli.session import Session
from s4c_lib.errors import Sen4capError
from s4c_lib.ingest.executors import configured
from s4c_lib.ingest.selection import L1C_EXECUTORS
from s4c_lib.manifest import Manifest, parse_manifest
from s4c_lib.processors import PROCESSORS
from s4c_lib.settings import MIGRATIONS
from s4c_lib.sources.disk_guard import DiskState, disk_usage, disk_verdict

OLDEST_POSTGRESQL = 15
OLDEST_POSTGIS = 3

_L2A = "processor.l2a.s2.implementation"


def check_all(session: Session) -> list[Check]:
    """Run every check; those that need the database are left out where it is away."""
    found = list(_database(session))
    usable = all(item.verdict is Verdict.OK for item in found)
    manifest = None
    if usable:
        with session.read() as connection:
            manifest = build_manifest(
                connection, today=session.today(), has_active_runs=_present_dags(session).__contains__
            )
    found += _manifest(session, manifest)
    found += _airflow(session, manifest)
    if usable:
        found += [*_storage(session), *check_files(session), *check_sources(session), *_products(session)]
    return found


def _broken(name: str, error: Sen4capError) -> Check:
    return Check(name, Verdict.BROKEN, error.message, error.hint)


def _database(session: Session) -> Iterator[Check]:
    try:
        database = session.database
        with database.begin() as connection:
            facts = server_facts(connection)
    except Sen4capError as error:
        yield _broken("database", error)
        return
    yield Check("database", Verdict.OK, f"{database.place} answers")
    old = facts.postgresql_major < OLDEST_POSTGRESQL
    yield Check(
        "PostgreSQL",
        Verdict.BROKEN if old else Verdict.OK,
        f"version {facts.postgresql}",
        f"use PostgreSQL {OLDEST_POSTGRESQL} or newer" if old else "",
    )
    try:
        pending = migrations.status(database, MIGRATIONS).pending
    except Sen4capError as error:
        yield _broken("schema", error)
        return
    if pending:
        yield Check("schema", Verdict.BROKEN, f"{len(pending)} migrations are pending", "run 's4c db migrate'")
    else:
        yield Check("schema", Verdict.OK, "all migrations are in force")
    if facts.postgis is None:
        remedy = "install PostGIS on the server, then run 's4c db migrate'"
        yield Check("PostGIS", Verdict.BROKEN, "the extension is missing", remedy)
    elif int(facts.postgis.split(".")[0]) < OLDEST_POSTGIS:
        yield Check("PostGIS", Verdict.BROKEN, f"version {facts.postgis}", f"use PostGIS {OLDEST_POSTGIS} or newer")
    else:
        yield Check("PostGIS", Verdict.OK, f"version {facts.postgis}")


def _present_dags(session: Session) -> set[str]:
    """Return the DAGs of the manifest in force; those of disabled seasons stay in it while they have runs."""
    try:
        text = session.settings.manifest_path.read_text(encoding="utf-8")
        return {entry.dag_id for entry in parse_manifest(text, str(session.settings.manifest_path)).dags}
    except (OSError, Sen4capError):
        # the check of the manifest itself reports it
        return set()


def _manifest(session: Session, wanted: Manifest | None) -> Iterator[Check]:
    path = session.settings.manifest_path
    remedy = "run 's4c dags export'"
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not os.access(folder, os.W_OK):
        yield Check(
            "manifest folder",
            Verdict.BROKEN,
            f"{folder} is not writable",
            "give it to this user, or set S4C_MANIFEST_PATH",
        )
    if not path.exists():
        yield Check("manifest", Verdict.BROKEN, f"{path} does not exist, so there are no DAGs", remedy)
        return
    try:
        present = parse_manifest(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        yield Check("manifest", Verdict.BROKEN, f"{path} cannot be read: {error.strerror}", "check its permissions")
        return
    except Sen4capError as error:
        yield _broken("manifest", error)
        return
    # whose roles exist is known to Airflow alone
    if wanted is not None and replace(wanted, guarded=present.guarded).to_json() != present.to_json():
        yield Check("manifest", Verdict.BROKEN, f"{path} is older than the database", remedy)
    else:
        yield Check("manifest", Verdict.OK, f"{path}, {len(present.dags)} DAGs")


def _airflow(session: Session, manifest: Manifest | None) -> Iterator[Check]:
    try:
        with AirflowApi.from_settings(session.settings) as api:
            health = api.health()
            pools = {
                item["name"]: item["slots"] for item in api.request("GET", "pools", params={"limit": 1000})["pools"]
            }
            known = set(api.dag_ids())
    except Sen4capError as error:
        yield _broken("Airflow", error)
        return
    yield Check("Airflow", Verdict.OK, f"{session.settings.airflow_url} answers")
    for name, state in sorted(health.items()):
        # a component that is not installed (a separate triggerer, say) has no state
        if state == "None":
            continue
        healthy = state == "healthy"
        remedy = "" if healthy else f"start Airflow's {name.replace('_', ' ')} and look into its log"
        yield Check(f"Airflow {name}", Verdict.OK if healthy else Verdict.BROKEN, state, remedy)
    if manifest is None:
        return
    wrong = [name for name, slots in sorted(manifest.pools.items()) if pools.get(name) != slots]
    yield Check(
        "pools",
        Verdict.BROKEN if wrong else Verdict.OK,
        f"missing or of another size: {', '.join(wrong)}" if wrong else f"{len(manifest.pools)} pools are there",
        "run 's4c dags export'" if wrong else "",
    )
    unknown = sorted({entry.dag_id for entry in manifest.dags if entry.enabled} - known)
    yield Check(
        "DAGs",
        Verdict.BROKEN if unknown else Verdict.OK,
        f"Airflow does not know {len(unknown)}, the first is {unknown[0]}" if unknown else "Airflow knows all",
        "wait a minute; else check that its DAG processor reads the same S4C_MANIFEST_PATH" if unknown else "",
    )


def _storage(session: Session) -> Iterator[Check]:
    with session.read() as connection:
        snapshot = config_values.snapshot(connection, today=session.today())
        check_only = all(source.fetch_mode in {"check", "symlink"} for source in list_sources(connection))
    keys = [f"downloader.{satellite}.write-dir" for satellite in ("s1", "s2", "l8")]
    least = float(snapshot["storage.min_free_gb"])
    for key in (*keys, "storage.products_path"):
        # what lies above the first placeholder must exist for every site
        folder = Path(str(snapshot[key]).split("{")[0])
        existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
        if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
            yield Check(key, Verdict.BROKEN, f"{existing} is not writable", f"give it to this user, or set {key}")
            continue
        _, free, total = disk_usage(existing)
        verdict = disk_verdict(
            place=str(existing),
            free_bytes=free,
            total_bytes=total,
            min_free_gb=least if key in keys and not check_only else 0.0,
            soft_free_pct=float(snapshot["storage.soft_free_pct"]),
            # links need no space
            hard_free_pct=0.0 if key in keys and check_only else float(snapshot["storage.hard_free_pct"]),
        )
        text = f"{folder}, {free / 1e9:,.0f} GB free ({100 * free / total:.0f} %)"
        if verdict.state is DiskState.PAUSED:
            held = "transfers" if key in keys else "pre-processing"
            yield Check(key, Verdict.BROKEN, f"{text}: the disk guard holds {held} back", verdict.hint)
        elif verdict.state is DiskState.LOW:
            yield Check(key, Verdict.LIMITED, f"{text}: the disk is nearly full", verdict.hint)
        else:
            yield Check(key, Verdict.OK, text)


def _products(session: Session) -> Iterator[Check]:
    """Say what this installation does not make although a season asks for it."""
    with session.read() as connection:
        seasons = [
            season
            for site in list_sites(connection)
            if site.enabled
            for season in list_seasons(connection, site.id)
            if season.enabled
        ]
        wanted = {
            entry.processor for season in seasons for entry in season_processors(connection, season.id) if entry.enabled
        }
        implementations = [
            (site.short_name, str(config_values.snapshot(connection, today=session.today(), site=site)[_L2A]))
            for site in list_sites(connection)
            if site.enabled
        ]
    for name in sorted(wanted):
        if PROCESSORS[name].entry_point is None:
            yield Check(
                name,
                Verdict.LIMITED,
                f"this release does not compute it ({PROCESSORS[name].makes}); its runs end skipped or failed",
                "see CHANGELOG.md; 's4c season processors SITE SEASON --off' stops them",
            )
    yield from check_radar(session)
    for site, implementation in implementations:
        if implementation in L1C_EXECUTORS and implementation not in configured(session.settings):
            yield Check(
                f"site {site}",
                Verdict.LIMITED,
                f"{implementation} is not configured here: L1C products are left out (no_executor)",
                f"set S4C_{implementation.upper()}_PROGRAM, or "
                f"'s4c config set processor.l2a.s2.implementation esa --site {site}'",
            )
