"""A web hook on this machine that keeps what it was sent; ``status`` is what it answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class WebHook:
    port: int
    status: int = 200
    posts: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)


class _Answer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        hook: WebHook = self.server.state  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if hook.status == 200:
            hook.posts.append(json.loads(body))
            hook.paths.append(self.path)
            hook.tokens.append(self.headers.get("Authorization"))
        self.send_response(hook.status)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing: the test shows what arrived."""


@contextmanager
def web_hook() -> Iterator[WebHook]:
    """A server on a free port of the loopback, until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answer)
    server.daemon_threads = True
    hook = WebHook(server.server_address[1])
    server.state = hook  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
