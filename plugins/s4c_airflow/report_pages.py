"""Reports of imports, shown by Airflow's API server to those who may see the run.

The plugin is loaded by every process of Airflow, so the application itself is built at its first request.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from fastapi import FastAPI

REPORTS_URL = "/s4c/reports"
REPORT_KEY = "report_page"
# Text of users stands in these pages: they are shown without scripts and can send nothing anywhere.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-cache",
}


def report_url(dag_id: str, run_id: str) -> str:
    """Return where the report of a run is shown, from the root of the API server."""
    return f"{REPORTS_URL}/{quote(dag_id, safe='')}/{quote(run_id, safe='')}"


async def report_pages(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[Any]],
    send: Callable[[Any], Awaitable[None]],
) -> None:
    """Answer a request (ASGI)."""
    await _application()(scope, receive, send)


@lru_cache(maxsize=1)
def _application() -> FastAPI:
    from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
    from airflow.api_fastapi.core_api.security import requires_access_dag
    from fastapi import Depends, FastAPI, HTTPException
    from fastapi.responses import FileResponse

    application = FastAPI(title="Reports of imports", openapi_url=None)

    may_see_the_run = Depends(requires_access_dag("GET", DagAccessEntity.RUN))

    @application.get("/{dag_id}/{run_id:path}", dependencies=[may_see_the_run], response_model=None)
    def report(dag_id: str, run_id: str) -> Any:
        page = page_of(dag_id, run_id)
        if page is None:
            raise HTTPException(404, f"Run {run_id} of {dag_id} has no report.")
        if not is_report(page):
            raise HTTPException(404, f"The report {page} is not on this machine; it lies where the workers write.")
        return FileResponse(page, media_type="text/html", headers=HEADERS)

    return application


def page_of(dag_id: str, run_id: str) -> Path | None:
    """Return the report page that a run left, as its task said."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    with create_session() as session:
        query = XComModel.get_many(key=REPORT_KEY, run_id=run_id, dag_ids=dag_id)
        found = session.execute(query.with_only_columns(XComModel.value)).scalars().first()
    return None if found is None else Path(_text(found))


def _text(stored: Any) -> str:
    """Return a text as an XCom holds it: as it is, or as JSON, by how it came there."""
    text = str(stored)
    return str(json.loads(text)) if text.startswith('"') else text


def is_report(page: Path) -> bool:
    """Tell whether a path is a report page of an import, whatever an XCom that someone edited says."""
    year, version = page.parent.parent.name, page.parent.name
    named = page.suffix == ".html" and year.isdigit() and (version == "refused" or version[:1] == "v")
    return named and page.is_file() and not page.is_symlink()
