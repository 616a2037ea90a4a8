"""How libraries built on requests reach a provider: through our gate, in limited time, and never again on their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from s4c_lib.sources.catalogue import CatalogueOptions
from s4c_lib.sources.http_faults import source_error

if TYPE_CHECKING:
    from requests import PreparedRequest, Response, Session
    from requests.adapters import HTTPAdapter


def pass_through_gate(
    session: Session, options: CatalogueOptions, *, what: str | None = None, secrets: Sequence[str] = ()
) -> None:
    """Let all requests of a session through a `gated_adapter`."""
    for scheme in ("https://", "http://"):
        session.mount(scheme, gated_adapter(options, what=what, secrets=secrets))


def as_it_is(request: PreparedRequest) -> PreparedRequest:
    """Add no account: the ``auth`` of a session; else requests looks for one in the user's ``~/.netrc``."""
    return request


def gated_adapter(
    options: CatalogueOptions,
    *,
    what: str | None = None,
    secrets: Sequence[str] = (),
    plain: bool = False,
) -> HTTPAdapter:
    """Make an adapter to mount in a session, for all of its requests.

    It calls the gate before each request (redirections are requests too) and gives each the options' timeout: a library
    that sets none would wait for ever, one that sets its own knows nothing of ours.

    Parameters
    ----------
    what : beginning of messages; given, a failed request is translated at once (`source_error`), before the library can
        repeat it, report it elsewhere or lose the ``Retry-After``. None leaves answers to the library.
    plain : speak plain HTTP to addresses that say https, for a library that knows no other.
    """
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.exceptions import HTTPError as Urllib3Error

    class GatedAdapter(HTTPAdapter):
        def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
            kwargs["timeout"] = options.timeout_seconds  # Session.send gives it by name
            if plain and request.url is not None and request.url.startswith("https:"):
                request.url = "http:" + request.url.removeprefix("https:")
            options.gate()
            if what is None:
                return super().send(request, *args, **kwargs)
            try:
                response = super().send(request, *args, **kwargs)
                if not response.ok:
                    response.content  # noqa: B018  # read now: it may say why
                    response.raise_for_status()
            except (requests.RequestException, Urllib3Error) as error:
                raise source_error(error, what, secrets, product=False) from None
            return response

    return GatedAdapter(max_retries=0)
