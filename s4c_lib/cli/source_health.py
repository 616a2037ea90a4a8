"""Whether a data source answers: one cheap query, within a time limit."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from s4c_lib.errors import NotFoundError, Sen4capError

if TYPE_CHECKING:
    from s4c_lib.catalog.data_sources import DataSource
    from s4c_lib.cli.session import Session
    from s4c_lib.sources.model import HealthReport

LONGEST_SECONDS = 30.0


def source_health(session: Session, source: DataSource, *, seconds: float = LONGEST_SECONDS) -> HealthReport:
    """Ask a source whether it can be used now.

    What is asked of a provider is put on the source's account. One that asked to wait is not asked before its time.

    Raises
    ------
    NotFoundError : the account of the source is not in the environment.
    """
    from s4c_lib.sources.model import HealthReport

    report = _within(seconds, lambda: _remote(session, source, seconds) if source.remote else _local(source))
    if isinstance(report, HealthReport):
        return report
    if isinstance(report, NotFoundError):
        raise report
    if report is None:
        return HealthReport(source.name, False, f"does not answer within {seconds:g} s")
    return HealthReport(source.name, False, report.one_line)


def _within(seconds: float, ask: Callable[[], HealthReport]) -> HealthReport | Sen4capError | None:
    """Return the answer, the error instead of one, or None when it takes too long.

    What hangs (a dead mount) cannot be ended; it is left behind in a thread that does not keep the program alive.
    """
    answers: queue.Queue[HealthReport | Sen4capError | Exception] = queue.Queue()

    def work() -> None:
        try:
            answers.put(ask())
        except Exception as error:  # noqa: BLE001 - raised again by who waits
            answers.put(error)

    threading.Thread(target=work, name="source health", daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty:
        return None
    if isinstance(answer, Exception) and not isinstance(answer, Sen4capError):
        raise answer
    return answer


def _local(source: DataSource) -> HealthReport:
    from pathlib import Path

    from s4c_lib.sources.local_archive import LocalArchive

    return LocalArchive(Path(str(source.local_root)), source.path_template, name=source.name).health()


def _remote(session: Session, source: DataSource, seconds: float) -> HealthReport:
    from s4c_lib.catalog import source_state, source_usage
    from s4c_lib.reasons import Reason
    from s4c_lib.sources.catalogue import CatalogueOptions
    from s4c_lib.sources.model import HealthReport
    from s4c_lib.sources.opening import open_catalogue
    from s4c_lib.vault import environment_vault

    with session.read() as connection:
        circuit = source_state.circuit(connection, source.name, now=session.now())
        per_minute = source_usage.limits(connection, source.name).requests_per_minute
    if circuit is not None and circuit.reason == Reason.THROTTLED:
        return HealthReport(source.name, False, circuit.text)
    asked = 0

    def gate() -> None:
        nonlocal asked
        asked += 1
        with session.read() as connection:
            wait = source_state.reserve_request(connection, source.name, per_minute=per_minute, now=session.now())
        time.sleep(wait)

    options = CatalogueOptions(timeout_seconds=seconds, page_size=1, gate=gate)
    catalogue = open_catalogue(source.spec(), environment_vault(), options)
    try:
        return catalogue.health()
    finally:
        catalogue.close()
        if asked:
            with session.read() as connection:
                source_usage.record(connection, source.name, day=session.today(), requests=asked)
