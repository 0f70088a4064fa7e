"""How late an opening reached those who watched, counted by class, in SQL. Self-reported, and no part of any log."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select, text

from sessions.ids import SessionId
from sessions.store import tables
from sessions.store.database import Database

# Both databases know this form; the one who adds need not know what others added.
_ADD = text(
    "INSERT INTO lags (session, within_ms, reports) VALUES (:session, :within_ms, :reports)"
    " ON CONFLICT (session, within_ms) DO UPDATE SET reports = lags.reports + excluded.reports"
)


class SqlLags:
    """Counts of reports by the upper bound of their class, in milliseconds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, more: Mapping[SessionId, Mapping[int, int]]) -> None:
        """Add counts by class, all or none."""
        rows = [
            {"session": session, "within_ms": within, "reports": reports}
            for session, classes in sorted(
                more.items()
            )  # in one order everywhere, so that no two workers wait in a ring
            for within, reports in sorted(classes.items())
        ]
        async with self._database.writing() as connection:
            await connection.execute(_ADD, rows)

    async def of(self, session: SessionId) -> Mapping[int, int]:
        """Return an opening's counts by class."""
        kept = tables.lags.c
        wanted = select(kept.within_ms, kept.reports).where(kept.session == session)
        return {row.within_ms: row.reports for row in await self._database.ask(wanted)}
