"""A real HTTP server on loopback that serves one file and misbehaves as it is told, request by request."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import ThreadingHTTPServer
from pathlib import Path

from s4c_lib.sources.catalogue import Checksum, Download
from tests.local_server import QuietHandler, running

TOKEN = "eyJhbGciOiJSUzI1NiJ9.c2VjcmV0LXRva2Vu.c2lnbmF0dXJl"
SIGNATURE = "0123456789abcdefSIGNED"


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one request for the product.

    Attributes
    ----------
    status, headers, body : answered instead of the product.
    cut : bytes of the body sent before the connection ends; ``reset`` ends it by RST, ``hold`` keeps it open, silent.
    drip : bytes sent every 20 ms.
    flip : position of a byte that is sent wrong.
    revoke : the token is of no use once the body has begun.
    """

    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    cut: int | None = None
    reset: bool = False
    hold: bool = False
    drip: int | None = None
    flip: int | None = None
    revoke: bool = False
    wrong_range: bool = False


@dataclass(slots=True)
class Served:
    """The file and how it is served; changed by tests while the server runs."""

    body: bytes
    file_name: str
    etag: str | None = '"v1"'
    last_modified: str | None = "Fri, 01 Mar 2024 12:00:00 GMT"
    ranges: bool = True
    honours_if_range: bool = True
    chunked: bool = False
    longest_range: int | None = None
    content_type: str = "application/octet-stream"
    token: str | None = None
    redirect: str | None = None
    faults: list[Fault] = field(default_factory=list)
    on_sent: Callable[[int], None] | None = None
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    sent: int = 0


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    served: Served
    stopping: threading.Event

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is what these tests are about."""


class _Handler(QuietHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def get(self) -> None:
        served = self.server.served
        headers = {key.lower(): value for key, value in self.headers.items()}
        served.requests.append((self.path, headers))
        if self.path.startswith("/away"):
            self.answer(302, headers={"Location": str(served.redirect)})
            return
        fault = served.faults.pop(0) if served.faults else Fault()
        if fault.status is not None:
            self.answer(fault.status, fault.body, dict(fault.headers))
        elif served.token is not None and headers.get("authorization") != f"Bearer {served.token}":
            self.answer(401)
        else:
            self._product(served, headers, fault)

    def _product(self, served: Served, headers: dict[str, str], fault: Fault) -> None:
        first, last, size = 0, len(served.body) - 1, len(served.body)
        wanted = headers.get("range") if served.ranges else None
        validator = headers.get("if-range")
        if wanted and served.honours_if_range and validator not in (None, served.etag, served.last_modified):
            wanted = None
        if wanted:
            first = int(wanted.removeprefix("bytes=").rstrip("-"))
            if first >= size:
                self.answer(416, headers={"Content-Range": f"bytes */{size}"})
                return
            if served.longest_range:
                last = min(last, first + served.longest_range - 1)
        body = served.body[first : last + 1]
        if fault.flip is not None and fault.flip < len(body):
            body = body[: fault.flip] + bytes([body[fault.flip] ^ 0xFF]) + body[fault.flip + 1 :]
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Type", served.content_type)
        for key, value in (("ETag", served.etag), ("Last-Modified", served.last_modified)):
            if value is not None:
                self.send_header(key, value)
        if wanted:
            start = first + 1 if fault.wrong_range else first
            self.send_header("Content-Range", f"bytes {start}-{last}/{size}")
        if served.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if fault.revoke:
            served.token = "another"
        self._send_body(served, body, fault)

    def _send_body(self, served: Served, body: bytes, fault: Fault) -> None:
        end = len(body) if fault.cut is None else min(fault.cut, len(body))
        step = fault.drip or 16384
        for at in range(0, end, step):
            piece = body[at : min(at + step, end)]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if served.chunked else piece)
            served.sent += len(piece)
            if served.on_sent is not None:
                served.on_sent(served.sent)
            if fault.drip and self.server.stopping.wait(0.02):
                return
        if fault.hold:
            self.server.stopping.wait(30)
        elif fault.cut is None:
            if served.chunked:
                self.wfile.write(b"0\r\n\r\n")
            return
        self.close_connection = True
        if fault.reset:
            # What was sent is to arrive first: a reset throws away what the client has not read yet.
            time.sleep(0.01)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()


@dataclass(slots=True)
class Hub:
    """A running server and the account at it."""

    served: Served
    url: str
    located: list[bool] = field(default_factory=list)
    token: str | None = None
    fresh_token: str | None = None
    download: Download | None = None

    def locate(self, renew: bool) -> Download:
        """As a catalogue does; a renewed token is the fresh one."""
        self.located.append(renew)
        if renew and self.fresh_token is not None:
            self.token = self.fresh_token
        made = self.download or Download(
            url=f"{self.url}/product", file_name=self.served.file_name, hosts=frozenset({"127.0.0.1"})
        )
        return replace(made, headers={"Authorization": f"Bearer {self.token}"}) if self.token else made

    def states(self, algorithm: str, digest: str, *, size: int | None = None) -> None:
        """What the catalogue says of the product from now on."""
        self.download = Download(
            url=f"{self.url}/product",
            file_name=self.served.file_name,
            hosts=frozenset({"127.0.0.1"}),
            size_bytes=size,
            checksum=Checksum(algorithm, digest) if algorithm else None,
        )


@contextmanager
def serving(body: bytes, file_name: str, certificate: Path | None = None) -> Iterator[Hub]:
    """Serve a file; over TLS with the key and certificate in one file."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.served = Served(body, file_name)
    server.stopping = threading.Event()
    scheme = "http"
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https"
    with running(server):
        try:
            yield Hub(server.served, f"{scheme}://127.0.0.1:{server.server_port}")
        finally:
            server.stopping.set()
