"""Tokens of the hub, as a client of Keycloak sees them."""

from __future__ import annotations

from collections.abc import Callable

import jwt
import pytest
import requests
from hub_visitors import Clock, Visitor

from s4c_lib.synthetic.hub import Hub, HubLimits


def refresh(hub: Hub, token: str) -> requests.Response:
    form = {"client_id": "cdse-public", "grant_type": "refresh_token", "refresh_token": token}
    return requests.post(hub.token_url, data=form, timeout=10)


def logout(hub: Hub, token: str) -> requests.Response:
    address = hub.token_url.replace("/token", "/logout")
    return requests.post(address, data={"client_id": "cdse-public", "refresh_token": token}, timeout=10)


def test_a_token_is_signed_with_the_published_key(hub: Hub, visitor: Visitor) -> None:
    given = visitor.login()
    described = requests.get(f"{hub.url}/auth/realms/CDSE/.well-known/openid-configuration", timeout=10).json()
    keys = jwt.PyJWKClient(described["jwks_uri"])
    key = keys.get_signing_key_from_jwt(given["access_token"]).key
    claims = jwt.decode(
        given["access_token"],
        key,
        algorithms=described["id_token_signing_alg_values_supported"],
        audience="CLOUDFERRO_PUBLIC",
        issuer=described["issuer"],
    )
    assert claims["preferred_username"] == "user"
    assert claims["sub"]
    assert claims["sid"] == given["session_state"]
    assert claims["exp"] - claims["iat"] == pytest.approx(600, abs=1)


def test_a_changed_token_opens_nothing(visitor: Visitor) -> None:
    head, claims, signature = visitor.login()["access_token"].split(".")
    forged = f"{head}.{claims}.{signature[:-4]}{'AAAA' if signature[-4:] != 'AAAA' else 'BBBB'}"
    answer = visitor.fetch(visitor.hub.products[0].title, {"Authorization": f"Bearer {forged}"})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"grant_type": "password", "username": "user", "password": "wrong"}, 401, "invalid_grant"),
        ({"grant_type": "password", "username": "nobody", "password": "password"}, 401, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "made-up"}, 400, "invalid_grant"),
        ({"grant_type": "magic"}, 400, "unsupported_grant_type"),
    ],
)
def test_refusals_are_those_of_keycloak(hub: Hub, form: dict[str, str], status: int, error: str) -> None:
    answer = requests.post(hub.token_url, data={"client_id": "cdse-public", **form}, timeout=10)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.json()["error_description"]


def test_an_access_token_expires_and_its_session_is_renewed(make_hub: Callable[..., Hub]) -> None:
    clock = Clock()
    with make_hub(clock=clock) as hub:
        visitor = Visitor(hub)
        given = visitor.login()
        title = hub.products[0].title
        old = {"Authorization": f"Bearer {given['access_token']}"}
        clock.now += 599
        assert visitor.fetch(title, old).status_code == 200
        clock.now += 2
        assert visitor.fetch(title, old).status_code == 401
        renewed = refresh(hub, given["refresh_token"]).json()
        assert renewed["session_state"] == given["session_state"]
        assert visitor.fetch(title, {"Authorization": f"Bearer {renewed['access_token']}"}).status_code == 200
        clock.now += 3601
        assert refresh(hub, renewed["refresh_token"]).json()["error_description"] == "Session not active"
        assert hub.ledger()["open_sessions"] == 0


def test_sessions_are_limited_until_one_ends(make_hub: Callable[..., Hub]) -> None:
    with make_hub(limits=HubLimits(session_limit=2), accounts={"user": "password", "other": "secret"}) as hub:
        visitor = Visitor(hub)
        first = visitor.login()
        visitor.login()
        with pytest.raises(requests.HTTPError, match="403"):
            visitor.login()
        visitor.login("other", "secret")
        assert logout(hub, first["refresh_token"]).status_code == 204
        visitor.login()
        ended = {"Authorization": f"Bearer {first['access_token']}"}
        assert visitor.fetch(hub.products[0].title, ended).status_code == 401
        assert logout(hub, first["refresh_token"]).status_code == 400
        assert hub.ledger()["most_sessions"] == 3


def test_no_secret_reaches_the_ledger(fresh_hub: Hub) -> None:
    hub, visitor = fresh_hub, Visitor(fresh_hub)
    token = visitor.login()["access_token"]
    title = hub.products[0].title
    assert requests.get(visitor.address(title), params={"token": token}, timeout=10).status_code == 200
    assert hub.ledger()["tokens_in_urls"] == 1
    assert [request.offence for request in hub.requests] == [False, True]
    assert token not in repr(hub.requests)
    assert "password" not in repr(hub.requests)
