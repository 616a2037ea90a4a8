"""Who may do what with the DAGs of a site: two roles a site in Airflow's FAB auth manager.

A role holds what Airflow asks for whatever the DAG is (may runs be read, may they be started); which DAGs it is about
says each DAG's ``access_control``. So nothing here may grant anything on all DAGs, nor on what Airflow does not tell
apart by DAG (assets, pools, connections, variables, import errors, other users). Source: operations.md §1.9, case 45.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_READ: Final = ("DAG Runs", "DAG Versions", "DAG Warnings", "DAG Code", "Task Instances", "Task Logs", "XComs")
_VIEWER: Final = (
    *(("can_read", resource) for resource in _READ),
    ("can_read", "Website"),
    ("can_read", "My Profile"),
    ("can_read", "My Password"),
    ("can_edit", "My Password"),
    ("menu_access", "DAGs"),
    ("menu_access", "DAG Runs"),
    ("menu_access", "Task Instances"),
)
_OPERATOR: Final = (
    *_VIEWER,
    ("can_create", "DAG Runs"),
    ("can_edit", "DAG Runs"),
    ("can_delete", "DAG Runs"),
    ("can_create", "Task Instances"),
    ("can_edit", "Task Instances"),
)
#: Kind of role: what it may do that Airflow does not ask by DAG.
PERMISSIONS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {"viewer": _VIEWER, "operator": _OPERATOR}
#: Kind of role: what it may do with each DAG of its site.
ON_DAGS: Final[Mapping[str, frozenset[str]]] = {
    "viewer": frozenset({"can_read"}),
    "operator": frozenset({"can_read", "can_edit"}),
}


def role_name(site: str, kind: str) -> str:
    """Return the name of a role: ``site_<short name>_viewer`` or ``site_<short name>_operator``."""
    return f"site_{site}_{kind}"


def access_control(site: str) -> dict[str, dict[str, set[str]]]:
    """Return what a DAG of a site says about access; its roles must exist, or Airflow reports an import error."""
    return {role_name(site, kind): {"DAGs": set(actions)} for kind, actions in sorted(ON_DAGS.items())}
