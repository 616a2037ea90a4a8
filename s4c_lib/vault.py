"""Accounts for the command line: Airflow connections given in the environment.

Tasks ask Airflow itself. Here a connection is read as Airflow reads ``AIRFLOW_CONN_<ID>``: a URI or JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import SecretStr

from s4c_lib.errors import InputError, NotFoundError
from s4c_lib.settings import airflow_connection
from s4c_lib.sources.credentials import Credentials, Vault


def environment_vault(find: Callable[[str], SecretStr | None] = airflow_connection) -> Vault:
    """Return what gives accounts from the environment.

    Parameters
    ----------
    find : gives the text of a connection id, None where there is none.
    """

    def account(connection_id: str) -> Credentials:
        """Return the account of a connection.

        Raises
        ------
        NotFoundError : the environment has none of this name.
        InputError : it is neither a URI nor JSON, or holds no account; what it holds is not shown.
        """
        given = find(connection_id)
        if given is None:
            raise NotFoundError(
                f"There is no account {connection_id!r} here.",
                hint=f"for the command line set AIRFLOW_CONN_{connection_id.upper()}="
                '\'{"login": "USER", "password": "PASSWORD"}\'; for DAGs: '
                f"airflow connections add {connection_id} --conn-type generic --conn-login USER "
                "--conn-password PASSWORD",
            )
        found = _read(given.get_secret_value())
        if found is None:
            raise InputError(
                f"AIRFLOW_CONN_{connection_id.upper()} is neither a URI nor JSON as Airflow has them.",
                hint='\'{"login": "USER", "password": "PASSWORD"}\' or generic://USER:PASSWORD@, percent-encoded',
            )
        if not (found.username or found.password or found.extra):
            raise InputError(
                f"AIRFLOW_CONN_{connection_id.upper()} holds neither login nor password nor key.",
                hint='\'{"login": "USER", "password": "PASSWORD"}\'',
            )
        return found

    return account


def _read(text: str) -> Credentials | None:
    stripped = text.strip()
    return _from_json(stripped) if stripped.startswith("{") else _from_uri(stripped)


def _from_json(text: str) -> Credentials | None:
    try:
        fields = json.loads(text)
    except json.JSONDecodeError:
        return None
    extra = _mapping(fields.get("extra") or {})
    if extra is None:
        return None
    return Credentials(_text(fields.get("login")), _text(fields.get("password")), extra)


def _from_uri(text: str) -> Credentials | None:
    try:
        parts = urlsplit(text)
        given = dict(parse_qsl(parts.query, keep_blank_values=True))
    except ValueError:
        return None
    if not parts.scheme:
        return None
    # Airflow puts extras that a query cannot hold into one field, as JSON
    packed = _mapping(given.pop("__extra__", None) or {})
    if packed is None:
        return None
    login = None if parts.username is None else unquote(parts.username)
    password = None if parts.password is None else unquote(parts.password)
    return Credentials(login or None, password or None, {**given, **packed})


def _mapping(value: Any) -> dict[str, str] | None:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError:
            return None
    if not isinstance(value, Mapping):
        return None
    return {str(key): str(item) for key, item in value.items() if item is not None}


def _text(value: Any) -> str | None:
    return None if value is None or value == "" else str(value)
