"""Small secrets, sealed with AES-256-GCM under the hall's master key before they reach the database.

The associated data binds each to its session and name, so that a sealed secret moved to another row does not open.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import bindparam, select, text, tuple_
from sqlalchemy.exc import IntegrityError

from crypto.encoding import lv
from sessions.ids import SessionId
from sessions.store import tables
from sessions.store.database import Database
from sessions.store.together import Asking

NONCE = 12

# Both databases know this form.
_ADD = text(
    "INSERT INTO secrets (session, name, sealed) VALUES (:session, :name, :sealed)"
    " ON CONFLICT (session, name) DO NOTHING"
)

_SECRETS: Final = select(tables.secrets).where(
    tuple_(tables.secrets.c.session, tables.secrets.c.name).in_(bindparam("asked", expanding=True))
)


class SecretDamaged(Exception):
    """A stored secret does not open under this master key."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the secret {name!r} does not open: is this the master key it was sealed with?")


class MasterKey:
    """Seals and opens small values. 32 bytes; random 96-bit nonces are safe far beyond the few thousand uses here."""

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)

    def seal(self, session: str, name: str, secret: bytes) -> bytes:
        """Return nonce and sealed secret."""
        nonce = os.urandom(NONCE)
        return nonce + self._aead.encrypt(nonce, secret, _bound(session, name))

    @contextmanager
    def sealing(self) -> Iterator[MasterKey]:
        """Give this key: alone, it is the newest."""
        yield self

    def open(self, session: str, name: str, sealed: bytes) -> bytes:
        """Return the secret; raise SecretDamaged."""
        try:
            return self._aead.decrypt(sealed[:NONCE], sealed[NONCE:], _bound(session, name))
        except (InvalidTag, ValueError) as error:
            raise SecretDamaged(name) from error


class Master(Protocol):
    """What seals and opens: one key, or the keys of a hall (sessions.store.masterkey)."""

    def sealing(self) -> AbstractContextManager[MasterKey]:
        """Give the key to seal with. What is sealed under it must be in the store before this ends."""
        ...

    def open(self, session: str, name: str, sealed: bytes) -> bytes:
        """Return the secret; raise SecretDamaged."""
        ...


class Vault:
    """A SecretStore (sessions.ports) in the database."""

    def __init__(self, database: Database, master: Master) -> None:
        self._database = database
        self._master = master
        self._sealed = Asking(self._read)

    async def keep(self, session: SessionId, name: str, secret: bytes) -> bytes:
        """See SecretStore."""
        try:
            with self._master.sealing() as key:
                row = {"session": session, "name": name, "sealed": key.seal(session, name, secret)}
                async with self._database.writing() as connection:
                    await connection.execute(tables.secrets.insert().values(row))
        except IntegrityError:
            first = await self.get(session, name)
            if first is None:
                raise
            return first
        return secret

    async def keep_all(self, session: SessionId, secrets: Mapping[str, bytes]) -> None:
        """See SecretStore."""
        if not secrets:
            return
        with self._master.sealing() as key:
            rows = [
                {"session": session, "name": name, "sealed": key.seal(session, name, secret)}
                for name, secret in secrets.items()
            ]
            async with self._database.writing() as connection:
                await connection.execute(_ADD, rows)

    async def get(self, session: SessionId, name: str) -> bytes | None:
        """See SecretStore."""
        sealed = await self._sealed.ask((session, name))
        return None if sealed is None else self._master.open(session, name, sealed)

    async def _read(self, asked: Sequence[tuple[SessionId, str]]) -> Mapping[tuple[SessionId, str], bytes]:
        rows = await self._database.ask(_SECRETS, asked=list(asked))
        return {(SessionId(row.session), row.name): row.sealed for row in rows}


def _bound(session: str, name: str) -> bytes:
    return lv("kaibiao/secret/1") + lv(session) + lv(name)
