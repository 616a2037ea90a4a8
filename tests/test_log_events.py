"""Names that a log line of ours must not use: the process that looks after an Airflow task would end, and the task."""

import ast
from pathlib import Path

import s4c_lib

SOURCES = Path(s4c_lib.__file__).parents[1]
LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}
# arguments of the function that gets what a line names as keywords (airflow.sdk.execution_time.supervisor), and of
# the logger itself
TAKEN = {"target", "level", "msg", "event", "timestamp"}


def taken_names(source: str) -> set[str]:
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return TAKEN & {
        str(keyword.arg)
        for call in calls
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in LEVELS
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "log"
        for keyword in call.keywords
    }


def test_no_log_line_uses_a_name_that_ends_an_airflow_task() -> None:
    found = {
        str(path.relative_to(SOURCES)): taken_names(source)
        for folder in ("s4c_lib", "plugins")
        for path in sorted((SOURCES / folder).rglob("*.py"))
        if "get_logger" in (source := path.read_text(encoding="utf-8"))
    }
    assert len(found) > 20
    assert {path: names for path, names in found.items() if names} == {}
    assert taken_names('log.info("archived", name="a", target="b")') == {"target"}
