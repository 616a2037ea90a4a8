"""The tasks of the DAGs that belong to no season: synchronise, and remove what nobody needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowFailException

from operators.base import DomainOperator, retried_by_class

if TYPE_CHECKING:
    from airflow.sdk import Context


# For runs that a deletion asked to end; what takes longer is finished by the next night.
_LET_END = 60.0


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
    """Finish deletions of sites and seasons, carry out the retention policy, remove what nothing needs any more.

    What could not be done stands in the log and is tried again by the next night; the task then fails.
    """

    def execute(self, context: Context) -> dict[str, int]:
        """Remove and return counts."""
        from s4c_lib.deletion.stages import finish_deletions
        from s4c_lib.ingest.clock import utc_now
        from s4c_lib.retention.nightly import apply
        from s4c_lib.settings import Settings

        with retried_by_class():
            finished = finish_deletions(self.database(), Settings(), now=utc_now(), wait_seconds=_LET_END)
            for line in (*finished.lines, *finished.faults):
                self.log.info("%s", line)
            outcome = apply(self.database(), now=utc_now())
        if faults := [*finished.faults, *outcome.faults]:
            raise AirflowFailException(f"{len(faults)} could not be done, the first: {faults[0]}")
        return outcome.counts()
