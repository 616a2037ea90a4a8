"""Quotas as users write them; parameters that hold no account."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.errors import InputError
from s4c_lib.sources.provider_limits import PUBLISHED
from s4c_lib.sources.quotas import QUOTAS, checked_quota, parse_quota
from s4c_lib.sources.secret_free import refuse_secrets
from s4c_lib.synthetic.hub.provider_definition import eodag_definition


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bytes_per_30_days=12T", ("bytes_per_30_days", 12_000_000_000_000)),
        ("bytes_per_30_days=1.5G", ("bytes_per_30_days", 1_500_000_000)),
        ("requests_per_minute=0.5", ("requests_per_minute", 0.5)),
        ("bandwidth_bytes_per_second = 20M".replace(" ", ""), ("bandwidth_bytes_per_second", 20_000_000)),
        ("orders=50", ("orders", 50)),
        ("sessions=", ("sessions", None)),
    ],
)
def test_an_amount_is_read_with_its_unit(text: str, expected: tuple[str, float | None]) -> None:
    assert parse_quota(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "orders=0",
        "orders=1.5",
        "orders=-2",
        "orders=nan",
        "orders=inf",
        "orders=k",
        "orders=ten",
        "stars=1",
        "stars=",
        "=3",
    ],
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(InputError) as raised:
        parse_quota(text)
    assert raised.value.hint


@given(st.dictionaries(st.sampled_from(sorted(QUOTAS)), st.integers(1, 10**15)))
def test_whole_amounts_stay_as_they_are(quota: dict[str, int]) -> None:
    assert checked_quota(quota) == quota


def test_published_limits_can_be_stored() -> None:
    for provider, limits in PUBLISHED.items():
        assert checked_quota(limits.quota), provider
        assert 1 <= limits.connections <= 64


def test_descriptions_of_providers_that_name_no_account_are_taken() -> None:
    refuse_secrets({"provider": "cop_dataspace", "definition": eodag_definition("http://127.0.0.1:1")})
    refuse_secrets({"auth": {"credentials": {}, "password": "{password}", "token_key": "access_token"}})
    refuse_secrets({"products": {"X": ["https://host/a@b", "me@example.org"]}})


@pytest.mark.parametrize(
    ("params", "place"),
    [
        ({"definition": {"auth": {"credentials": {"username": "hidden"}}}}, "definition.auth.credentials"),
        ({"definition": {"auth": {"headers": {"api-key": "x", "token": "hidden"}}}}, "definition.auth.headers.token"),
        ({"list": [{"apiKey": "hidden"}]}, "list.0.apiKey"),
        ({"api_url": "https://me:hidden@host/dhus"}, "api_url"),
        ({"api_url": "https://[hidden@host"}, "api_url"),
    ],
)
def test_an_account_among_the_parameters_is_refused_unseen(params: dict[str, object], place: str) -> None:
    with pytest.raises(InputError, match=place) as raised:
        refuse_secrets(params)
    assert "hidden" not in raised.value.one_line
    assert "--connection" in raised.value.hint
