"""The tasks of the DAGs that belong to no season: synchronise, and remove what nobody needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from operators.base import DomainOperator, retried_by_class

if TYPE_CHECKING:
    from airflow.sdk import Context


class SyncOperator(DomainOperator):
    """Write the manifest anew if it changed, make the pools, close jobs whose Airflow run is over."""

    def execute(self, context: Context) -> dict[str, int]:
        """Synchronise and return counts."""
        from s4c_lib.ingest.clock import utc_now
        from s4c_lib.settings import Settings
        from s4c_lib.synchronise import synchronise

        with retried_by_class():
            outcome = synchronise(self.database(), Settings(), today=utc_now().date())
        for line in outcome.messages:
            self.log.info("%s", line)
        return outcome.counts()


class PastRetriesOperator(DomainOperator):
    """Find the past seasons whose failed searches and transfers are due again."""

    def execute(self, context: Context) -> list[dict[str, str]]:
        """Return what starts the ingest of each, as arguments of a trigger task."""
        from s4c_lib.catalog.manifest_export import dag_id
        from s4c_lib.catalog.past_retries import past_retries
        from s4c_lib.ingest.clock import utc_now

        with retried_by_class(), self.database().begin() as connection:
            found = past_retries(connection, utc_now())
        for item in found:
            self.log.info(
                "%s %s: %s windows and %s acquisitions are tried again",
                item.site, item.season, item.windows, item.acquisitions,
            )  # fmt: skip
        return [{"trigger_dag_id": dag_id(item.site, item.season, "ingest")} for item in found]


class RetentionOperator(DomainOperator):
    """Remove what nothing needs any more: unfinished transfers, replaced statistics and products, unused caches."""

    def execute(self, context: Context) -> dict[str, int]:
        """Remove and return counts."""
        from s4c_lib.ingest.clock import utc_now
        from s4c_lib.retention import apply

        with retried_by_class():
            return apply(self.database(), now=utc_now()).counts()
