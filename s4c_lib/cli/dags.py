"""``s4c dags``: the manifest that Airflow's DAGs are generated from."""

from __future__ import annotations

import typer

from s4c_lib.cli.options import AsJson, examples, noun
from s4c_lib.cli.output import note, print_records, say
from s4c_lib.cli.session import session_of

app = noun("The manifest that the DAGs are generated from.")


@app.command(epilog=examples("s4c dags export"))
def export(context: typer.Context) -> None:
    """Write the manifest from the database; where Airflow answers, make its pools and close lost jobs.

    Every command that changes a site, a season, a source or a parameter does this by itself.
    """
    from s4c_lib.synchronise import synchronise

    session = session_of(context)
    outcome = synchronise(session.database, session.settings, today=session.today())
    *notes, result = outcome.messages
    for line in notes:
        note(line)
    if outcome.pools:
        note(f"{outcome.pools} pools made or confirmed, {outcome.lost_jobs} lost jobs closed")
    say(result)


@app.command("list", epilog=examples("s4c dags list --json"))
def list_dags(context: typer.Context, as_json: AsJson = False) -> None:
    """List the DAGs of the manifest in force."""
    from s4c_lib.cli.output import plain
    from s4c_lib.manifest import read_manifest

    manifest = read_manifest(session_of(context).settings.manifest_path)
    print_records(
        [plain(entry) for entry in manifest.dags],
        {"dag_id": "DAG", "phase": "season is", "enabled": "enabled", "schedule": "schedule", "sources": "sources"},
        as_json=as_json,
        none="the manifest has no DAG: no site is enabled",
    )
