"""Accounts from the environment, as Airflow writes and reads them."""

from __future__ import annotations

import json
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from s4c_lib.errors import InputError, NotFoundError
from s4c_lib.settings import airflow_connection
from s4c_lib.sources.credentials import Credentials
from s4c_lib.vault import environment_vault


def account(text: str) -> Credentials:
    return environment_vault(lambda _: SecretStr(text))("cdse_account")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("generic://me:p%40ss%2Fword@", Credentials("me", "p@ss/word")),
        (
            "http://me:word@host.example:8080/path?apikey=k%26y&totp=12",
            Credentials("me", "word", {"apikey": "k&y", "totp": "12"}),
        ),
        (
            "generic://?__extra__=%7B%22apikey%22%3A+%22k%22%2C+%22n%22%3A+1%7D",
            Credentials(None, None, {"apikey": "k", "n": "1"}),
        ),
        ('{"conn_type": "generic", "login": "me", "password": "p\\"@/"}', Credentials("me", 'p"@/')),
        (
            '{"login": "me", "password": "x", "extra": {"apikey": "k", "none": null}}',
            Credentials("me", "x", {"apikey": "k"}),
        ),
        ('  {"password": "x", "extra": "{\\"apikey\\": \\"k\\"}"}', Credentials(None, "x", {"apikey": "k"})),
    ],
)
def test_both_forms_of_airflow_are_read(text: str, expected: Credentials) -> None:
    assert account(text) == expected


@given(
    login=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20),
    password=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30),
    key=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30),
)
def test_what_airflow_writes_comes_back(login: str, password: str, key: str) -> None:
    from airflow.sdk import Connection

    written = Connection(
        conn_id="c", conn_type="generic", login=login, password=password, extra=json.dumps({"apikey": key})
    )
    expected = Credentials(login, password, {"apikey": key})
    assert account(written.get_uri()) == expected
    assert account(written.as_json()) == expected


@pytest.mark.parametrize(
    "text",
    [
        '{"password": "hidden"',
        '["hidden"]',
        "hidden",
        '{"password": "x", "extra": "hidden"}',
        "a://x:hidden@[",
        "generic://h",
        "{}",
    ],
)
def test_what_is_no_account_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(InputError, match="AIRFLOW_CONN_CDSE_ACCOUNT") as raised:
        account(text)
    shown = "".join(traceback.format_exception(raised.value)) + repr(raised.value) + raised.value.one_line
    assert "hidden" not in shown


def test_a_missing_account_says_how_to_give_it_and_how_to_make_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_CDSE_ACCOUNT", raising=False)
    with pytest.raises(NotFoundError, match="'cdse_account'") as raised:
        environment_vault()("cdse_account")
    assert "AIRFLOW_CONN_CDSE_ACCOUNT=" in raised.value.hint
    assert "airflow connections add cdse_account" in raised.value.hint
    monkeypatch.setenv("AIRFLOW_CONN_CDSE_ACCOUNT", "generic://me:word@")
    found = environment_vault()("cdse_account")
    assert (found.username, found.password) == ("me", "word")
    assert "word" not in repr(found) + repr(airflow_connection("cdse_account"))
