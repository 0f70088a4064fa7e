"""Parts of the hall that tell the figures what they do, and are otherwise what they are without."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime

from sessions.events import Recorded
from sessions.ids import SessionId
from sessions.notices.due import Notice
from sessions.notices.mailing import MailAway, Post
from sessions.plan import AnchorKind
from sessions.ports import Anchor, Entries, HoldsAnother, NotAnchored, Outcome, Said, Summary, ToAnchor, Witnessing
from sessions.store.database import Database
from sessions.store.events import SqlEvents
from web.metrics.instruments import Metrics


class MeasuredEvents(SqlEvents):
    """The log in SQL, with a clock beside it."""

    def __init__(self, database: Database, metrics: Metrics) -> None:
        super().__init__(database)
        self._metrics = metrics

    async def append(
        self,
        session: SessionId,
        records: Sequence[Recorded],
        *,
        summary: Summary | None = None,
        outcomes: Sequence[Outcome] = (),
        entries: Entries | None = None,
        closes: datetime | None = None,
    ) -> None:
        """See EventStore."""
        clock = asyncio.get_running_loop().time
        began = clock()
        await super().append(session, records, summary=summary, outcomes=outcomes, entries=entries, closes=closes)
        self._metrics.appended(records, clock() - began)


class MeasuredAnchor:
    """A witness or an authority (sessions.ports.Witnessing), with a clock beside it."""

    def __init__(self, anchor: Anchor, metrics: Metrics) -> None:
        self._anchor = anchor
        self._metrics = metrics

    @property
    def kind(self) -> AnchorKind:
        """See Anchor."""
        return self._anchor.kind

    @property
    def name(self) -> str:
        """See Anchor."""
        return self._anchor.name

    async def hold(self, asked: ToAnchor) -> Said:
        """See Anchor."""
        clock = asyncio.get_running_loop().time
        began, outcome = clock(), "answered"
        try:
            return await self._anchor.hold(asked)
        except NotAnchored:
            outcome = "silent"
            raise
        except HoldsAnother:
            outcome = "holds_another"
            raise
        finally:
            self._metrics.asked(self.kind.value, outcome, clock() - began)


class MeasuredWitness(MeasuredAnchor):
    """A witness, with a clock beside it."""

    def __init__(self, witness: Witnessing, metrics: Metrics) -> None:
        super().__init__(witness, metrics)
        self._witness = witness

    async def seen(self, origin: str) -> str | None:
        """See Witnessing."""
        return await self._witness.seen(origin)


def mail(post: Post, metrics: Metrics) -> Post:
    """Return the same way to the mail server, measured."""

    async def measured(notice: Notice) -> None:
        clock = asyncio.get_running_loop().time
        began, outcome = clock(), "answered"
        try:
            await post(notice)
        except MailAway:
            outcome = "silent"
            raise
        finally:
            metrics.asked("mail", outcome, clock() - began)

    return measured


def witnesses(named: Mapping[str, Witnessing], metrics: Metrics) -> dict[str, Witnessing]:
    """Return the same witnesses, measured."""
    return {vkey: MeasuredWitness(witness, metrics) for vkey, witness in named.items()}


def authorities(named: Mapping[str, Anchor], metrics: Metrics) -> dict[str, Anchor]:
    """Return the same authorities, measured."""
    return {name: MeasuredAnchor(anchor, metrics) for name, anchor in named.items()}
