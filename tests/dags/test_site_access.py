"""Who sees and does what through Airflow's REST API when its users are kept by FAB (operations.md §1.9, case 45)."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import httpx
import pytest
from domain_rows import NOW, make_enabled

from s4c_lib.airflow_api import AirflowApi
from s4c_lib.airflow_roles import ROLES, ensure_roles
from s4c_lib.catalog.database import Database
from s4c_lib.manifest import read_manifest
from s4c_lib.settings import Settings
from s4c_lib.synchronise import synchronise

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
PASSWORD = "a-password-of-the-test"
KINDS = ("viewer", "operator")
SITES = ("alpha", "beta")
TODAY = NOW.date()


@dataclass
class Airflow:
    """A running API server, and a domain database that it was synchronised with."""

    url: str
    settings: Settings
    database: Database
    pipe: subprocess.Popen[str]

    def admin(self) -> AirflowApi:
        return AirflowApi(self.url, "admin", PASSWORD)

    def store_dags(self) -> dict[str, str]:
        """Store the DAGs of the manifest as the DAG processor does; return the import errors."""
        assert self.pipe.stdin is not None
        print(file=self.pipe.stdin, flush=True)
        found: dict[str, str] = answer(self.pipe.stdout)
        return found

    def user(self, name: str) -> httpx.Client:
        login = {"username": name, "password": PASSWORD}
        answered = httpx.post(f"{self.url}/auth/token", json=login, timeout=60, trust_env=False)
        headers = {"Authorization": f"Bearer {answered.json()['access_token']}"}
        return httpx.Client(base_url=self.url, timeout=60, trust_env=False, headers=headers)


def answer(lines: IO[str] | None) -> Any:
    assert lines is not None
    for line in lines:
        if line.startswith("=> "):
            return json.loads(line[3:])
    raise AssertionError("the server ended")


@pytest.fixture(scope="module")
def airflow(postgres: Any, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    """Two sites, their roles, a user for each role, one run of every DAG's name."""
    home = tmp_path_factory.mktemp("fab")
    environment = {
        "PATH": str(Path(sys.executable).parent),
        "HOME": str(home),
        "PYTHONPATH": str(REPOSITORY / "plugins"),
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "AIRFLOW__API_AUTH__JWT_SECRET": "jwt-secret-of-the-test-" * 4,
        "AIRFLOW__API__SECRET_KEY": "secret-key-of-the-test",
        # what FAB knows of a user is read anew at each request
        "AIRFLOW__FAB__CACHE_TTL": "0",
        "ADMIN_PASSWORD": PASSWORD,
        "S4C_MANIFEST_PATH": str(home / "manifest.json"),
    }
    url = postgres.create(migrated_template)
    database = Database(url)
    with database.begin() as connection:
        for site in SITES:
            make_enabled(connection, site.title())
    with (home / "server.log").open("w") as log:
        pipe = subprocess.Popen(
            [sys.executable, str(HERE / "fab_server.py")],
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=REPOSITORY,
        )
        try:
            address = f"http://127.0.0.1:{answer(pipe.stdout)}"
            settings = Settings(
                manifest_path=home / "manifest.json",
                airflow_url=address,
                airflow_username="admin",
                airflow_password=PASSWORD,  # type: ignore[arg-type]
            )
            running = Airflow(address, settings, database, pipe)
            prepare(running)
            yield running
        finally:
            # nothing of it is kept
            pipe.kill()
            pipe.communicate()
            database.engine.dispose()
            postgres.drop(url)


def prepare(airflow: Airflow) -> None:
    synchronise(airflow.database, airflow.settings, today=TODAY)
    assert airflow.store_dags() == {}
    with airflow.admin() as api:
        for site in SITES:
            for kind in KINDS:
                role = f"site_{site}_{kind}"
                body = {"username": f"{site}_{kind}", "email": f"{role}@agency.example", "password": PASSWORD}
                names = {"first_name": site, "last_name": kind, "roles": [{"name": role}]}
                api.request("POST", "/auth/fab/v1/users", json=body | names)
            api.trigger(f"{site}__declarations", {"file": "x.gpkg", "year": 2024})


