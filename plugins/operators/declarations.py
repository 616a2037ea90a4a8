"""The task that imports a site's declarations: check, put in force, report."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink
from airflow.sdk.exceptions import AirflowFailException

from operators.base import DomainOperator, retried_by_class
from s4c_airflow.report_pages import REPORT_KEY, report_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import BaseOperator, Context
    from airflow.sdk.types import TaskInstanceKey

    from s4c_lib.parcels.findings import Report
    from s4c_lib.uploads.declarations import ImportOutcome
    from s4c_lib.uploads.requests import Wish

TASK = "import_declarations"
FIELDS = ("file", "year", "mode", "columns", "dry_run", "settings")
STEP_PERCENT = 10


class ReportLink(BaseOperatorLink):
    """Button of the task that opens the report; where there is no report page, the button is grey."""

    name = "Report"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address at which the API server shows the report of this run."""
        from airflow.sdk.configuration import conf

        if getattr(operator, "report_page", None) is None:
            return ""
        base = str(conf.get("api", "base_url", fallback="")).rstrip("/")
        return base + report_url(ti_key.dag_id, ti_key.run_id)


class ImportDeclarationsOperator(DomainOperator):
    """Import the file that the run's parameters name, or only check it.

    Parameters
    ----------
    site : short name.
    """

    operator_extra_links = (ReportLink(),)

    def __init__(self, *, site: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.site = site
        self.report_page: str | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Import and return ids and counts."""
        from s4c_lib.catalog.sites import get_site
        from s4c_lib.ingest.clock import utc_now
        from s4c_lib.uploads.declarations import import_declarations
        from s4c_lib.uploads.requests import import_request

        database, now = self.database(), utc_now()
        with retried_by_class():
            wish, dry_run = wish_of(context["params"])
            with database.begin() as connection:
                site = get_site(connection, self.site)
            request, folder, origin = import_request(database, site, wish, today=now.date())
            self.log.info("%s into site %s, year %s, mode %s", request.path, site.name, request.year, request.mode)
            self.log.info("%s", origin)
            outcome = import_declarations(
                database,
                site,
                request,
                storage=folder,
                actor=getattr(context["dag_run"], "triggering_user_name", None) or "airflow",
                now=now,
                dry_run=dry_run,
                progress=progress_lines(self._say),
            )
        self._keep_page(context, outcome)
        for line in report_lines(outcome.report):
            self._say(line)
        if outcome.report.refused:
            raise AirflowFailException(refusal(outcome))
        self._say(_ending(outcome, dry_run=dry_run))
        return _result(outcome, dry_run=dry_run)

    def _keep_page(self, context: Context, outcome: ImportOutcome) -> None:
        if outcome.report_page is None:
            return
        self.report_page = str(outcome.report_page)
        # pushed even when the task fails: the page of a refused file is the one that matters
        context["ti"].xcom_push(key=REPORT_KEY, value=self.report_page)
        self.log.info("Report: %s", self.report_page)

    def _say(self, line: str) -> None:
        self.log.info("%s", line)


def wish_of(params: Any) -> tuple[Wish, bool]:
    """Return what a run's parameters ask for, and whether it is a dry run.

    Raises
    ------
    InputError : a parameter is unknown or of the wrong kind; Airflow checks the known ones before a run exists, but
        lets unknown names pass.
    """
    from s4c_lib.errors import InputError
    from s4c_lib.uploads.requests import Wish

    given = dict(params.items())
    for name in given:
        if name not in FIELDS:
            near = difflib.get_close_matches(name, FIELDS, n=1)
            raise InputError(
                f"An import of declarations has no parameter {name!r}.",
                hint=f"did you mean {near[0]!r}?" if near else f"there are {', '.join(FIELDS)}",
            )
    file, year = given.get("file"), given.get("year")
    if not isinstance(file, str) or not file.strip():
        raise InputError("No file is given.", hint="set file to a path that the workers can read")
    if type(year) is not int:
        raise InputError(f"The year is {year!r}, not a number.", hint="set year to the year of the harvest")
    wish = Wish(
        file.strip(),
        year,
        mode=given.get("mode") or "update",
        columns=given.get("columns"),
        settings=given.get("settings") or {},
    )
    return wish, bool(given.get("dry_run"))


def progress_lines(say: Callable[[str], None]) -> Callable[[str, float], None]:
    """Return a listener that says each step when it begins, and then every ten percent of it."""
    said: dict[str, int] = {}

    def listen(step: str, fraction: float) -> None:
        percent = min(100, int(fraction * 100 + 1e-9))
        reached = percent - percent % STEP_PERCENT
        if reached > said.get(step, -1):
            said[step] = reached
            say(f"{step}: {reached} %")

    return listen


def report_lines(report: Report) -> list[str]:
    """Return a report as lines of a log: counts, then the findings, gravest first."""
    lines = [f"{report.file}: {report.rows} rows, {report.accepted} accepted, {report.set_aside} set aside"]
    for item in report.findings:
        count = f" ({item.count})" if item.count else ""
        examples = f" For example: {', '.join(item.examples[:5])}." if item.examples else ""
        lines.append(f"{item.severity.name.lower().replace('_', ' ')} {item.code}{count}: {item.message}{examples}")
    changes = report.facts.get("changes")
    if changes:
        lines.append("Changes: " + ", ".join(f"{name} {count}" for name, count in changes.items()))
    return lines


def refusal(outcome: ImportOutcome) -> str:
    """Return why a file was refused, in one line: its gravest finding, and where the report is."""
    report = outcome.report
    grave = next(item for item in report.findings if item.severity.rank == 0)
    others = sum(item.severity.rank == 0 for item in report.findings) - 1
    more = f" There {'is' if others == 1 else 'are'} {others} more." if others else ""
    page = f" (report: {outcome.report_page})" if outcome.report_page is not None else ""
    return " ".join(f"{report.file} was refused. {grave.code}: {grave.message}{more}{page}".split())


def _ending(outcome: ImportOutcome, *, dry_run: bool) -> str:
    if dry_run:
        return "Dry run: nothing was stored."
    parcel_set = outcome.parcel_set
    assert parcel_set is not None
    number = f"Version {parcel_set.version} of {parcel_set.year}"
    return f"{number} is in force." if outcome.changed else f"{number} holds this very file already: nothing changed."


def _result(outcome: ImportOutcome, *, dry_run: bool) -> dict[str, Any]:
    report, parcel_set = outcome.report, outcome.parcel_set
    return {
        "dry_run": dry_run,
        "changed": outcome.changed,
        "parcel_set_id": None if parcel_set is None else parcel_set.id,
        "version": None if parcel_set is None else parcel_set.version,
        "upload_id": None if outcome.version is None else outcome.version.id,
        "rows": report.rows,
        "accepted": report.accepted,
        "set_aside": report.set_aside,
        "refused": report.refused,
        "findings": len(report.findings),
        REPORT_KEY: None if outcome.report_page is None else str(outcome.report_page),
    }
