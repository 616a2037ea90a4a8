"""What operators are told: each finding once, to those who asked, when they asked for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from database_server import DatabaseServer
from domain_rows import ACTOR, make_acquisition, make_enabled, make_job, make_season, make_site
from sqlalchemy import Connection, text

from s4c_lib.catalog import jobs, notable, seasons
from s4c_lib.catalog import sites as site_rows
from s4c_lib.catalog.config_values import set_value, snapshot
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.jobs import JobState
from s4c_lib.catalog.seasons import Season
from s4c_lib.catalog.sites import Site
from s4c_lib.catalog.source_state import close_circuit, open_circuit
from s4c_lib.errors import SourceRefusedError
from s4c_lib.notices import disks
from s4c_lib.notices.finding import Event
from s4c_lib.notices.post import DeliveryError
from s4c_lib.notices.rounds import Round, notify, notify_of_failed_run
from s4c_lib.scheduling.dates import SeasonDates

# the rows of a test are made by the clock of the database
NOW = datetime.now(UTC)
TEAM, OTHERS = "team@agency.example", "others@agency.example"


class Letterbox:
    """Keeps what is sent; mail and web hook can be out of order."""

    def __init__(self) -> None:
        self.mails: list[tuple[tuple[str, ...], str, str]] = []
        self.documents: list[Mapping[str, Any]] = []
        self.out_of_order: set[str] = set()

    def mail(
        self, connection_id: str, *, sender: str | None, recipients: Sequence[str], subject: str, page: str
    ) -> None:
        if "mail" in self.out_of_order:
            raise DeliveryError("The mail server is away.")
        self.mails.append((tuple(recipients), subject, page))

    def webhook(self, connection_id: str, document: Mapping[str, Any]) -> None:
        if "webhook" in self.out_of_order:
            raise DeliveryError("The web hook is away.")
        self.documents.append(document)

    def pages(self) -> str:
        return "\n".join(page for _, _, page in self.mails)


@pytest.fixture(scope="module")
def own_url(postgres: DatabaseServer, migrated_template: str) -> Iterator[str]:
    url = postgres.create(migrated_template)
    yield url
    postgres.drop(url)


@pytest.fixture
def database(own_url: str) -> Iterator[Database]:
    """A database without sites and notices, the same for all tests of this file: making one takes a second."""
    database = Database(own_url)
    yield database
    with database.begin() as connection:
        for table in ("site", "notice", "source_state", "config_value"):
            connection.execute(text(f"DELETE FROM s4c.{table}"))
    database.engine.dispose()


@pytest.fixture
def post() -> Letterbox:
    return Letterbox()


@pytest.fixture
def season(database: Database, tmp_path: Path) -> Season:
    """A season of this year on a machine with room, whose team is told everything."""
    this_year = SeasonDates(date(NOW.year, 1, 1), date(NOW.year, 6, 1), date(NOW.year, 12, 31))
    with database.begin() as connection:
        _, made = make_enabled(connection, dates=this_year)
        for processor in ("s4c_l4a", "s4c_l4b", "s4c_l4c"):
            seasons.set_processor(connection, made, processor, enabled=False)
        for key, value in {
            "notify.enabled": True,
            "notify.recipients": [TEAM],
            "storage.products_path": str(tmp_path),
            "storage.min_free_gb": 0,
            "storage.hard_free_pct": 0,
            "storage.soft_free_pct": 0,
        }.items():
            set_value(connection, key, value, actor=ACTOR)
    return made


def fail_job(database: Database, season: Season, key: str = "run 1", detail: str = "disk <full>") -> int:
    with database.begin() as connection:
        job = make_job(connection, season, key)
        jobs.finish(connection, job.id, JobState.FAILED, reason="out_of_disk", detail=detail)
    return job.id


def setting(database: Database, key: str, value: Any, site: Site | None = None) -> None:
    with database.begin() as connection:
        set_value(connection, key, value, actor=ACTOR, site=site)


def later(hours: float) -> datetime:
    return NOW + timedelta(hours=hours)


def test_a_failed_run_is_told_once_and_its_repetition_again(
    database: Database, season: Season, post: Letterbox
) -> None:
    number = fail_job(database, season)
    first = notify(database, post, now=NOW)
    assert first.counts() == {"found": 1, "new": 1, "messages": 1, "failures": 0}
    recipients, subject, page = post.mails[0]
    assert (recipients, subject) == ((TEAM,), f"[Sen4CAP] alpha {season.short_name}: run failed")
    # what a run says is no markup
    assert "out_of_disk: disk &lt;full&gt;" in page
    assert f"s4c jobs show {number}" in page
    assert notify(database, post, now=later(1)).counts() == {"found": 1, "new": 0, "messages": 0, "failures": 0}
    fail_job(database, season)  # the same run, cleared and failed again
    notify(database, post, now=later(2))
    assert len(post.mails) == 2


def test_nothing_is_told_unless_somebody_asked(database: Database, season: Season, post: Letterbox) -> None:
    fail_job(database, season)
    setting(database, "notify.enabled", False)
    assert notify(database, post, now=NOW) == Round()
    setting(database, "notify.enabled", True)
    setting(database, "notify.events", ["disk_hard"])
    assert notify(database, post, now=NOW).found == 0
    assert not post.mails


def test_each_site_tells_its_own_people(database: Database, season: Season, post: Letterbox) -> None:
    with database.begin() as connection:
        site, second = make_enabled(connection, "Beta")
        for processor in ("s4c_l4a", "s4c_l4b", "s4c_l4c"):
            seasons.set_processor(connection, second, processor, enabled=False)
        set_value(connection, "notify.recipients", [OTHERS], actor=ACTOR, site=site)
    fail_job(database, season, detail="first")
    fail_job(database, second, detail="second")
    assert notify(database, post, now=NOW).messages == 2
    by_people = {recipients: page for recipients, _, page in post.mails}
    assert "first" in by_people[(TEAM,)]
    assert "second" not in by_people[(TEAM,)]
    assert "second" in by_people[(OTHERS,)]
    assert "first" not in by_people[(OTHERS,)]


def test_a_digest_collects_for_a_day_and_what_is_urgent_does_not_wait(
    database: Database, season: Season, post: Letterbox
) -> None:
    setting(database, "notify.digest", "daily")
    fail_job(database, season, "run 1")
    assert notify(database, post, now=NOW).messages == 0
    fail_job(database, season, "run 2")
    refuse(database, "cdse", later(1))
    assert notify(database, post, now=later(1)).messages == 1
    assert "cdse is not asked" in post.pages()
    assert notify(database, post, now=later(23)).messages == 0
    assert notify(database, post, now=later(24)).messages == 1
    assert post.mails[-1][1] == "[Sen4CAP] 2 notices: 2 × run failed"
    assert notify(database, post, now=later(48)).messages == 0


def refuse(database: Database, name: str, now: datetime) -> None:
    with database.begin() as connection:
        error = SourceRefusedError(f"{name} answers HTTP 401.")
        open_circuit(
            connection, name, until=now + timedelta(minutes=15), reason="refused", error=error.message, now=now
        )


def test_case_33_a_source_that_refuses_is_told_once_each_time(
    database: Database, season: Season, post: Letterbox
) -> None:
    refuse(database, "cdse", NOW)
    assert notify(database, post, now=NOW).messages == 1
    refuse(database, "cdse", later(1))  # still refused after its pause
    assert notify(database, post, now=later(1)).messages == 0
    with database.begin() as connection:
        close_circuit(connection, "cdse", now=later(2))
    assert notify(database, post, now=later(2)).messages == 0
    refuse(database, "cdse", later(3))
    assert notify(database, post, now=later(3)).messages == 1


def test_what_a_channel_does_not_take_goes_out_later_and_hinders_no_other(
    database: Database, season: Season, post: Letterbox
) -> None:
    setting(database, "notify.webhook_connection_id", "chat")
    fail_job(database, season)
    post.out_of_order = {"mail"}
    outcome = notify(database, post, now=NOW)
    assert (outcome.messages, outcome.failures) == (1, ["The mail server is away."])
    with pytest.raises(DeliveryError, match="1 notifications were not taken: The mail server is away"):
        outcome.enforce()
    assert not post.mails
    assert post.documents[0]["notices"][0]["event"] == "job_failed"
    post.out_of_order = set()
    assert notify(database, post, now=later(1)).messages == 1
    assert (len(post.mails), len(post.documents)) == (1, 1)


def test_a_failure_told_at_once_is_not_told_by_the_next_round(
    database: Database, season: Season, post: Letterbox
) -> None:
    number = fail_job(database, season)
    with database.begin() as connection:
        connection.execute(
            text("UPDATE s4c.job SET airflow_dag_id = 'alpha__x__l4a', airflow_run_id = 'manual' WHERE id = :id"),
            {"id": number},
        )
    assert notify_of_failed_run(database, post, "alpha__x__l4a", "manual", now=NOW).messages == 1
    assert "out_of_disk" in post.pages()
    assert notify_of_failed_run(database, post, "alpha__x__l4a", "manual", now=NOW).messages == 0
    assert notify(database, post, now=later(1)).messages == 0


def test_a_run_without_a_job_is_told_to_the_people_of_its_site(
    database: Database, season: Season, post: Letterbox
) -> None:
    with database.begin() as connection:
        set_value(
            connection, "notify.recipients", [OTHERS], actor=ACTOR, site=site_rows.get_site(connection, season.site)
        )
    notify_of_failed_run(database, post, "alpha__declarations", "manual__1", now=NOW)
    assert notify(database, post, now=later(1)).new == 0
    (recipients, _, page), *more = post.mails
    assert (recipients, more) == ((OTHERS,), [])
    assert "alpha__declarations failed" in page
    assert "manual__1" in page


def test_what_failed_long_ago_is_not_told_when_notifications_are_switched_on(
    database: Database, season: Season, post: Letterbox
) -> None:
    fail_job(database, season)
    assert notify(database, post, now=NOW + timedelta(days=8)).found == 0


def test_an_acknowledged_failure_is_known(database: Database, season: Season, post: Letterbox) -> None:
    number = fail_job(database, season)
    with database.begin() as connection:
        jobs.acknowledge(connection, number, ACTOR)
    assert notify(database, post, now=NOW).found == 0


def test_a_run_that_waits_longer_than_it_may_is_overdue(database: Database, season: Season, post: Letterbox) -> None:
    with database.begin() as connection:
        make_job(connection, season, "waits", as_of=date(NOW.year, 5, 31))
    assert notify(database, post, now=NOW + timedelta(days=4)).found == 0
    assert notify(database, post, now=NOW + timedelta(days=6)).messages == 1
    assert f"s4c_l4a up to {NOW.year}-05-31 waits since" in post.pages()


def test_a_due_date_without_any_run_is_overdue(connection: Connection) -> None:
    make_enabled(connection)
    day = datetime(2024, 5, 6, 12, tzinfo=UTC)
    # L4A is due on 1 May, the middle of the season, and may begin five days later
    before = notable.overdue_runs(connection, now=day - timedelta(days=1))
    found = {item.subject: item.text for item in notable.overdue_runs(connection, now=day)}
    assert not [item for item in before if "s4c_l4a" in item.text]
    assert [words for words in found.values() if "s4c_l4a was due on 2024-05-01 and has not begun" in words]


def test_a_past_season_is_never_overdue(connection: Connection) -> None:
    make_enabled(connection)
    assert notable.overdue_runs(connection, now=datetime(2025, 5, 6, tzinfo=UTC)) == []


def test_searches_that_keep_failing_are_one_notice_a_satellite(connection: Connection) -> None:
    _, season = make_enabled(connection)
    statement = text(
        "INSERT INTO s4c.query_window (season_id, satellite_id, date_from, date_to, state, attempts, error) "
        "VALUES (:season, 1, :first, :last, 'failed', :attempts, :error)"
    )
    for day, attempts in ((1, 3), (11, 4), (21, 2)):
        values = {"first": date(2024, 5, day), "last": date(2024, 5, day + 9), "attempts": attempts}
        connection.execute(statement, {"season": season.id, "error": f"HTTP 50{day}", **values})
    (found,) = notable.failing_windows(connection)
    assert found.text == "alpha 2024: 2 searches for s2 fail, the first from 2024-05-01: HTTP 501"
    seasons.set_enabled(connection, season, False)
    assert notable.failing_windows(connection) == []


def test_a_source_that_asks_to_wait_is_told_only_after_an_hour(connection: Connection) -> None:
    open_circuit(connection, "hub", until=later(9), reason="throttled", error="HTTP 429", now=NOW)
    assert notable.refusing_sources(connection, now=later(0.9)) == []
    assert [item.event for item in notable.refusing_sources(connection, now=later(1.1))] == [Event.SOURCE_DOWN]


@pytest.mark.parametrize(("failed", "told"), [(1, False), (2, True)])
def test_more_than_five_per_cent_of_failed_acquisitions_are_told(
    connection: Connection, failed: int, told: bool
) -> None:
    site, _ = make_enabled(connection)
    for number in range(20):
        make_acquisition(connection, site, f"product {number}", state="aborted" if number < failed else "processed")
    found = notable.many_failed(connection, now=datetime(2024, 6, 1, tzinfo=UTC))
    assert [item.text for item in found] == (
        [f"alpha 2024: {failed} of 20 acquisitions of s2 (10 %) failed for good, more than 5 %"] if told else []
    )


def test_few_acquisitions_give_no_share(connection: Connection) -> None:
    site, _ = make_enabled(connection)
    make_acquisition(connection, site, "only", state="aborted")
    assert notable.many_failed(connection, now=datetime(2024, 6, 1, tzinfo=UTC)) == []


@pytest.mark.parametrize(
    ("key", "event"),
    [
        ("storage.soft_free_pct", Event.DISK_SOFT),
        ("storage.hard_free_pct", Event.DISK_HARD),
        ("storage.min_free_gb", Event.DISK_HARD),
    ],
)
def test_a_disk_that_fills_up_is_one_finding(connection: Connection, tmp_path: Path, key: str, event: Event) -> None:
    """The thresholds are put where the disk of this machine fails them; folders on one disk are told once."""
    make_site(connection)
    values = {"storage.min_free_gb": 0, "storage.hard_free_pct": 0, "storage.soft_free_pct": 0}
    values |= {"storage.soft_free_pct": 100} if key == "storage.hard_free_pct" else {}
    paths = {"storage.products_path": tmp_path / "products"}
    paths |= {f"downloader.{name}.write-dir": tmp_path / "down" / name for name in ("s1", "s2", "l8")}
    for name, value in {**values, **{name: str(path) for name, path in paths.items()}}.items():
        set_value(connection, name, value, actor=ACTOR)
    set_value(connection, key, 1_000_000 if key == "storage.min_free_gb" else 100, actor=ACTOR)
    (found,) = disks.full_disks(snapshot(connection, today=NOW.date()), ["alpha"])
    assert found.event is event
    assert str(tmp_path) in found.text


def test_rounds_and_callbacks_of_two_processes_tell_once(
    database: Database, own_url: str, season: Season, post: Letterbox
) -> None:
    """A second process is in the middle of telling; the first waits for it and has nothing left to tell."""
    import threading

    fail_job(database, season)
    other = Database(own_url)
    entered, proceed = threading.Event(), threading.Event()

    class Slow(Letterbox):
        def mail(self, *arguments: Any, **more: Any) -> None:
            entered.set()
            assert proceed.wait(30)
            super().mail(*arguments, **more)

    slow = Slow()
    first = threading.Thread(target=notify, args=(other, slow), kwargs={"now": NOW})
    first.start()
    assert entered.wait(30)
    second = threading.Thread(target=notify, args=(database, post), kwargs={"now": NOW})
    second.start()
    proceed.set()
    first.join(30)
    second.join(30)
    other.engine.dispose()
    assert (len(slow.mails), len(post.mails)) == (1, 0)


def test_a_deleted_site_takes_its_notices_along(database: Database, season: Season, post: Letterbox) -> None:
    fail_job(database, season)
    notify(database, post, now=NOW)
    with database.begin() as connection:
        connection.execute(text("DELETE FROM s4c.site"))
        assert connection.execute(text("SELECT count(*) FROM s4c.notice")).scalar_one() == 0


def test_an_old_notice_is_forgotten_once_it_is_over(database: Database, season: Season, post: Letterbox) -> None:
    refuse(database, "cdse", NOW)
    notify(database, post, now=NOW)
    with database.begin() as connection:
        close_circuit(connection, "cdse", now=later(1))
    notify(database, post, now=later(2))
    notify(database, post, now=NOW + timedelta(days=91))
    with database.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM s4c.notice")).scalar_one() == 0


def test_make_season_is_not_needed_for_the_installation(connection: Connection) -> None:
    """A site without a season, not enabled, tells nothing and breaks nothing."""
    make_season(connection, make_site(connection))
    assert notable.overdue_runs(connection, now=NOW) == []
    assert notable.many_failed(connection, now=NOW) == []
