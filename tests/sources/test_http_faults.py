"""What a failed request means: errors as the libraries really build them, most of them from a local server."""

from __future__ import annotations

import errno
import gc
import json
import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, ClassVar

import asf_search
import httpx
import pytest
import requests
import urllib3
from asf_search.exceptions import ASFAuthenticationError, ASFSearch4xxError
from eodag.utils import exceptions as eodag_errors
from hypothesis import given
from hypothesis import strategies as st
from requests.adapters import HTTPAdapter
from sentinelsat.exceptions import ServerError, UnauthorizedError
from sentinelsat.sentinel import SentinelAPI

from s4c_lib.errors import (
    ProductGoneError,
    SourceError,
    SourceRefusedError,
    SourceThrottledError,
)
from s4c_lib.sources.http_faults import LONGEST_WAIT_SECONDS, of_response, retry_after, source_error
from tests.local_server import QuietHandler, http_server

NOW = datetime(2024, 5, 10, 8, 0, tzinfo=UTC)
SECRET = "hunter2+/secret"


class _Answers(QuietHandler):
    """``/429?retry-after=7`` answers with that status and header; ``/reset`` and ``/slow`` fail below HTTP."""

    def get(self) -> None:
        path, _, query = self.path.partition("?")
        if path == "/reset":
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if path == "/slow":
            threading.Event().wait(2)
            return
        body = json.dumps({"error_description": f"no, {SECRET}"}).encode()
        self.send_response(int(path.strip("/")))
        for field in filter(None, query.split("&")):
            name, _, value = field.partition("=")
            if name != "token":
                self.send_header(name, urllib.request.unquote(value))  # type: ignore[attr-defined]
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    post = get


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with http_server(_Answers) as url:
        yield url
    gc.collect()


def _caught(call: Callable[[], object]) -> Exception:
    with pytest.raises(Exception) as caught:
        call()
    error: Exception = caught.value
    return error


def _by_requests(url: str) -> None:
    requests.get(url, timeout=5).raise_for_status()


def _by_requests_with_retries(url: str) -> None:
    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(max_retries=_retries()))
        session.get(url, timeout=5)


def _by_urllib3(url: str) -> None:
    with urllib3.PoolManager() as pool:
        pool.request("GET", url, retries=_retries())


def _retries() -> urllib3.Retry:
    return urllib3.Retry(total=0, status=0, status_forcelist=[429, 503], respect_retry_after_header=False)


def _by_httpx(url: str) -> None:
    httpx.get(url).raise_for_status()


def _by_urllib(url: str) -> None:
    try:
        urllib.request.urlopen(url, timeout=5)
    except urllib.error.HTTPError as error:
        error.close()
        raise


def _by_sentinelsat(url: str) -> None:
    with requests.Session() as session:
        SentinelAPI._check_scihub_response(session.get(url, timeout=5))


def _by_asf(url: str) -> None:
    from asf_search.search.search_generator import get_page

    with asf_search.ASFSession() as session:
        get_page(session=session, url=url, translated_opts=[])


def _by_eodag_search(url: str) -> None:
    try:
        _by_requests(url)
    except requests.RequestException as error:
        raise eodag_errors.RequestError.from_error(error, "search failed") from error


def _by_eodag_quota(url: str) -> None:
    try:
        _by_requests(url)
    except requests.RequestException as error:
        eodag_errors.QuotaExceededError.raise_if_quota_exceeded(error, "cop_dataspace")


def _by_eodag_login(url: str) -> None:
    try:
        _by_requests(url)
    except requests.RequestException:
        raise eodag_errors.AuthenticationError("Something went wrong while trying to get an access token") from None


_LIBRARIES = (_by_requests, _by_httpx, _by_urllib, _by_sentinelsat, _by_eodag_search, _by_eodag_quota, _by_eodag_login)


@pytest.mark.parametrize("library", _LIBRARIES)
def test_retry_after_survives_every_library(server: str, library: Callable[[str], None]) -> None:
    error = source_error(_caught(lambda: library(f"{server}/429?Retry-After=17")), "CDSE: cannot search", [SECRET])
    assert isinstance(error, SourceThrottledError)
    assert error.retry_after == 17
    assert error.message.startswith("CDSE: cannot search: HTTP 429")
    assert SECRET not in error.message


def test_retry_after_survives_asf_search(server: str) -> None:
    # asf_search reads a list of errors from the body; ours is an object, which it does not survive itself.
    error = source_error(_caught(lambda: _by_asf(f"{server}/429?Retry-After=17")), "ASF: cannot search")
    assert isinstance(error, SourceThrottledError)
    assert error.retry_after == 17


