"""What a failed request means, whichever library made it: requests, urllib3, httpx, urllib, and those built on them.

The libraries wrap each other's errors, and the answer of the provider with its ``Retry-After`` is somewhere in the
chain. It is recognised by its shape, so none of them is imported here.
"""

from __future__ import annotations

import errno
import json
import re
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

from s4c_lib.errors import (
    ProductGoneError,
    SourceError,
    SourceRefusedError,
    SourceThrottledError,
)
from s4c_lib.sources.credentials import without_secrets

LONGEST_WAIT_SECONDS = 86400.0
"""A provider that asks for more is asked again after a day."""

_LONGEST_TEXT = 240
_SECONDS = re.compile(r"[+-]?\d+(\.\d+)?")
_QUERY_STRING = re.compile(r"\?[^\s'\"()<>]*=[^\s'\"()<>]*")
# urllib3 gives up after retries with this text and without the answer.
_RETRIES_USED_UP = re.compile(r"too many (\d{3}) error responses")
_REFUSALS = frozenset({"AuthenticationError", "UnauthorizedError", "ASFAuthenticationError"})
_OVER_QUOTA = frozenset({"QuotaExceededError"})
_UNREACHABLE = (errno.EHOSTUNREACH, errno.ENETUNREACH)
_BREAKS = ("ProtocolError", "RemoteDisconnected", "IncompleteRead", "ChunkedEncodingError")
_NETWORK_FAULTS = (socket.gaierror, ssl.SSLError, TimeoutError, ConnectionError)
_EXPLANATIONS = ("error_description", "detail", "message", "description", "errors", "error", "value", "errorMessage")


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    host: str = ""
    explanation: str = ""


def source_error(
    error: BaseException,
    what: str,
    secrets: Iterable[str] = (),
    *,
    now: datetime | None = None,
    product: bool = True,
) -> SourceError:
    """Translate whatever a library raised. Raise the result ``from None``: the library's own text may hold secrets.

    Parameters
    ----------
    what : source and activity, the beginning of the message: ``CDSE: cannot search``.
    secrets : blotted out of the text, as written and as URLs write them.
    now : UTC, against which a ``Retry-After`` date is read; None takes the answer's own ``Date``.
    product : whether the request was for a product: only then a 404 means `ProductGoneError`.

    Returns
    -------
    SourceThrottledError for 429, and for 503 that names a time; SourceRefusedError for 401, 403 and failed logins;
    ProductGoneError for 404 and 410 of a product; SourceError for everything else. One that is translated already is
    returned as it is.
    """
    chain = list(_chain(error))
    for link in chain:
        if isinstance(link, SourceError):
            return link
    answer = _answer(chain)
    names = {name for link in chain for name in _class_names(link)}
    if answer is None or answer.status < 400:
        text = _clean(f"{what}: {_without_answer(chain)}", secrets)
        if not _is_network_fault(chain):
            if names & _OVER_QUOTA:
                return SourceThrottledError(text, hint=_WAIT)
            if names & _REFUSALS:
                return SourceRefusedError(text, hint=_ACCOUNT)
        return SourceError(text, hint=_AGAIN)
    if answer.status == 400 and names & _REFUSALS:
        # A token endpoint says 400 (invalid_grant) for an account that it does not take.
        return SourceRefusedError(_clean(f"{what}: {_said(answer)}", secrets), hint=_ACCOUNT)
    return _of_answer(answer, what, secrets, now=now, product=product)


def of_response(
    status: int,
    headers: Mapping[str, str],
    what: str,
    *,
    secrets: Iterable[str] = (),
    now: datetime | None = None,
    product: bool = True,
) -> SourceError:
    """Translate the answer of a provider; see `source_error`."""
    return _of_answer(_Answer(status, headers), what, secrets, now=now, product=product)


