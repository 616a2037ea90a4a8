"""The task that tells operators what needs them, and how Airflow's connections carry it away."""

from __future__ import annotations

import smtplib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException
from airflow.sdk.log import mask_secret

from operators.base import DomainOperator, retried_by_class

if TYPE_CHECKING:
    from airflow.sdk import Context


class NotifyOperator(DomainOperator):
    """Look for failed and overdue runs, failing searches, refusing sources and full disks; tell what is new."""

    def __init__(self, **kwargs: Any) -> None:
        # what was not taken goes out in the next round
        super().__init__(retries=0, **kwargs)

    def execute(self, context: Context) -> dict[str, int]:
        """Look, send, and return counts; fails when a mail server or web hook took nothing."""
        from s4c_lib.ingest.clock import utc_now
        from s4c_lib.notices.rounds import notify

        with retried_by_class():
            outcome = notify(self.database(), AirflowPost(), now=utc_now())
            self.log.info("%s", outcome.counts())
            outcome.enforce()
        return outcome.counts()


class AirflowPost:
    """Sends through connections of Airflow: mail by its SMTP hook, web hooks by HTTP."""

    def mail(
        self, connection_id: str, *, sender: str | None, recipients: Sequence[str], subject: str, page: str
    ) -> None:
        """Send one mail; raises DeliveryError when the server does not take it or there is no such connection."""
        from airflow.providers.smtp.hooks.smtp import SmtpHook

        from s4c_lib.notices.post import DeliveryError

        try:
            with SmtpHook(smtp_conn_id=connection_id) as hook:
                hook.send_email_smtp(to=list(recipients), subject=subject, html_content=page, from_email=sender)
        except (AirflowException, smtplib.SMTPException, OSError) as error:
            raise DeliveryError(
                f"The mail server of the connection {connection_id!r} did not take a mail "
                f"({type(error).__name__}: {error}).",
                hint=f"airflow connections test {connection_id}, and see docs/operations.md",
            ) from error

    def webhook(self, connection_id: str, document: Mapping[str, Any]) -> None:
        """Post one document; the address is in the connection: ``url`` of its extra, or host, port and schema."""
        from s4c_lib.errors import InputError
        from s4c_lib.notices.webhook import post_document

        try:
            connection = BaseHook.get_connection(connection_id)
        except AirflowException as error:
            raise InputError(
                f"Airflow has no connection {connection_id!r} for the web hook.",
                hint=f'airflow connections add {connection_id} --conn-type http --conn-extra \'{{"url": "..."}}\'',
            ) from error
        url = str(connection.extra_dejson.get("url") or _address(connection))
        mask_secret(url)
        post_document(url, document, token=connection.password or None)


def _address(connection: Any) -> str:
    """Return the address of an HTTP connection as Airflow's own hook reads it."""
    host = connection.host or ""
    if "://" in host:
        return host
    port = f":{connection.port}" if connection.port else ""
    return f"{connection.schema or 'http'}://{host}{port}/"
