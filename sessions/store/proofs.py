"""What certificates were judged by, in SQL, under its own SHA-256."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from sessions.ids import Digest
from sessions.store import tables
from sessions.store.database import Database
from sessions.store.together import Together

_AT_ONCE = 500


class SqlProofs:
    """An ProofStore (sessions.ports) over SQLAlchemy. What it has seen it does not look for again."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: dict[Digest, None] = {}
        self._together = Together(self._keep)

    async def keep(self, items: Mapping[Digest, bytes]) -> None:
        """See ProofStore."""
        if not items.keys() <= self._seen.keys():
            await self._together.add(items)

    async def _keep(self, batch: Sequence[Mapping[Digest, bytes]]) -> None:
        items = {name: content for each in batch for name, content in each.items()}
        fresh = [name for name in items if name not in self._seen]
        missing = set(fresh) - await self._known(fresh)
        try:
            await self._put({name: items[name] for name in sorted(missing)})
        except IntegrityError:  # somebody kept one of them meanwhile
            for name in sorted(missing - await self._known(sorted(missing))):
                await self._put({name: items[name]})
        self._seen |= dict.fromkeys(items)
        while len(self._seen) > 10_000:
            del self._seen[next(iter(self._seen))]

    async def get(self, digests: Sequence[Digest]) -> Mapping[Digest, bytes]:
        """See ProofStore."""
        kept = tables.proofs.c
        found: dict[Digest, bytes] = {}
        async with self._database.reading() as connection:
            for start in range(0, len(digests), _AT_ONCE):
                wanted = select(tables.proofs).where(kept.sha256.in_(digests[start : start + _AT_ONCE]))
                found |= {Digest(row.sha256): row.content for row in (await connection.execute(wanted)).all()}
        return found

    async def _known(self, digests: Sequence[Digest]) -> set[Digest]:
        if not digests:
            return set()
        kept = tables.proofs.c
        found: set[Digest] = set()
        async with self._database.reading() as connection:
            for start in range(0, len(digests), _AT_ONCE):
                wanted = select(kept.sha256).where(kept.sha256.in_(digests[start : start + _AT_ONCE]))
                found |= {Digest(row.sha256) for row in (await connection.execute(wanted)).all()}
        return found

    async def _put(self, items: Mapping[Digest, bytes]) -> None:
        if items:
            async with self._database.writing() as connection:
                rows = [{"sha256": name, "content": content} for name, content in items.items()]
                await connection.execute(tables.proofs.insert(), rows)
