"""A session with the machine-to-machine interface (M2M) of the USGS: JSON posted over HTTPS, a key in a header.

Built against the public reference of version 1.5, path ``json/stable`` (m2m.cr.usgs.gov/api/docs, as of 2025): login
with an application token (``login-token``), a key that ends after two hours, answers of the form ``{data, errorCode,
errorMessage, ...}``. It was tried against a double written from that reference, never against the server itself.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from s4c_lib.errors import ProductGoneError, SourceError, SourceRefusedError, SourceThrottledError
from s4c_lib.sources.catalogue import CatalogueOptions
from s4c_lib.sources.credentials import Credentials, without_secrets
from s4c_lib.sources.gated_adapter import as_it_is, pass_through_gate
from s4c_lib.sources.http_faults import of_response, retry_after, source_error

if TYPE_CHECKING:
    from requests import Response, Session

_logger = logging.getLogger(__name__)

# Downloads are counted over 15 minutes, requests one at a time: the interface says neither in a header.
DOWNLOADS_AGAIN_SECONDS: Final = 900.0
NEXT_REQUEST_SECONDS: Final = 10.0
_KEY_ENDED: Final = frozenset({"AUTH_KEY_INVALID", "AUTH_EXPIRED"})
_REFUSALS: Final = frozenset({"UNAUTHORIZED_USER", "DATASET_UNAUTHORIZED", "DATASET_AUTH", "ORDER_AUTH"})
_LONGEST_TEXT: Final = 240
_TOKEN_HINT: Final = (
    "give the ERS user name, and as password an application token with the M2M scope (ers.cr.usgs.gov, your profile)"
)
_ACCESS_HINT: Final = "the account needs access to M2M: ask for it at ers.cr.usgs.gov/profile/access"


class _KeyEndedError(SourceRefusedError):
    """The key is not taken any more; perhaps a new one is."""


class UsgsSession:
    """Calls of M2M endpoints; logs in when first needed, and again when the key has ended.

    Parameters
    ----------
    name : of the data source, the beginning of every message.
    url : of the interface, with its version.
    credentials : user name, and application token as password or as ``token`` of the extra fields.
    """

    def __init__(self, name: str, url: str, credentials: Credentials | None, options: CatalogueOptions) -> None:
        self._name = name
        self._url = url if url.endswith("/") else url + "/"
        self._credentials = credentials
        self._options = options
        self._key: str | None = None
        self._opened: Session | None = None

    def call(self, endpoint: str, payload: Mapping[str, Any], activity: str, *, product: bool = False) -> Any:
        """Ask an endpoint; return the ``data`` of its answer.

        Parameters
        ----------
        product : whether it is about one product.

        Raises
        ------
        SourceThrottledError : too many downloads in a quarter of an hour, or several requests of the account at a time.
        SourceRefusedError : no account, one that is not taken, or one without access to M2M.
        ProductGoneError : M2M does not know the product that was asked for.
        SourceError : everything else.
        """
        try:
            return self._post(endpoint, payload, activity, key=self._logged_in(), product=product)
        except _KeyEndedError:
            self._key = None
        return self._post(endpoint, payload, activity, key=self._logged_in(), product=product)

    def secrets(self) -> tuple[str, ...]:
        """What must not be seen: the token, and the key while there is one."""
        known = () if self._credentials is None else self._credentials.secrets()
        return known if self._key is None else (*known, self._key)

    def close(self) -> None:
        """Give the key back; it ends by itself where the server is away."""
        if self._key is not None:
            try:
                self._post("logout", {}, "cannot log out", key=self._key)
            except SourceError as error:
                _logger.info("%s: the key could not be given back, it ends by itself: %s", self._name, error)
            self._key = None
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def _logged_in(self) -> str:
        if self._key is not None:
            return self._key
        account = self._credentials
        token = None if account is None else account.extra.get("token") or account.password
        if account is None or not account.username or not token:
            raise SourceRefusedError(f"{self._name}: no account of the USGS is configured", hint=_TOKEN_HINT)
        activity = "cannot log in to the USGS"
        key = self._post("login-token", {"username": account.username, "token": token}, activity, key=None)
        if not isinstance(key, str) or not key:
            raise SourceError(f"{self._name}: {activity}: it gave no key", hint="try again later")
        self._key = key
        return key

    def _post(
        self, endpoint: str, payload: Mapping[str, Any], activity: str, *, key: str | None, product: bool = False
    ) -> Any:
        from requests import RequestException

        what = f"{self._name}: {activity}"
        headers = {} if key is None else {"X-Auth-Token": key}
        try:
            # A redirection would take the key to wherever it leads.
            response = self._session().post(
                self._url + endpoint, json=dict(payload), headers=headers, allow_redirects=False
            )
        except RequestException as error:
            fault = source_error(error, what, self.secrets(), product=False)
        else:
            return self._data(response, what, product)
        # Outside of the handler: the library's error carries the request, and that the token.
        raise fault

    def _data(self, response: Response, what: str, product: bool) -> Any:
        try:
            answer = response.json()
        except ValueError:
            answer = None
        code = answer.get("errorCode") if isinstance(answer, dict) else None
        if code:
            if product and str(code).endswith("NOT_FOUND"):
                raise ProductGoneError(f"{what}: the USGS does not have it", hint="it may have been processed anew")
            raise self._fault(str(code), str(answer.get("errorMessage") or ""), response, what)
        if response.status_code >= 400:
            raise of_response(response.status_code, response.headers, what, secrets=self.secrets(), product=False)
        if not isinstance(answer, dict) or "data" not in answer:
            raise SourceError(
                f"{what}: its answer is not understood (HTTP {response.status_code})",
                hint="is the address that of an M2M interface?",
            )
        return answer["data"]

    def _fault(self, code: str, message: str, response: Response, what: str) -> SourceError:
        text = " ".join(without_secrets(f"{what}: {message or 'refused'} ({code})", self.secrets()).split())
        text = text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"
        if "RATE_LIMIT" in code or response.status_code == 429:
            wait = retry_after(response.headers)
            if wait is None and "RATE_LIMIT" in code:
                wait = NEXT_REQUEST_SECONDS if code == "RATE_LIMIT" else DOWNLOADS_AGAIN_SECONDS
            return SourceThrottledError(text, hint="wait; other programs may be using the account", retry_after=wait)
        if code in _KEY_ENDED:
            return _KeyEndedError(text, hint=_TOKEN_HINT)
        if code == "AUTH_INVALID":
            return SourceRefusedError(text, hint=_TOKEN_HINT)
        if code.startswith("AUTH") or code in _REFUSALS:
            return SourceRefusedError(text, hint=_ACCESS_HINT)
        if response.status_code in (401, 403, 503):
            return of_response(response.status_code, response.headers, text, secrets=self.secrets(), product=False)
        return SourceError(text, hint="it is tried again; if it lasts, look at the provider's news")

    def _session(self) -> Session:
        if self._opened is None:
            import requests

            self._opened = requests.Session()
            self._opened.auth = as_it_is
            pass_through_gate(self._opened, self._options)
        return self._opened
