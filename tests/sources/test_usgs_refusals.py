"""What the USGS says when it gives nothing: refusals told apart, keys that end, nonsense; and no secret is seen."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from s4c_lib.errors import (
    SourceError,
    SourceRefusedError,
    SourceThrottledError,
)
from s4c_lib.sources.catalogue import CatalogueOptions
from s4c_lib.sources.credentials import Credentials
from s4c_lib.sources.http_transfer import fetch_http
from s4c_lib.sources.usgs_catalogue import UsgsCatalogue
from tests.sources.m2m_server import TOKEN, USER, M2mServer, failed
from tests.sources.usgs_cases import ACCOUNT, QUERY, QUICK, Open, bundle, fetch, first, m2m, opened

__all__ = ["bundle", "m2m", "opened"]


WRONG = [
    ("RATE_LIMIT", 200, SourceThrottledError, 10.0),
    ("RATE_LIMIT_USER_DL", 200, SourceThrottledError, 900.0),
    ("DOWNLOAD_RATE_LIMIT", 429, SourceThrottledError, 900.0),
    ("SOMETHING", 429, SourceThrottledError, None),
    ("AUTH_UNAUTHROIZED", 403, SourceRefusedError, None),
    ("AUTH_UNAUTHORIZED", 200, SourceRefusedError, None),
    ("UNAUTHORIZED_USER", 200, SourceRefusedError, None),
    ("DATASET_AUTH", 200, SourceRefusedError, None),
    ("SOMETHING", 403, SourceRefusedError, None),
    ("SERVER_ERROR", 500, SourceError, None),
    ("SEARCH_ERROR", 200, SourceError, None),
    ("NOT_FOUND", 404, SourceError, None),
]


@pytest.mark.parametrize(("code", "status", "kind", "wait"), WRONG)
def test_refusals_are_told_apart(
    opened: Open, m2m: M2mServer, code: str, status: int, kind: type[SourceError], wait: float | None
) -> None:
    catalogue = opened()
    catalogue.health()
    m2m.failures = [failed(code, f"not now, {m2m.keys[0]}", status=status)]
    with pytest.raises(SourceError, match="USGS: cannot search: not now") as caught:
        catalogue.search(QUERY)
    assert type(caught.value) is kind
    assert code in caught.value.message
    assert m2m.keys[0] not in caught.value.message
    if isinstance(caught.value, SourceThrottledError):
        assert caught.value.retry_after == wait


def test_a_time_to_wait_that_the_server_states_is_kept(opened: Open, m2m: M2mServer) -> None:
    catalogue = opened()
    catalogue.health()
    m2m.failures = [(429, {"Retry-After": "77"}, b"slow down"), (503, {"Retry-After": "78"}, b"<html>")]
    for seconds in (77, 78):
        with pytest.raises(SourceThrottledError) as caught:
            catalogue.search(QUERY)
        assert caught.value.retry_after == seconds


def test_a_key_that_has_ended_is_replaced_once(opened: Open, m2m: M2mServer) -> None:
    catalogue = opened()
    catalogue.search(QUERY)
    m2m.keys.clear()
    assert len(catalogue.search(QUERY).candidates) == 2
    assert m2m.logins == 2
    ended = failed("AUTH_EXPIRED", "key expired", status=403)
    m2m.failures = [ended, (200, {}, {"data": "another", "errorCode": None}), ended]
    with pytest.raises(SourceRefusedError, match="key expired"):
        catalogue.search(QUERY)


def test_a_wrong_account_is_refused(opened: Open, m2m: M2mServer) -> None:
    wrong = Credentials(USER, "the-password-of-the-account")
    with pytest.raises(SourceRefusedError, match="verification failed") as caught:
        opened(wrong).search(QUERY)
    assert "application token" in caught.value.hint
    asked = len(m2m.asked)
    for account in (None, Credentials(None, TOKEN), Credentials(USER)):
        with pytest.raises(SourceRefusedError, match="no account of the USGS"):
            opened(account).search(QUERY)
    assert len(m2m.asked) == asked
    assert opened(Credentials(USER, extra={"token": TOKEN})).health().ok


NONSENSE: list[tuple[int, dict[str, str], Any]] = [
    (200, {}, b"<html>maintenance</html>"),
    (200, {}, []),
    (200, {}, {"errorCode": None}),
    (200, {}, {"data": {"results": [{}], "totalHits": 1}}),
    (200, {}, {"data": None}),
    (302, {"Location": "/elsewhere"}, b""),
]


@pytest.mark.parametrize("answer", NONSENSE)
def test_an_answer_that_is_none_is_an_error(opened: Open, m2m: M2mServer, answer: tuple[int, Any, Any]) -> None:
    catalogue = opened()
    catalogue.health()
    m2m.failures = [answer]
    with pytest.raises(SourceError, match="cannot search: its answer is not understood"):
        catalogue.search(QUERY)
    # the key went nowhere else
    assert m2m.endpoints[-1] == "scene-search"


def test_health_is_one_login_and_one_question(opened: Open, m2m: M2mServer) -> None:
    report = opened().health()
    assert (report.ok, report.text) == (True, "answers and takes the account")
    assert m2m.endpoints == ["login-token", "permissions"]
    m2m.rights = ["user"]
    report = opened().health()
    assert not report.ok
    assert "may not download" in report.text
    assert "no account" in opened(None).health().text
    away = UsgsCatalogue("USGS", "l8", {"api_url": "http://127.0.0.1:9/"}, ACCOUNT, CatalogueOptions())
    assert "refuses connections" in away.health().text


def test_the_key_is_given_back(opened: Open, m2m: M2mServer) -> None:
    catalogue = opened()
    catalogue.close()
    assert m2m.asked == []
    catalogue.health()
    catalogue.close()
    assert (m2m.endpoints[-1], m2m.keys) == ("logout", [])
    catalogue.health()
    m2m.failures = [failed("SERVER_ERROR", "down", status=500)]
    catalogue.close()
    assert m2m.endpoints[-1] == "logout"


def test_nothing_secret_is_seen_anywhere(
    opened: Open, m2m: M2mServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    catalogue = opened()
    candidate = first(catalogue)
    fetch(catalogue, tmp_path)
    download = catalogue.locate(candidate)
    # of no use any more, and there is no better one
    m2m.signatures += 1
    with pytest.raises(SourceRefusedError) as caught:
        fetch_http(lambda _: download, candidate.name, tmp_path / "other", QUICK)
    kept = [path.read_text() for path in (tmp_path / "other").rglob("*.json")]
    seen = [caplog.text, repr(download), repr(caught.value), caught.value.one_line, candidate.address, *kept]
    assert caplog.records
    for secret in (TOKEN, "SIGNED", *m2m.keys):
        assert not [text for text in seen if secret in text], secret
    assert all(item.headers["Content-Type"] == "application/json" for item in m2m.asked)
    assert not any(TOKEN in item.endpoint or "?" in item.endpoint for item in m2m.asked)
