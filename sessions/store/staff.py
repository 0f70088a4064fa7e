"""Accounts of staff, and logins of everybody, in SQL."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, bindparam, or_, select, update
from sqlalchemy.exc import IntegrityError

from crypto.digest import sha256_hex
from sessions.ids import AccountId
from sessions.roles import Role
from sessions.store import tables
from sessions.store.database import Database
from sessions.store.together import Asking

_THEIRS: Final = select(tables.logins).where(tables.logins.c.token_sha256.in_(bindparam("tokens", expanding=True)))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class StoredAccount:
    """A row: ``password`` is a PHC string, ``totp`` a sealed secret, ``totp_used`` the last time step accepted."""

    id: AccountId
    name: str
    password: str
    totp: bytes
    totp_used: int
    roles: frozenset[Role]
    failures: int
    locked_until: datetime | None
    disabled: bool


class AccountExists(Exception):
    """There is an account of this id already."""


class SqlAccounts:
    """Rows of staff accounts; what they are worth, sessions.store.accounts decides."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, account: StoredAccount) -> None:
        """Keep a new account; raise AccountExists."""
        row = {
            "id": account.id,
            "name": account.name,
            "password": account.password,
            "totp": account.totp,
            "totp_used": account.totp_used,
            "roles": json.dumps(sorted(account.roles)),
            "failures": account.failures,
            "locked_until": account.locked_until,
            "disabled": account.disabled,
        }
        try:
            async with self._database.writing() as connection:
                await connection.execute(tables.accounts.insert().values(row))
        except IntegrityError as error:
            raise AccountExists(account.id) from error

    async def get(self, account: str) -> StoredAccount | None:
        """Return the account of this id."""
        rows = await self._database.ask(select(tables.accounts).where(tables.accounts.c.id == account))
        return _account(rows[0]) if rows else None

    async def every(self) -> tuple[StoredAccount, ...]:
        """Return all accounts by id."""
        return tuple(map(_account, await self._database.ask(select(tables.accounts).order_by("id"))))

    async def change(self, account: str, **values: Any) -> None:
        """Set columns of one account."""
        async with self._database.writing() as connection:
            await connection.execute(update(tables.accounts).where(tables.accounts.c.id == account).values(values))

    async def fail(self, account: str) -> int:
        """Count a failed try, and return the how manieth in a row it is: many at once are as many."""
        row = tables.accounts.c
        failed = update(tables.accounts).where(row.id == account).values(failures=row.failures + 1)
        async with self._database.writing() as connection:
            return int((await connection.execute(failed.returning(row.failures))).scalar_one())

    async def use_step(self, account: str, step: int, now: datetime) -> bool:
        """Use a time step up and forget the failures; False if it, or a later one, was used, or the account rests."""
        row = tables.accounts.c
        awake = or_(row.locked_until.is_(None), row.locked_until <= now)
        mine = update(tables.accounts).where(row.id == account, row.totp_used < step, awake)
        used = mine.values(totp_used=step, failures=0, locked_until=None)
        async with self._database.writing() as connection:
            return bool((await connection.execute(used)).rowcount)


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Somebody who is logged in: ``kind`` is ``bidder`` or ``staff``, ``subject`` a bidder or an account id."""

    kind: str
    subject: str
    name: str
    certificate: bytes | None  # DER, what a bidder logged in with
    created_at: datetime
    expires_at: datetime


class SqlLogins:
    """Logins by token. Only a digest of the token is kept, so a copy of the database logs nobody in."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._found = Asking(self._find)

    async def add(self, token: str, login: Login) -> None:
        """Keep a login under its token, and forget those that are over."""
        row = {
            "token_sha256": sha256_hex(token.encode()),
            "kind": login.kind,
            "subject": login.subject,
            "name": login.name,
            "certificate": login.certificate,
            "created_at": login.created_at,
            "expires_at": login.expires_at,
        }
        async with self._database.writing() as connection:
            over = tables.logins.c.expires_at <= login.created_at
            await connection.execute(tables.logins.delete().where(over))
            await connection.execute(tables.logins.insert().values(row))

    async def find(self, token: str, now: datetime) -> Login | None:
        """Return the login of this token if it has not run out."""
        login = await self._found.ask(sha256_hex(token.encode()))
        return login if login is not None and login.expires_at > now else None

    async def _find(self, tokens: Sequence[str]) -> Mapping[str, Login]:
        return {row.token_sha256: _login(row) for row in await self._database.ask(_THEIRS, tokens=list(tokens))}

    async def of(self, kind: str, subject: str) -> tuple[Login, ...]:
        """Return somebody's logins, oldest first."""
        login = tables.logins.c
        theirs = select(tables.logins).where(login.kind == kind, login.subject == subject).order_by(login.created_at)
        return tuple(map(_login, await self._database.ask(theirs)))

    async def end(self, tokens: Iterable[str]) -> None:
        """Log these tokens out."""
        digests = [sha256_hex(token.encode()) for token in tokens]
        async with self._database.writing() as connection:
            await connection.execute(tables.logins.delete().where(tables.logins.c.token_sha256.in_(digests)))

    async def end_all(self, kind: str, subject: str) -> None:
        """Log somebody out everywhere."""
        login = tables.logins.c
        async with self._database.writing() as connection:
            await connection.execute(tables.logins.delete().where(login.kind == kind, login.subject == subject))


def _account(row: Row[Any]) -> StoredAccount:
    return StoredAccount(
        id=AccountId(row.id),
        name=row.name,
        password=row.password,
        totp=row.totp,
        totp_used=row.totp_used,
        roles=frozenset(map(Role, json.loads(row.roles))),
        failures=row.failures,
        locked_until=row.locked_until,
        disabled=row.disabled,
    )


def _login(row: Row[Any]) -> Login:
    return Login(
        kind=row.kind,
        subject=row.subject,
        name=row.name,
        certificate=row.certificate,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )
