"""Requests for the bytes of products: redirections by hand, tokens only where they belong, no address in a log."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from s4c_lib.errors import SourceError
from s4c_lib.sources.catalogue import Download, Gate
from s4c_lib.sources.http_faults import of_response, source_error
from s4c_lib.sources.transfer_limits import Meter, TransferLimits

MOST_REDIRECTIONS = 10
_REDIRECTIONS = frozenset({301, 302, 303, 307, 308})
_LONGEST_EXPLANATION = 64 * 1024
# These write the whole address of each request at debug level; behind a redirection its query is a signature.
_LOGGERS_OF_ADDRESSES = ("urllib3.connectionpool", "urllib3.util.retry")


class Exchange:
    """Requests of one transfer over one session.

    Parameters
    ----------
    what : source and activity, the beginning of every message.
    gate : called before each request.
    deadline : seconds of the monotonic clock after which no request is made.
    """

    def __init__(self, what: str, limits: TransferLimits, gate: Gate, meter: Meter, deadline: float) -> None:
        import requests

        self.what = what
        self._limits = limits
        self._gate = gate
        self._meter = meter
        self._deadline = deadline
        self._session = requests.Session()
        # Without this a ~/.netrc would replace the token, and be sent to any host named in it.
        self._session.auth = _as_it_is

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def get(self, download: Download, wanted: Mapping[str, str]) -> Answer:
        """Ask for a product and follow redirections.

        Parameters
        ----------
        wanted : further headers, none of them secret.

        Raises
        ------
        SourceError : no answer, or redirections without end.
        """
        url, plain = download.url, False
        for _ in range(MOST_REDIRECTIONS + 1):
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise SourceError(
                    f"{self.what}: redirected to an address that is not http", hint="report it to the provider"
                )
            headers = {"Accept": "*/*", "Accept-Encoding": "identity", **wanted}
            if not plain and belongs(parts, download.hosts):
                headers.update(download.headers)
            response = self._send(_without_account(parts), headers, secrets_of(download))
            location = response.headers.get("Location")
            if response.status_code not in _REDIRECTIONS or not location:
                return Answer(response, self.what, secrets_of(download), self._meter)
            response.close()
            url = urljoin(url, location)
            # Once a step could be read and altered by others, nothing that follows can be trusted with a token.
            plain = plain or (parts.scheme == "https" and urlsplit(url).scheme != "https")
        raise SourceError(
            f"{self.what}: redirected more than {MOST_REDIRECTIONS} times", hint="it is tried again later"
        )

    def _send(self, url: str, headers: dict[str, str], secrets: tuple[str, ...]) -> Any:
        from requests import RequestException

        self._gate()
        remaining = self.remaining()
        self._meter.requests += 1
        try:
            return self._session.get(
                url,
                headers=headers,
                stream=True,
                allow_redirects=False,
                timeout=(min(self._limits.connect_seconds, remaining), min(self._limits.stall_seconds, remaining)),
            )
        except (RequestException, OSError) as error:
            fault = source_error(error, self.what, secrets)
        # Outside of the handler: the library's error, which names the whole address, is not to hang on ours.
        raise fault

    def remaining(self) -> float:
        """Seconds the transfer may still take.

        Raises
        ------
        SourceError : none.
        """
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise SourceError(
                f"{self.what}: not done after {self._limits.timeout_seconds:g} s",
                hint="what has come is kept and continued; see downloader.timeout",
            )
        return remaining


class Answer:
    """An answer whose body has not been read yet."""

    def __init__(self, response: Any, what: str, secrets: tuple[str, ...], meter: Meter) -> None:
        self._response = response
        self._what = what
        self._secrets = secrets
        self._meter = meter
        self.status = int(response.status_code)
        self.headers: Mapping[str, str] = response.headers

    def read(self, most: int) -> bytes:
        """At most so many bytes of the body, as soon as some are there; none at its end.

        Raises
        ------
        SourceError : the connection broke off, stalled, or ended before the announced length.
        """
        from http.client import HTTPException

        from urllib3.exceptions import HTTPError

        try:
            data: bytes = self._response.raw.read1(most, decode_content=False)
        except (HTTPError, HTTPException, OSError) as error:
            fault = source_error(error, self._what, self._secrets)
        else:
            self._meter.bytes_received += len(data)
            return data
        raise fault

    def refusal(self) -> SourceError:
        """Translate an answer that is no product, with the provider's own words where it sends some."""
        from requests import HTTPError, RequestException

        length = self.headers.get("Content-Length", "")
        if "json" in self.headers.get("Content-Type", "") and length.isdigit() and int(length) <= _LONGEST_EXPLANATION:
            try:
                self._meter.bytes_received += len(self._response.content)
                return source_error(HTTPError(response=self._response), self._what, self._secrets)
            except RequestException:
                # The status was received all the same, and says what to do.
                return of_response(self.status, self.headers, self._what, secrets=self._secrets)
        return of_response(self.status, self.headers, self._what, secrets=self._secrets)

    def close(self) -> None:
        """Let the connection go; the rest of the body is not waited for."""
        self._response.close()


def belongs(parts: SplitResult, hosts: frozenset[str]) -> bool:
    """Whether the address is on one of the hosts, written with or without a port."""
    return parts.hostname in hosts or _host_and_port(parts) in hosts


def host_of(url: str) -> str:
    """Host, and port where one is written, without an account."""
    return _host_and_port(urlsplit(url))


def secrets_of(download: Download) -> tuple[str, ...]:
    """What the headers hold, whole and without the word before it (``Bearer``), and a signed address."""
    held = [text for value in download.headers.values() for text in (value, value.rpartition(" ")[2])]
    if download.signed:
        parts = urlsplit(download.url)
        held += [download.url, parts.path.rpartition("/")[2], parts.query]
    return tuple(text for text in held if text)


@contextmanager
def addresses_unlogged(*, signed: bool = False) -> Iterator[None]:
    """Keep the queries of addresses out of the logs that libraries write; of signed ones the paths as well."""
    blotting = _WithoutPaths() if signed else _WithoutQueries()
    loggers = [logging.getLogger(name) for name in _LOGGERS_OF_ADDRESSES]
    for logger in loggers:
        logger.addFilter(blotting)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(blotting)


class _WithoutQueries(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(item.split("?")[0] if isinstance(item, str) else item for item in record.args)
        return True


class _WithoutPaths(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple("/***" if _is_address(item) else item for item in record.args)
        return True


def _is_address(item: object) -> bool:
    return isinstance(item, str) and (item.startswith("/") or "/" in item.partition("://")[2])


def _host_and_port(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2].lower()


def _without_account(parts: SplitResult) -> str:
    return parts._replace(netloc=_host_and_port(parts), fragment="").geturl()


def _as_it_is(request: Any) -> Any:
    return request
