"""The sockets: requests read, answers sent, or spoiled as a fault says."""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from email.utils import formatdate
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from s4c_lib.errors import SourceRefusedError
from s4c_lib.synthetic.hub.delivery import Delivery, is_transfer, too_many
from s4c_lib.synthetic.hub.exchange import Answer, Call, FilePart, Route, json_answer
from s4c_lib.synthetic.hub.faults import STATUS_KINDS, Drawn, Fault, FaultKind, Faults, replaced_answer
from s4c_lib.synthetic.hub.identity import Identity
from s4c_lib.synthetic.hub.ledger import Ledger, Request
from s4c_lib.synthetic.hub.shelf import Shelf
from s4c_lib.synthetic.hub.spoiling import body_pieces, can_spoil

_LONGEST_BODY = 16 * 1024 * 1024
_IDLE_SECONDS = 60
CONTROL = "/_hub/"
"""Below it lies what belongs to no provider: neither counted nor spoiled."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything a request may need."""

    routes: tuple[Route, ...]
    shelf: Shelf
    identity: Identity
    delivery: Delivery
    faults: Faults
    ledger: Ledger
    clock: Callable[[], float]


class HubServer(ThreadingHTTPServer):
    """One thread a connection; `stop` ends them all.

    Attributes
    ----------
    defects : exceptions nobody meant; they are answered with 500.
    """

    daemon_threads = False
    block_on_close = True
    request_queue_size = 128
    desk: Desk

    def __init__(self, host: str, port: int) -> None:
        super().__init__((host, port), _HubHandler)
        self.defects: list[Exception] = []
        self.stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._to_reset: set[socket.socket] = set()
        self._lock = threading.Lock()

    def opened(self, connection: socket.socket) -> None:
        """Know a connection, so that it can be ended."""
        with self._lock:
            self._open.add(connection)
            late = self.stopping.is_set()
        self.desk.ledger.connected()
        if late:
            _hang_up(connection)

    def closed(self, connection: socket.socket) -> None:
        """Forget a connection."""
        with self._lock:
            self._open.discard(connection)
        self.desk.ledger.disconnected()

    def stop(self) -> None:
        """End the connections and wait for their threads; `shutdown` comes before."""
        with self._lock:
            self.stopping.set()
            for connection in self._open:
                _hang_up(connection)
        self.server_close()

    def reset(self, connection: socket.socket) -> None:
        """End a connection without the farewell of TCP, as a crashed server or a firewall does."""
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with self._lock:
            self._to_reset.add(connection)

    def shutdown_request(self, request: Any) -> None:
        """Say farewell to a client, unless its connection is to be reset."""
        with self._lock:
            abrupt = request in self._to_reset
            self._to_reset.discard(request)
        if abrupt:
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are no defect; everything else is kept for `Hub.close`."""
        error = sys.exc_info()[1]
        if isinstance(error, Exception) and not isinstance(error, ConnectionError | TimeoutError):
            self.defects.append(error)


def _hang_up(connection: socket.socket) -> None:
    # A client that has hung up already has done what is wanted.
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class _HubHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "s4c-hub"
    timeout = _IDLE_SECONDS
    disable_nagle_algorithm = True
    server: HubServer
    _sent = 0

    def setup(self) -> None:
        super().setup()
        self.server.opened(self.connection)

    def finish(self) -> None:
        try:
            super().finish()
        finally:
            self.server.closed(self.connection)

    def log_message(self, *args: Any) -> None:
        """Keep silent: the ledger has it all, without secrets."""

    def version_string(self) -> str:
        return self.server_version

    def date_time_string(self, timestamp: float | None = None) -> str:
        return formatdate(self.server.desk.clock() if timestamp is None else timestamp, usegmt=True)

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        said = self.headers.get("Content-Length", "0")
        length = int(said) if said.isdecimal() else _LONGEST_BODY + 1
        if length > _LONGEST_BODY:
            # Its body is not read, so nothing can follow on this connection.
            self.close_connection = True
            self._send(Answer(413 if said.isdecimal() else 400), None)
            return
        parts = urlsplit(self.path)
        control = parts.path.startswith(CONTROL)
        body = self.rfile.read(length)
        call = Call(
            0 if control else self.server.desk.ledger.begin(),
            self.command,
            unquote(parts.path),
            tuple(parse_qsl(parts.query, keep_blank_values=True)),
            {name.lower(): value for name, value in self.headers.items()},
            body,
        )
        endpoint, product, handle = self._routed(call)
        if control:
            self._send(handle(), None)
            return
        began = self.server.desk.clock()
        request = Request(call.number, began, call.method, call.path, endpoint, product, offence=call.names_secret)
        try:
            request = self._answer(call, request, handle)
        finally:
            self.server.desk.ledger.end(request)

    def _routed(self, call: Call) -> tuple[str, str | None, Callable[[], Answer]]:
        desk = self.server.desk
        allowed: set[str] = set()
        for one in desk.routes:
            found = one.pattern.match(call.path)
            if found is None:
                continue
            if call.method not in one.methods:
                allowed |= one.methods
                continue
            named = found.groupdict()
            product = None
            if named.get("product"):
                product = desk.shelf.title_of(named["product"].lower())
            elif named.get("file"):
                product = named["file"].partition(".")[0]
            return one.endpoint, product, partial(one.handler, call, found)
        if allowed:
            methods = ", ".join(sorted(allowed))
            return "info", None, partial(json_answer, {"detail": "Method Not Allowed"}, 405, Allow=methods)
        return "info", None, partial(json_answer, {"detail": "Not Found"}, 404)

    def _answer(self, call: Call, request: Request, handle: Callable[[], Answer]) -> Request:
        desk = self.server.desk
        drawn = desk.faults.draw(call.number, request.endpoint, request.product)
        if drawn is not None and drawn.fault.kind in STATUS_KINDS:
            answer = replaced_answer(drawn.fault, call, desk.clock())
            self._send(answer, None)
            return replace(request, status=answer.status, fault=drawn.fault.kind.value, failed=True)
        try:
            answer = handle()
        except Exception as error:  # noqa: BLE001 - kept, and raised when the hub is closed
            self.server.defects.append(error)
            answer = json_answer({"detail": f"the hub has a defect: {type(error).__name__}"}, 500)
        account = answer.account or "anonymous"
        counted = is_transfer(answer, call.method)
        if counted and not desk.delivery.begin(account):
            counted = False
            answer = replace(too_many(call, account, desk.delivery.connection_limit), account=answer.account)
        if drawn is not None and not can_spoil(drawn.fault, answer, call.method):
            desk.faults.give_back(drawn)
            drawn = None
        request = replace(request, status=answer.status, account=answer.account, session=answer.session)
        try:
            self._send(answer, drawn)
        except (ConnectionError, TimeoutError):
            # The client went away in the middle: its own decision.
            self.close_connection = True
            request = replace(request, fault="client_gone")
        finally:
            if counted:
                desk.delivery.end(account)
        if drawn is None:
            return replace(request, bytes_sent=self._sent, failed=answer.status >= 400)
        if drawn.fault.kind is FaultKind.UNAUTHORIZED_MIDWAY:
            self._take_back(call, request.product)
        failed = drawn.fault.kind is not FaultKind.SLOW
        return replace(request, bytes_sent=self._sent, fault=drawn.fault.kind.value, failed=failed)

    def _take_back(self, call: Call, product: str | None) -> None:
        desk = self.server.desk
        try:
            desk.identity.revoke(desk.identity.check(call.token).token_id)
        except SourceRefusedError:
            # No token that could be revoked: the login by password is refused once.
            desk.faults.aim(FaultKind.UNAUTHORIZED, endpoint="download", product=product)

    def _send(self, answer: Answer, drawn: Drawn | None) -> None:
        fault = None if drawn is None else drawn.fault
        self._sent = 0
        if fault is not None and fault.kind is FaultKind.RESET and fault.share == 0:
            self._break(fault)
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(answer.length))
        self.end_headers()
        if self.command == "HEAD" or answer.length == 0:
            return
        if fault is None and isinstance(answer.body, FilePart):
            with answer.body.path.open("rb") as file:
                self._sent = self.connection.sendfile(file, answer.body.start, answer.body.length)
            return
        pause = fault.seconds_per_chunk if fault is not None and fault.kind is FaultKind.SLOW else 0
        for piece in body_pieces(answer.body, fault):
            if pause and self.server.stopping.wait(pause):
                self.close_connection = True
                return
            self.wfile.write(piece)
            self._sent += len(piece)
        if self._sent < answer.length and fault is not None:
            self._break(fault)

    def _break(self, fault: Fault) -> None:
        self.close_connection = True
        if fault.kind is FaultKind.RESET:
            self.server.reset(self.connection)
