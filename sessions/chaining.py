"""Happenings become records: numbered, dated, chained (crypto/FORMAT.md section 8)."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from crypto.chain import GENESIS, commit_private, event_digest, verify_chain
from crypto.errors import ChainBroken
from sessions.codec import event_to_json
from sessions.events import Happening, Recorded, Stream
from sessions.ids import Digest, SessionId
from sessions.shape import rfc3339

_FIRST = Digest(GENESIS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Where a stream ends: number, digest and moment of its last event."""

    number: int = 0
    digest: Digest = _FIRST
    at: datetime | None = None

    def after(self, record: Recorded) -> Head:
        """Return the head once ``record`` follows."""
        return Head(number=record.number, digest=record.digest, at=record.at)


def chain(head: Head, session: SessionId, stream: Stream, happening: Happening) -> Recorded:
    """Return the happening as the record that follows ``head``.

    Its moment is never before the head's: time caused events carry when they fell due, which may be earlier than
    something that was recorded meanwhile.
    """
    at = happening.at if head.at is None else max(happening.at, head.at)
    form = event_to_json(happening.event)
    record = Recorded(
        session=session,
        stream=stream,
        number=head.number + 1,
        at=at,
        actor=happening.actor,
        event=happening.event,
        salt=None if form[2] is None else secrets.token_hex(16),
        previous=head.digest,
        digest=_FIRST,
    )
    return replace(record, digest=Digest(event_digest(_core(record, *form))))


def core(record: Recorded) -> dict[str, Any]:
    """Return what the chain's digest is taken over: the same for every reader, whatever they are shown."""
    return _core(record, *event_to_json(record.event))


def _core(record: Recorded, name: str, data: dict[str, Any], private: Any | None) -> dict[str, Any]:
    return {
        "stream": f"{record.session}/{record.stream}",
        "n": record.number,
        "at": rfc3339(record.at),
        "type": name,
        "actor": f"{record.actor.role}:{record.actor.id}",
        "data": data,
        "private": None if private is None or record.salt is None else commit_private(record.salt, private),
        "prev": record.previous,
    }


def check(head: Head, records: Iterable[Recorded]) -> Head:
    """Return the head after ``records``, read from a store; raise ``ChainBroken`` where one does not follow."""
    cores: list[Mapping[str, Any]] = []
    last = head
    for record in records:
        cores.append(core(record))
        last = last.after(record)
    if verify_chain(cores, after=(head.number, head.digest)) != last.digest:
        raise ChainBroken("broken_chain", number=last.number)
    return last