def test_asf_errors_keep_the_answer_they_stem_from() -> None:
    response = requests.Response()
    response.status_code, response.url = 429, "https://cmr.earthdata.nasa.gov/search/granules.umm_json"
    response.headers["Retry-After"] = "3"

    def fail() -> None:
        try:
            response.raise_for_status()
        except requests.HTTPError as error:
            raise ASFSearch4xxError("HTTP 429: ['slow down']") from error

    error = source_error(_caught(fail), "ASF: cannot search")
    assert isinstance(error, SourceThrottledError)
    assert (error.retry_after, "cmr.earthdata.nasa.gov" in error.message) == (3, True)
    refused = source_error(ASFAuthenticationError("Invalid/Expired token passed"), "ASF: cannot log in")
    assert isinstance(refused, SourceRefusedError)


@pytest.mark.parametrize("library", [_by_requests_with_retries, _by_urllib3])
def test_status_is_read_where_urllib3_used_up_its_retries(server: str, library: Callable[[str], None]) -> None:
    error = source_error(_caught(lambda: library(f"{server}/429?Retry-After=17")), "CDSE")
    assert isinstance(error, SourceThrottledError)
    assert error.retry_after is None
    later = source_error(_caught(lambda: library(f"{server}/503")), "CDSE")
    assert type(later) is SourceError
    assert "503 from 127.0.0.1" in later.message


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        *[(status, SourceError) for status in (400, 416, 422, 500, 502, 503, 504)],
        *[(status, SourceRefusedError) for status in (401, 403)],
        *[(status, ProductGoneError) for status in (404, 410)],
        (429, SourceThrottledError),
    ],
)
def test_class_follows_from_the_status(server: str, status: int, expected: type[SourceError]) -> None:
    assert type(source_error(_caught(lambda: _by_requests(f"{server}/{status}")), "CDSE")) is expected
    assert type(of_response(status, {}, "CDSE")) is expected


def test_503_with_a_time_is_a_request_to_wait() -> None:
    error = of_response(503, {"retry-after": "60"}, "CDSE: downloading X")
    assert isinstance(error, SourceThrottledError)
    assert error.retry_after == 60
    assert error.message == "CDSE: downloading X: HTTP 503"


def test_404_of_a_search_page_is_no_lost_product(server: str) -> None:
    error = source_error(_caught(lambda: _by_requests(f"{server}/404")), "CDSE: cannot search", product=False)
    assert type(error) is SourceError


def test_login_failures_are_told_from_faults_of_the_login_server(server: str) -> None:
    for status in (400, 401, 403):
        error = source_error(_caught(lambda: _by_eodag_login(f"{server}/{status}")), "CDSE: cannot log in", [SECRET])  # noqa: B023
        assert type(error) is SourceRefusedError
    broken = source_error(_caught(lambda: _by_eodag_login(f"{server}/502")), "CDSE: cannot log in")
    assert type(broken) is SourceError
    response = requests.Response()
    response.status_code = 401
    assert type(source_error(UnauthorizedError("Invalid user", response), "DHuS")) is SourceRefusedError
    assert type(source_error(eodag_errors.AuthenticationError("no credentials"), "CDSE")) is SourceRefusedError
    assert type(source_error(eodag_errors.QuotaExceededError("too many"), "CDSE")) is SourceThrottledError


def test_words_of_the_provider_are_kept_and_secrets_are_not(server: str) -> None:
    def fail() -> None:
        requests.get(f"{server}/500?token=abcdef", timeout=5).raise_for_status()

    error = source_error(_caught(fail), "CDSE: cannot search", [SECRET])
    assert error.message == "CDSE: cannot search: HTTP 500 from 127.0.0.1 (no, ***)"
    dhus = requests.Response()
    dhus.status_code = 500
    dhus.headers["cause-message"] = "DataStoreException: archive is away"
    assert "archive is away" in source_error(ServerError("x", dhus), "DHuS").message


def test_a_secret_is_blotted_out_as_urls_write_it() -> None:
    error = source_error(
        ValueError("bad address http://h/p?x=1&password=hunter2%2B%2Fsecret, hunter2%2B%2Fsecret"), "D", [SECRET]
    )
    assert "hunter2" not in error.message
    assert "?" not in error.message


@pytest.mark.parametrize("get", [lambda url: requests.get(url, timeout=0.2), lambda url: httpx.get(url, timeout=0.2)])
def test_silence_and_breaks_say_which_host(server: str, get: Callable[[str], object]) -> None:
    slow = source_error(_caught(lambda: get(f"{server}/slow?password=abcdef")), "CDSE: cannot search")
    assert slow.message == "CDSE: cannot search: 127.0.0.1 did not answer in time"
    broken = source_error(_caught(lambda: get(f"{server}/reset?password=abcdef")), "CDSE: cannot search")
    assert broken.message == "CDSE: cannot search: 127.0.0.1 broke the connection off"
    assert {type(slow), type(broken)} == {SourceError}


