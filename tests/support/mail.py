"""A real mail server on this machine, which keeps what it takes and may be told to refuse."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as POLICY
from typing import Any, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword

from tests.support.doors import closed

USER, PASSWORD = "hall@example.org", "p 密 word"


@dataclass
class Letterbox:
    """What a mail server took, and what it answers for an address instead of taking it."""

    port: int = 0
    taken: list[EmailMessage] = field(default_factory=list)
    refusing: dict[str, str] = field(default_factory=dict)
    filled: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def addresses(self) -> list[str]:
        """The recipients in the order they came."""
        return [message["to"].addresses[0].addr_spec for message in self.taken]

    async def handle_RCPT(self, _: Any, __: Any, envelope: Envelope, address: str, ___: Any) -> str:  # noqa: N802
        if said := self.refusing.get(address):
            return said
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _: Any, __: Any, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content
        assert isinstance(content, bytes)
        self.taken.append(cast(EmailMessage, message_from_bytes(content, policy=POLICY)))
        self.filled.set()
        return "250 taken"


@contextmanager
def silent_port() -> Iterator[int]:
    """Hold a port at which nobody answers, and nobody else can meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def _known(_: Any, __: Any, ___: Any, ____: str, data: Any) -> AuthResult:
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=good, handled=False)  # the server says 535 then


@asynccontextmanager
async def a_mail_server(
    box: Letterbox | None = None, *, tls: ssl.SSLContext | None = None, login: bool = False
) -> AsyncIterator[Letterbox]:
    """Serve on the box's port, a free one at first. With ``tls`` it offers STARTTLS and wants it."""
    box = box or Letterbox()

    def made() -> SMTP:
        return SMTP(
            box,
            hostname="mail.example.org",
            tls_context=tls,
            require_starttls=tls is not None,
            authenticator=_known if login else None,
            auth_required=login,
            auth_require_tls=tls is not None,
        )

    server = await asyncio.get_running_loop().create_server(made, "127.0.0.1", box.port)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        await closed(server)
