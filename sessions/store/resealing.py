"""Seals what is stored anew under the newest master key, while the hall serves, and says what is under which.

A batch is a transaction, and a value that is under the newest key already is left alone: whoever is interrupted
begins again and loses nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Row, Table, select, tuple_, update

from sessions.store import tables
from sessions.store.accounts import totp_name
from sessions.store.contacts import contact_name
from sessions.store.database import Database
from sessions.store.masterkey import MasterKeys
from sessions.store.vault import MasterKey, SecretDamaged

BATCH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A column of sealed values, and what each is bound to."""

    table: Table
    key: tuple[Column[Any], ...]
    sealed: Column[Any]
    bound: Callable[[Row[Any]], tuple[str, str]]


_PLACES = (
    _Place(
        table=tables.secrets,
        key=(tables.secrets.c.session, tables.secrets.c.name),
        sealed=tables.secrets.c.sealed,
        bound=lambda row: (row.session, row.name),
    ),
    _Place(
        table=tables.accounts,
        key=(tables.accounts.c.id,),
        sealed=tables.accounts.c.totp,
        bound=lambda row: ("", totp_name(row.id)),
    ),
    _Place(
        table=tables.contacts,
        key=(tables.contacts.c.account,),
        sealed=tables.contacts.c.sealed,
        bound=lambda row: ("", contact_name(row.account)),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resealed:
    """What a run did: values sealed anew, and the names of those that open under no key there is."""

    anew: int
    damaged: tuple[str, ...]


class StillInUse(Exception):
    """Something is sealed under a key that was to be deleted; the message says how much."""

    hint = "run `kaibiao keys reseal` first"


async def reseal(
    database: Database, keys: MasterKeys, *, batch: int = BATCH, progress: Callable[[int], None] = lambda anew: None
) -> Resealed:
    """Seal every stored secret under the newest key. ``progress`` is told after each batch, when it is durable."""
    anew, damaged = 0, []
    for place in _PLACES:
        after: tuple[Any, ...] | None = None
        while True:
            with keys.sealing() as newest:
                async with database.writing() as connection:
                    rows = (await connection.execute(_page(place, after, batch).with_for_update())).all()
                    for row in rows:
                        sealed = getattr(row, place.sealed.name)
                        session, name = place.bound(row)
                        if _opens(newest, session, name, sealed):
                            continue
                        try:
                            secret = keys.open(session, name, sealed)
                        except SecretDamaged:
                            damaged.append(f"{session}/{name}".lstrip("/"))
                            continue
                        same = [column == row[at] for at, column in enumerate(place.key)]
                        values = {place.sealed.name: newest.seal(session, name, secret)}
                        await connection.execute(update(place.table).where(*same).values(values))
                        anew += 1
            if not rows:
                break
            after = tuple(rows[-1][: len(place.key)])
            progress(anew)
    return Resealed(anew=anew, damaged=tuple(damaged))


async def under(database: Database, keys: MasterKeys) -> Mapping[int | None, int]:
    """Return how many values are sealed under each key, by its number; under None those that open under no key."""
    every = keys.every
    found: Counter[int | None] = Counter(dict.fromkeys(every, 0))
    async with database.reading() as connection:
        for place in _PLACES:
            for row in await connection.execute(_page(place, None, None)):
                found[_number(every.items(), *place.bound(row), getattr(row, place.sealed.name))] += 1
    return found


async def retire(database: Database, keys: MasterKeys) -> tuple[int, ...]:
    """Delete every key but the newest and return their numbers.

    A copy of the database from before needs them still: keep them with it, or nothing in it opens.

    Raises:
        StillInUse: something is sealed under one of them, or under a key that is not here; nothing was deleted.
    """
    _, *older = keys.every
    found = await under(database, keys)
    if held := sum(found[number] for number in older):
        raise StillInUse(f"{held} stored secrets are sealed under an older key")
    if found.get(None):
        raise StillInUse(f"{found[None]} stored secrets open under no key that is here")
    for number in older:
        keys.remove(number)
    return tuple(sorted(older))


def _page(place: _Place, after: tuple[Any, ...] | None, limit: int | None) -> Any:
    page = select(*place.key, place.sealed).order_by(*place.key)
    if after is not None:
        page = page.where(tuple_(*place.key) > after)
    return page.limit(limit) if limit else page


def _opens(key: MasterKey, session: str, name: str, sealed: bytes) -> bool:
    try:
        key.open(session, name, sealed)
    except SecretDamaged:
        return False
    return True


def _number(keys: Iterable[tuple[int, MasterKey]], session: str, name: str, sealed: bytes) -> int | None:
    return next((number for number, key in keys if _opens(key, session, name, sealed)), None)
