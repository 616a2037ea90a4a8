"""The demo's last steps: what is broken is waived, then crop type, mowing and practices at the season's end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from s4c_lib.cli.demo_commands import must
from s4c_lib.cli.demo_costs import costs_of, task_instances, usual_start
from s4c_lib.cli.output import note, print_table, say
from s4c_lib.cli.session import Session
from s4c_lib.processors import L4_PROCESSORS, L4_PRODUCT_TYPES, PROCESSORS

if TYPE_CHECKING:
    from s4c_lib.catalog.seasons import Season

_REASON: Final = "damaged on purpose by the demo: it will not come again"
_SHOWN: Final = (".gpkg", ".html", ".png", "results.csv", "review.csv")
_FEW: Final = 6


def waive_what_is_broken(session: Session, season: Season) -> None:
    """Let the products go without the acquisitions that failed: an operator who knows that they stay broken would."""
    from s4c_lib.catalog.acquisitions import list_acquisitions
    from s4c_lib.catalog.waivers import list_waivers

    with session.read() as connection:
        failed = [
            item.source_product_name
            for item in list_acquisitions(connection, season.site_id, states=["failed", "aborted"])
            if season.dates.start <= item.sensing_start.date() <= season.dates.end
        ]
        waived = {(item.processor, item.acquisition) for item in list_waivers(connection, season.id)}
    wanted = [(processor, name) for processor in L4_PROCESSORS for name in failed if (processor, name) not in waived]
    if not wanted:
        note(f"{len(failed)} acquisitions are waived already")
        return
    note(f"{len(failed)} acquisitions are damaged for good, and products wait for all of them: waive them")
    for processor, name in wanted:
        names = (season.site, season.short_name, PROCESSORS[processor].level)
        must("season", "waive", *names, "--acquisition", name, "--reason", _REASON)


def show_files(session: Session, season: Season) -> None:
    """Print where the products lie, and a few of their files."""
    from s4c_lib.catalog import products

    rows = []
    with session.read() as connection:
        for kind in L4_PRODUCT_TYPES:
            for item in products.list_products(connection, season.site_id, product_type=kind):
                files = [file.path for file in products.files_of(connection, item.id)]
                few = [name for name in files if name.endswith(_SHOWN)][:_FEW]
                rows.append((kind, len(files), item.full_path, ", ".join(few)))
    print_table(("product", "files", "folder", "to look at first"), rows, title="Products")


def show_costs(session: Session, season: Season) -> None:
    """Print what computing and Airflow took, by DAG."""
    from s4c_lib.airflow_api import AirflowApi
    from s4c_lib.catalog.jobs import list_jobs
    from s4c_lib.catalog.manifest_export import dag_id

    processors = ("ingest", *L4_PROCESSORS)
    with AirflowApi.from_settings(session.settings) as api:
        of = {name: task_instances(api, dag_id(season.site, season.short_name, name)) for name in processors}
    start = usual_start(one for instances in of.values() for one in instances)
    found = {name: costs_of(instances, start) for name, instances in of.items()}
    with session.read() as connection:
        jobs = [job for name in processors for job in list_jobs(connection, season_id=season.id, processor=name)]
    rows = [
        (
            name,
            sum(job.processor == name for job in jobs),
            costs.tasks,
            costs.computing,
            costs.starting,
            costs.waiting,
            sum(
                (job.ended_at - job.started_at).total_seconds()
                for job in jobs
                if job.processor == name and job.started_at is not None and job.ended_at is not None
            ),
        )
        for name, costs in found.items()
    ]
    heads = (
        "runs of",
        "jobs",
        "task instances",
        "computing, s",
        "Airflow: tasks started, s",
        "queued, s",
        "jobs open, s",
    )
    print_table(heads, rows, title="What it took")
    tasks = sum(costs.tasks for costs in found.values())
    computing = sum(costs.computing for costs in found.values())
    overhead = sum(costs.starting + costs.waiting for costs in found.values())
    say(
        f"{tasks} task instances; computing {computing:.0f} s, Airflow's overhead {overhead:.0f} s "
        f"({start:.1f} s to start one, the rest in the queue), summed over tasks that run beside each other"
    )


def draw_products(session: Session, season: Season, place: Path) -> Path | None:
    """Draw crop type, mowing and harvest as maps; None without products."""
    from s4c_lib.cli.demo_maps import draw_maps, gather_maps

    with session.read() as connection:
        maps = gather_maps(connection, season)
    if not maps:
        return None
    picture = place / "products.png"
    draw_maps(maps, picture, title=f"{season.site} {season.short_name}")
    return picture
