"""One request and its answer, free of sockets."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from s4c_lib.errors import InputError


@dataclass(frozen=True, slots=True)
class Call:
    """What a client asks.

    Attributes
    ----------
    number : of the request, counted from 1 since the hub began.
    query : names and values in the order of the URL, decoded.
    headers : by lower-case name.
    """

    number: int
    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    def value(self, name: str, default: str = "") -> str:
        """The first value of a query parameter."""
        return next((value for key, value in self.query if key == name), default)

    def count(self, name: str, default: int) -> int:
        """A query parameter that is a whole number from 0.

        Raises
        ------
        InputError : it is something else.
        """
        text = self.value(name, str(default))
        if not text.isdecimal():
            raise InputError(f"Parameter {name}: {text} is no count", hint="give a whole number from 0")
        return int(text)

    def form(self) -> dict[str, str]:
        """The fields of a form that was posted."""
        return {key: values[0] for key, values in parse_qs(self.body.decode("utf-8", "replace")).items()}

    def json(self) -> dict[str, Any]:
        """The object that was posted.

        Raises
        ------
        InputError : the body is no JSON object.
        """
        try:
            document = json.loads(self.body or b"{}")
        except ValueError as error:
            raise InputError(f"the body is no JSON: {error}", hint="post a JSON object") from error
        if not isinstance(document, dict):
            raise InputError("the body is JSON, but no object", hint="post a JSON object")
        return document

    @property
    def token(self) -> str | None:
        """The bearer token of the header, else one that somebody put into the URL."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else (self.value("token") or None)

    @property
    def names_secret(self) -> bool:
        """Whether the URL holds a token or a password, which ends up in logs of proxies."""
        # STAC calls the mark of its next page a token; it opens nothing.
        query = [item for item in self.query if item[0] != "token"] if self.path == _STAC_SEARCH else self.query
        return any(_TELLING.search(name) is not None and value for name, value in query)


_STAC_SEARCH = "/stac/search"
_TELLING = re.compile(r"(?i)^(access_|refresh_|id_)?token$|passw|secret|api_?key|signature|^code$")


@dataclass(frozen=True, slots=True)
class FilePart:
    """Bytes of a file to be sent, from ``start`` on; ``size`` of the whole file for faults that aim at its middle."""

    path: Path
    start: int
    length: int
    size: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back. ``account`` and ``session``: who asked, for the ledger."""

    status: int
    body: bytes | FilePart = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    account: str | None = None
    session: str | None = None

    @property
    def length(self) -> int:
        """Bytes of the body."""
        return len(self.body) if isinstance(self.body, bytes) else self.body.length


Handler = Callable[[Call, "re.Match[str]"], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """Which requests a handler takes.

    Attributes
    ----------
    endpoint : group that faults aim at: ``token``, ``identity``, ``search``, ``product``, ``download``, ``order``,
        ``info``.
    pattern : of the whole path; its group ``product`` is a product's id, its group ``file`` a product's file name.
    """

    endpoint: str
    methods: frozenset[str]
    pattern: re.Pattern[str]
    handler: Handler


def route(endpoint: str, methods: str, pattern: str, handler: Handler) -> Route:
    """Make a route: methods separated by blanks, the pattern anchored at both ends."""
    return Route(endpoint, frozenset(methods.split()), re.compile(rf"{pattern}\Z"), handler)


def json_answer(document: Any, status: int = 200, **headers: str) -> Answer:
    """Answer with JSON; header names are written with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, json.dumps(document).encode(), {"Content-Type": "application/json", **named})
