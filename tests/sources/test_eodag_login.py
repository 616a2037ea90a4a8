"""Logins that need no server: what goes into headers, and what is refused before anything is sent."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from s4c_lib.errors import SourceError, SourceRefusedError
from s4c_lib.sources.catalogue import open_gate
from s4c_lib.sources.credentials import Credentials
from s4c_lib.sources.eodag_login import Login, hosts_of
from s4c_lib.sources.eodag_provider import describe_provider, login_section

URL = "https://example.org/products/1"
SECRET = "0123456789-key"


def login(section: Any, **account: Any) -> Login:
    credentials = Credentials(**account) if account else None
    return Login("mine", section, credentials, open_gate, 5)


def section(**fields: Any) -> Any:
    from eodag.config import PluginConfig

    return PluginConfig.from_mapping(fields)


@pytest.mark.parametrize("account", [{"extra": {"apikey": SECRET}}, {"username": "me", "password": SECRET}])
def test_a_key_goes_into_its_header(account: dict[str, Any]) -> None:
    key = login(login_section(describe_provider("geodes", {}, timeout_seconds=5)), **account)
    assert key.headers(URL) == {"X-API-Key": SECRET}
    with pytest.raises(SourceRefusedError, match="does not take the account") as caught:
        key.headers(URL, renew=True)
    assert SECRET not in f"{caught.value!r}"


def test_a_password_goes_into_a_basic_header() -> None:
    headers = login(section(type="GenericAuth"), username="me", password=SECRET).headers(URL)
    assert headers == {"Authorization": "Basic " + base64.b64encode(f"me:{SECRET}".encode()).decode()}


@pytest.mark.parametrize("provider", ["planetary_computer", "meteoblue", "usgs_satapi_aws", "earth_search"])
def test_what_signs_addresses_or_speaks_s3_is_refused(provider: str) -> None:
    described = login_section(describe_provider(provider, {}, timeout_seconds=5))
    with pytest.raises(SourceError, match="can be searched, not fetched from") as caught:
        login(described, username="me", password=SECRET, extra={"apikey": SECRET}).headers(URL)
    assert described.type in str(caught.value)


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "TokenAuth", "auth_uri": "http://127.0.0.1:9/token?user={username}&password={password}"},
        {"type": "GenericAuth", "method": "digest"},
    ],
)
def test_a_secret_that_cannot_stand_in_a_header_is_not_sent(fields: dict[str, Any]) -> None:
    with pytest.raises(SourceError, match=r"account in the address|somewhere else than in a header"):
        login(section(**fields), username="me", password=SECRET).headers(URL)


def test_a_token_goes_to_all_hosts_of_the_provider_and_to_no_other() -> None:
    """The catalogue of the Data Space redirects a download to another host of its own."""
    data_space = hosts_of("https://catalogue.dataspace.copernicus.eu/odata/v1/Products(1)/$value")
    assert "download.dataspace.copernicus.eu" in data_space
    assert not any("creodias" in host for host in data_space)
    assert hosts_of("http://127.0.0.1:8765/x") == {"127.0.0.1:8765"}


def test_a_provider_without_a_login_needs_no_account() -> None:
    assert login(None).headers(URL) == {}
    assert not login(None).needed
