"""Notices on their way: a mail server and a web hook that really answer, through Airflow's connections."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog
from airflow.sdk.exceptions import AirflowFailException
from domain_rows import ACTOR, NOW, make_enabled
from mail_server import MailServer, mail_server
from web_hook import WebHook, web_hook

from operators.notify import AirflowPost, NotifyOperator
from s4c_airflow.dag_factory import build
from s4c_airflow.failure_notifier import FailureNotifier
from s4c_airflow.global_dags import sync_dag
from s4c_lib.catalog.config_values import set_value
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.manifest_export import build_manifest
from s4c_lib.catalog.notice_rows import Notice
from s4c_lib.catalog.source_state import open_circuit
from s4c_lib.errors import InputError
from s4c_lib.manifest import DagEntry, Manifest, write_manifest
from s4c_lib.notices import message
from s4c_lib.notices.finding import Event
from s4c_lib.notices.post import DeliveryError

SECRET = "T0pSecretPath"


def notice(event: Event = Event.JOB_FAILED, words: str = "alpha 2024 s4c_l4a failed", **more: Any) -> Notice:
    fields: dict[str, Any] = {"site": "alpha", "season": "2024", "site_id": 1, "remedy": "", "ended_at": None} | more
    return Notice(id=1, event=event, text=words, found_at=datetime(2024, 6, 1, 9, tzinfo=UTC), **fields)


@pytest.fixture
def mails(monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    with mail_server() as server:
        connect(monkeypatch, "post_office", server.port)
        yield server


def connect(monkeypatch: pytest.MonkeyPatch, name: str, port: int) -> None:
    account = {"host": "127.0.0.1", "port": port, "login": "s4c", "password": "mail-password"}
    extra = {"disable_ssl": True, "disable_tls": True, "from_email": "s4c@agency.example", "timeout": 5}
    monkeypatch.setenv(
        f"AIRFLOW_CONN_{name.upper()}",
        json.dumps({"conn_type": "smtp", **account, "extra": extra | {"retry_limit": 0}}),
    )


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebHook]:
    with web_hook() as server:
        extra = {"url": f"http://127.0.0.1:{server.port}/services/{SECRET}"}
        monkeypatch.setenv(
            "AIRFLOW_CONN_CHAT", json.dumps({"conn_type": "http", "password": "bearer-token", "extra": extra})
        )
        yield server


def test_a_mail_arrives_as_it_was_meant(mails: MailServer) -> None:
    some = [notice(words="Prüfung <b>& mehr</b>", remedy="s4c jobs show 7"), notice(Event.DISK_HARD, "full", site=None)]
    AirflowPost().mail(
        "post_office",
        sender=None,
        recipients=["a@agency.example", "b@agency.example"],
        subject=message.subject(some),
        page=message.page(some),
    )
    (mail,) = mails.mails
    assert (mail.sender, mail.recipients) == ("s4c@agency.example", ["a@agency.example", "b@agency.example"])
    assert mail.subject == "[Sen4CAP] 2 notices: 1 × disk full, work is held back, 1 × run failed"
    assert "Prüfung &lt;b&gt;&amp; mehr&lt;/b&gt;" in mail.html
    assert "s4c jobs show 7" in mail.html
    assert base64.b64decode(mails.accounts[0].split()[-1]).split(b"\0")[-2:] == [b"s4c", b"mail-password"]


def test_a_line_break_in_a_name_adds_no_header(mails: MailServer) -> None:
    AirflowPost().mail(
        "post_office",
        sender="own@agency.example",
        recipients=["a@agency.example"],
        subject=message.subject([notice(site="alpha\r\nBcc: x@evil.example")]),
        page="-",
    )
    assert mails.mails[0].recipients == ["a@agency.example"]
    assert mails.mails[0].message["Bcc"] is None
    assert mails.mails[0].sender == "own@agency.example"


def test_a_mail_that_is_refused_says_so_without_the_password(mails: MailServer) -> None:
    mails.refusing = True
    with pytest.raises(DeliveryError, match=r"'post_office' did not take a mail .*relaying denied") as caught:
        AirflowPost().mail("post_office", sender=None, recipients=["a@agency.example"], subject="-", page="-")
    assert "mail-password" not in repr(caught.value) + repr(caught.value.__cause__)
    assert mails.mails == []


def test_a_missing_connection_is_named() -> None:
    with pytest.raises(DeliveryError, match="'nowhere'"):
        AirflowPost().mail("nowhere", sender=None, recipients=["a@agency.example"], subject="-", page="-")
    with pytest.raises(InputError, match="no connection 'nowhere'"):
        AirflowPost().webhook("nowhere", {})


def test_a_web_hook_gets_text_for_people_and_fields_for_programs(hook: WebHook) -> None:
    over = notice(Event.SOURCE_DOWN, "cdse refuses", ended_at=datetime(2024, 6, 1, 10, 30, tzinfo=UTC))
    AirflowPost().webhook("chat", message.document([notice(), over]))
    (posted,) = hook.posts
    assert posted["text"].splitlines() == [
        "[Sen4CAP] 2 notices: 1 × data source refuses, 1 × run failed",
        "• run failed: alpha 2024 s4c_l4a failed",
        "• data source refuses, over since 10:30Z: cdse refuses",
    ]
    assert [item["event"] for item in posted["notices"]] == ["job_failed", "source_down"]
    assert (hook.paths, hook.tokens) == ([f"/services/{SECRET}"], ["Bearer bearer-token"])


@pytest.mark.parametrize("status", [302, 403, 500])
def test_a_web_hook_that_does_not_take_it_is_a_failure_without_its_address(
    hook: WebHook, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    hook.status = status
    with caplog.at_level(logging.INFO), pytest.raises(DeliveryError, match=f"127.0.0.1 answers HTTP {status}") as error:
        AirflowPost().webhook("chat", {})
    assert SECRET not in caplog.text + repr(error.value)


def test_a_web_hook_that_is_away_keeps_its_address_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"url": f"http://127.0.0.1:1/{SECRET}"}
    monkeypatch.setenv("AIRFLOW_CONN_CHAT", json.dumps({"conn_type": "http", "extra": extra}))
    with pytest.raises(DeliveryError, match=r"127\.0\.0\.1 cannot be reached") as error:
        AirflowPost().webhook("chat", {})
    assert SECRET not in repr(error.value)
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"host": "http://127.0.0.1:{port}/all/of/it"}, "/all/of/it"),
        ({"host": "127.0.0.1", "port": "{port}", "schema": "http"}, "/"),
    ],
)
def test_a_web_hook_may_be_given_as_airflow_gives_http_connections(
    hook: WebHook, monkeypatch: pytest.MonkeyPatch, fields: dict[str, str], path: str
) -> None:
    given = {name: value.format(port=hook.port) for name, value in fields.items()}
    monkeypatch.setenv("AIRFLOW_CONN_CHAT", json.dumps({"conn_type": "http", **given}))
    AirflowPost().webhook("chat", {"text": "x"})
    assert (hook.paths, hook.tokens) == ([path], [None])


def test_a_connection_without_an_address_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CHAT", json.dumps({"conn_type": "http"}))
    with pytest.raises(InputError, match="holds no HTTP address"):
        AirflowPost().webhook("chat", {})


@pytest.fixture
def told(
    database: Database, database_url: str, mails: MailServer, hook: WebHook, monkeypatch: pytest.MonkeyPatch
) -> Database:
    """A site whose notifications go to both doubles."""
    monkeypatch.setenv("AIRFLOW_CONN_S4C_DB", database_url)
    with database.begin() as connection:
        make_enabled(connection)
        for key, value in {
            "notify.enabled": True,
            "notify.recipients": ["team@agency.example"],
            "notify.connection_id": "post_office",
            "notify.webhook_connection_id": "chat",
        }.items():
            set_value(connection, key, value, actor=ACTOR)
    return database


def test_airflow_tells_of_a_failed_run_once_by_mail_and_web_hook(
    told: Database, mails: MailServer, hook: WebHook, tmp_path: Path
) -> None:
    """The callback as Airflow's DAG processor runs it, with the DAG that the factory makes."""
    from airflow.callbacks.callback_requests import DagCallbackRequest
    from airflow.dag_processing.dagbag import DagBag
    from airflow.dag_processing.processor import _execute_dag_callbacks

    with told.begin() as connection:
        manifest = build_manifest(connection, today=NOW.date(), has_active_runs=lambda _: False)
    entry = next(item for item in manifest.dags if item.processor == "lpis")
    bag = DagBag(str(tmp_path), bundle_name="tests")
    bag.bag_dag(build(entry, manifest))
    request = DagCallbackRequest(
        filepath="x.py", bundle_name="tests", bundle_version=None, dag_id=entry.dag_id, run_id="manual__1", msg="failed"
    )
    for _ in range(2):
        _execute_dag_callbacks(bag, request, structlog.get_logger())
    assert [mail.subject for mail in mails.mails] == ["[Sen4CAP] alpha: run failed"]
    assert [posted["notices"][0]["text"] for posted in hook.posts] == ["A run of alpha__declarations failed."]


