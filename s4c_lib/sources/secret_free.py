"""Parameters of a data source are stored and shown: nothing that logs in may be among them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from s4c_lib.errors import InputError

_TELLING = re.compile(
    r"(?i)^(user_?name|login|password|passwd|secret|client_secret|secret_?key|token|access_token|refresh_token|api_?key"
    r"|aws_access_key_id|aws_secret_access_key|aws_session_token|totp)$"
)
_HINT = "put it into an Airflow connection and name that with --connection"


def refuse_secrets(params: Mapping[str, Any], path: str = "") -> None:
    """Refuse parameters that hold a login, key or token, or an address with one.

    Raises
    ------
    InputError : names the place, never the value.
    """
    for key, value in sorted(params.items()):
        _check(value, f"{path}{key}", secret=bool(_TELLING.match(str(key))))


def _check(value: Any, path: str, *, secret: bool) -> None:
    if isinstance(value, Mapping):
        if path.rpartition(".")[2] == "credentials" and value:
            raise InputError(f"{path} holds an account, which is not kept with a data source.", hint=_HINT)
        refuse_secrets(value, f"{path}.")
    elif isinstance(value, str):
        # a provider's definition may refer to a value that is filled in later: {username}
        if secret and value.strip() and not re.fullmatch(r"\{\w+\}", value.strip()):
            raise InputError(f"{path} holds a secret, which is not kept with a data source.", hint=_HINT)
        if _has_login(value):
            raise InputError(f"The address in {path} holds an account.", hint=_HINT)
    elif isinstance(value, Sequence):
        for number, item in enumerate(value):
            _check(item, f"{path}.{number}", secret=secret)


def _has_login(text: str) -> bool:
    if "://" not in text or "@" not in text:
        return False
    try:
        return urlsplit(text).username is not None
    except ValueError:
        return True
