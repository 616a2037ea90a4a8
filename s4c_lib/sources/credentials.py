"""Accounts of data sources, as they are handed to what logs in: never stored, never shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

_HIDDEN = "***"
# What may stand in a URL and must not stand in a log: user:password@, and values of telling names.
_IN_URL = re.compile(r"(?<=://)[^/@\s]+@")
_TELLING = re.compile(
    r"(?i)\b(access_token|refresh_token|id_token|token|password|passwd|secret|api_?key|client_secret|signature"
    r"|x-amz-[a-z-]+)(\"?\s*[=:]\s*\"?)([^\s&\"',;)]+)"
)
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}")


@dataclass(frozen=True, slots=True)
class Credentials:
    """An account: what an Airflow connection holds.

    Attributes
    ----------
    username, password : login; None where the source wants a key.
    extra : further fields of the connection, such as ``apikey`` or ``totp``.
    """

    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    extra: Mapping[str, str] = field(default_factory=dict, repr=False)

    def secrets(self) -> tuple[str, ...]:
        """Everything that must not be seen."""
        found = (self.password, *self.extra.values())
        return tuple(text for text in found if text)


Vault = Callable[[str], Credentials]
"""Gives the account of a connection id; raises NotFoundError naming the id where there is none."""


def without_secrets(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a message with accounts, tokens and the given secrets blotted out."""
    for secret in sorted(set(secrets), key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    text = _IN_URL.sub(f"{_HIDDEN}@", text)
    text = _BEARER.sub(lambda found: f"{found[1]} {_HIDDEN}", text)
    return _TELLING.sub(lambda found: f"{found[1]}{found[2]}{_HIDDEN}", text)