@pytest.mark.parametrize("get", [lambda url: requests.get(url, timeout=1), lambda url: httpx.get(url, timeout=1)])
def test_nobody_listening_and_no_tls(server: str, get: Callable[[str], object]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    closed = source_error(_caught(lambda: get(f"http://127.0.0.1:{port}/?a=b")), "CDSE")
    assert closed.message == "CDSE: 127.0.0.1 refuses connections"
    plain = source_error(_caught(lambda: get(server.replace("http:", "https:"))), "CDSE")
    assert "no secure connection to 127.0.0.1 (TLS: " in plain.message
    assert plain.retryable


def test_unknown_host_names_it() -> None:
    reason = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    pool = urllib3.HTTPSConnectionPool("hub.example.org")
    connection = pool._new_conn()
    unresolved = urllib3.exceptions.NameResolutionError("hub.example.org", connection, reason)
    error = requests.ConnectionError(urllib3.exceptions.MaxRetryError(pool, "/search?q=secret&token=abc", unresolved))
    assert source_error(error, "DHuS").message == "DHuS: the host name hub.example.org cannot be resolved"
    pool.close()


def test_certificate_fault_says_why() -> None:
    fault = ssl.SSLCertVerificationError("certificate verify failed")
    fault.verify_message = "certificate has expired"
    error = eodag_errors.RequestError.from_error(fault, "Unable to fetch https://hub.example.org")
    error.__cause__ = fault
    assert "(TLS: certificate has expired)" in source_error(error, "CDSE").message


def test_no_way_through_the_network() -> None:
    pool = urllib3.HTTPSConnectionPool("hub.example.org")
    fault = urllib3.exceptions.NewConnectionError(pool._new_conn(), "Failed to establish a new connection")
    fault.__cause__ = OSError(errno.ENETUNREACH, "Network is unreachable")
    error = requests.ConnectionError(urllib3.exceptions.MaxRetryError(pool, "/", fault))
    assert "hub.example.org cannot be reached" in source_error(error, "DHuS").message
    pool.close()


def test_eodag_timeout_is_recognised() -> None:
    error = eodag_errors.TimeOutError(Exception("too slow"), timeout=5)
    assert source_error(error, "CDSE").message == "CDSE: the provider did not answer in time"


def test_translated_errors_pass_unchanged() -> None:
    ours = SourceThrottledError("gate", retry_after=5)
    wrapped = eodag_errors.RequestError("around it")
    wrapped.__cause__ = ours
    assert source_error(ours, "CDSE") is ours
    assert source_error(wrapped, "CDSE") is ours


@pytest.mark.parametrize("get", [lambda url: requests.get(url, timeout=1), lambda url: httpx.get(url, timeout=1)])
def test_an_earlier_answer_is_not_the_answer(server: str, get: Callable[[str], object]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def refused_after_a_401() -> None:
        try:
            _by_requests(f"{server}/401")
        except requests.HTTPError:
            get(f"http://127.0.0.1:{port}/")

    error = source_error(_caught(refused_after_a_401), "CDSE")
    assert type(error) is SourceError
    assert error.message == "CDSE: 127.0.0.1 refuses connections"


def test_chain_that_bites_its_tail_ends() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    assert source_error(first, "CDSE").message == "CDSE: first"


def test_long_text_is_one_short_line() -> None:
    message = source_error(ValueError("word \n" * 500), "CDSE").message
    assert "\n" not in message
    assert len(message) <= 240


def test_botocore_answers_are_understood() -> None:
    class ClientError(Exception):
        response: ClassVar[dict[str, Any]] = {
            "Error": {"Message": "Reduce your request rate."},
            "ResponseMetadata": {"HTTPStatusCode": 503, "HTTPHeaders": {"retry-after": "9"}},
        }

    error = source_error(ClientError("SlowDown"), "CREODIAS")
    assert isinstance(error, SourceThrottledError)
    assert error.retry_after == 9


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "120"}, 120.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "-5"}, 0.0),
        ({"Retry-After": "99999999"}, LONGEST_WAIT_SECONDS),
        ({"Retry-After": "Fri, 10 May 2024 08:02:00 GMT"}, 120.0),
        ({"Retry-After": "Fri, 10 May 2024 07:59:00 GMT"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "nan"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, now=NOW) == seconds


def test_a_date_is_read_against_the_clock_of_the_answer() -> None:
    headers = {"Retry-After": "Fri, 10 May 2024 08:02:00 GMT", "Date": "Fri, 10 May 2024 08:01:30 GMT"}
    assert retry_after(headers) == 30
    del headers["Date"]
    assert retry_after(headers) is None


@given(st.integers(min_value=-200_000, max_value=200_000))
def test_both_spellings_of_a_wait_say_the_same(seconds: int) -> None:
    until = datetime.fromtimestamp(NOW.timestamp() + seconds, tz=UTC)
    as_date = retry_after({"Retry-After": format_datetime(until, usegmt=True)}, now=NOW)
    assert as_date == retry_after({"Retry-After": str(seconds)}, now=NOW)
    assert as_date is not None
    assert 0 <= as_date <= LONGEST_WAIT_SECONDS


def test_an_answer_that_broke_off_in_the_middle_of_its_json_says_so() -> None:
    with pytest.raises(json.JSONDecodeError) as caught:
        json.loads('{"value": [{"Id": 1')
    error = source_error(caught.value, "hub: cannot search", product=False)
    assert error.message == "hub: cannot search: what came from the provider is broken off, or no JSON"