@pytest.mark.slow
def test_every_site_has_its_roles_and_its_dags_name_them(airflow: Airflow) -> None:
    assert read_manifest(airflow.settings.manifest_path).guarded == SITES
    with airflow.admin() as api:
        found = {
            role["name"]: {(item["action"]["name"], item["resource"]["name"]) for item in role["actions"]}
            for role in api.request("GET", ROLES, params={"limit": 100})["roles"]
        }
    assert {name for name in found if name.startswith("site_")} == {f"site_{s}_{k}" for s in SITES for k in KINDS}
    for name, permissions in found.items():
        if name.startswith("site_"):
            # on all DAGs nothing but the entry in the menu
            assert {action for action, resource in permissions if resource == "DAGs"} == {"menu_access"}
            assert {resource for _, resource in permissions if resource.startswith("DAG:")} == {
                f"DAG:{name.split('_')[1]}__{rest}"
                for rest in (
                    "declarations",
                    "2024__ingest",
                    "2024__l4a_crop_type",
                    "2024__l4b_mowing",
                    "2024__l4c_practices",
                )
            }


@pytest.mark.slow
def test_case_45_a_viewer_of_one_site_sees_only_it_in_every_list(airflow: Airflow) -> None:
    with airflow.user("alpha_viewer") as viewer:
        lists = {
            path: viewer.get(f"/api/v2/{path}", params={"limit": 100})
            for path in (
                "dags",
                "dags/~/dagRuns",
                "dags/~/dagRuns/~/taskInstances",
                "dagTags",
                "dagWarnings",
                "dagSources/alpha__declarations",
                "dags/alpha__declarations/dagRuns",
            )
        }
        for path, found in lists.items():
            assert found.status_code == 200 or path.startswith("dagSources"), (path, found.text)
            assert "beta" not in found.text, path
            assert "s4c__" not in found.text, path
        assert {item["dag_id"] for item in lists["dags"].json()["dags"]} == {
            "alpha__declarations",
            *(f"alpha__2024__{name}" for name in ("ingest", "l4a_crop_type", "l4b_mowing", "l4c_practices")),
        }
        assert [run["dag_id"] for run in lists["dags/~/dagRuns"].json()["dag_runs"]] == ["alpha__declarations"]
        for path in (
            "dags/beta__declarations",
            "dags/beta__declarations/details",
            "dags/beta__declarations/dagRuns",
            "dags/beta__declarations/tasks",
            "dags/s4c__sync",
            # what Airflow does not tell apart by DAG is for people of the whole installation
            "assets",
            "assets/events",
            "backfills?dag_id=beta__declarations",
            "config",
            "connections",
            "eventLogs",
            "importErrors",
            "jobs",
            "pools",
            "variables",
        ):
            assert viewer.get(f"/api/v2/{path}").status_code == 403, path
        assert viewer.get("/auth/fab/v1/users").status_code == 403
        assert viewer.get(ROLES).status_code == 403


@pytest.mark.slow
def test_case_45_a_viewer_changes_nothing(airflow: Airflow) -> None:
    with airflow.user("alpha_viewer") as viewer:
        run = {"logical_date": None, "conf": {"file": "y.gpkg", "year": 2024}}
        assert viewer.post("/api/v2/dags/alpha__declarations/dagRuns", json=run).status_code == 403
        assert viewer.patch("/api/v2/dags/alpha__declarations", json={"is_paused": True}).status_code == 403
        assert viewer.delete("/api/v2/dags/alpha__declarations").status_code == 403
        clear = {"dry_run": False, "only_failed": False}
        assert viewer.post("/api/v2/dags/alpha__declarations/clearTaskInstances", json=clear).status_code == 403


