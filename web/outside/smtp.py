"""The one mail server that this hall hands notices to (RFC 5321), over TLS unless it is on this machine.

Certificates are checked against the system's authorities, always: who reads these mails learns who has an account.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from enum import StrEnum
from typing import Final
from urllib.parse import unquote, urlsplit

from aiosmtplib import SMTP, SMTPDataError, SMTPException, SMTPRecipientsRefused, SMTPResponseException

from sessions.notices.mailing import MailAway, MailDeferred, MailRefused
from web.settings import Settings, SettingsRefused, on_this_machine

SECONDS: Final = 20.0
"""How long the server may take for an answer; a whole mail may take three times that."""


class Tls(StrEnum):
    """When a connection becomes a private one."""

    FROM_THE_START = "smtps"
    STARTTLS = "starttls"
    NEVER = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """Where mail is handed over, as whom, and from which address. ``context``: whom to trust for TLS."""

    host: str
    port: int
    tls: Tls
    sender: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    context: ssl.SSLContext | None = field(default=None, repr=False)

    async def send(self, message: EmailMessage) -> None:
        """Hand a message to its one recipient's server; raise MailRefused, MailDeferred or MailAway.

        When this returns, the server has taken the responsibility for it (RFC 5321 section 6.1).
        """
        recipient = message["to"].addresses[0].addr_spec
        async with self._connection() as server:
            try:
                await server.sendmail(self.sender, [recipient], message.as_bytes())
            except SMTPRecipientsRefused as error:
                code = error.recipients[0].code
                raise (MailRefused if code >= 500 else MailDeferred)(str(code)) from None
            except SMTPDataError as error:
                raise (MailRefused if error.code >= 500 else MailDeferred)(str(error.code)) from None

    async def greet(self) -> None:
        """Log in and leave; raise MailAway."""
        async with self._connection():
            pass

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[SMTP]:
        server = SMTP(
            hostname=self.host,
            port=self.port,
            username=self.user,
            password=self.password,
            local_hostname=self.sender.partition("@")[2],  # else this machine's name, looked up, would be told
            timeout=SECONDS,
            use_tls=self.tls is Tls.FROM_THE_START,
            start_tls=self.tls is Tls.STARTTLS,
            tls_context=self.context if self.tls is not Tls.NEVER else None,
        )
        try:
            async with asyncio.timeout(3 * SECONDS):
                await server.connect()
                yield server
        except SMTPResponseException as error:
            raise MailAway(f"{type(error).__name__}, {error.code}") from None  # its text may name the user
        except (SMTPException, OSError, TimeoutError) as error:
            raise MailAway(type(error).__name__) from None
        finally:
            line = server.transport
            with suppress(SMTPException, OSError, TimeoutError):
                await server.quit(timeout=1)
            server.close()
            if isinstance(line, asyncio.WriteTransport):  # TLS would wait half a minute for its own farewell
                line.abort()


def mail_server(settings: Settings) -> MailServer | None:
    """Return the mail server that the settings name, if they do. Raises ``SettingsRefused``."""
    if not settings.mail_url:
        return None
    parts = urlsplit(settings.mail_url)
    host, encrypted = parts.hostname or "", parts.scheme == "smtps"
    tls = Tls.FROM_THE_START if encrypted else Tls.NEVER if on_this_machine(host) else Tls.STARTTLS
    port = parts.port or {Tls.FROM_THE_START: 465, Tls.STARTTLS: 587, Tls.NEVER: 25}[tls]
    return MailServer(
        host=host,
        port=port,
        tls=tls,
        sender=settings.mail_from,
        user=unquote(parts.username) if parts.username else None,
        password=_password(settings),
    )


def _password(settings: Settings) -> str | None:
    if settings.mail_password_file is None:
        return None
    try:
        return settings.mail_password_file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsRefused(f"mail_password_file: {error}") from None
