"""Mail is handed over privately, to the server that was meant, or not at all."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path

import pytest

from sessions.notices.mailing import MailAway, MailDeferred, MailRefused
from tests.support.doors import closed
from tests.support.mail import PASSWORD, USER, Letterbox, a_mail_server, silent_port
from tests.support.proxies import certificate
from web.cli.doctor import mail
from web.outside.smtp import MailServer, Tls, mail_server
from web.settings import Settings, SettingsRefused, load

FROM, WORD = "hall@example.org", "a-password"


def a_message(to: str = "bids@huadong.example") -> EmailMessage:
    message = EmailMessage()
    message["To"], message["From"], message["Subject"] = to, FROM, "x"
    message.set_content("x")
    return message


@asynccontextmanager
async def a_private_server(folder: Path) -> AsyncIterator[tuple[Letterbox, MailServer]]:
    trust = certificate(folder)
    shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shown.load_cert_chain(folder / "fullchain.pem", folder / "key.pem")
    async with a_mail_server(tls=shown, login=True) as box:
        yield (
            box,
            MailServer(
                host="127.0.0.1",
                port=box.port,
                tls=Tls.STARTTLS,
                sender=FROM,
                user=USER,
                password=PASSWORD,
                context=trust,
            ),
        )


async def test_a_mail_goes_over_starttls_with_a_login(tmp_path: Path) -> None:
    async with a_private_server(tmp_path) as (box, server):
        await server.greet()
        assert box.taken == []
        await server.send(a_message())
    assert box.addresses == ["bids@huadong.example"]


async def test_a_server_whose_certificate_nobody_knows_gets_neither_password_nor_mail(tmp_path: Path) -> None:
    async with a_private_server(tmp_path) as (box, server):
        with pytest.raises(MailAway):
            await replace(server, context=None).send(a_message())
    assert box.taken == []


async def test_a_server_without_starttls_gets_nothing_in_the_clear() -> None:
    async with a_mail_server() as box:
        server = MailServer(host="127.0.0.1", port=box.port, tls=Tls.STARTTLS, sender=FROM)
        with pytest.raises(MailAway):
            await server.send(a_message())
    assert box.taken == []


async def test_a_wrong_password_is_told_by_its_code_without_the_password(tmp_path: Path) -> None:
    async with a_private_server(tmp_path) as (_, server):
        with pytest.raises(MailAway) as told:
            await replace(server, password="another").greet()
    assert str(told.value) == "SMTPAuthenticationError, 535"
    assert told.value.__cause__ is None


@pytest.mark.parametrize(
    ("said", "raised"), [("550 no such user", MailRefused), ("451 later", MailDeferred), ("452 full", MailDeferred)]
)
async def test_what_a_server_says_of_one_address_is_about_that_address(said: str, raised: type[Exception]) -> None:
    async with a_mail_server(Letterbox(refusing={"bids@huadong.example": said})) as box:
        server = MailServer(host="127.0.0.1", port=box.port, tls=Tls.NEVER, sender=FROM)
        with pytest.raises(raised):
            await server.send(a_message())
        await server.send(a_message("other@huadong.example"))
    assert box.addresses == ["other@huadong.example"]


async def test_nobody_there_and_a_server_that_hangs_up_are_away() -> None:
    with silent_port() as port, pytest.raises(MailAway, match="SMTPConnectError"):
        await MailServer(host="127.0.0.1", port=port, tls=Tls.NEVER, sender=FROM).send(a_message())
    hangs_up = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with hangs_up:
        port = hangs_up.sockets[0].getsockname()[1]
        with pytest.raises(MailAway):
            await MailServer(host="127.0.0.1", port=port, tls=Tls.NEVER, sender=FROM).send(a_message())
        await closed(hangs_up)


@pytest.mark.parametrize(
    ("url", "tls", "port"),
    [
        ("smtp://mail.example.org", Tls.STARTTLS, 587),
        ("smtp://mail.example.org:25", Tls.STARTTLS, 25),
        ("smtps://mail.example.org", Tls.FROM_THE_START, 465),
        ("smtps://localhost", Tls.FROM_THE_START, 465),
        ("smtp://localhost", Tls.NEVER, 25),
        ("smtp://[::1]:2525", Tls.NEVER, 2525),
    ],
)
def test_only_on_this_machine_mail_goes_in_the_clear(url: str, tls: Tls, port: int) -> None:
    server = mail_server(Settings(mail_url=url, mail_from=FROM))
    assert server is not None
    assert (server.tls, server.port) == (tls, port)


def test_without_settings_there_is_no_mail_server() -> None:
    assert mail_server(Settings()) is None


def test_user_and_password_come_from_the_address_and_a_file_and_are_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n", "utf-8")
    server = mail_server(
        Settings(mail_url="smtp://hall%40example.org@m.example", mail_from=FROM, mail_password_file=file)
    )
    assert server is not None
    assert (server.user, server.password) == (USER, PASSWORD)
    assert PASSWORD not in repr(server)


def test_a_password_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused, match="mail_password_file"):
        mail_server(Settings(mail_url="smtp://u@m.example", mail_from=FROM, mail_password_file=tmp_path / "none"))


@pytest.mark.parametrize(
    "given",
    [
        {"mail_url": "smtp://m.example"},
        {"mail_from": FROM},
        {"mail_url": "smtp://m.example", "mail_from": "nobody"},
        {"mail_url": f"smtp://u:{WORD}@m.example", "mail_from": FROM},
        {"mail_url": "smtp://u@m.example", "mail_from": FROM},
        {"mail_url": "smtp://m.example", "mail_from": FROM, "mail_password_file": Path("p")},
        {"mail_url": "http://m.example", "mail_from": FROM},
        {"mail_url": "smtp://m.example/path", "mail_from": FROM},
        {"mail_url": "smtp://m.example", "mail_from": "a@b.example\r\nBcc: c@d.example"},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(given: dict[str, object]) -> None:
    with pytest.raises(SettingsRefused) as told:
        load(**given)
    assert "mail_" in str(told.value)
    assert WORD not in str(told.value)


async def test_the_doctor_asks_the_mail_server_and_sends_nothing() -> None:
    async with a_mail_server() as box:
        settings = Settings(mail_url=f"smtp://127.0.0.1:{box.port}", mail_from=FROM)
        well = await mail(settings)
    assert well.ok
    assert f"127.0.0.1:{box.port} answers" in well.found
    assert box.taken == []
    with silent_port() as port:
        ill = await mail(Settings(mail_url=f"smtp://127.0.0.1:{port}", mail_from=FROM))
    assert "mail_url" in ill.fix
    assert (await mail(Settings())).ok