@pytest.mark.slow
def test_an_operator_runs_the_dags_of_the_own_site_alone(airflow: Airflow) -> None:
    run = {"logical_date": None, "conf": {"file": "y.gpkg", "year": 2024}}
    with airflow.user("alpha_operator") as operator:
        made = operator.post("/api/v2/dags/alpha__declarations/dagRuns", json=run)
        assert made.status_code == 200, made.text
        for paused in (True, False):
            answered = operator.patch("/api/v2/dags/alpha__declarations", json={"is_paused": paused})
            assert (answered.status_code, answered.json()["is_paused"]) == (200, paused)
        assert operator.post("/api/v2/dags/beta__declarations/dagRuns", json=run).status_code == 403
        assert operator.patch("/api/v2/dags/beta__declarations", json={"is_paused": True}).status_code == 403
        clear = {"dry_run": False, "only_failed": False}
        assert operator.post("/api/v2/dags/beta__declarations/clearTaskInstances", json=clear).status_code == 403
        # neither by a pattern that holds the other site's DAGs
        everything = operator.patch(
            "/api/v2/dags", params={"dag_id_pattern": "%declarations"}, json={"is_paused": True}
        )
        assert "beta" not in everything.text
        run_id = "manual__of_the_other_site"
        change = {
            "actions": [{"action": "delete", "entities": [{"dag_id": "beta__declarations", "dag_run_id": run_id}]}]
        }
        assert operator.patch("/api/v2/dags/~/dagRuns", json=change).status_code in {403, 404, 405, 422}
    with airflow.admin() as api:
        assert api.dag("beta__declarations")["is_paused"] is False
        assert api.request("GET", "dags/beta__declarations/dagRuns")["total_entries"] == 1


@pytest.mark.slow
def test_what_people_added_to_a_role_stays_and_what_is_missing_comes_back(airflow: Airflow) -> None:
    def permissions(api: AirflowApi) -> set[tuple[str, str]]:
        role = api.request("GET", f"{ROLES}/site_alpha_viewer")
        return {(item["action"]["name"], item["resource"]["name"]) for item in role["actions"]}

    with airflow.admin() as api:
        before = permissions(api)
        changed = (before - {("can_read", "Task Logs")}) | {("can_read", "Pools")}
        body = [{"action": {"name": action}, "resource": {"name": resource}} for action, resource in sorted(changed)]
        api.request("PATCH", f"{ROLES}/site_alpha_viewer", json={"name": "site_alpha_viewer", "actions": body})
        ensure_roles(api, SITES)
        assert permissions(api) == before | {("can_read", "Pools")}
        remaining = [item for item in body if item["resource"]["name"] != "Pools"]
        api.request("PATCH", f"{ROLES}/site_alpha_viewer", json={"name": "site_alpha_viewer", "actions": remaining})
        ensure_roles(api, SITES)


@pytest.mark.slow
def test_the_roles_of_a_deleted_site_go(airflow: Airflow) -> None:
    """Else a new site of that name would be seen by the people of the old one."""
    with airflow.admin() as api:
        ensure_roles(api, ["gamma", *SITES])
        assert api.request("GET", f"{ROLES}/site_gamma_viewer")["name"] == "site_gamma_viewer"
        assert ensure_roles(api, SITES, deleted=["gamma", "alpha"]) == SITES
        names = {role["name"] for role in api.request("GET", ROLES, params={"limit": 100})["roles"]}
        assert {name for name in names if name.startswith("site_")} == {f"site_{s}_{k}" for s in SITES for k in KINDS}


@pytest.mark.slow
def test_without_the_right_to_make_roles_the_dags_stay_as_guarded_as_they_are(airflow: Airflow) -> None:
    """The user of the synchronisation may lack rights, or Airflow may be away; both are said."""
    pool = [{"action": {"name": f"can_{verb}"}, "resource": {"name": "Pools"}} for verb in ("read", "create", "edit")]
    with airflow.admin() as api:
        api.request("POST", ROLES, json={"name": "keeper", "actions": pool})
        body = {
            "username": "keeper",
            "email": "keeper@agency.example",
            "password": PASSWORD,
            "roles": [{"name": "keeper"}],
        }
        api.request("POST", "/auth/fab/v1/users", json={**body, "first_name": "K", "last_name": "K"})
    for user, said in (("keeper", "Roles of sites are as they were: Airflow refuses GET"), ("nobody", "was not asked")):
        settings = airflow.settings.model_copy(update={"airflow_username": user})
        outcome = synchronise(airflow.database, settings, today=TODAY)
        assert any(said in line for line in outcome.messages), outcome.messages
        assert read_manifest(settings.manifest_path).guarded == SITES
