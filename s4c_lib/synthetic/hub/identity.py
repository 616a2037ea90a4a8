"""Accounts, sessions and signed tokens, as Keycloak gives them at the Copernicus Data Space."""

from __future__ import annotations

import base64
import hmac
import json
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from s4c_lib.errors import SourceRefusedError

AUDIENCE = "CLOUDFERRO_PUBLIC"
_KEY_ID = "hub"
_ALGORITHM = "RS256"


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whose token it is."""

    account: str
    session: str
    token_id: str


@dataclass(frozen=True, slots=True)
class TokenRefused:
    """Why no token is given, as Keycloak says it."""

    status: int
    error: str
    description: str


@dataclass(slots=True)
class _Session:
    account: str
    ends: float


class Identity:
    """Gives, checks and takes back tokens; safe for threads.

    Parameters
    ----------
    accounts : user -> password.
    access_seconds, refresh_seconds : life of an access token, and of a session without refreshing.
    session_limit : sessions of one account at a time.
    clock : Unix seconds.
    """

    def __init__(
        self,
        accounts: Mapping[str, str],
        *,
        access_seconds: float,
        refresh_seconds: float,
        session_limit: int,
        clock: Callable[[], float],
    ) -> None:
        from cryptography.hazmat.primitives.asymmetric import rsa

        self._accounts = dict(accounts)
        self._access_seconds = access_seconds
        self._refresh_seconds = refresh_seconds
        self._session_limit = session_limit
        self._clock = clock
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._lock = threading.Lock()
        self._sessions: dict[str, _Session] = {}
        self._refresh: dict[str, str] = {}
        self._revoked: set[str] = set()
        self._most = 0

    @property
    def most_sessions(self) -> int:
        """Most sessions that were open at once."""
        return self._most

    def open_sessions(self) -> int:
        """Sessions open now."""
        with self._lock:
            self._forget_ended()
            return len(self._sessions)

    def knows(self, user: str, password: str) -> bool:
        """Whether the password is that of the user."""
        expected = self._accounts.get(user)
        return expected is not None and hmac.compare_digest(expected.encode(), password.encode())

    def by_password(self, user: str, password: str, issuer: str) -> dict[str, Any] | TokenRefused:
        """Open a session."""
        if not self.knows(user, password):
            return TokenRefused(401, "invalid_grant", "Invalid user credentials")
        now = self._clock()
        with self._lock:
            self._forget_ended()
            if sum(session.account == user for session in self._sessions.values()) >= self._session_limit:
                return TokenRefused(403, "access_denied", "There are too many sessions")
            session_id = str(uuid.uuid4())
            self._sessions[session_id] = _Session(user, now + self._refresh_seconds)
            self._most = max(self._most, len(self._sessions))
            return self._tokens(user, session_id, issuer, now)

    def by_refresh_token(self, token: str, issuer: str) -> dict[str, Any] | TokenRefused:
        """Renew the tokens of a session."""
        now = self._clock()
        with self._lock:
            self._forget_ended()
            session_id = self._refresh.get(token)
            if session_id is None:
                return TokenRefused(400, "invalid_grant", "Invalid refresh token")
            session = self._sessions.get(session_id)
            if session is None:
                return TokenRefused(400, "invalid_grant", "Session not active")
            session.ends = now + self._refresh_seconds
            return self._tokens(session.account, session_id, issuer, now)

    def end(self, refresh_token: str) -> bool:
        """End a session; False where there is none of this token."""
        with self._lock:
            session_id = self._refresh.pop(refresh_token, None)
            return session_id is not None and self._sessions.pop(session_id, None) is not None

    def check(self, token: str | None) -> Bearer:
        """Whose access token this is.

        Raises
        ------
        SourceRefusedError : none, not ours, expired, taken back, or its session has ended.
        """
        import jwt

        if token is None:
            raise SourceRefusedError("Token is missing")
        try:
            # The hub's own clock decides, so that a test can let time pass.
            claims = jwt.decode(
                token,
                self._key.public_key(),
                algorithms=[_ALGORITHM],
                audience=AUDIENCE,
                options={"verify_exp": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError as error:
            raise SourceRefusedError("Invalid token") from error
        if claims["exp"] <= self._clock():
            raise SourceRefusedError("Expired signature!")
        with self._lock:
            self._forget_ended()
            if claims["jti"] in self._revoked or claims["sid"] not in self._sessions:
                raise SourceRefusedError("Session is not active")
        return Bearer(claims["preferred_username"], claims["sid"], claims["jti"])

    def revoke(self, token_id: str) -> None:
        """Refuse one access token from now on; its session can still be refreshed."""
        with self._lock:
            self._revoked.add(token_id)

    def key_set(self) -> dict[str, Any]:
        """The public key, as JWKS."""
        import jwt

        key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key()))
        return {"keys": [{**key, "kid": _KEY_ID, "alg": _ALGORITHM, "use": "sig"}]}

    def basic(self, authorization: str) -> str | None:
        """The account of a header of basic authentication; None where it names none that is known."""
        scheme, _, encoded = authorization.partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            user, _, password = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
        except ValueError:
            return None
        return user if self.knows(user, password) else None

    def _tokens(self, user: str, session_id: str, issuer: str, now: float) -> dict[str, Any]:
        import jwt

        claims = {
            "iss": issuer,
            "aud": [AUDIENCE],
            "sub": str(uuid.uuid5(uuid.NAMESPACE_URL, user)),
            "preferred_username": user,
            "sid": session_id,
            "session_state": session_id,
            "jti": str(uuid.uuid4()),
            "iat": int(now),
            "exp": now + self._access_seconds,
            "azp": "cdse-public",
            "typ": "Bearer",
        }
        refresh_token = f"{uuid.uuid4().hex}{uuid.uuid4().hex}"
        self._refresh[refresh_token] = session_id
        return {
            "access_token": jwt.encode(claims, self._key, algorithm=_ALGORITHM, headers={"kid": _KEY_ID}),
            "expires_in": int(self._access_seconds),
            "refresh_expires_in": int(self._refresh_seconds),
            "refresh_token": refresh_token,
            "token_type": "Bearer",
            "not-before-policy": 0,
            "session_state": session_id,
            "scope": "AUDIENCE_PUBLIC openid email profile",
        }

    def _forget_ended(self) -> None:
        now = self._clock()
        for session_id in [key for key, session in self._sessions.items() if session.ends <= now]:
            del self._sessions[session_id]
