"""Logging in to a provider through eodag's plugins; what comes out are headers."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from string import Formatter
from typing import Any, Final
from urllib.parse import urlsplit

from s4c_lib.errors import SourceError, SourceRefusedError
from s4c_lib.sources.catalogue import Gate
from s4c_lib.sources.credentials import Credentials, without_secrets
from s4c_lib.sources.eodag_provider import Translated

logger = logging.getLogger(__name__)

# Those that can put what they get into a header. The others sign addresses or speak S3.
_KEYCLOAK: Final = "KeycloakOIDCPasswordAuth"
_HEADER_PLUGINS: Final = frozenset(
    {
        _KEYCLOAK,
        "OIDCAuthorizationCodeFlowAuth",
        "OIDCTokenExchangeAuth",
        "TokenAuth",
        "HTTPHeaderAuth",
        "GenericAuth",
    }
)
# A token given for one of these is meant for all of them: a download begins at the first and is redirected.
_SAME_PROVIDER: Final = (
    frozenset(
        {"catalogue.dataspace.copernicus.eu", "download.dataspace.copernicus.eu", "zipper.dataspace.copernicus.eu"}
    ),
    frozenset({"datahub.creodias.eu", "zipper.creodias.eu"}),
)
_REQUESTS: Final = ("_get_oidc_endpoints", "_request_new_token", "_get_token_with_refresh_token", "_token_request")
_LOGOUT_SECONDS: Final = 5.0
# Keycloak says 0 of a refresh token without an end.
_ENDLESS: Final = timedelta(days=365)


def hosts_of(url: str) -> frozenset[str]:
    """Hosts that the headers for an address may be sent to; with the port, where the address has one."""
    host = urlsplit(url).hostname or ""
    return next((hosts for hosts in _SAME_PROVIDER if host in hosts), frozenset({urlsplit(url).netloc}))


class Login:
    """One account at one provider. A token is used until it nears its end, then renewed, with a refresh token first.

    Parameters
    ----------
    name : of the data source, for messages.
    section : how to log in, of the provider's description; None needs no login.
    gate : called before each request for a token.
    """

    def __init__(
        self, name: str, section: Any, credentials: Credentials | None, gate: Gate, timeout_seconds: float
    ) -> None:
        self._name = name
        self._section = section
        self._credentials = credentials
        self._gate = gate
        self._timeout = timeout_seconds
        self._plugin: Any = None
        # Transfers of several threads may share a catalogue; Keycloak counts each login as a session.
        self._lock = threading.Lock()

    @property
    def needed(self) -> bool:
        """Whether the provider wants to know who fetches."""
        return self._section is not None

    def secrets(self) -> tuple[str, ...]:
        """Everything that must not be seen: the account and the tokens of now."""
        tokens = (getattr(self._plugin, field, "") for field in ("access_token", "refresh_token", "token"))
        known = () if self._credentials is None else self._credentials.secrets()
        return (*known, *(token for token in tokens if token))

    def headers(self, url: str, *, renew: bool = False) -> dict[str, str]:
        """Return what a request to the address needs.

        Parameters
        ----------
        renew : what was given before was refused.

        Raises
        ------
        SourceRefusedError : no account, or the provider does not take it.
        SourceError : the provider wants a secret in the address, or something else than HTTP.
        """
        if self._section is None:
            return {}
        self._check()
        with self._lock, Translated(f"{self._name}: cannot log in", self.secrets):
            if self._plugin is None:
                self._plugin = self._build()
            elif renew:
                self._forget()
            return self._signed(self._plugin.authenticate(), url)

    def __call__(self, request: Any) -> Any:
        """Put the headers on a request of eodag (in the place of a requests.auth.AuthBase)."""
        request.headers.update(self.headers(request.url))
        return request

    def close(self) -> None:
        """End the session: providers allow few of them, and one left behind lives on for an hour."""
        plugin, self._plugin = self._plugin, None
        end = getattr(plugin, "end_session_endpoint", "")
        refresh_token = getattr(plugin, "refresh_token", "")
        if not end or not refresh_token:
            return
        import requests

        form = {"client_id": plugin.config.client_id, "refresh_token": refresh_token}
        if getattr(plugin.config, "client_secret", None):
            form["client_secret"] = plugin.config.client_secret
        try:
            requests.post(end, data=form, timeout=min(self._timeout, _LOGOUT_SECONDS), allow_redirects=False)
        except requests.RequestException as error:
            text = without_secrets(str(error), (*self.secrets(), refresh_token))
            logger.info("%s: the session could not be ended, it ends by itself: %s", self._name, text)

    def _check(self) -> None:
        kind = self._section.type
        if kind not in _HEADER_PLUGINS:
            raise SourceError(
                f"{self._name}: the provider is reached with {kind}, which is no HTTP with a login in its headers;"
                " it can be searched, not fetched from",
                hint="set up another source to fetch from",
            )
        if kind == "TokenAuth" and any(field for _, field, _, _ in Formatter().parse(self._section.auth_uri) if field):
            raise SourceError(
                f"{self._name}: the provider wants the account in the address of its token service",
                hint="addresses are logged on the way: set up another source to fetch from",
            )
        if self._credentials is None:
            raise SourceRefusedError(
                f"{self._name}: fetching needs an account and the source has none",
                hint="give the source an Airflow connection with the account",
            )

    def _build(self) -> Any:
        from eodag.plugins.authentication.base import Authentication

        section = self._section
        Authentication.ensure_plugins_loaded()
        section.credentials = _fields(section, self._credentials)
        section.s4c_gate = self._gate
        kind = _careful(Authentication.get_plugin_by_class_name(section.type))
        return kind(self._name, section)

    def _forget(self) -> None:
        if hasattr(self._plugin, "access_token"):
            self._plugin.access_token = ""
        elif hasattr(self._plugin, "token"):
            self._plugin.token = ""
        elif not hasattr(self._plugin, "subject"):
            raise SourceRefusedError(
                f"{self._name}: the provider does not take the account", hint="check the key or password of this source"
            )

    def _signed(self, signature: Any, url: str) -> dict[str, str]:
        import requests

        request = requests.Request("GET", url).prepare()
        address, before = request.url, dict(request.headers)
        request = signature(request)
        added = {key: value for key, value in request.headers.items() if before.get(key) != value}
        if request.url != address or not added:
            raise SourceError(
                f"{self._name}: the provider wants the login somewhere else than in a header",
                hint="set up another source to fetch from",
            )
        return added


def _fields(section: Any, credentials: Credentials | None) -> dict[str, str]:
    """The account under the names that the plugin wants."""
    if credentials is None:
        return {}
    account = {"username": credentials.username, "password": credentials.password}
    if section.type == "HTTPHeaderAuth" and getattr(section, "headers", None):
        named = [field for text in section.headers.values() for _, field, _, _ in Formatter().parse(text) if field]
        # A connection with nothing but a key has it in its password.
        return {field: credentials.extra.get(field) or credentials.password or "" for field in named}
    if section.type == _KEYCLOAK:
        extra: Mapping[str, str] = {key: value for key, value in credentials.extra.items() if key == "totp"}
    else:
        extra = credentials.extra
    return {key: value for key, value in {**account, **extra}.items() if value}


@cache
def _careful(kind: Any) -> Any:
    """The plugin with a gate before its requests, a limit to all waits, and no old token when a new one fails."""

    def gated(method: str) -> Any:
        def call(self: Any, *arguments: Any, **named: Any) -> Any:
            self.config.s4c_gate()
            answer = getattr(super(careful, self), method)(*arguments, **named)
            if isinstance(answer, Mapping) and answer.get("refresh_token"):
                # eodag keeps it only once the token is verified; should that fail, the session would be left behind.
                life = timedelta(seconds=int(answer.get("refresh_expires_in") or 0)) or _ENDLESS
                self.refresh_token = answer["refresh_token"]
                self.refresh_token_expiration = datetime.now(UTC) + life
            return answer

        return call

    def endpoints(self: Any) -> Any:
        import requests

        self.config.s4c_gate()
        verify = getattr(self.config, "ssl_verify", True)
        response = requests.get(self.config.oidc_config_url, timeout=self.config.timeout, verify=verify)
        response.raise_for_status()
        found = response.json()
        self.end_session_endpoint = found.get("end_session_endpoint", "")
        return found

    def decoded(self: Any, token: str) -> Any:
        # May fetch the keys of the provider.
        self.config.s4c_gate()
        self.jwks_client.timeout = self.config.timeout
        return super(careful, self).decode_jwt_token(token)

    def new_token_error(self: Any, error: Any) -> Any:
        self.access_token = ""
        return super(careful, self)._request_new_token_error(error)

    members: dict[str, Any] = {method: gated(method) for method in _REQUESTS if hasattr(kind, method)}
    if "_get_oidc_endpoints" in members:
        members |= {
            "_get_oidc_endpoints": endpoints,
            "decode_jwt_token": decoded,
            "_request_new_token_error": new_token_error,
        }
    careful = type(kind)(f"Careful{kind.__name__}", (kind,), members)
    return careful