def retry_after(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Seconds the answer asks to wait: 0 to `LONGEST_WAIT_SECONDS`; None where it does not say or cannot be read.

    Parameters
    ----------
    now : UTC; None takes the answer's own ``Date``, which spares a wrong clock on either side.
    """
    fields = {str(key).lower(): str(value) for key, value in headers.items()}
    asked = fields.get("retry-after", "").strip()
    if _SECONDS.fullmatch(asked):
        seconds = float(asked)
    else:
        until, start = _http_date(asked), now or _http_date(fields.get("date", ""))
        if until is None or start is None:
            return None
        seconds = (until - start).total_seconds()
    return min(max(seconds, 0.0), LONGEST_WAIT_SECONDS)


_WAIT = "wait as long as it asks; fewer requests a minute avoid it"
_ACCOUNT = "check the account of this source and its terms of use"
_AGAIN = "it is tried again; if it lasts, look at the provider's news"


def _of_answer(
    answer: _Answer, what: str, secrets: Iterable[str], *, now: datetime | None, product: bool
) -> SourceError:
    text = _clean(f"{what}: {_said(answer)}", secrets)
    wait = retry_after(answer.headers, now=now)
    if answer.status == 429 or (answer.status == 503 and wait is not None):
        return SourceThrottledError(text, hint=_WAIT, retry_after=wait)
    if answer.status in (401, 403):
        return SourceRefusedError(text, hint=_ACCOUNT)
    if answer.status in (404, 410) and product:
        return ProductGoneError(text, hint="the product may have been replaced: search again")
    return SourceError(text, hint=_AGAIN)


def _said(answer: _Answer) -> str:
    host = f" from {answer.host}" if answer.host else ""
    return f"HTTP {answer.status}{host}" + (f" ({answer.explanation})" if answer.explanation else "")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and all it stems from, nearest first: causes, contexts, and errors carried as arguments."""
    waiting: list[BaseException] = [error]
    seen: set[int] = set()
    while waiting:
        link = waiting.pop(0)
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        carried = [*link.args, getattr(link, "reason", None), getattr(link, "exception", None)]
        # With a cause the context says nothing new. Where the network itself failed it is what was being handled then:
        # an earlier answer, which is not the answer to this request.
        origin = link.__cause__ or (None if isinstance(link, _NETWORK_FAULTS) else link.__context__)
        waiting += [item for item in (*carried, origin) if isinstance(item, BaseException)]


def _answer(chain: list[BaseException]) -> _Answer | None:
    """The nearest answer with headers; else the nearest that says a status at all."""
    statuses: list[_Answer] = []
    for link in chain:
        response = getattr(link, "response", None)
        found = _of_library(response) if response is not None else _of_library(link)
        if found is not None and found.headers:
            return found
        if found is not None:
            statuses.append(found)
        elif used_up := _RETRIES_USED_UP.search(str(link)):
            statuses.append(_Answer(int(used_up[1]), host=_host(link)))
    return statuses[0] if statuses else None


def _of_library(response: Any) -> _Answer | None:
    if isinstance(response, Mapping):  # botocore
        metadata = response.get("ResponseMetadata", {})
        status, headers = metadata.get("HTTPStatusCode"), metadata.get("HTTPHeaders", {})
        explanation = str(response.get("Error", {}).get("Message", ""))
    else:
        # requests and httpx say status_code, urllib3 status, urllib code.
        status = next(
            (getattr(response, name) for name in ("status_code", "status", "code") if _is_status(response, name)), None
        )
        headers, explanation = getattr(response, "headers", None), _explanation(response)
    if not isinstance(status, int):
        return None
    return _Answer(status, dict(headers.items()) if headers else {}, _host(response), explanation)


def _is_status(thing: Any, name: str) -> bool:
    value = getattr(thing, name, None)
    return isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 599


def _explanation(response: Any) -> str:
    """The provider's own words, from a JSON body that has been read already; an error page in HTML tells nothing."""
    headers = getattr(response, "headers", None)
    if headers and headers.get("cause-message"):  # DHuS
        return str(headers["cause-message"])
    body = getattr(response, "_content", None)  # public access would go on reading from a broken connection
    if not isinstance(body, bytes):
        return ""
    try:
        said = json.loads(body)
    except ValueError:
        return ""
    return _words(said)


def _words(said: Any) -> str:
    if isinstance(said, str):
        return said
    if isinstance(said, list) and said:
        return _words(said[0])
    if isinstance(said, dict):
        return next((words for key in _EXPLANATIONS if key in said and (words := _words(said[key]))), "")
    return ""


def _without_answer(chain: list[BaseException]) -> str:
    """Why there was no answer, in a few words and with the host."""
    host = next((host for link in chain if (host := _host(link))), "")
    where = host or "the provider"
    names = {name for link in chain for name in _class_names(link)}
    if any(isinstance(link, socket.gaierror) for link in chain) or "NameResolutionError" in names:
        return f"the host name {host or 'of the provider'} cannot be resolved"
    tls = next((link for link in chain if isinstance(link, ssl.SSLError)), None)
    if tls is not None or "SSLError" in names:
        reason = getattr(tls, "verify_message", "") or getattr(tls, "reason", "") or "handshake failed"
        return f"no secure connection to {where} (TLS: {reason})"
    if any(isinstance(link, ConnectionRefusedError) for link in chain):
        return f"{where} refuses connections"
    if any(isinstance(link, ConnectionResetError | BrokenPipeError) for link in chain) or names & set(_BREAKS):
        return f"{where} broke the connection off"
    if _is_timeout(chain):
        return f"{where} did not answer in time"
    if any(getattr(link, "errno", None) in _UNREACHABLE for link in chain):
        return f"{where} cannot be reached: no way to it through the network"
    if "JSONDecodeError" in names:
        return f"what came from {where} is broken off, or no JSON"
    text = " ".join(str(chain[0]).split()) or type(chain[0]).__name__
    return f"{text} ({host})" if host and host not in text else text


def _is_network_fault(chain: list[BaseException]) -> bool:
    names = {name for link in chain for name in _class_names(link)}
    return (
        _is_timeout(chain)
        or any(isinstance(link, _NETWORK_FAULTS) for link in chain)
        or not names.isdisjoint(("ConnectionError", "SSLError", *_BREAKS))
    )


def _is_timeout(chain: list[BaseException]) -> bool:
    # By its own class only: urllib3 derives what is no timeout from one (NewConnectionError).
    return any(isinstance(link, TimeoutError) or "timeout" in type(link).__name__.lower() for link in chain)


def _class_names(error: BaseException) -> list[str]:
    return [kind.__name__ for kind in type(error).__mro__]


def _host(thing: Any) -> str:
    """Host an error or answer speaks of: from its address, its request's, or its connection pool's."""
    request = getattr(thing, "__dict__", {}).get("request") or getattr(thing, "__dict__", {}).get("_request")
    for holder in (thing, request):
        url = getattr(holder, "url", None)
        if url is not None and not callable(url):
            host = urlsplit(str(url)).hostname
            if host:
                return host
    for name in ("pool", "conn"):
        host = getattr(getattr(thing, "__dict__", {}).get(name), "host", None)
        if isinstance(host, str):
            return host
    return ""


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _clean(text: str, secrets: Iterable[str]) -> str:
    spellings = {form for secret in secrets if secret for form in (secret, quote(secret, safe=""), quote_plus(secret))}
    line = " ".join(without_secrets(_QUERY_STRING.sub("", text), spellings).split())
    return line if len(line) <= _LONGEST_TEXT else line[: _LONGEST_TEXT - 1] + "…"
