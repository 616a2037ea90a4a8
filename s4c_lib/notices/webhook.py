"""A web hook: one JSON document by HTTP POST. Its address is a secret, since whoever knows it can write there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from s4c_lib.errors import InputError
from s4c_lib.notices.post import DeliveryError

SECONDS: Final = 20.0


def post_document(url: str, document: Mapping[str, Any], *, token: str | None = None) -> None:
    """Post a document.

    Parameters
    ----------
    token : sent as bearer token.

    Raises
    ------
    InputError : not an HTTP address. DeliveryError : nobody takes it. Of the address, messages hold the host alone.
    """
    import requests

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(
            "The connection of the web hook holds no HTTP address.", hint='extra {"url": "https://..."}, or host'
        )
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    try:
        # a redirection would turn the POST into a GET, and whoever answers it has not read the document
        answer = requests.post(url, json=dict(document), headers=headers, timeout=SECONDS, allow_redirects=False)
    except requests.RequestException as error:
        # the text and the chain of this error hold the whole address
        raise DeliveryError(
            f"The web hook at {parts.hostname} cannot be reached ({type(error).__name__}).", hint="check its connection"
        ) from None
    if not 200 <= answer.status_code < 300:
        raise DeliveryError(
            f"The web hook at {parts.hostname} answers HTTP {answer.status_code}.", hint="check its connection"
        )
