"""Accounts of data sources out of Airflow's connections: handed on, masked in every log, kept nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException
from airflow.sdk.log import amask_secret, mask_secret

if TYPE_CHECKING:
    from collections.abc import Iterable

    from s4c_lib.ingest.remote import Access
    from s4c_lib.sources.credentials import Credentials


def airflow_access() -> Access:
    """Return how a task comes to accounts: by the name of a connection, when one is needed."""
    from s4c_lib.ingest.remote import Access

    return Access(vault=_account, hide=mask_secret)


async def access_in_triggerer(connection_ids: Iterable[str]) -> Access:
    """Return how a trigger comes to accounts: they are asked for beforehand, since its threads cannot ask Airflow."""
    from s4c_lib.ingest.remote import Access

    known: dict[str, Credentials] = {}
    for connection_id in sorted(set(connection_ids)):
        try:
            known[connection_id] = _credentials(await BaseHook.aget_connection(connection_id))
        except AirflowException:
            continue  # the work that needs it says that it is missing
        for secret in known[connection_id].secrets():
            await amask_secret(secret)

    def account(connection_id: str) -> Credentials:
        if connection_id not in known:
            raise _missing(connection_id)
        return known[connection_id]

    return Access(vault=account)


def _account(connection_id: str) -> Credentials:
    try:
        found = _credentials(BaseHook.get_connection(connection_id))
    except AirflowException as error:
        raise _missing(connection_id) from error
    for secret in found.secrets():
        mask_secret(secret)
    return found


def _missing(connection_id: str) -> Exception:
    from s4c_lib.errors import NotFoundError

    return NotFoundError(
        f"Airflow has no connection {connection_id!r}.",
        hint=f"airflow connections add {connection_id} --conn-type generic --conn-login USER --conn-password PASSWORD",
    )


def _credentials(connection: Any) -> Credentials:
    from s4c_lib.sources.credentials import Credentials

    extra = {str(key): str(value) for key, value in connection.extra_dejson.items() if value is not None}
    return Credentials(connection.login or None, connection.password or None, extra)
