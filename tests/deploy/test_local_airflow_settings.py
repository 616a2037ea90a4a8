from pathlib import Path

from deploy.local_stack.airflow_settings import AirflowPlace, AirflowSecrets, airflow_environment, without_proxy
from deploy.local_stack.stack import shell_exports

PLACE = AirflowPlace(
    Path("/h"),
    Path("/r/dags"),
    Path("/r/plugins"),
    Path("/l"),
    Path("/p"),
    8081,
    "postgresql://a:b@127.0.0.1:5/airflow",
)
SECRETS = AirflowSecrets("jwt", "api", "fernet", "password")


def test_tasks_reach_the_api_server_where_it_listens() -> None:
    env = airflow_environment(PLACE, SECRETS, "default")
    assert env["AIRFLOW__API__PORT"] == "8081"
    assert env["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert env["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:8081/execution/"
    assert env["S4C_AIRFLOW_URL"] == "http://127.0.0.1:8081"
    assert env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == "postgresql+psycopg2://a:b@127.0.0.1:5/airflow"


def test_the_shipped_settings_of_the_design_hold_in_both_profiles() -> None:
    for profile in ("default", "test"):
        env = airflow_environment(PLACE, SECRETS, profile)  # type: ignore[arg-type]
        assert env["AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL"] == "1"
        assert env["AIRFLOW__CORE__PARALLELISM"] == "4"
        assert env["AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT"] == "120"
        assert env["AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT"] == "120"
    test = airflow_environment(PLACE, SECRETS, "test")
    assert test["AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT"] == "20"
    assert test["AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY"] == "2"


def test_a_proxy_is_not_asked_about_this_machine() -> None:
    assert without_proxy({"NO_PROXY": "example.org"})["no_proxy"] == "example.org,127.0.0.1,localhost"
    assert without_proxy({})["NO_PROXY"] == "127.0.0.1,localhost"


def test_exports_survive_a_shell() -> None:
    lines = shell_exports({"A": "it's; $HOME"}, Path("/a b")).splitlines()
    assert lines[0] == "export A='it'\"'\"'s; $HOME'"
    assert lines[1] == "export PATH='/a b/.venv/bin':\"$PATH\""
