"""Roles of sites where Airflow's users are kept by something else than FAB, or Airflow is ill."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from s4c_lib.airflow_api import AirflowApi
from s4c_lib.airflow_roles import ensure_roles
from s4c_lib.errors import AirflowApiError, InputError
from s4c_lib.site_roles import ON_DAGS, PERMISSIONS, access_control
from tests.local_server import QuietHandler, http_server


@contextmanager
def server(status: int, body: str) -> Iterator[AirflowApi]:
    """An API server that lets everybody in and answers each question for roles alike."""

    class Answer(QuietHandler):
        def post(self) -> None:
            self.received()
            self.answer(201, json.dumps({"access_token": "t"}).encode())

        def get(self) -> None:
            self.answer(status, body.encode())

    with http_server(Answer) as url, AirflowApi(url, "u", "p") as api:
        yield api


@pytest.mark.parametrize(("status", "body"), [(404, '{"detail": "Not Found"}'), (200, "<!doctype html><title>x")])
def test_another_auth_manager_has_no_roles(status: int, body: str) -> None:
    with server(status, body) as api:
        assert ensure_roles(api, ["alpha"]) == ()


@pytest.mark.parametrize(("status", "error"), [(500, AirflowApiError), (403, InputError)])
def test_an_ill_server_or_a_user_without_rights_is_an_error(status: int, error: type[Exception]) -> None:
    with server(status, '{"detail": "no"}') as api, pytest.raises(error):
        ensure_roles(api, ["alpha"])


def test_no_role_may_anything_that_airflow_does_not_tell_apart_by_dag() -> None:
    """Whatever is granted for all DAGs would show other sites; so would lists that know no DAG."""
    shared = {"Assets", "Backfills", "Configurations", "Connections", "ImportError", "Jobs", "Pools", "Variables"}
    for kind, permissions in PERMISSIONS.items():
        assert not {resource for _, resource in permissions} & shared, kind
        assert {action for action, resource in permissions if resource == "DAGs"} == {"menu_access"}
    assert ON_DAGS.keys() == PERMISSIONS.keys()
    assert access_control("alpha") == {
        "site_alpha_operator": {"DAGs": {"can_edit", "can_read"}},
        "site_alpha_viewer": {"DAGs": {"can_read"}},
    }
