"""A relay (TURN, RFC 8656) for those whose network lets no packet through to the media port: names and credentials.

The hall relays nothing itself. It shares a secret with a server such as coturn (`use-auth-secret`) and gives
whoever connects credentials that end by themselves; the relay computes the same and asks nobody. They are told as
WHIP has it (RFC 9725 section 4.6): one `Link` of relation `ice-server` for each address.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha1
from typing import Final

from web.settings import Settings, SettingsRefused

LIFE: Final = timedelta(hours=1)
"""How long credentials begin a relayed connection. One that has begun goes on."""

SHORTEST: Final = 16


@dataclass(frozen=True, slots=True)
class Relay:
    """Where the relay is, and what is shared with it."""

    urls: tuple[str, ...]
    secret: bytes = field(repr=False)

    def headers(self, now: datetime) -> Mapping[str, str]:
        """Return the header that tells one client of the relay. The name in it says nothing of who it is."""
        username, credential = credentials(self.secret, secrets.token_hex(8), now + LIFE)
        given = f'rel="ice-server"; username="{username}"; credential="{credential}"; credential-type="password"'
        return {"link": ", ".join(f"<{url}>; {given}" for url in self.urls)}


def credentials(secret: bytes, user: str, until: datetime) -> tuple[str, str]:
    """Return username and password that are good until then (draft-uberti-behave-turn-rest-00 section 2.2)."""
    username = f"{int(until.timestamp())}:{user}"
    return username, b64encode(hmac.digest(secret, username.encode(), sha1)).decode()


def relay(settings: Settings) -> Relay | None:
    """Return the relay that the settings name, if they do. Raises ``SettingsRefused``."""
    if settings.turn_secret_file is None:
        return None
    try:
        secret = settings.turn_secret_file.read_bytes().strip()
    except OSError as error:
        raise SettingsRefused(f"turn_secret_file: {error.filename}: {error.strerror}") from None
    if len(secret) < SHORTEST:
        raise SettingsRefused(
            f"turn_secret_file: at least {SHORTEST} characters, as `openssl rand -hex 32` makes them"
        )
    return Relay(settings.turn_urls, secret)
