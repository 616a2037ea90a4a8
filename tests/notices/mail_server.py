"""A mail server on this machine: it speaks enough SMTP to take mail, and keeps what it took.

``refusing`` makes it turn every recipient away, as a server does that does not relay for strangers.
"""

from __future__ import annotations

import email.policy
import socketserver
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser

from tests.local_server import running


@dataclass
class Mail:
    """A mail as it was handed over."""

    sender: str
    recipients: list[str]
    message: EmailMessage

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def html(self) -> str:
        body = self.message.get_body(("html",))
        assert body is not None
        return str(body.get_content())


@dataclass
class MailServer:
    port: int
    mails: list[Mail] = field(default_factory=list)
    accounts: list[str] = field(default_factory=list)
    refusing: bool = False


class _Dialogue(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        server: MailServer = self.server.state  # type: ignore[attr-defined]
        self._say("220 localhost ready")
        sender, recipients = "", []
        while line := self.rfile.readline():
            word, _, rest = line.decode().strip().partition(" ")
            match word.upper():
                case "EHLO":
                    self._say("250-localhost", "250 AUTH PLAIN")
                case "AUTH":
                    server.accounts.append(rest)
                    self._say("235 welcome")
                case "MAIL":
                    sender, recipients = rest.partition(":")[2].split(">")[0].lstrip("<"), []
                    self._say("250 ok")
                case "RCPT" if server.refusing:
                    self._say("550 relaying denied")
                case "RCPT":
                    recipients.append(rest.partition(":")[2].strip("<>"))
                    self._say("250 ok")
                case "DATA":
                    self._say("354 go ahead")
                    message = BytesParser(policy=email.policy.default).parsebytes(self._text())
                    server.mails.append(Mail(sender, recipients, message))  # type: ignore[arg-type]
                    self._say("250 taken")
                case "QUIT":
                    self._say("221 bye")
                    return
                case _:
                    self._say("250 ok")

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())

    def _text(self) -> bytes:
        found = b""
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            found += line[1:] if line.startswith(b"..") else line
        return found


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """A server on a free port of the loopback, until the block ends."""
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Dialogue) as listener:
        listener.daemon_threads = True
        state = MailServer(listener.server_address[1])
        listener.state = state  # type: ignore[attr-defined]
        with running(listener):
            yield state
