"""The DAG that imports a site's declarations: started by hand, one task, one form."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any

from airflow.sdk import DAG, BaseNotifier, Param

from operators.base import TASK_DEFAULTS
from operators.declarations import TASK, ImportDeclarationsOperator
from s4c_lib.manifest import DagEntry

FIRST_YEAR, LAST_YEAR = 2014, 2100
PURPOSE = "Checks a file of declared parcels and, when it is sound, puts it in force for the site and a year."
COLUMNS = {
    "parcel_id": "one or several columns that identify a parcel",
    "holding": "one or several columns that identify a holding",
    "crop": "crop code",
    "area": "declared area",
    "area_unit": "m2 or ha",
    "second_crop": "second or catch crop",
    "organic": "organic flag",
}


def declarations_dag(entry: DagEntry, first_day: datetime, on_failure: BaseNotifier | None = None) -> DAG:
    """Return the DAG of a site's declarations.

    Parameters
    ----------
    first_day : no run lies before it.
    on_failure : told when a run failed.
    """
    dag = DAG(
        dag_id=entry.dag_id,
        dag_display_name=entry.dag_id,
        description=PURPOSE,
        doc_md=_documentation(entry),
        schedule=None,
        start_date=first_day,
        default_args=dict(TASK_DEFAULTS),
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,
        tags=[entry.site, "declarations"],
        render_template_as_native_obj=False,
        on_failure_callback=on_failure,
    )
    with dag:
        # a version is in force with its pixel counts or not at all, hence one task
        ImportDeclarationsOperator(task_id=TASK, site=entry.site, pool="memory")
    # put in last, as with the DAGs of seasons: a form given to the DAG is copied into its tasks
    dag.params.update(declarations_form())
    return dag


@lru_cache(maxsize=1)
def declarations_form() -> dict[str, Param]:
    """Return the form fields; file and year have no default, so a run without them is refused before it exists."""
    return {
        "file": Param(
            type="string",
            minLength=1,
            title="File",
            description=(
                "Path that the workers can read, or a name in the site's upload folder (site.upload-path): zipped "
                "Shapefile, GeoPackage (also zipped), GeoParquet, FlatGeobuf or GeoJSON."
            ),
        ),
        "year": Param(
            type="integer",
            minimum=FIRST_YEAR,
            maximum=LAST_YEAR,
            title="Year",
            description="Year of the harvest that is declared",
        ),
        "mode": Param(
            "update",
            type="string",
            enum=["update", "incremental", "replace"],
            title="Mode",
            description=(
                "update: parcels that the file does not have are deleted. incremental: they stay. replace: as "
                "update, and nothing else of them is kept than their numbers."
            ),
        ),
        "columns": Param(
            None,
            # first the type that the form shows as a field; REST takes an object too
            type=["null", "string", "object"],
            title="Columns",
            description=(
                "Which columns hold what: parcel_id=A,B;holding=C;crop=D, and if present area, area_unit, "
                "second_crop, organic. Empty: as at the last import of the site, else those of a known layout."
            ),
            properties={role: _column_schema(role) for role in COLUMNS},
            required=["parcel_id", "crop"],
            additionalProperties=False,
        ),
        "dry_run": Param(
            False, type="boolean", title="Dry run", description="Check and report only; nothing is put in force"
        ),
        "settings": Param({}, **_settings_schema()),
    }


def _column_schema(role: str) -> dict[str, Any]:
    if role == "area_unit":
        return {"type": "string", "enum": ["m2", "ha"], "description": COLUMNS[role]}
    if role in ("parcel_id", "holding"):
        return {
            "type": ["string", "array"],
            "items": {"type": "string", "minLength": 1},
            "description": COLUMNS[role],
        }
    return {"type": ["null", "string"], "description": COLUMNS[role]}


def _settings_schema() -> dict[str, Any]:
    return {
        # null: else the form marks it as required
        "type": ["null", "object"],
        "title": "Further settings",
        "description": (
            "How the file is read, where it does not say so itself, for example "
            '{"encoding": "cp1250", "epsg": 5514}. layer: of a file with several; country: ISO code of three '
            "letters, for the encoding; na_is_crop: the text NA is a crop code; profile: default or "
            "reference; code_normalisation: rule for crop codes as a report proposed it."
        ),
        "properties": {
            "layer": {"type": "string", "minLength": 1},
            "encoding": {"type": "string", "minLength": 1},
            "epsg": {"type": "integer", "minimum": 1024, "maximum": 999999},
            "country": {"type": "string", "pattern": "^[A-Z]{3}$"},
            "na_is_crop": {"type": "boolean"},
            "profile": {"type": "string", "enum": ["default", "reference"]},
            "code_normalisation": {
                "type": "string",
                "pattern": "^(strip_zeros|drop_decimals|ignore_case|pad_[1-9][0-9]?)$",
            },
        },
        "additionalProperties": False,
    }


def _documentation(entry: DagEntry) -> str:
    return "\n".join(
        [
            f"## {entry.site_name}: declarations",
            "",
            PURPOSE,
            "",
            f"* Started by hand only: *Trigger*, or `POST /api/v2/dags/{entry.dag_id}/dagRuns`.",
            "* The version in force stays as it is until the new one is complete; a refused file changes nothing.",
            f"* Progress, counts and findings are in the log of `{TASK}`; its button *Report* opens the report.",
            "* Imports of a site and year take turns; the same file again changes nothing.",
            "",
            "Parameters: the fields of the trigger form; `file` and `year` must be given.",
        ]
    )
