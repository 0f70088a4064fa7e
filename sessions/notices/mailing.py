"""Sends the notices of a day (sessions.notices.due), each once, and goes on trying while the mail server is away.

Whoever claims a notice sends it, so any worker may. A claim counts a try in one statement that only the first of two
workers gets through, and keeps everybody from the next try until long after this one has ended. So a notice is sent
twice only if the mail server's answer is lost, or a worker dies before it wrote it down; both have one Message-ID.
Nothing waits for any of this: no session, no page, no answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Final, Protocol

from sessions.clock import Clock
from sessions.notices.due import Coming, Contact, Notice, day_of, notice
from sessions.ports import Outbox, Queued, Sending

EVERY: Final = 30.0
"""Seconds between two looks into the outbox."""

LONGEST_REST: Final = 900.0
"""Seconds, when the mail server is away."""

AT_ONCE: Final = 200
"""Notices of one look."""

FIRST_AGAIN: Final = timedelta(minutes=5)
"""When a notice is tried a second time; then after twice as long, and so on. Longer than any try may take."""

LONGEST_AGAIN: Final = timedelta(hours=2)

_log = logging.getLogger(__name__)


class MailRefused(Exception):
    """The mail server takes nothing for this address, today and tomorrow."""


class MailDeferred(Exception):
    """The mail server does not take this one now."""


class MailAway(Exception):
    """There is no mail server there that takes mail from this hall. The message says what happened, without names."""


Post = Callable[[Notice], Awaitable[None]]
"""Hands a notice to a mail server; raises MailRefused, MailDeferred or MailAway."""


class ContactStore(Protocol):
    """Where contacts are kept (sessions.store.contacts)."""

    async def get(self, account: str) -> Contact | None: ...

    async def every(self) -> tuple[Contact, ...]: ...


class Mailing:
    """One task that looks into the outbox. Call ``start`` with the loop running, and ``close``."""

    def __init__(
        self,
        contacts: ContactStore,
        outbox: Outbox,
        openings: Callable[[], Awaitable[Sequence[Coming]]],
        post: Post,
        clock: Clock,
        *,
        every: float = EVERY,
    ) -> None:
        """``openings``: the announced ones that have not begun, from the public calendar."""
        self._every = every
        self._contacts = contacts
        self._outbox = outbox
        self._openings = openings
        self._post = post
        self._clock = clock
        self._filled: date | None = None
        self._away: tuple[datetime, str] | None = None
        self._failures = 0
        self._closed = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="mail")

    async def close(self) -> None:
        """End. What was not sent is sent after the next start."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    @property
    def away(self) -> tuple[datetime, str] | None:
        """Since when the mail server takes nothing, and what it said last; None while all is well."""
        return self._away

    async def look(self) -> None:
        """Queue the notices of a day that has begun, and try what waits."""
        now = self._clock.now()
        day = day_of(now)
        if self._filled != day:
            openings = await self._openings()
            due = [contact.account for contact in await self._contacts.every() if notice(contact, openings, now)]
            await self._outbox.fill(day, due, now)
            self._filled = day
        waiting = await self._outbox.waiting(day, now, AT_ONCE)
        if not waiting:
            return
        openings = await self._openings()
        for queued in waiting:
            await self._try(queued, openings)
            if self._failures:  # the others wait, without a try being counted
                return

    async def _try(self, queued: Queued, openings: Sequence[Coming]) -> None:
        now = self._clock.now()
        if not await self._outbox.claim(queued, now + _pause(queued.tries)):
            return
        contact = await self._contacts.get(queued.account)
        said = None if contact is None else notice(contact, openings, now)
        if said is None:  # renewed or erased since the morning
            await self._outbox.settle(queued, Sending.NEEDLESS)
            return
        try:
            await self._post(said)
        except MailRefused:
            await self._outbox.settle(queued, Sending.REFUSED)
        except MailDeferred:
            _log.info("the mail server does not take a notice now; it is tried again")
        except MailAway as error:
            self._away = (self._away or (now, ""))[0], str(error)
            self._failures += 1
            _log.warning("the mail server takes nothing; notices wait", extra={"reason": str(error)})
            return
        else:
            await self._outbox.settle(queued, Sending.SENT)
        self._away, self._failures = None, 0

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except Exception:
                _log.exception("the notices of the day could not be looked at; the next round tries again")
            if self._closed:  # an answer that came just then has swallowed it: asyncio.wait_for before Python 3.12
                return
            await asyncio.sleep(min(self._every * (1 << min(self._failures, 10)), LONGEST_REST))


def _pause(tries: int) -> timedelta:
    return min(FIRST_AGAIN * (1 << min(tries, 10)), LONGEST_AGAIN)
