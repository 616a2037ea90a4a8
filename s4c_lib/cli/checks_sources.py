"""The checks of ``s4c doctor`` on data sources: each is asked once, with one cheap query."""

from __future__ import annotations

from collections.abc import Iterator

from s4c_lib.catalog import config_values, source_state
from s4c_lib.catalog.data_sources import DataSource, list_sources, sources_for
from s4c_lib.catalog.sites import list_sites
from s4c_lib.catalog.transfers import over_quota
from s4c_lib.catalog.vocabulary import SEARCHED_SATELLITES
from s4c_lib.cli.check import Check, Verdict
from s4c_lib.cli.session import Session
from s4c_lib.cli.source_health import source_health
from s4c_lib.cli.source_remote import account_elsewhere
from s4c_lib.errors import NotFoundError
from s4c_lib.reasons import Reason

# A source that takes longer is no use to an operator who waits for an answer.
SECONDS_EACH = 15.0


def check_sources(session: Session) -> Iterator[Check]:
    """Test each enabled source, and say which satellites of a site nobody searches or nobody fetches."""
    with session.read() as connection:
        sources = [source for source in list_sources(connection) if source.enabled]
    seen = set()
    for source in sources:
        # several satellites of one name share provider and account
        key = (source.name, source.local_root)
        if key not in seen:
            seen.add(key)
            yield _check(session, source)
    yield from _unserved(session)


def _check(session: Session, source: DataSource) -> Check:
    name = f"source {source.name}" + ("" if source.site is None else f" of {source.site}")
    if not source.remote:
        report = source_health(session, source, seconds=SECONDS_EACH)
        only = "" if source.site is None else f" --site {source.site}"
        remedy = "" if report.ok else f"mount it, or 's4c source set {source.name} --root FOLDER{only}'"
        return Check(name, Verdict.OK if report.ok else Verdict.BROKEN, report.text, remedy)
    with session.read() as connection:
        circuit = source_state.circuit(connection, source.name, now=session.now())
        quota = over_quota(connection, source.name, session.now())
    if circuit is not None and circuit.reason == Reason.THROTTLED:
        return Check(name, Verdict.LIMITED, circuit.text, "nothing: it is asked again by itself then")
    try:
        report = source_health(session, source, seconds=SECONDS_EACH)
    except NotFoundError as error:
        return _untried(session, source, error)
    if not report.ok:
        return Check(
            name, Verdict.BROKEN, report.text, f"{_account_hint(source)}, then 's4c source test {source.name}'"
        )
    if circuit is not None:
        remedy = f"'s4c source test {source.name}' lets transfers go on at once"
        return Check(name, Verdict.LIMITED, f"it answers again, but {circuit.text}", remedy)
    if quota is not None:
        return Check(name, Verdict.LIMITED, quota, f"wait, or 's4c source set {source.name} --quota KEY=VALUE'")
    return Check(name, Verdict.OK, report.text)


def _account_hint(source: DataSource) -> str:
    if source.secret_ref is None:
        return f"check its address; if it wants an account, 's4c source set {source.name} --connection ID'"
    return f"check its address and the account in the Airflow connection {source.secret_ref!r}"


def _untried(session: Session, source: DataSource, error: NotFoundError) -> Check:
    """Say what it means that the account is not in the environment of the command line."""
    name = f"source {source.name}"
    elsewhere = account_elsewhere(session, source.secret_ref or "", error)
    if elsewhere is not None:
        return Check(name, Verdict.LIMITED, elsewhere.message, elsewhere.hint)
    return Check(name, Verdict.BROKEN, error.message, error.hint)


def _unserved(session: Session) -> Iterator[Check]:
    with session.read() as connection:
        wanted = [
            (site, satellite)
            for site in list_sites(connection)
            if site.enabled
            for satellite in SEARCHED_SATELLITES
            if config_values.snapshot(connection, today=session.today(), site=site)[f"{satellite}.enabled"]
        ]
        served = {(site.id, satellite): sources_for(connection, site.id, satellite) for site, satellite in wanted}
    for site, satellite in wanted:
        found = served[site.id, satellite]
        # no run waits for Landsat
        soft = satellite == "l8"
        if not any(source.can_query for source in found):
            lack = "is searched"
        elif not any(source.can_download for source in found):
            lack = "is fetched"
        else:
            continue
        what = f"{satellite} has no data source" + (" for that" if found else "")
        yield Check(
            f"site {site.short_name}",
            Verdict.LIMITED if soft else Verdict.BROKEN,
            f"{what}: nothing of it {lack}" + (", which no run waits for" if soft else " and its runs wait for ever"),
            f"'s4c source add', or 's4c config set {satellite}.enabled false --site {site.short_name}'",
        )
