"""The token endpoint and what belongs to it, at the addresses of Keycloak."""

from __future__ import annotations

import re

from s4c_lib.synthetic.hub.exchange import Answer, Call, Route, json_answer, route
from s4c_lib.synthetic.hub.identity import Identity, TokenRefused

REALM = "/auth/realms/CDSE"
_CONNECT = f"{REALM}/protocol/openid-connect"


class Keycloak:
    """Answers of the identity provider.

    Parameters
    ----------
    base_url : of the hub.
    """

    def __init__(self, identity: Identity, base_url: str) -> None:
        self._identity = identity
        self._base_url = base_url

    def routes(self) -> tuple[Route, ...]:
        """What it answers."""
        return (
            route("identity", "GET", rf"{REALM}/\.well-known/openid-configuration", self._configuration),
            route("identity", "GET", rf"{_CONNECT}/certs", self._certificates),
            route("token", "POST", rf"{_CONNECT}/token", self._token),
            route("identity", "POST", rf"{_CONNECT}/logout", self._logout),
        )

    def _configuration(self, call: Call, found: re.Match[str]) -> Answer:
        connect = f"{self._base_url}{_CONNECT}"
        return json_answer(
            {
                "issuer": f"{self._base_url}{REALM}",
                "authorization_endpoint": f"{connect}/auth",
                "token_endpoint": f"{connect}/token",
                "jwks_uri": f"{connect}/certs",
                "end_session_endpoint": f"{connect}/logout",
                "grant_types_supported": ["password", "refresh_token"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "token_endpoint_auth_methods_supported": ["client_secret_post", "none"],
            }
        )

    def _certificates(self, call: Call, found: re.Match[str]) -> Answer:
        return json_answer(self._identity.key_set())

    def _token(self, call: Call, found: re.Match[str]) -> Answer:
        form = call.form()
        issuer = f"{self._base_url}{REALM}"
        if not form.get("client_id"):
            refused = TokenRefused(401, "invalid_client", "Invalid client or Invalid client credentials")
            return _refusal(refused)
        match form.get("grant_type"):
            case "password":
                given = self._identity.by_password(form.get("username", ""), form.get("password", ""), issuer)
            case "refresh_token":
                given = self._identity.by_refresh_token(form.get("refresh_token", ""), issuer)
            case _:
                given = TokenRefused(400, "unsupported_grant_type", "Unsupported grant_type")
        if isinstance(given, TokenRefused):
            return _refusal(given)
        answer = json_answer(given, Cache_Control="no-store")
        return Answer(answer.status, answer.body, answer.headers, form.get("username"), given["session_state"])

    def _logout(self, call: Call, found: re.Match[str]) -> Answer:
        if self._identity.end(call.form().get("refresh_token", "")):
            return Answer(204)
        return _refusal(TokenRefused(400, "invalid_grant", "Invalid refresh token"))


def _refusal(refused: TokenRefused) -> Answer:
    return json_answer({"error": refused.error, "error_description": refused.description}, refused.status)
