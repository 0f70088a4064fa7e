"""Credentials of a TURN relay are those that coturn computes, end by themselves and name nobody."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from web.media.turn import LIFE, Relay, credentials, relay
from web.settings import Settings, SettingsRefused

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
SECRET = b"north-of-the-river-2026"
URLS = ("turn:turn.example.org:3478?transport=udp", "turns:turn.example.org:443?transport=tcp")


def a_file(tmp_path: Path, content: bytes = SECRET + b"\n") -> Path:
    file = tmp_path / "turn.secret"
    file.write_bytes(content)
    return file


def test_credentials_are_those_of_the_convention() -> None:
    """By `printf %s 1795347000:viewer-7 | openssl dgst -sha1 -hmac north-of-the-river-2026 -binary | base64`."""
    until = datetime(2026, 11, 22, 11, 30, tzinfo=UTC)
    assert credentials(SECRET, "viewer-7", until) == ("1795347000:viewer-7", "MjmaW3nmi2jrqpT8FzUlos/NDOU=")


def test_every_address_is_a_link_with_credentials_for_an_hour() -> None:
    first, second = Relay(URLS, SECRET).headers(NOW)["link"].split(", ")
    assert first.startswith(f'<{URLS[0]}>; rel="ice-server"; username="')
    assert second.startswith(f'<{URLS[1]}>; rel="ice-server"; username="')
    said = re.search(r'username="(\d+):([0-9a-f]{16})"; credential="([^"]+)"; credential-type="password"$', first)
    assert said is not None
    assert int(said[1]) == int((NOW + LIFE).timestamp())
    assert credentials(SECRET, said[2], NOW + LIFE) == (f"{said[1]}:{said[2]}", said[3])


def test_no_two_clients_have_the_same_name() -> None:
    one = Relay(URLS, SECRET)
    assert one.headers(NOW) != one.headers(NOW)


def test_the_secret_is_read_without_the_end_of_its_line_and_never_shown(tmp_path: Path) -> None:
    found = relay(Settings(turn_urls=URLS, turn_secret_file=a_file(tmp_path)))
    assert found == Relay(URLS, SECRET)
    assert "river" not in repr(found)


def test_without_settings_there_is_no_relay() -> None:
    assert relay(Settings()) is None


@pytest.mark.parametrize("content", [None, b"", b"short"])
def test_a_secret_that_is_none_is_refused(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "none" if content is None else a_file(tmp_path, content)
    with pytest.raises(SettingsRefused, match="turn_secret_file"):
        relay(Settings(turn_urls=URLS, turn_secret_file=file))


@pytest.mark.parametrize(
    "urls", [(), ("stun:turn.example.org",), ("turn:a.example,turn:b.example",), ('turn:a">; rel="next',)]
)
def test_addresses_are_of_relays_and_come_with_a_secret(urls: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="turn_urls"):
        Settings(turn_urls=urls, turn_secret_file=a_file(tmp_path))
