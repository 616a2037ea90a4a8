"""Accounts at the fake hub through eodag: tokens that end, sessions that are given back, logins that are refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import requests

from s4c_lib.errors import SourceError, SourceRefusedError
from s4c_lib.sources.credentials import Credentials
from s4c_lib.synthetic.hub import Hub
from tests.sources.eodag_hub import Open, first, hub, opened, start, steady_hub

__all__ = ["hub", "opened", "start", "steady_hub"]


def test_a_token_is_used_until_it_is_refused(start: Callable[..., Hub], opened: Open) -> None:
    hub = start()
    candidate = first(catalogue := opened(hub))
    given = [catalogue.locate(candidate).headers["Authorization"] for _ in range(3)]
    assert len(set(given)) == 1
    renewed = catalogue.locate(candidate, renew=True).headers["Authorization"]
    assert renewed not in given
    assert hub.ledger()["most_sessions"] == 1, "it is renewed within the session"


def test_a_token_near_its_end_is_renewed(start: Callable[..., Hub], opened: Open) -> None:
    hub = start(access_seconds=30)
    candidate = first(catalogue := opened(hub))
    assert len({catalogue.locate(candidate).headers["Authorization"] for _ in range(2)}) == 2
    assert hub.ledger()["most_sessions"] == 1


def test_a_session_that_the_provider_ended_is_begun_anew(hub: Hub, opened: Open) -> None:
    candidate = first(catalogue := opened(hub))
    catalogue.locate(candidate)
    plugin = catalogue._login._plugin
    requests.post(
        plugin.end_session_endpoint,
        data={"client_id": "cdse-public", "refresh_token": plugin.refresh_token},
        timeout=5,
    )
    download = catalogue.locate(candidate, renew=True)
    assert requests.head(download.url, headers=download.headers, timeout=5).status_code == 200


def test_a_failed_renewal_does_not_give_the_old_token(hub: Hub, opened: Open) -> None:
    candidate = first(catalogue := opened(hub))
    catalogue.locate(candidate)
    hub.faults.aim("server_error", endpoint="token", times=2, status=500)
    with pytest.raises(SourceError, match="cannot log in"):
        catalogue.locate(candidate, renew=True)


def test_a_token_that_cannot_be_verified_leaves_no_session_behind(start: Callable[..., Hub], opened: Open) -> None:
    hub = start()
    candidate = first(catalogue := opened(hub))
    hub.faults.aim("server_error", endpoint="identity", after=1, times=1, status=500)
    with pytest.raises(SourceError, match="cannot log in"):
        catalogue.locate(candidate)
    assert catalogue.locate(candidate).headers
    assert hub.ledger()["most_sessions"] == 1
    catalogue.close()
    assert hub.ledger()["open_sessions"] == 0


def test_sessions_do_not_pile_up(start: Callable[..., Hub], opened: Open) -> None:
    hub = start(session_limit=1)
    for _ in range(3):
        catalogue = opened(hub)
        catalogue.locate(first(catalogue))
        catalogue.close()
    assert hub.ledger()["open_sessions"] == 0
    occupied = opened(hub)
    occupied.locate(first(occupied))
    with pytest.raises(SourceRefusedError):
        opened(hub).locate(first(occupied))


def test_a_wrong_password_is_refused_and_not_told(hub: Hub, opened: Open) -> None:
    catalogue = opened(hub, credentials=Credentials(username="user", password="wr0ng-one"))
    with pytest.raises(SourceRefusedError, match="cannot log in") as caught:
        catalogue.locate(first(catalogue))
    assert "wr0ng-one" not in f"{caught.value!r} {caught.value.one_line} {caught.value.__cause__}"
    health = catalogue.health()
    assert not health.ok
    assert "wr0ng-one" not in health.text


def test_fetching_without_an_account_is_refused_before_anything_is_sent(hub: Hub, opened: Open) -> None:
    catalogue = opened(hub, credentials=None)
    candidate = first(catalogue)
    before = len(hub.requests)
    with pytest.raises(SourceRefusedError, match="needs an account"):
        catalogue.locate(candidate)
    assert len(hub.requests) == before
