"""A session with a DHuS server: sentinelsat's, with our gate, time limit and account."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from s4c_lib.sources.catalogue import CatalogueOptions
from s4c_lib.sources.credentials import Credentials
from s4c_lib.sources.gated_adapter import pass_through_gate

if TYPE_CHECKING:
    from requests import PreparedRequest, Response
    from sentinelsat import SentinelAPI


@dataclass(slots=True)
class DhusSession:
    """sentinelsat's API object, and how many products the last answer to a search said there are.

    sentinelsat keeps that number to itself, and without it the end of the pages can only be guessed.
    """

    api: SentinelAPI
    listed: int | None = field(default=None, init=False)

    def keep_total(self, response: Response, **_: Any) -> None:
        """Hook of the session: note the total of a search."""
        if "/search" not in response.url or not response.ok:
            return
        try:
            self.listed = int(response.json()["feed"]["opensearch:totalResults"])
        except (ValueError, LookupError, TypeError):
            # sentinelsat meets the same answer and says what is wrong with it.
            self.listed = None


def open_session(api_url: str, credentials: Credentials | None, options: CatalogueOptions) -> DhusSession:
    """Prepare a session; nothing is sent."""
    from sentinelsat import SentinelAPI

    # The account is set below: given here, letters beyond Latin-1 fail, and none would mean the user's ~/.netrc.
    api = SentinelAPI(None, None, api_url, show_progressbars=False)
    api.session.auth = _authoriser(basic_header(credentials))
    pass_through_gate(api.session, options)
    session = DhusSession(api)
    api.session.hooks["response"].append(session.keep_total)
    return session


def basic_header(credentials: Credentials | None) -> dict[str, str]:
    """The account as a header; empty without an account."""
    if credentials is None or credentials.username is None:
        return {}
    account = f"{credentials.username}:{credentials.password or ''}".encode()
    return {"Authorization": f"Basic {b64encode(account).decode('ascii')}"}


def _authoriser(header: dict[str, str]) -> Callable[[PreparedRequest], PreparedRequest]:
    def add(request: PreparedRequest) -> PreparedRequest:
        request.headers.update(header)
        return request

    return add
