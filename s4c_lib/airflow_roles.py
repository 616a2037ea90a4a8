"""The roles of sites in Airflow: made, completed and removed through the REST API of its FAB auth manager."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from s4c_lib.airflow_api import NOT_AIRFLOW, AirflowApi
from s4c_lib.errors import AirflowApiError, ConflictError, NotFoundError
from s4c_lib.site_roles import PERMISSIONS, role_name

ROLES: Final = "/auth/fab/v1/roles"


def ensure_roles(api: AirflowApi, sites: Iterable[str], deleted: Collection[str] = ()) -> tuple[str, ...]:
    """Make the roles of sites, give them what they lack, and remove those of deleted sites.

    What people added to a role stays.

    Returns
    -------
    sites whose roles exist, ascending; none when Airflow's users are kept by something else than FAB.

    Raises
    ------
    AirflowApiError, InputError : Airflow does not answer or refuses.
    """
    known = _roles(api)
    if known is None:
        return ()
    kept = sorted(set(sites))
    for site in kept:
        for kind, permissions in sorted(PERMISSIONS.items()):
            _ensure(api, role_name(site, kind), permissions, known)
    for site in sorted(set(deleted) - set(kept)):
        for name in {role_name(site, kind) for kind in PERMISSIONS} & known.keys():
            _remove(api, name)
    return tuple(kept)


def _roles(api: AirflowApi) -> dict[str, set[tuple[str, str]]] | None:
    """Return the permissions of every role, or None where no FAB answers."""
    found: dict[str, set[tuple[str, str]]] = {}
    while True:
        try:
            page = api.request("GET", ROLES, params={"limit": 100, "offset": len(found)})
        except NotFoundError:
            return None
        except AirflowApiError as error:
            if error.code != NOT_AIRFLOW:
                raise
            return None  # the page of another auth manager
        for role in page["roles"]:
            found[role["name"]] = {(item["action"]["name"], item["resource"]["name"]) for item in role["actions"]}
        if not page["roles"] or len(found) >= page["total_entries"]:
            return found


def _ensure(
    api: AirflowApi,
    name: str,
    permissions: Iterable[tuple[str, str]],
    known: Mapping[str, set[tuple[str, str]]],
) -> None:
    wanted = set(permissions)
    if name not in known:
        try:
            api.request("POST", ROLES, json=_body(name, wanted))
        except ConflictError:
            return  # another synchronisation made it in this moment
    elif wanted - known[name]:
        api.request(
            "PATCH", f"{ROLES}/{name}", json=_body(name, wanted | known[name]), params={"update_mask": "actions"}
        )


def _remove(api: AirflowApi, name: str) -> None:
    try:
        api.request("DELETE", f"{ROLES}/{name}")
    except NotFoundError:
        return  # another synchronisation removed it in this moment


def _body(name: str, permissions: Iterable[tuple[str, str]]) -> dict[str, Any]:
    actions = [{"action": {"name": action}, "resource": {"name": resource}} for action, resource in sorted(permissions)]
    return {"name": name, "actions": actions}
