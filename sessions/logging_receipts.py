"""The log of receipts in the store: it grows at every tick, missed ones included, and T0 closes it.

Whoever loses a race to another worker changed nothing: entries are appended where the log was read to end.
"""

from __future__ import annotations

import asyncio
import secrets as randomness

from crypto.digest import leaf_hash, root
from sessions import intake_log
from sessions.batch import ClosedLog
from sessions.ids import Digest, SessionId
from sessions.intake import Intake
from sessions.intake_log import Blinding
from sessions.ports import Entries, EventStore, SecretStore

SECRET = "intake-log"  # noqa: S105 - the name under which the vault keeps it


async def blinding(secrets: SecretStore, session: SessionId) -> Blinding:
    """Return what hides this session's receipts, drawn the first time. Two workers at once get the same one."""
    kept = await secrets.get(session, SECRET)
    if kept is None:
        kept = await secrets.keep(session, SECRET, randomness.token_bytes(32))
    return Blinding(session=session, secret=kept)


async def close_log(events: EventStore, secrets: SecretStore, intake: Intake | None) -> ClosedLog | None:
    """Return the log as T0 closes it, None if the plan has none. Every receipt in ``intake`` is then in it."""
    if intake is None or intake.plan.intake_log is None:
        return None
    log, session = intake.plan.intake_log, intake.plan.session
    held = await events.entries(session)
    by = await blinding(secrets, session)
    count = intake_log.ticks(log, intake.announced_at, intake.t0, intake.t0)

    def close() -> ClosedLog:
        added = intake_log.last(log, held, intake.entries, count, by)
        last = Entries(first=len(held), added=added)
        return ClosedLog(last=last, size=len(held) + len(added), root=log_root([*held, *added]))

    return await asyncio.to_thread(close)


def log_root(entries: list[bytes]) -> Digest:
    """Return the RFC 6962 root over the entries of a log."""
    return Digest(root([leaf_hash(entry) for entry in entries]).hex())
