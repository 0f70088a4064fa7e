"""Where bidders want to be told, sealed under the hall's master key, and the outbox of a day's notices, in SQL."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Final

from sqlalchemy import ColumnElement, Row, delete, select, text, update

from sessions.notices.due import Contact, Held, holding, packed, unpacked
from sessions.ports import Queued, Sending
from sessions.shape import rfc3339
from sessions.store import tables
from sessions.store.database import Database
from sessions.store.vault import Master, SecretDamaged

_log = logging.getLogger(__name__)

# Both databases know these forms.
_KEEP: Final = text(
    "INSERT INTO contacts (account, sealed) VALUES (:account, :sealed)"
    " ON CONFLICT (account) DO UPDATE SET sealed = excluded.sealed"
)
_QUEUE: Final = text(
    "INSERT INTO notices (account, day, state, tries, again_at)"
    " SELECT account, :day, 'waiting', 0, :now FROM contacts WHERE account = :account"
    " ON CONFLICT (account, day) DO NOTHING"
)


class SqlContacts:
    """Contacts by account. Only the account's id stands in the clear; it names a login, never a bid."""

    def __init__(self, database: Database, master: Master) -> None:
        self._database = database
        self._master = master

    async def keep(self, contact: Contact) -> None:
        """Keep ``contact`` in the place of the one before."""
        with self._master.sealing() as key:
            sealed = key.seal("", contact_name(contact.account), packed(contact))
            async with self._database.writing() as connection:
                await connection.execute(_KEEP, {"account": contact.account, "sealed": sealed})

    async def renew(self, account: str, newer: Held) -> None:
        """Put a certificate that lasts longer in the place of the one for the same usage, where there is a contact.

        Between two writers the other wins: an erased contact stays erased.
        """
        kept = tables.contacts
        async with self._database.reading() as connection:
            row = (await connection.execute(select(kept).where(kept.c.account == account))).first()
        if row is None:
            return
        contact = self._open(row)
        if any(one.usage is newer.usage and one.ends >= newer.ends for one in contact.held):
            return
        with self._master.sealing() as key:
            sealed = key.seal("", contact_name(account), packed(holding(contact, newer)))
            as_read = (kept.c.account == account, kept.c.sealed == row.sealed)
            async with self._database.writing() as connection:
                await connection.execute(update(kept).where(*as_read).values(sealed=sealed))

    async def erase(self, account: str) -> None:
        """Forget address, certificates and notices of an account. A backup from before has them still, sealed."""
        async with self._database.writing() as connection:
            await connection.execute(delete(tables.contacts).where(tables.contacts.c.account == account))

    async def get(self, account: str) -> Contact | None:
        """Return an account's contact, None where there is none; raise SecretDamaged."""
        async with self._database.reading() as connection:
            kept = select(tables.contacts).where(tables.contacts.c.account == account)
            row = (await connection.execute(kept)).first()
        return None if row is None else self._open(row)

    async def every(self) -> tuple[Contact, ...]:
        """Return all contacts. One that does not open is logged and left out: the others are told all the same."""
        async with self._database.reading() as connection:
            rows = (await connection.execute(select(tables.contacts).order_by("account"))).all()
        return await asyncio.to_thread(self._open_all, rows)

    def _open_all(self, rows: Sequence[Row[tuple[str, bytes]]]) -> tuple[Contact, ...]:
        found = []
        for row in rows:
            try:
                found.append(self._open(row))
            except SecretDamaged as error:
                _log.error("a contact does not open", extra={"reason": str(error)})
        return tuple(found)

    def _open(self, row: Row[tuple[str, bytes]]) -> Contact:
        return unpacked(row.account, self._master.open("", contact_name(row.account), row.sealed))


class SqlOutbox:
    """An Outbox (sessions.ports) over SQLAlchemy."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def fill(self, day: date, accounts: Iterable[str], now: datetime) -> None:
        """See Outbox."""
        rows = [{"account": account, "day": day.isoformat(), "now": rfc3339(now)} for account in sorted(accounts)]
        async with self._database.writing() as connection:
            await connection.execute(delete(tables.notices).where(tables.notices.c.day < day.isoformat()))
            if rows:
                await connection.execute(_QUEUE, rows)

    async def waiting(self, day: date, now: datetime, most: int) -> tuple[Queued, ...]:
        """See Outbox."""
        kept = tables.notices.c
        due = (kept.day == day.isoformat(), kept.state == Sending.WAITING.value, kept.again_at <= now)
        wanted = select(tables.notices).where(*due).order_by(kept.again_at, kept.account).limit(most)
        async with self._database.reading() as connection:
            return tuple(map(_queued, (await connection.execute(wanted)).all()))

    async def claim(self, queued: Queued, again_at: datetime) -> bool:
        """See Outbox."""
        kept = tables.notices.c
        as_seen = (kept.tries == queued.tries, kept.state == Sending.WAITING.value)
        mine = update(tables.notices).where(*_is(queued), *as_seen).values(tries=queued.tries + 1, again_at=again_at)
        async with self._database.writing() as connection:
            return bool((await connection.execute(mine)).rowcount)

    async def settle(self, queued: Queued, state: Sending) -> None:
        """See Outbox."""
        async with self._database.writing() as connection:
            await connection.execute(update(tables.notices).where(*_is(queued)).values(state=state.value))

    async def newest(self, account: str) -> Queued | None:
        """See Outbox."""
        kept = tables.notices.c
        theirs = select(tables.notices).where(kept.account == account).order_by(kept.day.desc()).limit(1)
        async with self._database.reading() as connection:
            row = (await connection.execute(theirs)).first()
        return None if row is None else _queued(row)


def contact_name(account: str) -> str:
    """Return the name that an account's contact is sealed under."""
    return f"contact/{account}"


def _is(queued: Queued) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    kept = tables.notices.c
    return kept.account == queued.account, kept.day == queued.day.isoformat()


def _queued(row: Row[tuple[str, str, str, int, datetime]]) -> Queued:
    return Queued(account=row.account, day=date.fromisoformat(row.day), state=Sending(row.state), tries=row.tries)