def test_the_task_tells_what_it_finds_and_fails_when_nobody_takes_it(
    told: Database, mails: MailServer, hook: WebHook
) -> None:
    now = datetime.now(UTC)
    with told.begin() as connection:
        set_value(connection, "notify.events", ["source_down"], actor=ACTOR)
        open_circuit(connection, "cdse", until=now, reason="refused", error="HTTP 401", now=now)
    mails.refusing = True
    with pytest.raises(AirflowFailException, match="1 notifications were not taken"):
        NotifyOperator(task_id="notify").execute({})
    assert len(hook.posts) == 1
    mails.refusing = False
    counts = NotifyOperator(task_id="notify").execute({})
    assert counts == {"found": 1, "new": 0, "messages": 1, "failures": 0}
    assert "cdse is not asked" in mails.mails[0].html
    assert len(hook.posts) == 1


def test_notifications_put_their_task_and_callbacks_into_the_dags(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("S4C_MANIFEST_PATH", str(tmp_path / "m.json"))
    tasks = {}
    for notifies in (False, True):
        write_manifest(tmp_path / "m.json", Manifest(notifies=notifies))
        dag = sync_dag()
        tasks[notifies] = {task.task_id: (task.is_teardown, task.upstream_task_ids) for task in dag.tasks}
    assert tasks == {
        False: {"synchronise": (False, set())},
        # a teardown: told also when the synchronisation failed, which the run then shows
        True: {"synchronise": (False, set()), "notify": (True, {"synchronise"})},
    }
    entry = DagEntry("alpha__declarations", "lpis", "alpha", "Alpha", "", "", "", "", "", True, "by hand")
    quiet, loud = build(entry, Manifest()), build(entry, Manifest(notifies=True, guarded=("alpha",)))
    assert (quiet.on_failure_callback, quiet.access_control) == (None, None)
    assert isinstance(loud.on_failure_callback, FailureNotifier)
    assert loud.access_control == {
        "site_alpha_operator": {"DAGs": {"can_read", "can_edit"}},
        "site_alpha_viewer": {"DAGs": {"can_read"}},
    }
    assert build(entry, Manifest(guarded=("beta",))).access_control is None
