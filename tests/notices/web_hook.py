"""A web hook on this machine that keeps what it was sent; ``status`` is what it answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from typing import Any

from tests.local_server import QuietHandler, running


@dataclass
class WebHook:
    port: int
    status: int = 200
    posts: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)


class _Answer(QuietHandler):
    def post(self) -> None:
        hook: WebHook = self.server.state  # type: ignore[attr-defined]
        body = self.received()
        if hook.status == 200:
            hook.posts.append(json.loads(body))
            hook.paths.append(self.path)
            hook.tokens.append(self.headers.get("Authorization"))
        self.answer(hook.status, headers={"Location": "/elsewhere"})


@contextmanager
def web_hook() -> Iterator[WebHook]:
    """A server on a free port of the loopback, until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answer)
    server.daemon_threads = True
    hook = WebHook(server.server_address[1])
    server.state = hook  # type: ignore[attr-defined]
    with running(server):
        yield hook
